import { useMemo } from "react";
import { graphql, useSubscription } from "react-relay";
import { ApiError } from "./errors";
import type { AttemptSubscription } from "./__generated__/AttemptSubscription.graphql";

interface Props {
  state: string;
  onConnected: (sync: string) => void;
  onFailed: (error: Error) => void;
  onGivenUp: () => void;
}

/** Waits for the creator's decision, wherever it is made: the popup need not tell us anything. */
export function Attempt({ state, onConnected, onFailed, onGivenUp }: Props) {
  const config = useMemo(
    () => ({
      subscription: graphql`
        subscription AttemptSubscription($state: String!) {
          connectAttemptUpdated(state: $state) {
            status
            error {
              code
              message
            }
            sync {
              id
            }
          }
        }
      `,
      variables: { state },
      onNext(event: AttemptSubscription["response"] | null | undefined) {
        const attempt = event?.connectAttemptUpdated;
        if (attempt?.sync) onConnected(attempt.sync.id);
        else if (attempt && attempt.status !== "PENDING") {
          onFailed(
            new ApiError({
              message: attempt.error?.message ?? ENDS[attempt.status] ?? "The connect did not succeed.",
              extensions: { code: attempt.error?.code ?? attempt.status },
            }),
          );
        }
      },
      onError: onFailed,
    }),
    [state], // the callbacks are made anew on every render, and must not begin the subscription anew
  );
  useSubscription<AttemptSubscription>(config);
  return (
    <p className="waiting" role="status">
      Waiting for the creator's decision in the popup …{" "}
      <button type="button" onClick={onGivenUp}>
        Give up
      </button>
    </p>
  );
}

const ENDS: Record<string, string> = {
  DENIED: "The creator said no.",
  EXPIRED: "Nobody decided within ten minutes.",
};
