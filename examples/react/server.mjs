// A partner's backend: it serves the built page, and mints short-lived tokens for it. The key stays here.
import { createServer } from "node:http";
import { readFile, readdir } from "node:fs/promises";

const { CREATOR_GRAPH_KEY: key, CREATOR_GRAPH_URL: api = "http://127.0.0.1:4000", PORT = "8000" } = process.env;
if (!key) throw new Error("CREATOR_GRAPH_KEY is not set: a key with CREATORS_WRITE, VIDEOS_READ and TOKENS_WRITE.");

const MINT = "mutation Mint($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { token expiresAt } }";
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css" };
const POLICY = `default-src 'self'; connect-src 'self' ${api} ${api.replace(/^http/, "ws")}; img-src data:; base-uri 'none'; frame-ancestors 'none'`;

const dist = new URL("dist/", import.meta.url);
const files = new Set((await readdir(dist, { recursive: true })).map((name) => `/${name}`));

async function mint() {
  // Here a real backend looks up who is signed in; a token that only reads can be held to their creators
  // (allowedReferences). This page connects creators too, which takes a token of the whole account.
  const input = { expiresIn: 900, scopes: ["CREATORS_WRITE", "VIDEOS_READ"], maxWebsockets: 2 };
  const answer = await fetch(`${api}/graphql`, {
    method: "POST",
    headers: { "X-API-Key": key, "Content-Type": "application/json" },
    body: JSON.stringify({ query: MINT, variables: { input } }),
  });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(errors[0].message);
  return { ...data.createAccessToken, api };
}

const server = createServer(async (request, response) => {
  const send = (status, type, body) =>
    response
      .writeHead(status, { "Content-Type": type, "Content-Security-Policy": POLICY, "Cache-Control": "no-store" })
      .end(body);
  try {
    if (request.method === "POST" && request.url === "/token") {
      return send(200, "application/json", JSON.stringify(await mint()));
    }
    const path = request.url === "/" ? "/index.html" : request.url;
    const type = TYPES[path.split(".").pop()];
    if (!files.has(path) || !type) return send(404, "text/plain", "Not here.");
    send(200, type, await readFile(new URL(`.${path}`, dist)));
  } catch (error) {
    console.error(error);
    send(502, "application/json", JSON.stringify({ message: "The backend could not get a token." }));
  }
});

server.listen(Number(PORT), "127.0.0.1", () => console.log(`Open http://127.0.0.1:${server.address().port}`));
