import { defineConfig, type Plugin } from "vite";

const TAGGED = /\bgraphql`\s*(?:query|mutation|subscription|fragment)\s+(\w+)[^`]*`/g;

/** graphql`…` becomes an import of what relay-compiler made of it: babel-plugin-relay's work, without Babel. */
const relay: Plugin = {
  name: "relay",
  enforce: "pre",
  transform(source, id) {
    const imports = new Set<string>();
    const code = source.replace(TAGGED, (_, name: string) => {
      imports.add(`import ${name}Node from "./__generated__/${name}.graphql";`);
      return `${name}Node`;
    });
    return imports.size && id.includes("/src/") ? [...imports, code].join("\n") : undefined;
  },
};

export default defineConfig({
  plugins: [relay],
  build: { chunkSizeWarningLimit: 700 }, // React and Relay, 150 kB once compressed
});
