// What a program does with the generated types: right uses compile, wrong ones do not.
import type { ChangedSubscription, CreatorsQuery, CreatorsQueryVariables, SyncMutationVariables } from './operations';
import type { Creator, Scalars } from './schema';

export const variables: CreatorsQueryVariables = { filter: { platform: ['TIKTOK'], followersMin: 1000 }, order: { field: 'FOLLOWERS', direction: 'DESC' } };
// @ts-expect-error -- no such platform
export const wrong: CreatorsQueryVariables = { filter: { platform: ['MYSPACE'] } };
// @ts-expect-error -- an id is needed
export const missing: SyncMutationVariables = { input: {} };
export const input: SyncMutationVariables = { input: { id: 'crt_', waitSeconds: 1 } };

export function rows({ creators }: CreatorsQuery): [string, number | null | undefined, string | null | undefined][] {
  return creators.edges.map(({ node }) => [node.username, node.stats.followers, node.syncedAt]);
}

export function titles({ creatorUpdated }: ChangedSubscription): (string | null | undefined)[] {
  return creatorUpdated.videos.nodes.map(({ title }) => title);
}

export const followers = (creator: Creator): Scalars['BigInt']['output'] => creator.stats.followers ?? 0;
