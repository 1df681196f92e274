import { DOC_EXPLORER_PLUGIN, DocExplorer } from "@graphiql/plugin-doc-explorer";
import { type GraphiQLPlugin, useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";

/** GraphiQL's schema explorer, which also says why there is no schema, where it would only say that. */
export const SCHEMA_PLUGIN: GraphiQLPlugin = { ...DOC_EXPLORER_PLUGIN, content: SchemaExplorer };

function SchemaExplorer() {
  const fetchError = useGraphiQL((state) => state.fetchError);
  if (!fetchError) return <DocExplorer />;
  return (
    <section className="no-schema" aria-label="Documentation Explorer">
      <h2>No schema yet</h2>
      <p>{reason(fetchError)}</p>
    </section>
  );
}

/** GraphiQL also puts the failed answer where results go, and leaves it there: this takes it away in time. */
export function RefusalCleaner() {
  const { responseEditor, fetchError } = useGraphiQL(({ responseEditor, fetchError }) => ({ responseEditor, fetchError }));
  useEffect(() => {
    if (!fetchError) return;
    return () => {
      if (responseEditor?.getValue() === fetchError) responseEditor.setValue("");
    };
  }, [responseEditor, fetchError]);
  return null;
}

/** GraphiQL keeps the failed answer as formatted JSON. */
function reason(fetchError: string): string {
  try {
    return JSON.parse(fetchError).errors[0].message;
  } catch {
    return fetchError;
  }
}
