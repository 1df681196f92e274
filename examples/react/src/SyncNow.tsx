import { useState } from "react";
import { fetchQuery, graphql, useMutation, useRelayEnvironment } from "react-relay";
import { Problem } from "./Problem";
import { SyncProgress } from "./SyncProgress";
import type { SyncNowMutation } from "./__generated__/SyncNowMutation.graphql";
import type { SyncNowRefreshQuery } from "./__generated__/SyncNowRefreshQuery.graphql";

/** Reads one creator again, follows it, and puts what is new into the card. */
export function SyncNow({ id }: { id: string }) {
  const environment = useRelayEnvironment();
  const [syncing, setSyncing] = useState<string>();
  const [problem, setProblem] = useState<Error>();
  const [sync, asking] = useMutation<SyncNowMutation>(graphql`
    mutation SyncNowMutation($input: SyncCreatorInput!) {
      syncCreator(input: $input) {
        sync {
          id
        }
      }
    }
  `);

  function start() {
    setProblem(undefined);
    setSyncing(undefined);
    sync({
      variables: { input: { id } },
      onCompleted: ({ syncCreator }) => setSyncing(syncCreator.sync.id),
      onError: setProblem,
    });
  }

  /** The store knows the creator by its id: every place that shows it is drawn anew. */
  function refresh() {
    fetchQuery<SyncNowRefreshQuery>(
      environment,
      graphql`
        query SyncNowRefreshQuery($id: ID!) {
          creator(id: $id) {
            ...CreatorCard_creator
          }
        }
      `,
      { id },
    ).subscribe({ error: setProblem });
  }

  return (
    <>
      <button type="button" disabled={asking} onClick={start}>
        Sync
      </button>
      {syncing && <SyncProgress key={syncing} id={syncing} onEnded={refresh} />}
      {problem && <Problem error={problem} />}
    </>
  );
}
