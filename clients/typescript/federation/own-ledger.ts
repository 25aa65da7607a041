/**
 * A member's own account of what its updates have cost. It does not take the coordinator's word: a round is written down before its payload leaves, and
 * counts whether the round came to something or not.
 */
import { z } from 'zod';
import type { OpenManifest } from '../../../src/agreement/manifest.js';
import { CutlayerError } from '../../../src/errors.js';
import { type PrivacyEvent, parsePrivacyEvent } from '../../../src/privacy/event.js';
import { mayRelease } from '../../../src/privacy/ledger.js';
import { type PrivacyStatement, privacyStatement } from '../../../src/privacy/statement.js';
import { brokenFile, type StateStore } from './state-store.js';

/** The file's name. */
export const LEDGER_FILE = 'privacy-ledger.jsonl';

const lineSchema = z.strictObject({ round: z.int().min(1), event: z.unknown() });

/** The account. */
export class OwnLedger {
  readonly #state: StateStore;
  readonly #privacy: OpenManifest['manifest']['settings']['privacy'];
  readonly #sampled: boolean;
  readonly #events = new Map<number, PrivacyEvent>();

  private constructor(state: StateStore, { settings }: Pick<OpenManifest['manifest'], 'settings'>) {
    this.#state = state;
    this.#privacy = settings.privacy;
    this.#sampled = settings.cohort.sampling.kind === 'poisson' && settings.secureAggregation === null;
  }

  /** Reads the account. @throws CutlayerError IO_ERROR when it is broken: an account that cannot be read allows nothing */
  static async open(state: StateStore, manifest: Pick<OpenManifest['manifest'], 'settings'>): Promise<OwnLedger> {
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
   * @param released rounds that the chain says were released: with sampling, a round in which this member was not drawn counts too
   * @throws CutlayerError BUDGET_EXHAUSTED
   */
  require(round: number, event: PrivacyEvent | null, released: Iterable<number>): void {
    if (event === null || this.#privacy === null || this.#events.has(round)) return;
    const others = this.#sampled ? [...released].filter((number) => number !== round && !this.#events.has(number)).map(() => event) : [];
    const { maxEpsilon: epsilon, delta } = this.#privacy;
    const decision = mayRelease([...this.#events.values(), ...others], event, { epsilon, delta });
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

  /** What has been spent, with unit and numbers; undefined without privacy, or before the first round. */
  statement(): PrivacyStatement | undefined {
    if (this.#privacy === null || this.#events.size === 0) return undefined;
    return privacyStatement('client', [...this.#events.values()], this.#privacy.delta);
  }
}
