import "graphiql/setup-workers/vite";
import "graphiql/style.css";
// Makes addresses in an answer open with Ctrl- or Cmd-click; GraphiQL's choice of Monaco's parts leaves it out.
import "monaco-editor/esm/vs/editor/contrib/links/browser/links.js";
import "./style.css";

import { createRoot } from "react-dom/client";

import { App } from "./App";

createRoot(document.getElementById("root")!).render(<App />);
