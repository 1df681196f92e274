// PostGraphile 5, the amber preset: the schema is what the tables are; see postgraphile.graphql for the queries.
import { createServer } from 'node:http'
import { grafserv } from 'postgraphile/grafserv/node'
import { postgraphile } from 'postgraphile'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { makePgService } from 'postgraphile/adaptors/pg'
import { addPgTableCondition, jsonPgSmartTags } from 'postgraphile/utils'
import { TYPES } from 'postgraphile/@dataplan/pg'

const { BENCH_DATABASE, BENCH_POOL, BENCH_PORT } = process.env

// Equality is all that its conditions know: "at least" is ours to add.
const atLeast = (table, name, column) =>
  addPgTableCondition(
    { schemaName: 'public', tableName: table },
    name,
    (build) => ({ type: build.getTypeByName('BigInt') }),
    {
      apply: (condition, value) => {
        if (value != null) {
          condition.where(condition.sql`${condition}.${condition.sql.identifier(column)} >= ${condition.sql.value(value)}::bigint`)
        }
      },
    },
  )
const from = (name, operator) =>
  addPgTableCondition(
    { schemaName: 'public', tableName: 'creator_stats' },
    name,
    (build) => ({ type: build.getTypeByName('Datetime') }),
    {
      apply: (condition, value) => {
        const { sql } = condition
        if (value != null) {
          const at = sql`${condition}.at`
          const bound = sql`${sql.value(value)}::timestamptz`
          condition.where(operator === '<' ? sql`${at} < ${bound}` : sql`${at} >= ${bound}`)
        }
      },
    },
  )

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
    atLeast('creators', 'followersMin', 'followers'),
    atLeast('videos', 'viewsMin', 'views'),
    from('from', '>='),
    from('to', '<'),
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
