import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Leaves a .gz beside every script and style sheet: the server sends it to whoever accepts it. */
const gzip: Plugin = {
  name: "gzip",
  apply: "build",
  writeBundle({ dir }) {
    const assets = join(dir!, "assets");
    for (const name of readdirSync(assets).filter((name) => /\.(js|css)$/.test(name))) {
      writeFileSync(join(assets, `${name}.gz`), gzipSync(readFileSync(join(assets, name)), { level: 9 }));
    }
  },
};

export default defineConfig({
  base: "/graphiql/",
  plugins: [gzip],
  build: {
    assetsInlineLimit: 0, // the page's policy allows no inlined script or worker
    chunkSizeWarningLimit: 8000, // Monaco, the editor, is what it is
    rolldownOptions: {
      // "use client" in the libraries speaks to server rendering, which there is none of here.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
  },
  worker: { format: "es" },
  server: {
    proxy: { "/graphql": { target: process.env.API_URL ?? "http://localhost:4000", ws: true } },
  },
});
