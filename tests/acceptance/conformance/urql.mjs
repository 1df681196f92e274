// urql's core with its persisted exchange, and its two ways to follow a subscription.
import assert from 'node:assert/strict';
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { CHANGED, PROGRESS, SYNC, VIEWER, creator, key, report, synced, watched, wsUrl, url } from './checks.mjs';

// Node's fetch rejects a body that urql itself gave up; urql does not wait for it.
process.on('unhandledRejection', (error) => {
  if (error?.name !== 'AbortError') throw error;
});

const make = (more) =>
  new Client({ url, exchanges: [fetchExchange], preferGetMethod: false, fetchOptions: { headers: { 'X-API-Key': key } }, ...more });

const followed = (client, query, variables, enough) =>
  new Promise((resolve, reject) => {
    const seen = [];
    const { unsubscribe } = client.subscription(query, variables).subscribe(({ data, error }) => {
      if (error) return reject(error);
      if (data) seen.push(data);
      if (data && enough(data, seen)) {
        unsubscribe();
        resolve(seen);
      }
    });
  });

const overSocket = () => {
  const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { apiKey: key } });
  const forwardSubscription = (request) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink) }),
  });
  return make({ exchanges: [fetchExchange, subscriptionExchange({ forwardSubscription })] });
};

const ends = async (client) => {
  const { sync } = (await synced()).syncCreator;
  await followed(client, PROGRESS, { id: sync.id }, (data) => data.syncProgress.status === 'SUCCEEDED');
};

const changes = (client) =>
  followed(client, CHANGED, { ids: [creator] }, (_, seen) => {
    if (seen.length === 1) void synced();
    return seen.length === 2;
  });

await report({
  'a query by POST, answered as JSON though urql names event streams too': async () => {
    const { fetch, seen } = watched();
    const { data, error } = await make({ fetch }).query(VIEWER, {});
    assert.deepEqual([error, data.viewer.mode, seen[0].method], [undefined, 'TEST', 'POST']);
    assert.match(seen[0].type, /json/);
  },
  'a query by GET': async () => {
    const { fetch, seen } = watched();
    const { data } = await make({ fetch, preferGetMethod: true }).query(VIEWER, {});
    assert.deepEqual([data.viewer.mode, seen[0].method], ['TEST', 'GET']);
  },
  'a mutation': async () => {
    const { data } = await make({}).mutation(SYNC, { id: creator });
    assert.match(data.syncCreator.sync.id, /^syn_/);
  },
  'persisted: not found, sent with its text, then by its hash alone': async () => {
    const { fetch, seen } = watched();
    const query = `query Persisted${Date.now()} { viewer { mode } }`;
    const client = make({ fetch, exchanges: [persistedExchange({ preferGetForPersistedQueries: true }), fetchExchange] });
    for (let n = 0; n < 2; n++) {
      const { data, error } = await client.query(query, {});
      assert.deepEqual([error, data.viewer.mode], [undefined, 'TEST']);
    }
    assert.deepEqual(seen.map(({ method, sent }) => [method, 'query' in sent]), [['GET', false], ['GET', true], ['GET', false]]);
  },
  'errors come with codes, and no data': async () => {
    const { data, error } = await make({}).query('{ nothing }', {});
    assert.deepEqual([data, error.graphQLErrors[0].extensions.code], [undefined, 'GRAPHQL_VALIDATION_FAILED']);
  },
  'the document cache': async () => {
    const { fetch, seen } = watched();
    const client = make({ fetch, exchanges: [cacheExchange, fetchExchange] });
    for (let n = 0; n < 2; n++) await client.query('query($id: ID!) { creator(id: $id) { username } }', { id: creator });
    await client.mutation(SYNC, { id: creator });
    assert.equal(seen.length, 2);
  },
  'a subscription over fetch and event streams, to its end': () => ends(make({ fetchSubscriptions: true })),
  'a subscription over fetch and event streams, changing': () => changes(make({ fetchSubscriptions: true })),
  'a subscription over graphql-ws, to its end': () => ends(overSocket()),
  'a subscription over graphql-ws, changing': () => changes(overSocket()),
});
