import { StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { RelayEnvironmentProvider } from "react-relay";
import { App } from "./App";
import { environment } from "./environment";
import { Boundary } from "./Problem";
import "./style.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <RelayEnvironmentProvider environment={environment}>
      <Boundary>
        {(attempt) => (
          <Suspense fallback={<p className="loading">Loading your creators …</p>}>
            <App attempt={attempt} />
          </Suspense>
        )}
      </Boundary>
    </RelayEnvironmentProvider>
  </StrictMode>,
);
