/**
 * How far each round and each version has seen the order of arrival: what "new" and "earlier" mean. An example's generation is its ordinal; a round takes
 * what had arrived when it began (`upTo`, exclusive), and the version that comes of it has seen that much of this participant's data.
 *
 * - fresh (the trigger): from the largest `upTo` of any aggregate that this member is in, promoted or not. A rejected aggregate does not start the next
 *   round at once.
 * - new (`--train-on new`): from the `upTo` of the version that the round trains from, or of the nearest ancestor that this member is in. What only a
 *   rejected version has seen is still new.
 * - earlier (forgetting): held-out examples before that same mark of the promoted version.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { CutlayerError } from '../../../../src/errors.js';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import type { Broadcast } from '../../../../src/protocol/federation/chain.js';

const count = z.int().min(0);
const stateSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Federation whose rounds these are; null before the first. */
  federation: z.string().nullable(),
  /** The newest broadcast noted. */
  seq: z.int().min(-1),
  rounds: z.array(z.strictObject({ round: count, upTo: count })),
  versions: z.array(z.strictObject({ version: count, parent: count.nullable(), upTo: count.nullable() })),
});

type State = z.infer<typeof stateSchema>;

/** Rounds and versions that are remembered; older ones cannot be asked for any more. */
const MAX_ROUNDS = 256;
const MAX_VERSIONS = 4096;

const empty: State = { formatVersion: 1, federation: null, seq: -1, rounds: [], versions: [] };

/** Marks in the order of arrival, durable. */
export class Arrivals {
  readonly #path: string;
  #state: State;

  private constructor(path: string, state: State) {
    this.#path = path;
    this.#state = state;
  }

  /** @throws CutlayerError INVALID_DATA for a file that is no such thing */
  static async open(path: string): Promise<Arrivals> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new CutlayerError('IO_ERROR', `${path}: cannot be read (${error.code ?? 'it failed'})`, { cause: error });
    });
    if (text === undefined) return new Arrivals(path, empty);
    try {
      return new Arrivals(path, stateSchema.parse(JSON.parse(text)));
    } catch (cause) {
      throw new CutlayerError('INVALID_DATA', `${path}: expected the marks of rounds and versions; move it away to start anew`, { cause });
    }
  }

  /** The end of a round's examples: set by the first call, the same ever after. @param seen Examples that have arrived. */
  async upToOf(round: number, seen: number): Promise<number> {
    const known = this.#state.rounds.find((mark) => mark.round === round);
    if (known !== undefined) return known.upTo;
    await this.#write({ ...this.#state, rounds: [...this.#state.rounds, { round, upTo: seen }].slice(-MAX_ROUNDS) });
    return seen;
  }

  /** How far this member's data has gone into a version: of it, or of its nearest ancestor that this member is in; 0 when in none. */
  seenBy(version: number): number {
    const known = new Map(this.#state.versions.map((mark) => [mark.version, mark]));
    for (let at = known.get(version); at !== undefined; at = at.parent === null ? undefined : known.get(at.parent)) {
      if (at.upTo !== null) return at.upTo;
    }
    return 0;
  }

  /** How far any aggregate has seen it, promoted or not. */
  get aggregated(): number {
    return this.#state.versions.reduce((most, { upTo }) => Math.max(most, upTo ?? 0), 0);
  }

  /** Notes a broadcast, once. @param member This member's name. */
  async observe(broadcast: Broadcast, member: string): Promise<void> {
    const { federation, seq } = broadcast;
    // Rounds of another federation have the same numbers.
    const state = [federation, null].includes(this.#state.federation) ? this.#state : empty;
    if (seq <= state.seq) return;
    const next = { ...state, federation, seq };
    if (broadcast.kind === 'aggregate') {
      const { version, parent, round } = broadcast;
      const upTo = broadcast.participants.includes(member) ? (state.rounds.find((mark) => mark.round === round)?.upTo ?? null) : null;
      await this.#write({ ...next, versions: [...state.versions, { version, parent, upTo }].slice(-MAX_VERSIONS) });
    } else if (broadcast.kind === 'begin') {
      await this.#write({ ...next, versions: [{ version: 0, parent: null, upTo: null }] });
    } else {
      this.#state = next;
    }
  }

  async #write(state: State): Promise<void> {
    await writeFileAtomic(this.#path, `${JSON.stringify(state)}\n`);
    this.#state = state;
  }
}
