/**
 * A member's own account of what its updates have cost, independent of the coordinator's word. A
 * round is written down before its payload leaves, and counts also when it fails.
 */
import { CutlayerError } from '../../../src/errors.js';
import { type PrivacyEvent, parsePrivacyEvent } from '../../../src/privacy/event.js';
import { mayRelease } from '../../../src/privacy/ledger.js';
import { type PrivacyStatement, privacyStatement } from '../../../src/privacy/statement.js';
import type { RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import { amplifyingRate, initialClipNorm, privacyEventOf, type RoundRules } from '../../../src/protocol/federation/round-mechanism.js';
import { brokenRow } from './member-file.js';
import type { MemberStore } from './member-store.js';

export class OwnLedger {
  readonly #state: MemberStore;
  readonly #manifest: RoundRules;
  readonly #privacy: RoundRules['settings']['privacy'];
  readonly #events = new Map<number, PrivacyEvent>();

  private constructor(state: MemberStore, manifest: RoundRules) {
    this.#state = state;
    this.#manifest = manifest;
    this.#privacy = manifest.settings.privacy;
  }

  /** Reads the account. @throws CutlayerError STORE_CORRUPT: a broken one allows nothing */
  static open(state: MemberStore, manifest: RoundRules): OwnLedger {
    const ledger = new OwnLedger(state, manifest);
    for (const { round, event } of state.all<{ round: number; event: string }>('SELECT round, event FROM ledger ORDER BY round')) {
      try {
        ledger.#events.set(round, parsePrivacyEvent(JSON.parse(event)));
      } catch (cause) {
        throw brokenRow(`the ledger's round ${round}`, cause);
      }
    }
    return ledger;
  }

  /** Rounds that this member has submitted to. */
  get rounds(): number {
    return this.#events.size;
  }

  /**
   * Whether a round fits into the manifest's budget.
   * @param released rounds that the chain says were released, and for what
   * @throws CutlayerError BUDGET_EXHAUSTED
   */
  require(round: number, event: PrivacyEvent | null, released: ReadonlyMap<number, RoundPurpose>): void {
    if (event === null || this.#privacy === null || this.#events.has(round)) return;
    const { maxEpsilon: epsilon, delta } = this.#privacy;
    const decision = mayRelease([...this.#events.values(), ...this.#undrawn(round, released)], event, { epsilon, delta });
    if (decision.allowed) return;
    throw new CutlayerError(
      'BUDGET_EXHAUSTED',
      `round ${round}: this member's own account (${this.rounds} rounds) does not allow it: ${decision.reason}; nothing more is sent in this federation`,
    );
  }

  /** Writes a round down; before its payload leaves. */
  spend(round: number, event: PrivacyEvent | null): void {
    if (event === null || this.#events.has(round)) return;
    this.#state.run('INSERT INTO ledger VALUES (?, ?)', round, JSON.stringify(event));
    this.#events.set(round, event);
  }

  /** What was spent; undefined without privacy or rounds. @param released As in `require`. */
  statement(released: ReadonlyMap<number, RoundPurpose>): PrivacyStatement | undefined {
    if (this.#privacy === null || this.#events.size === 0) return undefined;
    return privacyStatement('client', [...this.#events.values(), ...this.#undrawn(undefined, released)], this.#privacy.delta);
  }

  /** With sampling the price is that of every round, those without this member too. */
  #undrawn(round: number | undefined, released: ReadonlyMap<number, RoundPurpose>): PrivacyEvent[] {
    const manifest = this.#manifest;
    if (amplifyingRate(manifest) === null) return [];
    const others = [...released].filter(([number]) => number !== round && !this.#events.has(number));
    return others.flatMap(([, purpose]) => {
      const clipNorm = purpose === 'train' ? initialClipNorm(manifest) : null;
      return privacyEventOf(manifest, purpose, { cohort: manifest.settings.cohort.min, clipNorm }) ?? [];
    });
  }
}
