import type { FormattedExecutionResult } from "graphql";

/** An operation as GraphiQL gives it. */
export type Operation = { query: string; operationName?: string | null; variables?: Record<string, unknown> | null };

/** What an answer's `extensions.credits` tell. */
export type Credits = {
  charged?: number;
  remaining?: number;
  limit?: number;
  resetAt?: string;
  max?: number;
  wouldCost?: number;
  fields?: { coordinate: string; count: number; credits: number }[];
};

/** `requestId`: by which the server's log knows it. */
export type Answer = { result: FormattedExecutionResult; requestId: string | null };

export const creditsOf = (result: FormattedExecutionResult) => (result.extensions?.credits ?? {}) as Credits;

/** Sends one operation. A refusal is an answer too; only silence and non-JSON throw. */
export async function send(operation: Operation, headers: Record<string, string>, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, application/json;q=0.9",
      ...headers,
    },
    body: JSON.stringify(operation),
    credentials: "omit",
    signal,
  }).catch((error: Error) => {
    throw error.name === "AbortError" ? error : new Error("The API does not answer. Is the server running?");
  });
  return { result: await readJson(response), requestId: response.headers.get("X-Request-Id") };
}

async function readJson(response: Response): Promise<FormattedExecutionResult> {
  try {
    return await response.json();
  } catch {
    throw new Error(`The API answered ${response.status} ${response.statusText} without JSON.`);
  }
}
