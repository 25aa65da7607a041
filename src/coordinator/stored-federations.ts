/** The federations of a store, before it is served. */
import { type OpenManifest, openManifest } from '../protocol/federation/manifest.js';
import { type LatestStates, older } from './latest-states.js';
import { readNewest } from './rounds/written-state.js';
import type { Database } from './tables/database.js';

/**
 * Their manifests.
 * @throws CutlayerError STORE_TOO_OLD when one is missing that there was; MANIFEST_REJECTED
 */
export async function storedManifests(database: Database, latest: LatestStates): Promise<readonly OpenManifest[]> {
  const ids = await database.transaction(({ federations }) => federations.ids());
  const missing = latest.ids.find((id) => !ids.includes(id));
  if (missing !== undefined) throw older(missing, 'it does not have this federation');
  const manifests: OpenManifest[] = [];
  for (const id of ids) {
    const row = await database.transaction(({ federations }) => federations.read(id));
    manifests.push(openManifest({ bytes: row!.manifest, signature: row!.signature }, id)); // it was on the list
  }
  return manifests;
}

/**
 * Refuses a store that is behind what is remembered of its federations; nothing is written.
 * @throws CutlayerError STORE_TOO_OLD, and as a start of the coordinator
 */
export async function requireNewestStore(database: Database, latest: LatestStates, now: () => number): Promise<void> {
  for (const manifest of await storedManifests(database, latest))
    await database.transaction((transaction) => readNewest(transaction, { ...manifest, latest, now }));
}
