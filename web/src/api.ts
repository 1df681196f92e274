import type { ExecutionResult } from "graphql";

/** What an answer cost and by which id the server's log knows it, as its headers say. */
export type Receipt = { charged: string | null; remaining: string | null; requestId: string | null };

export type Answer = { result: ExecutionResult; receipt: Receipt };

/** Sends one operation. A refusal is an answer too; only silence and non-JSON throw. */
export async function send(body: object, headers: Record<string, string>, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, application/json;q=0.9",
      ...headers,
    },
    body: JSON.stringify(body),
    credentials: "omit",
    signal,
  }).catch((error: Error) => {
    throw error.name === "AbortError" ? error : new Error("The API does not answer. Is the server running?");
  });
  return { result: await readJson(response), receipt: readReceipt(response.headers) };
}

async function readJson(response: Response): Promise<ExecutionResult> {
  try {
    return await response.json();
  } catch {
    throw new Error(`The API answered ${response.status} ${response.statusText} without JSON.`);
  }
}

function readReceipt(headers: Headers): Receipt {
  return {
    charged: headers.get("X-Credits-Charged"),
    remaining: headers.get("X-Credits-Remaining"),
    requestId: headers.get("X-Request-Id"),
  };
}
