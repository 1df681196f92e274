import { useId, useState } from "react";

import type { Session } from "./session";

type Props = { session: Session; onKey: (key: string) => void };

export function Header({ session, onKey }: Props) {
  const status = useId();
  return (
    <header className="bar">
      <h1>Creator Graph</h1>
      <KeyField initial={session.key} onKey={onKey} invalid={session.state === "refused"} describedBy={status} />
      <p id={status} role="status" className={`status ${session.state}`} title={session.scopes?.join(", ")}>
        {session.text}
      </p>
    </header>
  );
}

type KeyFieldProps = { initial: string; onKey: (key: string) => void; invalid: boolean; describedBy: string };

/** Typing is enough; Enter checks the same key once more. */
function KeyField({ initial, onKey, invalid, describedBy }: KeyFieldProps) {
  const id = useId();
  const [key, setKey] = useState(initial);
  const [shown, setShown] = useState(false);
  const enter = (typed: string) => {
    setKey(typed);
    onKey(typed);
  };
  return (
    <form
      className="key"
      onSubmit={(event) => {
        event.preventDefault();
        onKey(key);
      }}
    >
      <label htmlFor={id}>API key</label>
      <input
        id={id}
        type={shown ? "text" : "password"}
        value={key}
        onChange={(event) => enter(event.target.value)}
        placeholder="sk_test_…"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        aria-invalid={invalid}
        aria-describedby={describedBy}
      />
      <button type="button" onClick={() => setShown(!shown)} aria-label={`${shown ? "Hide" : "Show"} the API key`}>
        {shown ? "Hide" : "Show"}
      </button>
    </form>
  );
}
