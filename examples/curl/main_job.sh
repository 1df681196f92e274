#!/bin/sh
# The main job with nothing but curl and jq: connect a creator, read them now, list everybody.
#   CREATOR_GRAPH_KEY=sk_test_… sh main_job.sh TIKTOK
set -eu

url=${CREATOR_GRAPH_URL:-http://127.0.0.1:4000}/graphql
platform=${1:-TIKTOK}

# The key goes through a file of curl's settings, so that no list of processes shows it.
settings=$(mktemp) && trap 'rm -f "$settings"' EXIT
printf 'header = "X-API-Key: %s"\n' "${CREATOR_GRAPH_KEY:?is not set}" >"$settings"

body() { # operation [variables]
  jq -cn --arg query "$1" --argjson variables "${2:-null}" '{$query, $variables}'
}

# Prints the data, or says the code and the remedy and fails. 429 and 503 are waited for as Retry-After says; under one
# Idempotency-Key a mutation is done once, however often it is sent.
ask() { # operation variables [idempotency-key]
  body "$1" "$2" | curl -sS --config "$settings" --retry 4 --max-time 30 -H 'Content-Type: application/json' \
    ${3:+-H "Idempotency-Key: $3"} --data-binary @- "$url" |
    jq -e 'if .errors then .errors[0] | "\(.extensions.code): \(.message) \(.extensions.remedy // "")" | halt_error
           else .data end'
}

# Prints each event's data, as it comes.
follow() { # subscription variables
  body "$1" "$2" | curl -sSN --config "$settings" -H 'Content-Type: application/json' -H 'Accept: text/event-stream' \
    --data-binary @- "$url" | sed -un 's/^data: \({.*\)/\1/p'
}

begun=$(ask 'mutation($platform: Platform!) { connectCreator(input: {platform: $platform}) { authUrl state } }' \
  "{\"platform\": \"$platform\"}" "connect-$$-$(date +%s)")
echo "Open this address, choose a creator and approve:" >&2
echo "$begun" | jq -r .connectCreator.authUrl >&2

attempt=$(follow 'subscription($state: String!) { connectAttemptUpdated(state: $state) { status creator { id username } } }' \
  "$(echo "$begun" | jq -c '.connectCreator | {state}')" | tail -n 1 | jq .data.connectAttemptUpdated)
[ "$(echo "$attempt" | jq -r .status)" = CONNECTED ] || { echo "The connect failed: $attempt" >&2; exit 1; }

creator=$(echo "$attempt" | jq -c '.creator | {id}')
sync=$(ask 'mutation($id: ID!) { syncCreator(input: {id: $id}) { sync { id } } }' "$creator" "sync-$$-$(date +%s)")
follow 'subscription($id: ID!) { syncProgress(id: $id) { status progress videosSeen } }' \
  "$(echo "$sync" | jq -c '.syncCreator.sync')" |
  jq -r --unbuffered '.data.syncProgress | "\(.status): \(.progress * 100 | floor) %, \(.videosSeen) videos"' >&2

after=null
while [ "$after" != done ]; do
  page=$(ask 'query($after: String) { creators(first: 50, after: $after) {
      nodes { username platform stats { followers } videos(first: 1, orderBy: {field: VIEWS}) { nodes { title } totalCount } }
      pageInfo { hasNextPage endCursor } } }' "{\"after\": $after}")
  echo "$page" | jq -r '.creators.nodes[] |
    "\(.username) (\(.platform)): \(.stats.followers // "?") followers, \(.videos.totalCount) videos, most watched: \(.videos.nodes[0].title)"'
  after=$(echo "$page" | jq 'if .creators.pageInfo.hasNextPage then .creators.pageInfo.endCursor else "done" end')
  [ "$after" != '"done"' ] || after=done
done
