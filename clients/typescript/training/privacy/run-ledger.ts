/**
 * What a private run has spent: `privacy-ledger.jsonl` in its directory, a line per step. A line is on disk before the step's parameters exist, and none is
 * ever taken away: steps that a crash has lost, and that are taken again, count twice. So the ledger may say too much, never too little.
 */
import { type FileHandle, open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { syncDirectory } from '../../../../src/files/atomic-file.js';
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

/** An open ledger. */
export class RunLedger {
  readonly #file: FileHandle;
  readonly #event: GaussianEvent;
  readonly #privacy: RunPrivacy;
  /** Alike events that follow each other are one with a count. */
  readonly #spent: PrivacyEvent[];

  private constructor(file: FileHandle, spent: PrivacyEvent[], event: GaussianEvent, privacy: RunPrivacy) {
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
    const path = join(outDir, PRIVACY_LEDGER_FILE);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    const whole = bytes.lastIndexOf(0x0a) + 1;
    const spent: PrivacyEvent[] = [];
    const lines = bytes.toString('utf8', 0, whole).split('\n').slice(0, -1);
    for (const [at, line] of lines.entries()) append(spent, eventOf(line, `${path}:${at + 1}`));
    // Whatever is wrong with delta or epsilon is told before the first step.
    privacyStatement('example', [event], privacy.delta);
    if (whole < bytes.length) await truncate(path, whole);
    const file = await open(path, 'a', 0o600);
    await file.sync();
    await syncDirectory(outDir);
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
    await this.#file.appendFile(`${JSON.stringify({ step, event: this.#event })}\n`);
    await this.#file.datasync();
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

function eventOf(line: string, where: string): PrivacyEvent {
  try {
    return parsePrivacyEvent((JSON.parse(line) as { readonly event?: unknown }).event);
  } catch (cause) {
    throw new CutlayerError(
      'INVALID_CONFIG',
      `${where}: not a line of a privacy ledger, so nobody knows what was spent; restore the file, or train in another directory`,
      { cause },
    );
  }
}
