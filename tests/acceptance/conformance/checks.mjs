// What each client tries: named checks, one after another. Prints one JSON: what became of each.
import { setTimeout as sleep } from 'node:timers/promises';

export const { url, key, creator } = JSON.parse(process.argv[2]);
export const wsUrl = url.replace('http', 'ws');
export const VIEWER = '{ viewer { mode } }';
export const SYNC = 'mutation Sync($id: ID!) { syncCreator(input: {id: $id}) { sync { id } } }';
export const PROGRESS = 'subscription Progress($id: ID!) { syncProgress(id: $id) { id status } }';
export const CHANGED = 'subscription Changed($ids: [ID!]) { creatorUpdated(ids: $ids) { id syncedAt } }';

/** An operation by plain fetch: what clients are compared with. */
export async function plain(query, variables) {
  const headers = { 'Content-Type': 'application/json', 'X-API-Key': key };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

export const synced = () => plain(SYNC, { id: creator });

/** fetch that remembers what went through it. */
export function watched() {
  const seen = [];
  const through = async (address, init) => {
    const answer = await fetch(address, init);
    const parameters = new URL(address).searchParams;
    const sent = init?.body ? JSON.parse(init.body) : Object.fromEntries(parameters);
    seen.push({ method: init?.method ?? 'GET', sent, status: answer.status, type: answer.headers.get('content-type') });
    return answer;
  };
  return { fetch: through, seen };
}

export async function report(checks) {
  const results = [];
  for (const [name, check] of Object.entries(checks)) {
    const late = sleep(30_000, undefined, { ref: false }).then(() => Promise.reject(new Error('30 s passed')));
    const result = await Promise.race([check(), late]).then(
      () => ({ status: 'ok' }),
      (error) => ({ status: 'failed', reason: `${error?.stdout ?? ""}${error?.stack ?? JSON.stringify(error)}`.slice(0, 2000) }),
    );
    results.push({ name, ...result });
  }
  process.stdout.write(JSON.stringify(results), () => process.exit(0));
}
