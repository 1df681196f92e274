import { graphql, useFragment } from "react-relay";
import { long, share, short } from "./format";
import { Growth } from "./Growth";
import { SyncNow } from "./SyncNow";
import { VideoList } from "./VideoList";
import type { CreatorCard_creator$key } from "./__generated__/CreatorCard_creator.graphql";

const PLATFORMS: Record<string, string> = { TIKTOK: "TikTok", INSTAGRAM: "Instagram", YOUTUBE: "YouTube" };

export function CreatorCard({ creator: key }: { creator: CreatorCard_creator$key }) {
  const creator = useFragment(
    graphql`
      fragment CreatorCard_creator on Creator {
        id
        username
        displayName
        platform
        profileUrl
        verified
        grant {
          status
        }
        stats {
          followers
          likes
          videoCount
          engagementRate
        }
        ...Growth_creator
        ...VideoList_creator
      }
    `,
    key,
  );
  const name = creator.displayName ?? creator.username;
  const { followers, likes, videoCount, engagementRate } = creator.stats;
  return (
    <article className="card" aria-label={creator.username}>
      <header>
        <span className={`avatar ${creator.platform.toLowerCase()}`} aria-hidden>
          {initials(name)}
        </span>
        <div>
          <h2>
            {name} {creator.verified && <span className="verified" role="img" aria-label="verified">✓</span>}
          </h2>
          <p>
            <a href={creator.profileUrl ?? undefined} target="_blank" rel="noreferrer">
              @{creator.username}
            </a>{" "}
            · {PLATFORMS[creator.platform] ?? creator.platform}
          </p>
        </div>
        <SyncNow id={creator.id} />
      </header>
      {creator.grant.status === "NEEDS_REAUTH" && <p className="reauth">Must connect again: the platform ended the consent.</p>}
      <dl>
        <Figure name="Followers" value={short(followers)} whole={long(followers)} />
        <Figure name="Likes" value={short(likes)} whole={long(likes)} />
        <Figure name="Videos" value={short(videoCount)} whole={long(videoCount)} />
        <Figure name="Engagement" value={share(engagementRate)} />
      </dl>
      <Growth creator={creator} />
      <VideoList creator={creator} />
    </article>
  );
}

function Figure({ name, value, whole }: { name: string; value: string; whole?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd title={whole}>{value}</dd>
    </div>
  );
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => /\p{L}/u.test(word));
  return words.slice(0, 2).map((word) => [...word][0]!.toUpperCase()).join("") || "?";
}
