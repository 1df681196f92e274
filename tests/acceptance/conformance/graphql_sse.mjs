// The npm package graphql-sse in its "distinct connections" mode.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';
import { CHANGED, PROGRESS, VIEWER, creator, key, report, synced, url } from './checks.mjs';

const client = (more = {}) => createClient({ url, retryAttempts: 0, headers: { 'X-API-Key': key }, ...more });

async function all(query, variables, one = client()) {
  const found = [];
  for await (const answer of one.iterate({ query, variables })) found.push(answer);
  return found;
}

await report({
  'a query is one event': async () => assert.equal((await all(VIEWER))[0].data.viewer.mode, 'TEST'),
  'a sync followed to its end, which completes it': async () => {
    const { sync } = (await synced()).syncCreator;
    const found = await all(PROGRESS, { id: sync.id });
    assert.equal(found.at(-1).data.syncProgress.status, 'SUCCEEDED');
  },
  'a change of a creator, then unsubscribed': async () => {
    let seen = 0;
    for await (const { data } of client().iterate({ query: CHANGED, variables: { ids: [creator] } })) {
      assert.equal(data.creatorUpdated.id, creator);
      if (++seen === 2) break;
      await synced();
    }
  },
  'what is refused before the first event has its status': async () => {
    for (const [headers, status] of [[{}, 401], [{ 'X-API-Key': 'wrong' }, 401]]) {
      await assert.rejects(all(VIEWER, {}, client({ headers })), (error) => error.response?.status === status);
    }
  },
  'a document that is not valid is told': async () => {
    for (const [query, code] of [['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'], ['subscription {', 'GRAPHQL_PARSE_FAILED']]) {
      const [{ errors }] = await all(query);
      assert.equal(errors[0].extensions.code, code);
    }
  },
});
