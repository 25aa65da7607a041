/**
 * `privacy-ledger.jsonl`: a line per private step, on disk before the step's parameters exist.
 * Lines stay: steps repeated after a crash count twice. So it may overstate, never understate.
 */
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { JsonLines } from '../../../../src/files/json-lines.js';
import { type GaussianEvent, type PrivacyEvent, parsePrivacyEvent } from '../../../../src/privacy/event.js';
import { mayRelease } from '../../../../src/privacy/ledger.js';
import { type PrivacyStatement, privacyStatement } from '../../../../src/privacy/statement.js';

export const PRIVACY_LEDGER_FILE = 'privacy-ledger.jsonl';

/** A run's budget, and the delta of its statement. */
export interface RunPrivacy {
  readonly delta: number;
  /** The run ends before a step that would go over it. Default: no limit. */
  readonly epsilon?: number | undefined;
}

/** What a step has cost. */
interface LedgerLine {
  readonly step: number;
  readonly event: PrivacyEvent;
}

export class RunLedger {
  readonly #file: JsonLines<LedgerLine>;
  readonly #event: GaussianEvent;
  readonly #privacy: RunPrivacy;
  /** Alike events that follow each other are one with a count. */
  readonly #spent: PrivacyEvent[];

  private constructor(file: JsonLines<LedgerLine>, spent: PrivacyEvent[], event: GaussianEvent, privacy: RunPrivacy) {
    this.#file = file;
    this.#spent = spent;
    this.#event = event;
    this.#privacy = privacy;
  }

  /**
   * Opens or begins a ledger; `event` is a step's cost. A partial last line is of no step: dropped.
   * @throws CutlayerError INVALID_CONFIG (bad line), INVALID_ARGUMENT (epsilon, delta out of range)
   */
  static async open(outDir: string, event: GaussianEvent, privacy: RunPrivacy): Promise<RunLedger> {
    // Refuses a wrong delta or epsilon before the first step.
    privacyStatement('example', [event], privacy.delta);
    const file = await JsonLines.open(join(outDir, PRIVACY_LEDGER_FILE), { parse: lineOf, mode: 0o600 });
    const spent: PrivacyEvent[] = [];
    for (const { event } of file.earlier) append(spent, event);
    return new RunLedger(file, spent, event, privacy);
  }

  /** Steps that have been paid for. */
  get steps(): number {
    return this.#spent.reduce((sum, { count }) => sum + count, 0);
  }

  /** Why one more step exceeds the budget, or undefined. @throws CutlayerError INVALID_ARGUMENT */
  refusal(): string | undefined {
    const { epsilon, delta } = this.#privacy;
    if (epsilon === undefined) return undefined;
    const decision = mayRelease(this.#spent, this.#event, { epsilon, delta });
    return decision.allowed ? undefined : decision.reason;
  }

  /** Pays for a step, durably: only then may it be taken. @throws CutlayerError BUDGET_EXHAUSTED */
  async spend(step: number): Promise<void> {
    const refusal = this.refusal();
    if (refusal !== undefined) throw new CutlayerError('BUDGET_EXHAUSTED', `step ${step}: ${refusal}`);
    await this.#file.append({ step, event: this.#event }, { durable: true });
    append(this.#spent, this.#event);
  }

  /** The spend of all steps together. */
  statement(): PrivacyStatement {
    return privacyStatement('example', this.#spent, this.#privacy.delta);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function append(spent: PrivacyEvent[], event: PrivacyEvent): void {
  const last = spent.at(-1);
  if (last === undefined || JSON.stringify({ ...last, count: 1 }) !== JSON.stringify({ ...event, count: 1 })) spent.push(event);
  else spent[spent.length - 1] = { ...last, count: last.count + event.count };
}

function lineOf(line: string, where: string): LedgerLine {
  try {
    const { step, event } = JSON.parse(line) as LedgerLine;
    return { step, event: parsePrivacyEvent(event) };
  } catch (cause) {
    throw new CutlayerError(
      'INVALID_CONFIG',
      `${where}: not a line of a privacy ledger, so the spend is unknown; restore the file, or train in another directory`,
      { cause },
    );
  }
}
