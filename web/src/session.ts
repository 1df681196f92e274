import { useCallback, useEffect, useState } from "react";

import { send } from "./api";

/** Who the typed key makes us, and in words. */
export type Session = {
  key: string;
  state: "none" | "checking" | "known" | "refused";
  text: string;
  scopes?: string[];
};

type Viewer = { account: { name: string }; mode: string; scopes: string[] };

const STORED_KEY = "creator-graph:key"; // in sessionStorage only: it ends with the browser tab
const TYPING_PAUSE = 250;
const VIEWER = "{ viewer { account { name } mode scopes } }";
const NO_KEY = "Paste an API key: even the schema needs a credential. A sk_test_ key sees simulated creators and costs nothing.";

export const keyHeader = (key: string): Record<string, string> => (key ? { "X-API-Key": key } : {});

/** The session, and the one way to change it. Entering the same key again checks it again. */
export function useSession() {
  const [session, setSession] = useState(() => begin(sessionStorage.getItem(STORED_KEY) ?? ""));

  useEffect(() => {
    if (session.state !== "checking") return;
    const abort = new AbortController();
    const pause = setTimeout(async () => {
      const checked = await check(session.key, abort.signal);
      if (!abort.signal.aborted) setSession(checked);
    }, TYPING_PAUSE);
    return () => {
      clearTimeout(pause);
      abort.abort();
    };
  }, [session]);

  const enterKey = useCallback((typed: string) => {
    const key = typed.trim();
    sessionStorage.setItem(STORED_KEY, key);
    setSession(begin(key));
  }, []);

  return { session, enterKey };
}

function begin(key: string): Session {
  if (!key) return { key, state: "none", text: NO_KEY };
  if (/[^\x21-\x7e]/.test(key)) return { key: "", state: "refused", text: "This is no API key: it holds a space or a special character." };
  return { key, state: "checking", text: "Checking the key…" };
}

async function check(key: string, signal: AbortSignal): Promise<Session> {
  try {
    const { result } = await send({ query: VIEWER }, keyHeader(key), signal);
    const viewer = result.data?.viewer as Viewer | undefined;
    if (!viewer) return { key, state: "refused", text: result.errors?.[0]?.message ?? "The API did not say who this is." };
    return { key, state: "known", text: `${viewer.account.name} · ${viewer.mode.toLowerCase()} mode`, scopes: viewer.scopes };
  } catch (error) {
    return { key, state: "refused", text: (error as Error).message };
  }
}
