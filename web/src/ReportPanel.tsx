import type { Credits } from "./api";
import type { Quote, Report } from "./report";

/** Below the answer: what it cost, and what is left; or what it would cost. */
export function ReportPanel({ report }: { report?: Report }) {
  return (
    <section className="report" aria-label="Credits" aria-live="polite">
      {!report && <p>What a run costs is told here. The price tag tells it before.</p>}
      {report?.kind === "run" && <Run {...report} />}
      {report?.kind === "quote" && <Quotes quotes={report.quotes} />}
    </section>
  );
}

function Run({ credits, charged, events, requestId }: Extract<Report, { kind: "run" }>) {
  const { remaining, limit, resetAt, max, wouldCost, fields } = credits;
  return (
    <>
      <p>
        <strong>{inCredits(charged)} charged</strong>
        {events !== undefined && <span>{events === 1 ? "1 event" : `${number(events)} events`} so far</span>}
        {wouldCost !== undefined && <span>live mode: {number(wouldCost)}</span>}
        {max !== undefined && <span>at most {number(max)}</span>}
        {remaining !== undefined && (
          <span className="left" title={resetAt && `The month ends ${new Date(resetAt).toLocaleString("en")}`}>
            {number(remaining)} of {number(limit ?? remaining)} left
          </span>
        )}
        {requestId && (
          <span className="request" title={`Request id: ${requestId}`}>
            request <code>{requestId}</code>
          </span>
        )}
      </p>
      {fields && <Fields fields={fields} />}
    </>
  );
}

/** The itemised receipt, what cost most first. */
function Fields({ fields }: { fields: NonNullable<Credits["fields"]> }) {
  return (
    <div className="fields">
      <table>
        <thead>
          <tr>
            <th>Delivered</th>
            <th>times</th>
            <th>credits</th>
          </tr>
        </thead>
        <tbody>
          {fields
            .toSorted((one, other) => other.credits - one.credits)
            .map(({ coordinate, count, credits }) => (
              <tr key={coordinate}>
                <td>{coordinate}</td>
                <td>{number(count)}</td>
                <td>{number(credits)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

function Quotes({ quotes }: { quotes: Quote[] }) {
  return (
    <>
      {quotes.map(({ operation, max, refusal }) => (
        <p key={operation}>
          <strong>{max === undefined ? "No price" : `at most ${inCredits(max)}`}</strong>
          {operation && <span>{operation}</span>}
          {refusal ? <span className="refusal">{refusal}</span> : <span>nothing was run</span>}
        </p>
      ))}
    </>
  );
}

const number = (value: number) => value.toLocaleString("en");
const inCredits = (count: number) => `${number(count)} ${count === 1 ? "credit" : "credits"}`;
