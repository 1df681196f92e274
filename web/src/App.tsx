import { DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { HISTORY_PLUGIN, HistoryStore } from "@graphiql/plugin-history";
import { GraphiQLProvider } from "@graphiql/react";
import { GraphiQLInterface } from "graphiql";
import { useMemo, useState } from "react";

import type { Receipt } from "./api";
import { EXAMPLES } from "./examples";
import { createFetcher } from "./fetcher";
import { Header } from "./Header";
import { SCHEMA_PLUGIN } from "./SchemaPlugin";
import { useSession } from "./session";

const PLUGINS = [SCHEMA_PLUGIN, HISTORY_PLUGIN];

/** The header bar above GraphiQL. A new session is a new fetcher, upon which GraphiQL reads the schema again. */
export function App() {
  const { session, enterKey } = useSession();
  const [receipt, setReceipt] = useState<Receipt>();
  const fetcher = useMemo(() => createFetcher(session, setReceipt), [session]);

  return (
    <>
      <Header session={session} onKey={enterKey} receipt={receipt} />
      <main>
        <GraphiQLProvider
          fetcher={fetcher}
          plugins={PLUGINS}
          referencePlugin={SCHEMA_PLUGIN}
          defaultTabs={EXAMPLES}
          defaultQuery=""
          shouldPersistHeaders={false} // a credential typed there stays out of localStorage
        >
          <HistoryStore>
            <DocExplorerStore>
              <GraphiQLInterface showPersistHeadersSettings={false} defaultEditorToolsVisibility="variables" />
            </DocExplorerStore>
          </HistoryStore>
        </GraphiQLProvider>
      </main>
    </>
  );
}
