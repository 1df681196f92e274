import { DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { HISTORY_PLUGIN, HistoryStore } from "@graphiql/plugin-history";
import { GraphiQLProvider } from "@graphiql/react";
import { GraphiQLInterface } from "graphiql";
import { useMemo, useState } from "react";

import type { Receipt } from "./api";
import { EXAMPLES } from "./examples";
import { createFetcher } from "./fetcher";
import { Header } from "./Header";
import { RefusalCleaner, SCHEMA_PLUGIN } from "./SchemaPlugin";
import { useSession } from "./session";

const PLUGINS = [SCHEMA_PLUGIN, HISTORY_PLUGIN];
const ROOMY = matchMedia("(min-width: 701px)").matches; // as in style.css

/** The header bar above GraphiQL. A new session is a new fetcher, upon which GraphiQL reads the schema again. */
export function App() {
  const { session, enterKey } = useSession();
  const [receipt, setReceipt] = useState<Receipt>();
  const fetcher = useMemo(() => createFetcher(session, setReceipt), [session]);
  const changeKey = (key: string) => {
    setReceipt(undefined); // it told of another account, perhaps
    enterKey(key);
  };

  return (
    <>
      <Header session={session} onKey={changeKey} receipt={receipt} />
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
              <RefusalCleaner />
              <GraphiQLInterface
                showPersistHeadersSettings={false}
                defaultEditorToolsVisibility={ROOMY && "variables"}
              />
            </DocExplorerStore>
          </HistoryStore>
        </GraphiQLProvider>
      </main>
    </>
  );
}
