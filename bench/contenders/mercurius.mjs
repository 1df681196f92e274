// Mercurius with its JIT on Fastify: loaders batch the lists of many creators, pg reads.
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import { GraphQLScalarType } from 'graphql'
import mercurius from 'mercurius'
import pg from 'pg'

const { BENCH_DATABASE, BENCH_POOL, BENCH_PORT, BENCH_SCHEMA } = process.env
pg.types.setTypeParser(20, Number) // bigint: the contract's numbers stay below 2^53
const pool = new pg.Pool({ connectionString: BENCH_DATABASE, max: Number(BENCH_POOL) })

const CREATOR = `id, platform, username, display_name, bio, verified, followers, following, likes, views, video_count,
  engagement_rate, connected_at, synced_at`
const VIDEO = 'id, title, url, views, likes, comments, shares, duration, published_at'
const CREATOR_ORDERS = { CONNECTED_AT: 'connected_at', FOLLOWERS: 'coalesce(followers, -1)' }
const VIDEO_ORDERS = { PUBLISHED_AT: 'published_at', VIEWS: 'coalesce(views, -1)' }
const CASTS = { CONNECTED_AT: 'timestamptz', FOLLOWERS: 'bigint' }

// Named statements are prepared once a connection, as asyncpg does by itself.
const names = new Map()
function read(text, values) {
  if (!names.has(text)) names.set(text, `s${names.size}`)
  return pool.query({ name: names.get(text), text, values })
}

const encode = (value, id) =>
  Buffer.from(`${value instanceof Date ? value.toISOString() : value}|${id}`).toString('base64')

function page(rows, first) {
  const more = rows.length > first
  if (more) rows.length = first
  const edges = rows.map((row) => ({ cursor: encode(row.position, row.id), node: row }))
  return { edges, pageInfo: { hasNextPage: more, endCursor: edges.at(-1)?.cursor ?? null } }
}

async function creators(_, { first = 20, after, filter, orderBy }, { account }) {
  const { field, direction } = orderBy ?? { field: 'CONNECTED_AT', direction: 'DESC' }
  const key = CREATOR_ORDERS[field]
  const values = [account, first + 1]
  const where = ['account_id = $1', 'livemode']
  if (filter?.followersMin != null) where.push(`followers >= $${values.push(filter.followersMin)}`)
  if (after) {
    const [value, id] = Buffer.from(after, 'base64').toString().split('|')
    const [v, i] = [values.push(value), values.push(id)]
    where.push(`(${key}, id) ${direction === 'DESC' ? '<' : '>'} ($${v}::${CASTS[field]}, $${i}::uuid)`)
  }
  const { rows } = await read(
    `select ${CREATOR}, ${key} as position from creators where ${where.join(' and ')}
      order by ${key} ${direction}, id ${direction} limit $2`,
    values,
  )
  return { ...page(rows, first), followersMin: filter?.followersMin ?? null }
}

async function creator(_, { id }, { account }) {
  const { rows } = await read(`select ${CREATOR} from creators where account_id = $1 and id = $2`, [account, id.slice(4)])
  return rows[0] ?? null
}

async function totalCount({ followersMin }, _, { account }) {
  const { rows } = await read(
    `select count(*)::int as n from creators
      where account_id = $1 and livemode and ($2::bigint is null or followers >= $2)`,
    [account, followersMin],
  )
  return rows[0].n
}

// One batch an argument set: in these operations there is one.
function grouped(rows, queries) {
  const found = new Map(queries.map(({ obj }) => [obj.id, []]))
  for (const row of rows) found.get(row.creator_id).push(row)
  return queries.map(({ obj }) => found.get(obj.id))
}

async function videos(queries, { account }) {
  const { first = 20, filter, orderBy } = queries[0].params
  const { field, direction } = orderBy ?? { field: 'PUBLISHED_AT', direction: 'DESC' }
  const key = VIDEO_ORDERS[field]
  const values = [account, queries.map(({ obj }) => obj.id), first + 1]
  const least = filter?.viewsMin == null ? '' : `and views >= $${values.push(filter.viewsMin)}`
  const { rows } = await read(
    `select c.id as creator_id, v.* from unnest($2::uuid[]) c(id) cross join lateral (
       select ${VIDEO}, ${key} as position from videos
        where account_id = $1 and creator_id = c.id and gone_at is null ${least}
        order by ${key} ${direction}, id ${direction} limit $3) v`,
    values,
  )
  return grouped(rows, queries).map((found) => page(found, first))
}

async function history(queries, { account }) {
  const { from, to } = queries[0].params
  const { rows } = await read(
    `select creator_id, at, followers, likes, views from creator_stats
      where account_id = $1 and creator_id = any($2) and at >= $3 and at < $4 order by creator_id, at`,
    [account, queries.map(({ obj }) => obj.id), from, to],
  )
  return grouped(rows, queries)
}

const hex = (id) => id.replaceAll('-', '')
const resolvers = {
  BigInt: new GraphQLScalarType({ name: 'BigInt', parseValue: Number, serialize: (value) => value }),
  DateTime: new GraphQLScalarType({
    name: 'DateTime',
    parseValue: (text) => new Date(text),
    serialize: (at) => at.toISOString(),
  }),
  Query: { creator, creators },
  CreatorConnection: { totalCount },
  Creator: {
    id: (row) => `crt_${hex(row.id)}`,
    displayName: (row) => row.display_name,
    connectedAt: (row) => row.connected_at,
    syncedAt: (row) => row.synced_at,
    stats: (row) => row,
  },
  CreatorStats: { videoCount: (row) => row.video_count, engagementRate: (row) => row.engagement_rate },
  Video: { id: (row) => `vid_${hex(row.id)}`, publishedAt: (row) => row.published_at },
}
// A loader's own cache would keep a page for a request only; there is nothing to find in it.
const loaders = {
  Creator: { videos: { loader: videos, opts: { cache: false } }, history: { loader: history, opts: { cache: false } } },
}

const app = Fastify()
app.register(mercurius, {
  schema: readFileSync(BENCH_SCHEMA, 'utf8'),
  resolvers,
  loaders,
  jit: 1,
  context: (request) => ({ account: request.headers['x-account'] }),
})
await app.listen({ host: '127.0.0.1', port: Number(BENCH_PORT) })
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0))
