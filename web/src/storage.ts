const HISTORY = new Set(["graphiql:queries", "graphiql:favorites"]);

/** localStorage, but for headers: GraphiQL's history keeps what was typed there, and a credential may be among it. */
export const STORAGE = {
  get length() {
    return localStorage.length;
  },
  clear: () => localStorage.clear(),
  getItem: (name: string) => localStorage.getItem(name),
  removeItem: (name: string) => localStorage.removeItem(name),
  setItem: (name: string, value: string) => localStorage.setItem(name, HISTORY.has(name) ? withoutHeaders(value) : value),
};

const withoutHeaders = (history: string) =>
  JSON.stringify(JSON.parse(history), (name, value) => (name === "headers" ? undefined : value));
