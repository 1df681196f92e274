import type { FormattedExecutionResult, GraphQLFormattedError } from "graphql";
import { createClient } from "graphql-ws";

import type { Operation } from "./api";

type Observer = { next: (result: FormattedExecutionResult) => void; complete: () => void };

const ADDRESS = `${location.origin.replace(/^http/, "ws")}/graphql`;
const RETRIES = 3;

/**
 * Follows a subscription over a socket of its own, which closes with it. The credentials go into the socket's first
 * message, never into its address. Refusals and a lost connection are answers too.
 */
export function follow(operation: Operation, credentials: Record<string, string>, { next, complete }: Observer): () => void {
  const client = createClient({
    url: ADDRESS,
    connectionParams: credentials,
    retryAttempts: RETRIES,
    shouldRetry: (end) => end instanceof CloseEvent && end.code < 4000, // above: the server's own refusals
  });
  let left = false; // whoever left hears no more: GraphiQL would take the end for that of what it runs since
  const end = () => left || complete();
  const leave = client.subscribe(operation, {
    next: (result) => left || next(result as FormattedExecutionResult),
    error: (failure) => {
      if (!left) next({ errors: told(failure) });
      end();
    },
    complete: end,
  });
  return () => {
    left = true;
    leave();
  };
}

function told(failure: unknown): readonly GraphQLFormattedError[] {
  if (Array.isArray(failure)) return failure;
  if (!(failure instanceof CloseEvent)) return [{ message: "The API does not answer. Is the server running?" }];
  return [{ message: failure.reason || "The connection was lost.", extensions: { closeCode: failure.code } }];
}
