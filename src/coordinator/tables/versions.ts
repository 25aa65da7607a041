/** The registry of aggregates: each version's parent, round, standing and parameters. A lineage row is never dropped; old parameters may be. */
import type { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import type { StoreSchema } from './schema.js';

/** Where a version stands. */
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
  /** JSON: metrics and the like. */
  readonly details: unknown;
  readonly createdAt: number;
}

/** A version. */
export interface VersionRow extends VersionSummary {
  /** Null when they were dropped. */
  readonly parameters: Uint8Array | null;
}

const summary = ['version', 'parent', 'round', 'status', 'digest', 'details', 'created_at'] as const;

/** Within one transaction. */
export class Versions {
  readonly #db: Kysely<StoreSchema>;

  constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /** @throws CutlayerError ALREADY_EXISTS */
  async create(
    row: { readonly federation: string; readonly parameters: Uint8Array; readonly at: number } & Omit<VersionSummary, 'createdAt'>,
  ): Promise<void> {
    const { federation, version, parent, round, status, digest, parameters, at } = row;
    const there = await this.#one(federation, version).select('version').executeTakeFirst();
    if (there !== undefined)
      throw new CutlayerError('ALREADY_EXISTS', `version ${version}: expected a new one, but the federation has it already`);
    const details = toJsonColumn(row.details, `details of version ${version}`);
    await this.#db
      .insertInto('versions')
      .values({ federation, version, parent, round, status, digest, details, parameters, created_at: at })
      .execute();
  }

  /** Undefined when there is none. */
  async read(federation: string, version: number): Promise<VersionRow | undefined> {
    const row = await this.#one(federation, version)
      .select([...summary, 'parameters'])
      .executeTakeFirst();
    return row === undefined ? undefined : { ...parsed(row), parameters: row.parameters };
  }

  /** All of them, ascending. */
  async list(federation: string): Promise<VersionSummary[]> {
    const rows = await this.#db.selectFrom('versions').select(summary).where('federation', '=', federation).orderBy('version').execute();
    return rows.map(parsed);
  }

  /** The one with the highest number. */
  async newest(federation: string): Promise<VersionSummary | undefined> {
    const row = await this.#db
      .selectFrom('versions')
      .select(summary)
      .where('federation', '=', federation)
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && parsed(row);
  }

  /** Replaces standing and, when given, details. @throws CutlayerError NOT_FOUND */
  async setStatus(federation: string, version: number, status: VersionStatus, details?: unknown): Promise<void> {
    const { numUpdatedRows } = await this.#db
      .updateTable('versions')
      .set(details === undefined ? { status } : { status, details: toJsonColumn(details, `details of version ${version}`) })
      .where('federation', '=', federation)
      .where('version', '=', version)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows !== 1n) throw new CutlayerError('NOT_FOUND', `version ${version}: the federation has none of this number`);
  }

  /** Drops the parameters of all versions but those of `keep` and returns how many went; their rows stay. */
  async dropParameters(federation: string, { keep }: { readonly keep: readonly number[] }): Promise<number> {
    let query = this.#db
      .updateTable('versions')
      .set({ parameters: null })
      .where('federation', '=', federation)
      .where('parameters', 'is not', null);
    if (keep.length > 0) query = query.where('version', 'not in', [...keep]);
    const { numUpdatedRows } = await query.executeTakeFirstOrThrow();
    return Number(numUpdatedRows);
  }

  #one(federation: string, version: number) {
    return this.#db.selectFrom('versions').where('federation', '=', federation).where('version', '=', version);
  }
}

interface SummaryColumns {
  version: number;
  parent: number | null;
  round: number | null;
  status: string;
  digest: string;
  details: string;
  created_at: number;
}

const parsed = ({ version, parent, round, status, digest, details, created_at }: SummaryColumns): VersionSummary => ({
  version,
  parent,
  round,
  status: status as VersionStatus, // only this class writes the column
  digest,
  details: fromJsonColumn(details, `details of version ${version}`),
  createdAt: created_at,
});
