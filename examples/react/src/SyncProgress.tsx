import { useMemo, useState } from "react";
import { graphql, useSubscription } from "react-relay";
import { ApiError } from "./errors";
import { long } from "./format";
import { Problem } from "./Problem";
import type { SyncProgressSubscription } from "./__generated__/SyncProgressSubscription.graphql";

type Sync = SyncProgressSubscription["response"]["syncProgress"];

/** A sync as it goes on, live. `onEnded` once there is something new to read. */
export function SyncProgress({ id, onEnded }: { id: string; onEnded: () => void }) {
  const [sync, setSync] = useState<Sync>();
  const [problem, setProblem] = useState<Error>();
  const config = useMemo(
    () => ({
      subscription: graphql`
        subscription SyncProgressSubscription($id: ID!) {
          syncProgress(id: $id) {
            status
            progress
            videosSeen
            error {
              code
              message
            }
            creator {
              username
            }
          }
        }
      `,
      variables: { id },
      onNext: (event: SyncProgressSubscription["response"] | null | undefined) => setSync(event?.syncProgress),
      onError: setProblem,
      onCompleted: onEnded,
    }),
    [id], // the callback is made anew on every render, and must not begin the subscription anew
  );
  useSubscription<SyncProgressSubscription>(config);
  if (problem) return <Problem error={problem} />;
  if (sync?.error && sync.status === "FAILED") {
    return <Problem error={new ApiError({ message: sync.error.message, extensions: { code: sync.error.code } })} />;
  }
  return (
    <p className="syncing" role="status" data-status={sync?.status ?? "QUEUED"}>
      <progress value={sync?.progress ?? 0} aria-label="Sync" />
      <span>
        {sync ? `${sync.creator.username}: ${WORDS[sync.status] ?? sync.status}` : "Waiting …"}
        {!!sync?.videosSeen && `, ${long(sync.videosSeen)} videos`}
      </span>
    </p>
  );
}

const WORDS: Record<string, string> = {
  QUEUED: "waiting for a worker",
  RUNNING: "reading",
  SUCCEEDED: "up to date",
  PARTIAL: "up to date but for some videos",
  CANCELED: "ended before it was done",
};
