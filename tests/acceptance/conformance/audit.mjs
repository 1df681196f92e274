// The public graphql-http audit suite against a running service: node audit.mjs URL KEY; prints one JSON.
import { serverAudits } from 'graphql-http';

const [url, key] = process.argv.slice(2);
const withKey = (address, init = {}) =>
  fetch(address, { ...init, headers: { ...init.headers, 'X-API-Key': key } });
const results = await Promise.all(
  serverAudits({ url, fetchFn: withKey }).map(async (audit) => {
    const result = await audit.fn();
    return { id: audit.id, name: audit.name, status: result.status, reason: result.reason };
  }),
);
console.log(JSON.stringify(results));
