/** What founder and members may read of a federation: manifest, broadcasts, versions. */

import { CutlayerError } from '../errors.js';
import type { SignedBroadcast } from '../protocol/federation/chain.js';
import type { SignedManifest } from '../protocol/federation/manifest.js';
import type { FederationReader } from './coordinator-api.js';
import type { DurableFederation } from './rounds/durable-federation.js';

/** Most broadcasts of one answer. */
const MAX_BROADCASTS = 256;

/** See {@link FederationReader}. */
export class FederationRecords implements FederationReader {
  readonly #find: () => DurableFederation;

  /** @param find Throws when the federation does not exist; every method then rejects. */
  constructor(find: () => DurableFederation) {
    this.#find = find;
  }

  async manifest(): Promise<SignedManifest> {
    const { bytes, signature } = this.#find().context;
    return { bytes, signature };
  }

  async broadcasts(from: number): Promise<readonly SignedBroadcast[]> {
    const { database, id } = this.#find().context;
    const rows = await database.transaction(({ broadcasts }) => broadcasts.list(id, from, MAX_BROADCASTS));
    return rows.map(({ bytes, signature }) => ({ bytes, signature }));
  }

  async version(version: number): Promise<Float32Array> {
    const federation = this.#find();
    const { database, id } = federation.context;
    const row = await database.transaction(({ versions }) => versions.read(id, version));
    if (row === undefined) throw new CutlayerError('NOT_FOUND', `version ${version}: the federation has none of this number`);
    if (row.parameters === null)
      throw new CutlayerError('NOT_FOUND', `version ${version}: its parameters are no longer kept; ask for a newer one`);
    federation.count({ sent: row.parameters.length });
    return new Float32Array(row.parameters.slice().buffer);
  }
}
