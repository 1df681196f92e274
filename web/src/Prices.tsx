import { pick, ToolbarButton, tryParseJSONC, useGraphiQL } from "@graphiql/react";
import { type OperationDefinitionNode, parse } from "graphql";

import { creditsOf, send } from "./api";
import type { Quote, Report } from "./report";
import { keyHeader, type Session } from "./session";

type Props = { session: Session; onReport: (report: Report) => void; itemised: boolean; onItemised: (on: boolean) => void };

/** What GraphiQL's toolbar has on credits: the price before, and whether receipts are itemised. */
export function PriceButtons({ session, onReport, itemised, onItemised }: Props) {
  const editors = useGraphiQL(pick("queryEditor", "variableEditor", "headerEditor"));
  const ask = async () => {
    const [query = "", variables, headers] = [editors.queryEditor, editors.variableEditor, editors.headerEditor].map(
      (editor) => editor?.getValue(),
    );
    onReport({ kind: "quote", quotes: await quote(session, query, variables, headers) });
  };
  return (
    <>
      <ToolbarButton label="Price: what this may cost, without running it" onClick={ask}>
        <PriceTag />
      </ToolbarButton>
      <ToolbarButton
        label="Itemised receipts: what each field cost"
        aria-pressed={itemised}
        onClick={() => onItemised(!itemised)}
      >
        <Receipt />
      </ToolbarButton>
    </>
  );
}

/** The price of each operation in a document, as the API quotes it. */
async function quote(session: Session, query: string, variables?: string, headers?: string): Promise<Quote[]> {
  try {
    const asked = { "X-Credits-Quote": "only", ...keyHeader(session.key), ...tryParseJSONC(headers) };
    const given = tryParseJSONC(variables);
    return await Promise.all(named(query).map((name) => quoteOne(query, name, given, asked)));
  } catch (error) {
    return [{ operation: "", refusal: (error as Error).message }];
  }
}

async function quoteOne(
  query: string,
  operationName: string | undefined,
  variables: Record<string, unknown> | undefined,
  headers: Record<string, string>,
): Promise<Quote> {
  const { result } = await send({ query, operationName, variables }, headers);
  const { max } = creditsOf(result);
  return { operation: operationName ?? "", max, refusal: max === undefined ? result.errors?.[0]?.message : undefined };
}

/** Names of a document's operations; one without a name is asked for without. */
function named(query: string): (string | undefined)[] {
  const operations = parse(query).definitions.filter((node): node is OperationDefinitionNode => node.kind === "OperationDefinition");
  return operations.map((operation) => operation.name?.value);
}

const PriceTag = () => (
  <svg className="graphiql-toolbar-icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinejoin="round" aria-hidden="true">
    <path d="M3 3h8.5L21 12.5 12.5 21 3 11.5Z" />
    <circle cx="8" cy="8" r="1.4" />
  </svg>
);

const Receipt = () => (
  <svg className="graphiql-toolbar-icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinejoin="round" aria-hidden="true">
    <path d="M5 3l2.3 1.6L9.7 3 12 4.6 14.3 3l2.4 1.6L19 3v18l-2.3-1.6-2.4 1.6L12 19.4 9.7 21l-2.4-1.6L5 21Z" />
    <path d="M9 9.5h6M9 14h6" strokeLinecap="round" />
  </svg>
);
