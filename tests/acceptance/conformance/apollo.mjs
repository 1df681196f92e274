// Apollo Client: its HTTP, persisted-query and WebSocket links, and its normalised cache.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError, gql } from '@apollo/client/core';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { CHANGED, PROGRESS, SYNC, VIEWER, creator, key, report, synced, url, watched, wsUrl } from './checks.mjs';

const headers = { 'X-API-Key': key };
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const cache = () =>
  new InMemoryCache({ typePolicies: { Creator: { fields: { videos: relayStylePagination() } } } });
const over = (link, more = {}) => new ApolloClient({ link, cache: cache(), ...more });
const http = (more = {}) => new HttpLink({ uri: url, headers, ...more });
const socket = () =>
  new GraphQLWsLink(createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { apiKey: key } }));

const VIDEOS = gql`
  query Videos($id: ID!, $after: String) {
    creator(id: $id) {
      id
      username
      videos(first: 8, after: $after) {
        totalCount
        edges { cursor node { id title views } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`;

const followed = (client, query, variables, enough) =>
  new Promise((resolve, reject) => {
    const seen = [];
    const subscription = client.subscribe({ query: gql(query), variables }).subscribe({
      error: reject,
      complete: () => resolve(seen),
      next: ({ data, error }) => {
        if (error) return reject(error);
        seen.push(data);
        if (enough?.(seen)) {
          subscription.unsubscribe();
          resolve(seen);
        }
      },
    });
  });

const persisted = async (useGETForHashedQueries) => {
  const { fetch, seen } = watched();
  const link = ApolloLink.from([new PersistedQueryLink({ sha256, useGETForHashedQueries }), http({ fetch })]);
  const query = gql(`query Persisted${Date.now()} { viewer { mode } }`);
  for (let n = 0; n < 2; n++) {
    const { data } = await over(link).query({ query, fetchPolicy: 'network-only' });
    assert.equal(data.viewer.mode, 'TEST');
  }
  const method = useGETForHashedQueries ? 'GET' : 'POST';
  assert.deepEqual(seen.map((one) => [one.method, 'query' in one.sent]), [[method, false], ['POST', true], [method, false]]);
};

await report({
  'a query': async () => assert.equal((await over(http()).query({ query: gql(VIEWER) })).data.viewer.mode, 'TEST'),
  'a query by GET': async () => {
    const { fetch, seen } = watched();
    await over(http({ fetch, useGETForQueries: true })).query({ query: gql(VIEWER) });
    assert.equal(seen[0].method, 'GET');
  },
  'persisted queries by POST': () => persisted(false),
  'persisted queries by GET': () => persisted(true),
  'pages merged by its own relayStylePagination': async () => {
    const client = over(http());
    const watching = client.watchQuery({ query: VIDEOS, variables: { id: creator } });
    const running = watching.subscribe(() => {});
    let page = (await client.query({ query: VIDEOS, variables: { id: creator } })).data;
    while (page.creator.videos.pageInfo.hasNextPage) {
      const after = page.creator.videos.pageInfo.endCursor;
      await watching.fetchMore({ variables: { after } });
      page = client.readQuery({ query: VIDEOS, variables: { id: creator } });
    }
    running.unsubscribe();
    const ids = page.creator.videos.edges.map(({ node }) => node.id);
    const { totalCount } = page.creator.videos;
    assert.ok(totalCount > 8);
    assert.deepEqual([ids.length, new Set(ids).size], [totalCount, totalCount]);
  },
  'a mutation': async () => {
    const { data } = await over(http()).mutate({ mutation: gql(SYNC), variables: { id: creator } });
    assert.match(data.syncCreator.sync.id, /^syn_/);
  },
  'refusals come with codes': async () => {
    await assert.rejects(over(http()).query({ query: gql('{ nothing }') }), (error) => {
      assert.ok(CombinedGraphQLErrors.is(error), `${error}`);
      return error.errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED';
    });
  },
  'a wrong key is told with its code and status': async () => {
    await assert.rejects(over(http({ headers: { 'X-API-Key': 'wrong' } })).query({ query: gql(VIEWER) }), (error) =>
      CombinedGraphQLErrors.is(error)
        ? error.errors[0].extensions.code === 'UNAUTHENTICATED'
        : ServerError.is(error) && error.statusCode === 401,
    );
  },
  'a subscription over graphql-ws, to its end': async () => {
    const { sync } = (await synced()).syncCreator;
    const seen = await followed(over(socket()), PROGRESS, { id: sync.id });
    assert.equal(seen.at(-1).syncProgress.status, 'SUCCEEDED');
  },
  'an event changes the normalised cache': async () => {
    const client = over(ApolloLink.split(({ operationType }) => operationType === 'subscription', socket(), http()));
    const query = gql('query($id: ID!) { node(id: $id) { id ... on Creator { syncedAt } } }');
    const before = (await client.query({ query, variables: { id: creator } })).data.node.syncedAt;
    await followed(client, CHANGED, { ids: [creator] }, (seen) => {
      if (seen.length === 1) void synced();
      return seen.length === 2;
    });
    assert.ok(client.readQuery({ query, variables: { id: creator } }).node.syncedAt > before);
  },
});
