/**
 * The newest state of each federation, in a second file beside the database. An older copy of the
 * database would forget broadcasts, rounds and spent privacy. The file is written after the commit
 * and before members are told, so it is never ahead of its own database.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Mutex } from 'async-mutex';
import { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { isPostgresUrl } from '../server/store/postgres/postgres-url.js';

const stateSchema = z.strictObject({
  /** Newest broadcast: its number, and the sha256 of its bytes in hex. */
  seq: z.int().min(0),
  hash: z.string(),
  /** Newest round that was begun. */
  round: z.int().min(0),
  /** Rounds that privacy was spent for, and epsilon after them; 0 without privacy. */
  spentRounds: z.int().min(0),
  epsilon: z.number(),
});

const fileSchema = z.strictObject({ format: z.literal(1), federations: z.record(z.string(), stateSchema) });

/** How far a federation has come. */
export type LatestState = Readonly<z.output<typeof stateSchema>>;

/** Remembers how far federations have come. */
export interface LatestStates {
  /** Ids of all federations that there were. */
  readonly ids: readonly string[];
  /** Undefined when nothing is known. */
  of(federation: string): LatestState | undefined;
  /** Durable when the promise resolves. @throws CutlayerError IO_ERROR */
  record(federation: string, state: LatestState): Promise<void>;
}

/** Remembers nothing, for a store that goes with the process. */
export const noLatestStates: LatestStates = { ids: [], of: () => undefined, record: async () => undefined };

/**
 * The file that belongs to a database. A server's database has it in the state directory.
 * @param database A path or URL.
 */
export const latestFileOf = (database: string, stateDir: string): string =>
  `${isPostgresUrl(database) ? join(stateDir, 'coordinator.db') : database}.latest`;

/**
 * Opens the file of a database; there may be none yet.
 * @param second Another such file, on other storage: it knows when both of the others are old.
 * @throws CutlayerError STORE_CORRUPT, IO_ERROR
 */
export function openLatestStates(first: string, second?: string): LatestStates {
  const own = openFile(first);
  if (second === undefined) return own;
  const other = openFile(second);
  return {
    get ids() {
      return [...new Set([...own.ids, ...other.ids])];
    },
    of(federation) {
      const [a, b] = [own.of(federation), other.of(federation)];
      if (a === undefined || b === undefined) return a ?? b;
      return isBehind(a, b) ? b : a;
    },
    async record(federation, state) {
      await Promise.all([own.record(federation, state), other.record(federation, state)]);
    },
  };
}

function openFile(path: string): LatestStates {
  const states = new Map(Object.entries(read(path)));
  const turn = new Mutex();
  let written = new Map(states);
  return {
    get ids() {
      return [...states.keys()];
    },
    of: (federation) => states.get(federation),
    async record(federation, state) {
      states.set(federation, state);
      await turn.runExclusive(async () => {
        if (same(written.get(federation), states.get(federation))) return;
        const now = new Map(states);
        const text = JSON.stringify({ format: 1, federations: Object.fromEntries(now) });
        await writeFileAtomic(path, `${text}\n`, { mode: 0o600 });
        written = now;
      });
    },
  };
}

/**
 * Refuses a federation that is behind what is remembered of it.
 * @param hash Of the store's broadcast number `known.seq`; undefined: the store has none.
 * @throws CutlayerError STORE_TOO_OLD
 */
export function requireLatest(federation: string, known: LatestState | undefined, found: LatestState, hash: string | undefined): void {
  if (known === undefined) return;
  const behind = isBehind(found, known);
  if (!behind && hash === known.hash) return;
  throw older(
    federation,
    behind
      ? `it ends with ${describe(found)}, and has been at ${describe(known)}`
      : `its broadcast ${known.seq} is another than the one that was sent`,
  );
}

/** The error for a federation that the store should have. */
export function older(federation: string, why: string): CutlayerError {
  return new CutlayerError(
    'STORE_TOO_OLD',
    `federation ${federation}: the database is an older copy of itself: ${why}. Put the newest database back. ` +
      'If it is lost, the federation is over: members refuse a chain that goes backwards, and spent privacy would be counted again; ' +
      'found another one, with --database naming a new file',
  );
}

const isBehind = (found: LatestState, known: LatestState): boolean =>
  found.seq < known.seq || found.round < known.round || found.spentRounds < known.spentRounds || found.epsilon < known.epsilon * (1 - 1e-9);

const describe = ({ seq, round, spentRounds, epsilon }: LatestState): string =>
  `broadcast ${seq}, round ${round}${spentRounds > 0 ? `, epsilon ${epsilon.toPrecision(4)} after ${spentRounds} releases` : ''}`;

const same = (a: LatestState | undefined, b: LatestState | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

function read(path: string): z.output<typeof fileSchema>['federations'] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CutlayerError('IO_ERROR', `${path}: cannot be read`, { cause });
  }
  try {
    return fileSchema.parse(JSON.parse(text)).federations;
  } catch (cause) {
    throw new CutlayerError(
      'STORE_CORRUPT',
      `${path}: expected the newest state of each federation, got something else; restore a backup`,
      {
        cause,
      },
    );
  }
}
