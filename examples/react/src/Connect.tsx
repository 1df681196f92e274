import { useState } from "react";
import { graphql, useMutation } from "react-relay";
import { Attempt } from "./Attempt";
import { Problem } from "./Problem";
import { SyncProgress } from "./SyncProgress";
import type { ConnectMutation, Platform } from "./__generated__/ConnectMutation.graphql";

const PLATFORMS = { TIKTOK: "TikTok", INSTAGRAM: "Instagram", YOUTUBE: "YouTube" } satisfies Partial<
  Record<Platform, string>
>;

interface Opened {
  state: string;
  popup: Window;
}

/** Connects a creator in a popup, follows the consent and then the first sync, and says when it is done. */
export function Connect({ onSynced }: { onSynced: () => void }) {
  const [platform, setPlatform] = useState<Platform>("TIKTOK");
  const [opened, setOpened] = useState<Opened>();
  const [syncing, setSyncing] = useState<string>();
  const [problem, setProblem] = useState<Error>();
  const [begin, beginning] = useMutation<ConnectMutation>(graphql`
    mutation ConnectMutation($input: ConnectCreatorInput!) {
      connectCreator(input: $input) {
        authUrl
        state
      }
    }
  `);

  function open() {
    setProblem(undefined);
    setSyncing(undefined);
    const popup = window.open("", "_blank", "popup,width=520,height=760"); // at once: after an await it is blocked
    if (!popup) return setProblem(new Error("The browser blocked the popup: allow popups for this page."));
    begin({
      variables: { input: { platform } },
      onCompleted({ connectCreator: { authUrl, state } }) {
        popup.location.href = authUrl;
        setOpened({ state, popup });
      },
      onError: (error) => fail(error, popup),
    });
  }

  function fail(error: Error, popup: Window | undefined) {
    popup?.close();
    setOpened(undefined);
    setProblem(error);
  }

  return (
    <section className="connect" aria-label="Connect a creator">
      <div className="row">
        <select
          aria-label="Platform"
          value={platform}
          onChange={({ target }) => setPlatform(target.value as Platform)}
        >
          {Object.entries(PLATFORMS).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
        <button type="button" className="primary" disabled={beginning || !!opened} onClick={open}>
          Connect a creator
        </button>
      </div>
      {opened && (
        <Attempt
          state={opened.state}
          onConnected={(sync) => {
            opened.popup.close();
            setOpened(undefined);
            setSyncing(sync);
          }}
          onFailed={(error) => fail(error, opened.popup)}
          onGivenUp={() => {
            opened.popup.close();
            setOpened(undefined);
          }}
        />
      )}
      {syncing && <SyncProgress key={syncing} id={syncing} onEnded={onSynced} />}
      {problem && <Problem error={problem} />}
    </section>
  );
}
