// The npm package graphql-ws, as the API's documentation tells to use it.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { CHANGED, PROGRESS, SYNC, VIEWER, creator, key, plain, report, synced, wsUrl } from './checks.mjs';

const client = (more = {}) =>
  createClient({ url: wsUrl, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { apiKey: key }, ...more });

async function all(one, query, variables) {
  const found = [];
  for await (const answer of one.iterate({ query, variables })) found.push(answer);
  return found;
}

const isTest = ([answer]) => assert.equal(answer.data.viewer.mode, 'TEST');

await report({
  'a key in connectionParams': async () => isTest(await all(client(), VIEWER)),
  'a bearer in connectionParams': async () =>
    isTest(await all(client({ connectionParams: { Authorization: `Bearer ${key}` } }), VIEWER)),
  'a bare address with the key': async () =>
    isTest(await all(client({ url: `${wsUrl}?api_key=${key}`, connectionParams: undefined }), VIEWER)),
  'fifty operations at once on one socket': async () => {
    const one = client({ lazy: false });
    const found = await Promise.all(Array.from({ length: 50 }, () => all(one, VIEWER)));
    found.forEach(isTest);
    await one.dispose();
  },
  'a mutation': async () => {
    const [answer] = await all(client(), SYNC, { id: creator });
    assert.match(answer.data.syncCreator.sync.id, /^syn_/);
  },
  'a sync followed to its end, which completes it': async () => {
    const { sync } = (await synced()).syncCreator;
    const found = await all(client(), PROGRESS, { id: sync.id });
    assert.equal(found.at(-1).data.syncProgress.status, 'SUCCEEDED');
  },
  'a change of a creator, then unsubscribed; the socket stays of use': async () => {
    const one = client({ lazy: false });
    let seen = 0;
    for await (const { data } of one.iterate({ query: CHANGED, variables: { ids: [creator] } })) {
      assert.equal(data.creatorUpdated.id, creator);
      if (++seen === 2) break;
      await synced();
    }
    isTest(await all(one, VIEWER));
    await one.dispose();
  },
  'refusals are errors of the operation, with their codes': async () => {
    const codes = [];
    for (const query of ['{ nothing }', '{', 'subscription { syncProgress(id: "syn_0") { id } }']) {
      await all(client(), query).catch((errors) => codes.push(errors[0].extensions.code));
    }
    assert.deepEqual(codes, ['GRAPHQL_VALIDATION_FAILED', 'GRAPHQL_PARSE_FAILED', 'BAD_USER_INPUT']);
  },
  'a wrong key is told by its close code': async () => {
    await assert.rejects(all(client({ connectionParams: { apiKey: 'wrong' } }), VIEWER), { code: 4403, reason: 'Invalid API key' });
  },
  "the client's pings are answered": async () => {
    const one = client({ lazy: false, keepAlive: 50 });
    await new Promise((resolve) => one.on('pong', resolve));
    await one.dispose();
  },
  'after a lost connection it connects again and follows on': async () => {
    let socket, opened = 0;
    const one = client({ retryAttempts: 3, retryWait: async () => {}, on: { opened: (it) => { socket = it; opened++; } } });
    for await (const { data } of one.iterate({ query: CHANGED, variables: { ids: [creator] } })) {
      assert.equal(data.creatorUpdated.id, creator);
      if (opened === 2) break;
      socket.terminate();
    }
    await one.dispose();
  },
  'the answer is that of HTTP': async () => {
    const query = '{ creators(first: 3) { totalCount edges { cursor node { username videos(first: 2) { nodes { title } } } } } }';
    const [answer] = await all(client(), query);
    assert.deepEqual(answer.data, await plain(query));
  },
});
