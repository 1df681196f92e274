import type { GraphiQLProps } from "graphiql";

import { type Receipt, send } from "./api";
import { keyHeader, type Session } from "./session";

type Fetcher = GraphiQLProps["fetcher"];

const INTROSPECTION = "IntrospectionQuery";

/** How GraphiQL reaches the API: the session's key on every operation, a receipt after every run. */
export function createFetcher(session: Session, onReceipt: (receipt: Receipt) => void): Fetcher {
  return async (operation, options) => {
    const introspects = operation.operationName === INTROSPECTION;
    if (introspects && session.state !== "known" && !options?.headers) return withoutSchema(session);
    // Subscriptions will branch off here, on options.documentAST, and return an async iterable.
    const { result, receipt } = await send(operation, { ...keyHeader(session.key), ...options?.headers });
    if (!introspects) onReceipt(receipt);
    return result;
  };
}

/** Not asked in vain: introspection needs a credential, and GraphiQL asks twice when refused. */
function withoutSchema({ state, text }: Session) {
  if (state === "checking") return new Promise<never>(() => {}); // the checked session's fetcher asks anew
  return { data: null, errors: [{ message: text }] };
}
