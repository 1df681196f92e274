import { graphql, usePaginationFragment } from "react-relay";
import { CreatorCard } from "./CreatorCard";
import { long } from "./format";
import type { CreatorOrderField } from "./__generated__/AppQuery.graphql";
import type { CreatorListPaginationQuery } from "./__generated__/CreatorListPaginationQuery.graphql";
import type { CreatorList_query$key } from "./__generated__/CreatorList_query.graphql";

const ORDERS = {
  CONNECTED_AT: "Newest first",
  FOLLOWERS: "Most followers",
  LIKES: "Most likes",
} satisfies Partial<Record<CreatorOrderField, string>>;
const PAGE = 4;

interface Props {
  query: CreatorList_query$key;
  order: CreatorOrderField;
  onOrder: (order: CreatorOrderField) => void;
}

export function CreatorList({ query, order, onOrder }: Props) {
  const { data, loadNext, hasNext, isLoadingNext } = usePaginationFragment<
    CreatorListPaginationQuery,
    CreatorList_query$key
  >(
    graphql`
      fragment CreatorList_query on Query
      @argumentDefinitions(
        count: { type: "Int", defaultValue: 4 }
        cursor: { type: "String" }
        orderBy: { type: "CreatorOrder!" }
      )
      @refetchable(queryName: "CreatorListPaginationQuery") {
        creators(first: $count, after: $cursor, orderBy: $orderBy) @connection(key: "CreatorList_creators") {
          totalCount
          edges {
            node {
              id
              ...CreatorCard_creator
            }
          }
        }
      }
    `,
    query,
  );
  const { edges, totalCount } = data.creators;
  return (
    <>
      <div className="bar">
        <p role="status">{totalCount === 1 ? "1 creator" : `${long(totalCount)} creators`}</p>
        <label>
          Order{" "}
          <select value={order} onChange={({ target }) => onOrder(target.value as CreatorOrderField)}>
            {Object.entries(ORDERS).map(([field, text]) => (
              <option key={field} value={field}>
                {text}
              </option>
            ))}
          </select>
        </label>
      </div>
      {!edges.length && <p className="empty">Nobody is connected yet. Connect the first creator above.</p>}
      <div className="cards">
        {edges.map(({ node }) => (
          <CreatorCard key={node.id} creator={node} />
        ))}
      </div>
      {hasNext && (
        <button type="button" className="more" disabled={isLoadingNext} onClick={() => loadNext(PAGE)}>
          {isLoadingNext ? "Loading …" : "More creators"}
        </button>
      )}
    </>
  );
}
