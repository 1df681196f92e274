import type { GraphiQLProps } from "graphiql";
import { type FormattedExecutionResult, getOperationAST, parse } from "graphql";

import { creditsOf, type Operation, send } from "./api";
import { afterEvent, afterRun, type Report } from "./report";
import { keyHeader, type Session } from "./session";
import { follow } from "./socket";

type Fetcher = GraphiQLProps["fetcher"];
type Answered = Awaited<ReturnType<Fetcher>>; // wants error objects, where JSON has their form only

const INTROSPECTION = "IntrospectionQuery";

/** What the page hears of runs, and may ask of them. */
type Page = {
  onReport: (report: Report) => void;
  onAnswer: (answer: FormattedExecutionResult) => void;
  itemised: () => boolean;
};

/** How GraphiQL reaches the API: the session's key on every operation, a report after every run and event. */
export function createFetcher(session: Session, page: Page): Fetcher {
  return async (operation, options) => {
    const introspects = operation.operationName === INTROSPECTION;
    if (introspects && session.state !== "known" && !options?.headers) return withoutSchema(session);
    const headers: Record<string, string> = { ...keyHeader(session.key), ...options?.headers };
    if (isSubscription(operation)) return events(operation, headers, page);
    if (page.itemised() && !introspects) headers["X-Credits-Receipt"] = "1";
    const { result, requestId } = await send(operation, headers);
    if (!introspects) {
      page.onReport(afterRun(creditsOf(result), requestId));
      page.onAnswer(result);
    }
    return result as Answered;
  };
}

/** Not asked in vain: introspection needs a credential, and GraphiQL asks twice when refused. */
function withoutSchema({ state, text }: Session) {
  if (state === "checking") return new Promise<never>(() => {}); // the checked session's fetcher asks anew
  return { data: null, errors: [{ message: text }] } as unknown as Answered;
}

function isSubscription({ query, operationName }: Operation): boolean {
  try {
    return getOperationAST(parse(query), operationName)?.operation === "subscription";
  } catch {
    return false; // the API says what is wrong with it
  }
}

/** An observable, since an async generator that waits cannot be stopped. */
function events(operation: Operation, headers: Record<string, string>, { onReport }: Page) {
  let last: Report | undefined;
  const subscribe = (observer: Parameters<typeof follow>[2]) => ({
    unsubscribe: follow(operation, headers, {
      ...observer,
      next: (result) => {
        if (result.extensions?.credits) onReport((last = afterEvent(last, creditsOf(result))));
        observer.next(result);
      },
    }),
  });
  return { subscribe } as Answered;
}
