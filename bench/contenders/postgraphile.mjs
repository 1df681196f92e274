// PostGraphile 5, the amber preset: the schema is what the tables are; see postgraphile.graphql for the queries.
import { createServer } from 'node:http'
import { grafserv } from 'postgraphile/grafserv/node'
import { postgraphile } from 'postgraphile'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { makePgService } from 'postgraphile/adaptors/pg'
import { addPgTableCondition, jsonPgSmartTags } from 'postgraphile/utils'
import { TYPES } from 'postgraphile/@dataplan/pg'

const { BENCH_DATABASE, BENCH_POOL, BENCH_PORT } = process.env

// Equality is all that its conditions know: bounds are ours to add.
const bound = (tableName, name, type, column, operator) =>
  addPgTableCondition(
    { schemaName: 'public', tableName },
    name,
    (build) => ({ type: build.getInputTypeByName(type) }),
    (value, { sql, sqlTableAlias, sqlValueWithCodec }) =>
      sql`${sqlTableAlias}.${sql.identifier(column)} ${operator(sql)} ${sqlValueWithCodec(value, TYPES[type === 'BigInt' ? 'bigint' : 'timestamptz'])}`,
  )
const atLeast = (sql) => sql`>=`
const before = (sql) => sql`<`

// History has no foreign key in the tables; the relation is told here.
const tags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      'public.creator_stats': {
        tags: { foreignKey: '(account_id, creator_id) references creators (account_id, id)' },
      },
    },
  },
})

const preset = {
  extends: [PostGraphileAmberPreset],
  // It offers only orders that an index begins with; ours begin with the account.
  disablePlugins: ['PgIndexBehaviorsPlugin'],
  plugins: [
    tags,
    bound('creators', 'followersMin', 'BigInt', 'followers', atLeast),
    bound('videos', 'viewsMin', 'BigInt', 'views', atLeast),
    bound('creator_stats', 'from', 'Datetime', 'at', atLeast),
    bound('creator_stats', 'to', 'Datetime', 'at', before),
  ],
  pgServices: [
    makePgService({
      connectionString: BENCH_DATABASE,
      schemas: ['public'],
      poolConfig: { max: Number(BENCH_POOL) },
    }),
  ],
  grafserv: { watch: false, graphiql: false },
  grafast: { explain: false },
}

const server = createServer()
const serv = postgraphile(preset).createServ(grafserv)
await serv.addTo(server)
server.listen(Number(BENCH_PORT), '127.0.0.1')
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0))
