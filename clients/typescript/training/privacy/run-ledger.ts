/**
 * What a private run has spent: `privacy-ledger.jsonl` in its directory, a line per step. A line is on disk before the step's parameters exist, and none is
 * ever taken away: steps that a crash has lost, and that are taken again, count twice. So the ledger may say too much, never too little.
 */
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { JsonLines } from '../../../../src/files/json-lines.js';
import { type GaussianEvent, type PrivacyEvent, parsePrivacyEvent } from '../../../../src/privacy/event.js';
import { mayRelease } from '../../../../src/privacy/ledger.js';
import { type PrivacyStatement, privacyStatement } from '../../../../src/privacy/statement.js';

/** The ledger's name. */
export const PRIVACY_LEDGER_FILE = 'privacy-ledger.jsonl';

/** What a run may spend, and at which delta it is told. */
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

/** An open ledger. */
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
   * Opens the ledger of a run's directory, or begins it. Half a line at its end is of a step that was never taken, and is dropped.
   * @param event What a step costs. @throws CutlayerError INVALID_CONFIG (a line that is none), INVALID_ARGUMENT (epsilon or delta out of range)
   */
  static async open(outDir: string, event: GaussianEvent, privacy: RunPrivacy): Promise<RunLedger> {
    // Whatever is wrong with delta or epsilon is told before the first step.
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

  /** Why one more step would go over the budget; undefined when it would not. @throws CutlayerError INVALID_ARGUMENT */
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

  /** What all steps together come to. */
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
      `${where}: not a line of a privacy ledger, so nobody knows what was spent; restore the file, or train in another directory`,
      { cause },
    );
  }
}
