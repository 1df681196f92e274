// What a page built with Relay writes: connections, refetches, a mutation, a subscription.
graphql`
  query PageQuery($count: Int!) {
    viewer { mode account { id name } }
    ...Page_creators @arguments(count: $count)
  }
`;

graphql`
  fragment Page_creators on Query
  @refetchable(queryName: "PagePaginationQuery")
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 2 }
    cursor: { type: "String" }
    order: { type: "CreatorOrder", defaultValue: { field: USERNAME, direction: ASC } }
  ) {
    creators(first: $count, after: $cursor, orderBy: $order) @connection(key: "Page__creators", filters: ["orderBy"]) {
      totalCount
      edges { node { id ...Page_creator } }
    }
  }
`;

graphql`
  fragment Page_creator on Creator
  @refetchable(queryName: "PageCreatorQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 8 }, cursor: { type: "String" }) {
    username
    platform
    syncedAt
    stats { followers engagementRate }
    history(granularity: DAY) { at followers }
    videos(first: $count, after: $cursor) @connection(key: "Page__videos") {
      edges { node { id title views creator { username } } }
    }
  }
`;

graphql`
  fragment Page_backwards on Creator
  @refetchable(queryName: "PageBackwardsPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 8 }, cursor: { type: "String" }) {
    videos(last: $count, before: $cursor, filter: { viewsMin: 0 }) @connection(key: "PageBackwards__videos") {
      edges { node { id } }
    }
  }
`;

graphql`
  query PageNodeQuery($id: ID!) {
    node(id: $id) {
      __typename
      ... on Creator { username }
      ... on Video { title creator { id username } }
      ... on Sync { status }
    }
  }
`;

graphql`
  query PageNodesQuery($ids: [ID!]!) {
    nodes(ids: $ids) { id ... on Creator { username } }
  }
`;

graphql`
  mutation PageSyncMutation($input: SyncCreatorInput!) {
    syncCreator(input: $input) { joined sync { id status creator { id syncedAt } } }
  }
`;

graphql`
  mutation PageDisconnectMutation($input: DisconnectCreatorInput!, $connections: [ID!]!) {
    disconnectCreator(input: $input) { disconnectedId @deleteEdge(connections: $connections) revocation }
  }
`;

graphql`
  subscription PageChangedSubscription($ids: [ID!]) {
    creatorUpdated(ids: $ids) { ...Page_creator }
  }
`;
