/**
 * How far each round and version has seen the order of arrival: what "new" and "earlier" mean. An
 * example's generation is its ordinal. A round takes what had arrived when it began (`upTo`,
 * exclusive), and its version has seen that much of this participant's data.
 * - fresh (the trigger): from the largest `upTo` of any aggregate with this member, promoted or
 *   not. So a rejected aggregate does not start the next round at once.
 * - new (`--train-on new`): from the `upTo` of the version trained from, or of its nearest ancestor
 *   with this member. What only a rejected version has seen is still new.
 * - earlier (forgetting): held-out examples before that same mark of the promoted version.
 */
import type { Broadcast } from '../../../../src/protocol/federation/chain.js';
import type { MemberStore } from '../member-store.js';

/** Rounds and versions that are remembered; older ones cannot be asked for any more. */
const MAX_ROUNDS = 256;
const MAX_VERSIONS = 4096;

/** Marks in the order of arrival, each written once: a repeated broadcast changes nothing. */
export class Arrivals {
  readonly #state: MemberStore;

  constructor(state: MemberStore) {
    this.#state = state;
  }

  /** A round's end, fixed by the first call. @param seen Examples that have arrived. */
  upToOf(round: number, seen: number): number {
    const known = this.#upTo(round);
    if (known !== undefined) return known;
    this.#state.run('INSERT INTO round_marks VALUES (?, ?)', round, seen);
    this.#state.run('DELETE FROM round_marks WHERE round NOT IN (SELECT round FROM round_marks ORDER BY rowid DESC LIMIT ?)', MAX_ROUNDS);
    return seen;
  }

  /** How far this member's data is in a version or its nearest ancestor with it; 0: in none. */
  seenBy(version: number): number {
    const seen = this.#state.get<{ upTo: number }>(
      `WITH RECURSIVE line (parent, up_to) AS (
         SELECT parent, up_to FROM version_marks WHERE version = ?
         UNION ALL
         SELECT next.parent, next.up_to FROM version_marks AS next JOIN line ON next.version = line.parent WHERE line.up_to IS NULL
       ) SELECT up_to AS upTo FROM line WHERE up_to IS NOT NULL`,
      version,
    );
    return seen?.upTo ?? 0;
  }

  /** How far any aggregate has seen it, promoted or not. */
  get aggregated(): number {
    return this.#state.get<{ most: number | null }>('SELECT max(up_to) AS most FROM version_marks')?.most ?? 0;
  }

  /** Notes a broadcast. @param member This member's name. */
  observe(broadcast: Broadcast, member: string): void {
    const { federation, kind } = broadcast;
    const known = this.#state.get<{ federation: string }>('SELECT federation FROM arrivals')?.federation;
    if (known !== federation) {
      this.#state.transaction(() => {
        // Rounds of another federation have the same numbers.
        if (known !== undefined) for (const table of ['round_marks', 'version_marks']) this.#state.run(`DELETE FROM ${table}`);
        this.#state.run('INSERT OR REPLACE INTO arrivals VALUES (1, ?)', federation);
      });
    }
    if (kind === 'begin') this.#mark(0, null, null);
    if (kind !== 'aggregate') return;
    const upTo = broadcast.participants.includes(member) ? this.#upTo(broadcast.round) : undefined;
    this.#mark(broadcast.version, broadcast.parent, upTo ?? null);
  }

  #upTo(round: number): number | undefined {
    return this.#state.get<{ upTo: number }>('SELECT up_to AS upTo FROM round_marks WHERE round = ?', round)?.upTo;
  }

  #mark(version: number, parent: number | null, upTo: number | null): void {
    const { newest } = this.#state.get<{ newest: number | null }>('SELECT max(version) AS newest FROM version_marks') ?? {};
    if (version <= (newest ?? -1)) return;
    this.#state.run('INSERT INTO version_marks VALUES (?, ?, ?)', version, parent, upTo);
    this.#state.run('DELETE FROM version_marks WHERE version <= ?', version - MAX_VERSIONS);
  }
}
