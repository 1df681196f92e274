import { graphql, usePaginationFragment } from "react-relay";
import { date, long, short } from "./format";
import type { VideoListPaginationQuery } from "./__generated__/VideoListPaginationQuery.graphql";
import type { VideoList_creator$key } from "./__generated__/VideoList_creator.graphql";

export function VideoList({ creator }: { creator: VideoList_creator$key }) {
  const { data, loadNext, hasNext, isLoadingNext } = usePaginationFragment<
    VideoListPaginationQuery,
    VideoList_creator$key
  >(
    graphql`
      fragment VideoList_creator on Creator
      @argumentDefinitions(count: { type: "Int", defaultValue: 3 }, cursor: { type: "String" })
      @refetchable(queryName: "VideoListPaginationQuery") {
        videos(first: $count, after: $cursor) @connection(key: "VideoList_videos") {
          edges {
            node {
              id
              title
              url
              views
              likes
              publishedAt
            }
          }
        }
      }
    `,
    creator,
  );
  const videos = data.videos.edges.map(({ node }) => node);
  if (!videos.length) return <p className="empty">No videos yet.</p>;
  return (
    <section className="videos" aria-label="Videos">
      <ol>
        {videos.map(({ id, title, url, views, likes, publishedAt }) => (
          <li key={id}>
            <a href={url ?? undefined} target="_blank" rel="noreferrer">
              {title || "Untitled"}
            </a>
            <span title={`${long(views)} views, ${long(likes)} likes`}>
              {short(views)} views · {date(publishedAt)}
            </span>
          </li>
        ))}
      </ol>
      {hasNext && (
        <button type="button" disabled={isLoadingNext} onClick={() => loadNext(5)}>
          {isLoadingNext ? "Loading …" : "More videos"}
        </button>
      )}
    </section>
  );
}
