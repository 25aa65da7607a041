/**
 * The server optimizer's named vectors, by the version that they led to. Training from an earlier
 * version uses that version's momentum. A rejected candidate has no effect on it.
 */
import { CutlayerError } from '../../errors.js';
import { Repository } from './repository.js';

/** Within one transaction. */
export class ServerStates extends Repository {
  /** Replaces the vectors of a version. @throws CutlayerError NOT_FOUND without such a version */
  async write(federation: string, version: number, vectors: Readonly<Record<string, Float64Array>>): Promise<void> {
    await this.db.deleteFrom('server_state').where('federation', '=', federation).where('version', '=', version).execute();
    for (const name of Object.keys(vectors).sort()) {
      const { buffer, byteOffset, byteLength } = vectors[name]!;
      const vector = new Uint8Array(buffer, byteOffset, byteLength);
      await this.db.insertInto('server_state').values({ federation, version, name, vector }).execute();
    }
  }

  /** Empty when the version has none. @throws CutlayerError STORE_CORRUPT */
  async read(federation: string, version: number): Promise<Record<string, Float64Array>> {
    const rows = await this.db
      .selectFrom('server_state')
      .select(['name', 'vector'])
      .where('federation', '=', federation)
      .where('version', '=', version)
      .orderBy('name')
      .execute();
    return Object.fromEntries(rows.map(({ name, vector }) => [name, toFloat64(vector, `server state ${name} of version ${version}`)]));
  }

  /** Deletes the vectors of all versions except `keep` (at least one); returns their number. */
  async dropExcept(federation: string, { keep }: { readonly keep: readonly number[] }): Promise<number> {
    const { numDeletedRows } = await this.db
      .deleteFrom('server_state')
      .where('federation', '=', federation)
      .where('version', 'not in', keep)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }
}

/** A copy: the engine's bytes may lie at any alignment. */
function toFloat64(bytes: Uint8Array, what: string): Float64Array {
  if (bytes.length % 8 !== 0) {
    throw new CutlayerError('STORE_CORRUPT', `${what}: expected whole float64 values, got ${bytes.length} bytes; restore a backup`);
  }
  return new Float64Array(bytes.slice().buffer);
}
