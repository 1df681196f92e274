import { DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { HISTORY_PLUGIN, HistoryStore } from "@graphiql/plugin-history";
import { GraphiQLProvider, useGraphiQLActions } from "@graphiql/react";
import { GraphiQL, GraphiQLInterface } from "graphiql";
import type { FormattedExecutionResult } from "graphql";
import { useEffect, useMemo, useRef, useState } from "react";

import { EXAMPLES } from "./examples";
import { createFetcher } from "./fetcher";
import { Filler } from "./Filler";
import { Header } from "./Header";
import { PriceButtons } from "./Prices";
import type { Report } from "./report";
import { ReportPanel } from "./ReportPanel";
import { RefusalCleaner, SCHEMA_PLUGIN } from "./SchemaPlugin";
import { useSession } from "./session";
import { STORAGE } from "./storage";

const PLUGINS = [SCHEMA_PLUGIN, HISTORY_PLUGIN];
const ROOMY = matchMedia("(min-width: 701px)").matches; // as in style.css

/** The header bar above GraphiQL. A new session is a new fetcher, upon which GraphiQL reads the schema again. */
export function App() {
  const { session, enterKey } = useSession();
  const [report, setReport] = useState<Report>();
  const [answer, setAnswer] = useState<FormattedExecutionResult>();
  const [itemised, setItemised] = useState(false);
  const asksItemised = useRef(itemised); // read at each run: a new fetcher would read the schema again
  asksItemised.current = itemised;
  const fetcher = useMemo(
    () => createFetcher(session, { onReport: setReport, onAnswer: setAnswer, itemised: () => asksItemised.current }),
    [session],
  );
  const changeKey = (key: string) => {
    setReport(undefined); // it told of another account, perhaps
    enterKey(key);
  };

  return (
    <>
      <Header session={session} onKey={changeKey} />
      <main>
        <GraphiQLProvider
          fetcher={fetcher}
          plugins={PLUGINS}
          referencePlugin={SCHEMA_PLUGIN}
          defaultTabs={EXAMPLES}
          defaultQuery=""
          // A credential typed as a header stays out of localStorage: out of the tabs, and out of the history.
          shouldPersistHeaders={false}
          storage={STORAGE}
        >
          <HistoryStore>
            <DocExplorerStore>
              <RefusalCleaner />
              <Filler answer={answer} />
              <EndWith credential={session.key} />
              <GraphiQLInterface
                showPersistHeadersSettings={false}
                defaultEditorToolsVisibility={ROOMY && "variables"}
              >
                <GraphiQL.Toolbar>
                  {({ prettify, merge, copy }) => (
                    <>
                      <PriceButtons session={session} onReport={setReport} itemised={itemised} onItemised={setItemised} />
                      {prettify}
                      {merge}
                      {copy}
                    </>
                  )}
                </GraphiQL.Toolbar>
                <GraphiQL.Footer>
                  <ReportPanel report={report} />
                </GraphiQL.Footer>
              </GraphiQLInterface>
            </DocExplorerStore>
          </HistoryStore>
        </GraphiQLProvider>
      </main>
    </>
  );
}

/** A subscription ends with the key it was started with. */
function EndWith({ credential }: { credential: string }) {
  const { stop } = useGraphiQLActions();
  useEffect(() => stop, [credential, stop]);
  return null;
}
