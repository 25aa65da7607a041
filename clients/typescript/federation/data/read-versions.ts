/** Reads the registry of versions out of a participant's state, also while the participant runs. */
import { CutlayerError } from '../../../../src/errors.js';
import type { Broadcast } from '../../../../src/protocol/federation/chain.js';
import { type OpenManifest, openManifest } from '../../../../src/protocol/federation/manifest.js';
import { type VersionView, versionsOf } from '../../versions/version-registry.js';
import { ChainLog } from '../chain-log.js';
import { MemberStore } from '../member-store.js';
import { readPin } from '../pin.js';

/** A federation as a member's state tells it. */
export interface VersionRegistry {
  /** Hex id. */
  readonly federation: string;
  readonly name: string;
  /** This member's name on the roster. */
  readonly member: string;
  /** Hex hash of the newest broadcast; null: none. Members with the same one were told the same. */
  readonly chainHead: string | null;
  readonly promoted: number | null;
  readonly versions: readonly VersionView[];
}

/** The manifest and the broadcasts that a member has, verified. */
export interface MemberView {
  readonly open: OpenManifest;
  readonly member: string;
  readonly chain: ChainLog;
  readonly broadcasts: readonly Broadcast[];
}

/**
 * Writes nothing.
 * @throws CutlayerError NOT_FOUND, MANIFEST_REJECTED, BROADCAST_REJECTED, STORE_TOO_OLD,
 *   STORE_TOO_NEW, STORE_CORRUPT, IO_ERROR
 */
export async function readMember(stateDir: string): Promise<MemberView> {
  const state = MemberStore.readOnly(stateDir);
  try {
    const pin = readPin(state);
    if (pin === undefined)
      throw new CutlayerError('NOT_FOUND', `${stateDir}: nothing is pinned here yet; give the --state-dir of a participant`);
    const open = openManifest(pin.manifest, pin.federation);
    const broadcasts: Broadcast[] = [];
    const chain = await ChainLog.open(state, open, (broadcast) => void broadcasts.push(broadcast));
    return { open, member: pin.member, chain, broadcasts };
  } finally {
    await state.close();
  }
}

/** What became of each version. @throws CutlayerError as `readMember` */
export async function readVersions(stateDir: string): Promise<VersionRegistry> {
  const { open, member, chain, broadcasts } = await readMember(stateDir);
  return {
    federation: open.id,
    name: open.manifest.settings.name,
    member,
    chainHead: chain.headHash ?? null,
    promoted: chain.promoted ?? null,
    versions: versionsOf(broadcasts),
  };
}
