import type { Credits } from "./api";

/** A run's receipt, or the prices of what was not run. `events`, `charged`: of a subscription, so far. */
export type Report =
  | { kind: "run"; credits: Credits; charged: number; requestId: string | null; events?: number }
  | { kind: "quote"; quotes: Quote[] };

/** One operation's upper bound, or why it has none. */
export type Quote = { operation: string; max?: number; refusal?: string };

export const afterRun = (credits: Credits, requestId: string | null): Report => ({
  kind: "run",
  credits,
  charged: credits.charged ?? 0,
  requestId,
});

export function afterEvent(last: Report | undefined, credits: Credits): Report {
  const so = last?.kind === "run" ? last : { events: 0, charged: 0 };
  const charged = so.charged + (credits.charged ?? 0);
  return { kind: "run", credits, charged, requestId: null, events: (so.events ?? 0) + 1 };
}
