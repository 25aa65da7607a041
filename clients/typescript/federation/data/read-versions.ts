/** Reads the registry of versions out of a participant's state directory, also while the participant runs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import type { Broadcast } from '../../../../src/protocol/federation/chain.js';
import { openManifest } from '../../../../src/protocol/federation/manifest.js';
import { ChainLog } from '../chain-log.js';
import { PIN_FILE, readPin } from '../pin.js';
import type { StateStore } from '../state-store.js';
import { type VersionView, versionsOf } from './versions.js';

/** A federation as a member's files tell it. */
export interface VersionRegistry {
  /** Hex id. */
  readonly federation: string;
  readonly name: string;
  /** This member's name on the roster. */
  readonly member: string;
  readonly promoted: number | null;
  readonly versions: readonly VersionView[];
}

/** Verifies manifest and chain, and lists what they say. Writes nothing. @throws CutlayerError NOT_FOUND, MANIFEST_REJECTED, BROADCAST_REJECTED, IO_ERROR */
export async function readVersions(stateDir: string): Promise<VersionRegistry> {
  const state = readOnly(stateDir);
  const pin = await readPin(state);
  if (pin === undefined) {
    throw new CutlayerError('NOT_FOUND', `${join(stateDir, PIN_FILE)}: no participant has its state here; give the --state-dir of one`);
  }
  const open = openManifest(pin.manifest, pin.federation);
  const broadcasts: Broadcast[] = [];
  const chain = await ChainLog.open(state, open, async (broadcast) => {
    broadcasts.push(broadcast);
  });
  return {
    federation: open.id,
    name: open.manifest.settings.name,
    member: pin.member,
    promoted: chain.promoted ?? null,
    versions: versionsOf(broadcasts),
  };
}

/** A participant's files without its lock: half a line at the end of one is an append that is under way, so nothing is repaired. */
function readOnly(directory: string): StateStore {
  return {
    directory,
    async read(name) {
      try {
        return new Uint8Array(await readFile(join(directory, name)));
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException;
        if (code === 'ENOENT') return undefined;
        throw new CutlayerError('IO_ERROR', `${join(directory, name)}: cannot be read (${code ?? 'it failed'})`, { cause });
      }
    },
    write: async () => undefined,
    append: async () => undefined,
    remove: async () => undefined,
    close: async () => undefined,
  };
}
