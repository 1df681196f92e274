import { useState, useTransition } from "react";
import { graphql, useLazyLoadQuery } from "react-relay";
import { Connect } from "./Connect";
import { CreatorList } from "./CreatorList";
import type { AppQuery, CreatorOrderField } from "./__generated__/AppQuery.graphql";

export function App({ attempt }: { attempt: number }) {
  const [field, setField] = useState<CreatorOrderField>("CONNECTED_AT");
  const [round, setRound] = useState(0); // whoever connected begins another: the list is asked for anew
  const [changing, startChange] = useTransition();
  const data = useLazyLoadQuery<AppQuery>(
    graphql`
      query AppQuery($orderBy: CreatorOrder!) {
        viewer {
          mode
          account {
            name
          }
        }
        ...CreatorList_query @arguments(orderBy: $orderBy)
      }
    `,
    { orderBy: { field } },
    { fetchKey: `${attempt}.${round}`, fetchPolicy: "store-and-network" },
  );
  return (
    <>
      <header className="top">
        <div>
          <h1>Your creators</h1>
          <p>
            {data.viewer.account.name}
            <span className="mode">{data.viewer.mode === "TEST" ? "Test mode" : "Live"}</span>
          </p>
        </div>
        <Connect onSynced={() => startChange(() => setRound((before) => before + 1))} />
      </header>
      <main aria-busy={changing}>
        <CreatorList query={data} order={field} onOrder={(order) => startChange(() => setField(order))} />
      </main>
    </>
  );
}
