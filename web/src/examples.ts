/** The tabs a newcomer finds, each with what it does in its first line. */
export const EXAMPLES = [
  {
    query: `# Nested read: creators with their newest videos,
# one page of each, in one request.
query NestedRead {
  creators(first: 20) {
    edges {
      cursor
      node {
        username
        platform
        stats {
          followers
          likes
          videoCount
        }
        videos(first: 10) {
          edges {
            cursor
            node {
              title
              views
              likes
              comments
              shares
              duration
              publishedAt
            }
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
    totalCount
  }
}
`,
  },
  {
    query: `# Who am I: the account, the key, its scopes,
# and the rate limit. Free.
query WhoAmI {
  viewer {
    account {
      name
      plan {
        name
      }
    }
    keyName
    keyHint
    mode
    scopes
    expiresAt
  }
  rateLimit {
    limit
    remaining
    resetAt
  }
}
`,
  },
  {
    query: `# Connect a creator. 1. Run ConnectCreator.
mutation ConnectCreator($input: ConnectCreatorInput!) {
  connectCreator(input: $input) {
    authUrl
    state
    expiresAt
  }
}

# 2. Ctrl-click (Cmd-click) authUrl, or hover it:
#    the consent page, open for ten minutes. With
#    a test key the platform is a simulated one.
# 3. Run ConnectAttempt: the creator, and the first
#    sync, which started by itself.
query ConnectAttempt($state: String!) {
  connectAttempt(state: $state) {
    status
    platform
    creator {
      id
      username
    }
    sync {
      id
      status
      progress
    }
    error {
      code
      message
    }
    expiresAt
  }
}
`,
    variables: variables({ input: { platform: "TIKTOK", reference: "your-own-id-1" }, state: "" }),
  },
  {
    query: `# Sync: reads a creator's stats and videos from the
# platform anew, and waits up to 10 s for the end.
# The id comes from CreatorIds, below: run it first.
mutation SyncCreator($id: ID!) {
  syncCreator(input: { id: $id, waitSeconds: 10 }) {
    joined
    sync {
      id
      status
      progress
      videosSeen
      videosAdded
      videosUpdated
      error {
        code
        message
        retryAt
      }
    }
  }
}

# Its first id goes into the variables.
query CreatorIds {
  creators(first: 10) {
    nodes {
      id
      username
      platform
      syncedAt
    }
  }
}
`,
    variables: variables({ id: "crt_" }),
  },
  {
    query: `# Follow a sync live. 1. Run CreatorToSync, then
#    StartSync. Each answer fills the variables.
query CreatorToSync {
  creators(
    first: 1
    orderBy: { field: SYNCED_AT, direction: ASC }
  ) {
    nodes {
      id
      username
      syncedAt
    }
  }
}

mutation StartSync($creator: ID!) {
  syncCreator(input: { id: $creator }) {
    sync {
      id
      status
    }
  }
}

# 2. Run SyncProgress: the sync's state at once, then
#    each change, over a WebSocket, until its end.
subscription SyncProgress($sync: ID!) {
  syncProgress(id: $sync) {
    status
    progress
    videosSeen
    videosAdded
    videosUpdated
    error {
      code
      message
    }
  }
}
`,
    variables: variables({ creator: "crt_", sync: "syn_" }),
  },
  {
    query: `# Follow all creators live: run this, then sync one
# from elsewhere. The same button ends it.
subscription CreatorUpdated {
  creatorUpdated {
    username
    syncedAt
    stats {
      followers
      likes
    }
  }
}
`,
  },
  {
    query: `# Disconnect: revokes the creator's grant and erases
# all that was read with it. There is no way back.
# The receipt is a signed statement of what went.
mutation DisconnectCreator($id: ID!) {
  disconnectCreator(input: { id: $id }) {
    disconnected
    disconnectedId
    revocation
    erased {
      creators
      videos
      historyPoints
      syncs
      tokens
      storedAnswers
    }
    receipt
  }
}
`,
    variables: variables({ id: "crt_" }),
  },
  {
    query: `# Price of a query: what the one in the variables
# would cost at most, without running it. Free.
query PriceOfAQuery($query: String!) {
  price(query: $query) {
    max
    base
    affordable
    fields {
      path
      count
      credits
    }
  }
}
`,
    variables: variables({ query: "{ creators(first: 20) { nodes { username videos(first: 10) { nodes { title views } } } } }" }),
  },
];

function variables(values: object): string {
  return JSON.stringify(values, null, 2);
}
