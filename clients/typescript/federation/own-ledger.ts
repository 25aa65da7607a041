/**
 * A member's own account of what its updates have cost. It does not take the coordinator's word: a round is written down before its payload leaves, and
 * counts whether the round came to something or not.
 */
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { type PrivacyEvent, parsePrivacyEvent } from '../../../src/privacy/event.js';
import { mayRelease } from '../../../src/privacy/ledger.js';
import { type PrivacyStatement, privacyStatement } from '../../../src/privacy/statement.js';
import type { RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import { amplifyingRate, initialClipNorm, privacyEventOf, type RoundRules } from '../../../src/protocol/federation/round-mechanism.js';
import { brokenFile, type StateStore } from './state-store.js';

/** The file's name. */
export const LEDGER_FILE = 'privacy-ledger.jsonl';

const lineSchema = z.strictObject({ round: z.int().min(1), event: z.unknown() });

/** The account. */
export class OwnLedger {
  readonly #state: StateStore;
  readonly #manifest: RoundRules;
  readonly #privacy: RoundRules['settings']['privacy'];
  readonly #events = new Map<number, PrivacyEvent>();

  private constructor(state: StateStore, manifest: RoundRules) {
    this.#state = state;
    this.#manifest = manifest;
    this.#privacy = manifest.settings.privacy;
  }

  /** Reads the account. @throws CutlayerError IO_ERROR when it is broken: an account that cannot be read allows nothing */
  static async open(state: StateStore, manifest: RoundRules): Promise<OwnLedger> {
    const ledger = new OwnLedger(state, manifest);
    const lines = new TextDecoder().decode((await state.read(LEDGER_FILE)) ?? new Uint8Array(0)).split('\n');
    const whole = lines.slice(0, -1);
    // A line without its end was being written when the process died: its payload had not left.
    if (lines.at(-1) !== '') await state.write(LEDGER_FILE, whole.map((line) => `${line}\n`).join(''));
    for (const line of whole) {
      try {
        const { round, event } = lineSchema.parse(JSON.parse(line));
        ledger.#events.set(round, parsePrivacyEvent(event));
      } catch (cause) {
        throw brokenFile(state, LEDGER_FILE, cause);
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

  /** Writes a round down, durably; before its payload leaves. */
  async spend(round: number, event: PrivacyEvent | null): Promise<void> {
    if (event === null || this.#events.has(round)) return;
    await this.#state.append(LEDGER_FILE, JSON.stringify({ round, event }));
    this.#events.set(round, event);
  }

  /** What has been spent, with unit and numbers; undefined without privacy, or before the first round. @param released As in {@link OwnLedger.require}. */
  statement(released: ReadonlyMap<number, RoundPurpose>): PrivacyStatement | undefined {
    if (this.#privacy === null || this.#events.size === 0) return undefined;
    return privacyStatement('client', [...this.#events.values(), ...this.#undrawn(undefined, released)], this.#privacy.delta);
  }

  /** Where sampling makes a round cheaper, the price is that of every round: of those too for which this member was not drawn. */
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
