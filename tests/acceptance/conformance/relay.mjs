// Relay's runtime with what Relay's compiler made of relay/Page.js: every operation is asked by its id alone.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { createClient } from 'graphql-ws';
import runtime from 'relay-runtime';
import WebSocket from 'ws';
import { creator, key, plain, report, synced, url, wsUrl } from './checks.mjs';

const { ConnectionHandler, Environment, Network, Observable, RecordSource, Store } = runtime;
const { commitMutation, createOperationDescriptor, fetchQuery, getSingularSelector, requestSubscription } = runtime;
const require = createRequire(import.meta.url);
const made = (name) => require(`${JSON.parse(process.argv[2]).compiled}/${name}.graphql.js`);

async function ask({ id }, variables) {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json', 'X-API-Key': key };
  const body = JSON.stringify({ documentId: `sha256:${id}`, variables });
  return (await fetch(url, { method: 'POST', headers, body })).json();
}

const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { apiKey: key } });
const follow = ({ id }, variables) =>
  Observable.create((sink) => socket.subscribe({ query: '', documentId: `sha256:${id}`, variables }, sink));

function page() {
  const environment = new Environment({ network: Network.create(ask, follow), store: new Store(new RecordSource()) });
  const get = (name, variables) => {
    environment.retain(createOperationDescriptor(made(name), variables));
    return fetchQuery(environment, made(name), variables).toPromise();
  };
  const read = (name, reference) => environment.lookup(getSingularSelector(made(name), reference)).data;
  return { environment, get, read };
}

const change = (environment, config) =>
  new Promise((resolve, reject) => {
    commitMutation(environment, {
      ...config, onError: reject, onCompleted: (data, errors) => (errors ? reject(new Error(JSON.stringify(errors))) : resolve(data)),
    });
  });

const end = ({ pageInfo: { endCursor, hasNextPage } }) => (hasNextPage ? endCursor : null);

await report({
  'a page of creators, and the next one joined to it': async () => {
    const { environment, get, read } = page();
    const variables = { count: 1 };
    let root = await get('PageQuery', variables);
    assert.match(root.viewer.account.id, /^acc_/);
    let { creators } = read('Page_creators', root);
    while (end(creators)) {
      await get('PagePaginationQuery', { count: 1, cursor: end(creators), order: { field: 'USERNAME', direction: 'ASC' } });
      root = environment.lookup(createOperationDescriptor(made('PageQuery'), variables).fragment).data;
      creators = read('Page_creators', root).creators;
    }
    const ids = creators.edges.map(({ node }) => node.id);
    assert.ok(ids.length > 1);
    assert.deepEqual([ids.length, new Set(ids).size], [creators.totalCount, creators.totalCount]);
  },
  'a fragment refetched through node, its videos joined page by page': async () => {
    const { get, read } = page();
    let found = await get('PageCreatorQuery', { id: creator });
    let one = read('Page_creator', found.node);
    while (end(one.videos)) {
      found = await get('PageCreatorQuery', { id: creator, count: 8, cursor: end(one.videos) });
      one = read('Page_creator', found.node);
    }
    const { totalCount } = (await plain('query($id: ID!) { creator(id: $id) { videos { totalCount } } }', { id: creator })).creator.videos;
    assert.deepEqual([one.videos.edges.length, totalCount > 8], [totalCount, true]);
    assert.ok(one.videos.edges.every(({ node }) => node.creator.username === one.username));
  },
  'the same list walked backwards': async () => {
    const { get, read } = page();
    let one = read('Page_backwards', (await get('PageBackwardsPaginationQuery', { id: creator })).node);
    while (one.videos.pageInfo.hasPreviousPage) {
      const cursor = one.videos.pageInfo.startCursor;
      one = read('Page_backwards', (await get('PageBackwardsPaginationQuery', { id: creator, count: 8, cursor })).node);
    }
    const forwards = [];
    for (let after = null, more = true; more; ) {
      const { videos } = (await plain(
        'query($id: ID!, $after: String) { creator(id: $id) { videos(first: 100, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } }',
        { id: creator, after },
      )).creator;
      forwards.push(...videos.nodes.map(({ id }) => id));
      more = videos.pageInfo.hasNextPage;
      after = videos.pageInfo.endCursor;
    }
    assert.deepEqual(one.videos.edges.map(({ node }) => node.id), forwards);
  },
  'node of each kind, and nothing for an unknown id': async () => {
    const { get } = page();
    const { creator: { videos, syncs } } = await plain(
      'query($id: ID!) { creator(id: $id) { videos(first: 1) { nodes { id } } syncs(first: 1) { nodes { id } } } }', { id: creator },
    );
    const kinds = [];
    for (const id of [creator, videos.nodes[0].id, syncs.nodes[0].id, `crt_${'0'.repeat(32)}`]) {
      kinds.push((await get('PageNodeQuery', { id })).node?.__typename ?? null);
    }
    assert.deepEqual(kinds, ['Creator', 'Video', 'Sync', null]);
    const { nodes } = await get('PageNodesQuery', { ids: [creator, `crt_${'0'.repeat(32)}`] });
    assert.deepEqual(nodes.map((node) => node?.id ?? null), [creator, null]);
  },
  'an event changes what the page shows': async () => {
    const { environment, get, read } = page();
    const { node } = await get('PageCreatorQuery', { id: creator });
    const before = read('Page_creator', node).syncedAt;
    await new Promise((resolve, reject) => {
      let seen = 0;
      const { dispose } = requestSubscription(environment, {
        subscription: made('PageChangedSubscription'), variables: { ids: [creator] }, onError: reject,
        onNext: () => {
          if (++seen === 1) void synced();
          else resolve(dispose());
        },
      });
    });
    assert.ok(read('Page_creator', node).syncedAt > before);
  },
  'mutations: a sync changes its creator; a disconnect takes it off the list': async () => {
    const { environment, get, read } = page();
    const root = await get('PageQuery', { count: 50 });
    const { creators } = read('Page_creators', root);
    const asked = await change(environment, { mutation: made('PageSyncMutation'), variables: { input: { id: creator } } });
    assert.equal(asked.syncCreator.sync.creator.id, creator);
    const connections = [ConnectionHandler.getConnectionID('client:root', 'Page__creators', { orderBy: { field: 'USERNAME', direction: 'ASC' } })];
    const last = creators.edges.map(({ node }) => node.id).find((id) => id !== creator);
    await change(environment, { mutation: made('PageDisconnectMutation'), variables: { input: { id: last }, connections } });
    assert.equal(read('Page_creators', root).creators.edges.length, creators.edges.length - 1);
  },
});
