import { pick, tryParseJSONC, useGraphiQL } from "@graphiql/react";
import type { FormattedExecutionResult } from "graphql";
import { useEffect } from "react";

const ID_TO_COME = /^[a-z]{3}_$/;

/** Fills the tab's open variables ("crt_", "") from an answer: what a next operation takes need not be copied. */
export function Filler({ answer }: { answer?: FormattedExecutionResult }) {
  const { variableEditor } = useGraphiQL(pick("variableEditor"));
  useEffect(() => {
    if (!variableEditor || !answer?.data) return;
    const filled = fill(variableEditor.getValue(), answer.data);
    if (filled) variableEditor.setValue(filled);
  }, [variableEditor, answer]);
  return null;
}

/** The variables' text with what was found, or nothing where that changes nothing. */
function fill(text: string, data: Record<string, unknown>): string | undefined {
  const given = parsed(text);
  const open = Object.entries(given).filter(([, value]) => value === "" || ID_TO_COME.test(String(value)));
  const found = open.flatMap(([name, value]) => {
    const first = leaves(data).find(([key, leaf]) => (value === "" ? key === name : leaf.startsWith(String(value))));
    return first ? [[name, first[1]]] : [];
  });
  return found.length ? JSON.stringify({ ...given, ...Object.fromEntries(found) }, null, 2) : undefined;
}

function parsed(text: string): Record<string, unknown> {
  try {
    return tryParseJSONC(text) ?? {};
  } catch {
    return {}; // half typed: not ours to change
  }
}

/** All text in an answer, with the response key it stands under, in order. */
function leaves(value: unknown, key = ""): [key: string, leaf: string][] {
  if (typeof value === "string") return [[key, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([below, inner]) => leaves(inner, Array.isArray(value) ? key : below));
}
