import type { GraphiQLProps } from "graphiql";

import { type Receipt, send } from "./api";
import { keyHeader, type Session } from "./session";

type Fetcher = GraphiQLProps["fetcher"];

const INTROSPECTION = "IntrospectionQuery";

/** How GraphiQL reaches the API: the session's key on every operation, a receipt after every run. */
export function createFetcher(session: Session, onReceipt: (receipt: Receipt) => void): Fetcher {
  return async (operation, options) => {
    const introspects = operation.operationName === INTROSPECTION;
    // Not asked in vain: introspection needs a credential, and GraphiQL asks twice when refused.
    if (introspects && session.state !== "known" && !options?.headers) {
      return { data: null, errors: [{ message: session.text }] };
    }
    // Subscriptions will branch off here, on options.documentAST, and return an async iterable.
    const { result, receipt } = await send(operation, { ...keyHeader(session.key), ...options?.headers });
    if (!introspects) onReceipt(receipt);
    return result;
  };
}
