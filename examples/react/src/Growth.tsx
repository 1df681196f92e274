import { graphql, useFragment } from "react-relay";
import { change, date, long } from "./format";
import { Plot } from "./Plot";
import type { Growth_creator$key } from "./__generated__/Growth_creator.graphql";

/** Followers over the last 30 days, a point a day. */
export function Growth({ creator }: { creator: Growth_creator$key }) {
  const { history } = useFragment(
    graphql`
      fragment Growth_creator on Creator {
        history {
          at
          followers
        }
      }
    `,
    creator,
  );
  const points = history.flatMap(({ at, followers }) =>
    followers == null ? [] : [{ x: Date.parse(at), y: followers }],
  );
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return <p className="empty">No numbers yet.</p>;
  const grown = first.y ? Math.round(((last.y - first.y) / first.y) * 1000) / 1000 : 0; // as it is written
  const since = first === last ? `since ${date(first.x)}: one point a day from now on` : `since ${date(first.x)}`;
  return (
    <figure className="growth">
      <figcaption>
        Followers{" "}
        <span>
          {first !== last && <b className={grown < 0 ? "down" : "up"}>{change(grown)}</b>} {since}
        </span>
      </figcaption>
      <Plot
        points={points}
        label={`Followers from ${long(first.y)} on ${date(first.x)} to ${long(last.y)} on ${date(last.x)}`}
      />
    </figure>
  );
}
