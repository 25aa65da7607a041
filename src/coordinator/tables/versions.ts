/** Versions: parent, round, status, parameters. No row is deleted; old parameters may be. */
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import { Repository } from './repository.js';

/** The status of a version. */
export type VersionStatus = 'candidate' | 'promoted' | 'superseded' | 'rejected' | 'rolledBack';

/** A version without its parameters. */
export interface VersionSummary {
  /** 0 is the initial adapter. */
  readonly version: number;
  /** The version that it was trained from; null for the first. */
  readonly parent: number | null;
  /** The round that made it; null for the first. */
  readonly round: number | null;
  readonly status: VersionStatus;
  /** sha256 of the parameters, hex. */
  readonly digest: string;
  /** JSON, such as metrics. */
  readonly details: unknown;
  readonly createdAt: number;
}

/** A version. */
export interface VersionRow extends VersionSummary {
  /** Null when they were deleted. */
  readonly parameters: Uint8Array | null;
}

const summary = ['version', 'parent', 'round', 'status', 'digest', 'details', 'created_at as createdAt'] as const;

/** Within one transaction. */
export class Versions extends Repository {
  /** @throws CutlayerError ALREADY_EXISTS */
  async create(
    row: { readonly federation: string; readonly parameters: Uint8Array; readonly at: number } & Omit<VersionSummary, 'createdAt'>,
  ): Promise<void> {
    const { at, ...columns } = row;
    const { federation, version } = columns;
    const there = await this.#one(federation, version).select('version').executeTakeFirst();
    if (there !== undefined)
      throw new CutlayerError('ALREADY_EXISTS', `version ${version}: expected a new one, but the federation has it already`);
    const details = toJsonColumn(row.details, `details of version ${version}`);
    await this.db
      .insertInto('versions')
      .values({ ...columns, details, created_at: at })
      .execute();
  }

  /** Undefined when there is none. */
  async read(federation: string, version: number): Promise<VersionRow | undefined> {
    const row = await this.#one(federation, version)
      .select([...summary, 'parameters'])
      .executeTakeFirst();
    return row && parsed(row);
  }

  /** All versions, ascending. */
  async list(federation: string): Promise<VersionSummary[]> {
    const rows = await this.db.selectFrom('versions').select(summary).where('federation', '=', federation).orderBy('version').execute();
    return rows.map(parsed);
  }

  /** Replaces the status and, when given, the details. @throws CutlayerError NOT_FOUND */
  async setStatus(federation: string, version: number, status: VersionStatus, details?: unknown): Promise<void> {
    const { numUpdatedRows } = await this.db
      .updateTable('versions')
      .set(details === undefined ? { status } : { status, details: toJsonColumn(details, `details of version ${version}`) })
      .where('federation', '=', federation)
      .where('version', '=', version)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows !== 1n) throw new CutlayerError('NOT_FOUND', `version ${version}: the federation has none of this number`);
  }

  /** Deletes the parameters of all versions except `keep` (at least one); returns their number. */
  async dropParameters(federation: string, { keep }: { readonly keep: readonly number[] }): Promise<number> {
    const { numUpdatedRows } = await this.db
      .updateTable('versions')
      .set({ parameters: null })
      .where('federation', '=', federation)
      .where('parameters', 'is not', null)
      .where('version', 'not in', keep)
      .executeTakeFirstOrThrow();
    return Number(numUpdatedRows);
  }

  #one(federation: string, version: number) {
    return this.db.selectFrom('versions').where('federation', '=', federation).where('version', '=', version);
  }
}

const parsed = <Row extends { readonly version: number; readonly status: string; readonly details: string }>(row: Row) => ({
  ...row,
  status: row.status as VersionStatus, // only this class writes the column
  details: fromJsonColumn(row.details, `details of version ${row.version}`),
});
