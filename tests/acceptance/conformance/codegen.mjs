// graphql-js and graphql-code-generator on schema.graphql; what it makes is checked by TypeScript, strictly.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { codegen } from '@graphql-codegen/core';
import * as typescript from '@graphql-codegen/typescript';
import * as operations from '@graphql-codegen/typescript-operations';
import { buildClientSchema, buildSchema, findBreakingChanges, getIntrospectionQuery, parse, printSchema, validateSchema } from 'graphql';
import assert from 'node:assert/strict';
import { plain, report } from './checks.mjs';

const { schema: file, out } = JSON.parse(process.argv[2]);
const schema = buildSchema(readFileSync(file, 'utf8'));
const documents = parse(readFileSync(new URL('codegen.graphql', import.meta.url), 'utf8'));
const config = { strictScalars: true, scalars: { BigInt: 'number', DateTime: 'string', URL: 'string' }, enumsAsTypes: true };

await report({
  'graphql-js finds nothing wrong with the schema': async () => assert.deepEqual(validateSchema(schema), []),
  'what the service tells of itself is that schema, asked for in full': async () => {
    const wishes = { specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true };
    const told = buildClientSchema(await plain(getIntrospectionQuery(wishes)));
    assert.deepEqual([...findBreakingChanges(schema, told), ...findBreakingChanges(told, schema)], []);
  },
  'types of the whole schema and of operations compile under strict': async () => {
    const common = { schema: parse(printSchema(schema)), schemaAst: schema, config: {}, pluginMap: { typescript, operations } };
    for (const [name, plugin, given] of [['schema', 'typescript', []], ['operations', 'operations', [{ document: documents }]]]) {
      const filename = `${out}/${name}.ts`;
      writeFileSync(filename, await codegen({ ...common, filename, documents: given, plugins: [{ [plugin]: config }] }));
    }
    writeFileSync(`${out}/use.ts`, readFileSync(new URL('codegen_use.ts', import.meta.url)));
    const tsc = new URL('node_modules/typescript/bin/tsc', import.meta.url).pathname;
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'es2022', '--moduleResolution', 'bundler'];
    execFileSync(process.execPath, [tsc, ...options, `${out}/use.ts`], { encoding: 'utf8' });
  },
});
