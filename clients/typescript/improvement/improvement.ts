/**
 * A state directory in which one client's adapter is improved. Examples come in, and a run trains
 * on the new ones from the promoted version. A gate promotes the result or keeps it away. Each step
 * follows from the journal, so that a process killed at any point goes on where it was.
 */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from 'async-mutex';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { type LockPurpose, lockRun, type RunLock } from '../../../src/files/run-lock.js';
import type { VersionMetrics } from '../../../src/protocol/federation/chain.js';
import type { Admission } from '../intake/admission.js';
import { metricsOf } from './bootstrap.js';
import { compareVersions, type GateDecision } from './compare-versions.js';
import { ExampleLog, vaultOf } from './example-log.js';
import { Inbox } from './inbox.js';
import { Intake } from './intake.js';
import { Journal } from './journal.js';
import { readExamples } from './read-examples.js';
import { type Parting, part } from './stored-example.js';
import type { Trainer } from './trainer.js';
import { measuredSet, trainingSet } from './training-set.js';
import { dueReason, type TriggerRule } from './trigger.js';
import { hasVersion, linkPromoted, pruneState, storeVersion, versionDirectory } from './version-store.js';

/** In the words of the lock's errors. */
export const IMPROVING: LockPurpose = { flag: '--dir', activity: 'improving here' };

/** Directories of runs that are kept. */
const KEPT_RUNS = 5;

export interface ImprovementOptions extends Parting, TriggerRule {
  readonly dir: string;
  readonly trainer: Trainer;
  /** Passphrase or key of the stored examples; undefined: they are stored as they are. */
  readonly secret?: Uint8Array | undefined;
  readonly maxExamples: number;
  /** Share of a run's examples that earlier ones make up. */
  readonly rehearsal: number;
  readonly maxForgetting: number;
  /** Of the draws of rehearsal and bootstrap. */
  readonly seed: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onEvent?: ((event: ImprovementEvent) => void) | undefined;
}

/** What happens; no text of any example is in it. */
export type ImprovementEvent =
  | {
      readonly type: 'run';
      readonly run: number;
      readonly parent: number;
      readonly fresh: number;
      readonly rehearsed: number;
      readonly resumed: boolean;
    }
  | { readonly type: 'abandoned'; readonly run: number; readonly reason: string }
  | ({ readonly type: 'judged' } & GateDecision)
  | { readonly type: 'unread'; readonly examples: number; readonly reason: string };

/** Numbers about the examples. */
export interface ImprovementCounts {
  readonly stored: number;
  readonly training: number;
  readonly heldOut: number;
  /** Training examples that no run has had yet. */
  readonly fresh: number;
}

/** Codes of runs that would fail again in the same way: the examples so far start no other run. */
const FINAL: readonly ErrorCode[] = ['DIVERGED', 'NON_FINITE', 'INVALID_CONFIG', 'ADAPTER_MISMATCH', 'LIMIT_EXCEEDED', 'INVALID_DATA'];

/** A state directory, open; one process has it. */
export class Improvement {
  readonly #options: ImprovementOptions;
  readonly #lock: RunLock;
  readonly #journal: Journal;
  readonly #log: ExampleLog;
  readonly intake: Intake;
  /** What other processes hand in. */
  readonly inbox: Inbox;
  readonly #cycle = new Mutex();

  private constructor(options: ImprovementOptions, lock: RunLock, journal: Journal, log: ExampleLog, inbox: Inbox) {
    this.#options = options;
    this.#lock = lock;
    this.#journal = journal;
    this.#log = log;
    this.inbox = inbox;
    this.intake = new Intake(log, options.trainer, options.now);
  }

  /**
   * Opens or begins a state directory, and finishes what a killed process had promoted.
   * @throws CutlayerError ALREADY_EXISTS (another process has it), BACKBONE_MISMATCH,
   *   INVALID_OPTION (the secret), STORE_CORRUPT, IO_ERROR
   */
  static async open(options: ImprovementOptions): Promise<Improvement> {
    const { dir, secret, maxExamples, trainer, now } = options;
    const lock = await lockRun(dir, IMPROVING);
    const opened: { close(): Promise<void> }[] = [];
    try {
      const journal = await Journal.open(dir);
      opened.push(journal);
      const vault = await vaultOf(dir, secret);
      const log = await ExampleLog.open(dir, vault, maxExamples);
      opened.push(log);
      await begin(dir, journal, trainer, now);
      await linkPromoted(dir, journal.promoted!);
      return new Improvement(options, lock, journal, log, new Inbox(dir, vault));
    } catch (error) {
      for (const file of opened) await file.close();
      await lock.release();
      throw error;
    }
  }

  /** The promoted version. */
  get promoted(): number {
    return this.#journal.promoted!; // `open` has seen to it
  }

  get counts(): ImprovementCounts {
    const { training, heldOut } = part(this.#log.examples, this.#log.size, this.#options);
    const { tried } = this.#journal;
    const fresh = training.filter(({ ordinal }) => ordinal >= tried).length;
    return { stored: this.#log.size, training: training.length, heldOut: heldOut.length, fresh };
  }

  /** Why a run is to start now, or to go on; undefined: it is not. */
  get due(): string | undefined {
    if (this.#journal.candidate !== undefined || this.#journal.openRun !== undefined) return 'an unfinished run is there';
    return dueReason(this.#options, this.counts.fresh, this.#options.now() - (this.#journal.lastStart ?? 0));
  }

  /** Takes lines of records that were handed in. @throws CutlayerError DATA_FULL, IO_ERROR */
  admit(lines: readonly string[]): Promise<readonly Admission[]> {
    return this.intake.admit(lines, 'port');
  }

  /** Takes lines of feedback. @throws CutlayerError DATA_FULL, IO_ERROR */
  feedback(lines: readonly string[]): Promise<readonly Admission[]> {
    return this.intake.feedback(lines);
  }

  /**
   * Trains a candidate and judges it, or goes on with one that is under way.
   * @returns undefined when there was nothing to train on, or `signal` stopped it
   * @throws CutlayerError of training; a passing one is gone on from by the next call
   */
  run(signal: AbortSignal): Promise<GateDecision | undefined> {
    return this.#cycle.runExclusive(async () => {
      const trained = this.#journal.candidate !== undefined || (await this.#train(signal));
      return trained ? this.#judge(signal) : undefined;
    });
  }

  /**
   * Metrics of the promoted version on the held-out examples that had arrived before `upTo`.
   * @returns null when there are none. @throws CutlayerError of measuring
   */
  async score(upTo: number, signal: AbortSignal): Promise<VersionMetrics | null> {
    const { dir, trainer } = this.#options;
    const { heldOut } = part(this.#log.examples, Math.min(upTo, this.#log.size), this.#options);
    const { examples } = readExamples(measuredSet(heldOut), trainer);
    return examples.length === 0 ? null : metricsOf(await trainer.measure(versionDirectory(dir, this.promoted), examples, signal));
  }

  async close(): Promise<void> {
    await this.#cycle.waitForUnlock();
    try {
      await this.intake.settle();
      await this.#log.close();
      await this.#journal.close();
    } finally {
      await this.#lock.release();
    }
  }

  /** @returns whether a candidate came of it */
  async #train(signal: AbortSignal): Promise<boolean> {
    const { dir, trainer, rehearsal, seed } = this.#options;
    const { started, resumed } = await this.#startedRun();
    if (started === undefined) return false;
    const { run, parent, upTo, seen } = started;
    const chosen = trainingSet(part(this.#log.examples, upTo, this.#options).training, seen, rehearsal, seed, run);
    const { examples, unread, reason } = readExamples(chosen.examples, trainer);
    if (unread > 0) this.#tell({ type: 'unread', examples: unread, reason });
    if (examples.length === 0) {
      await this.#abandon(run, 'none of its examples can be read');
      return false;
    }
    this.#tell({ type: 'run', run, parent, fresh: chosen.fresh, rehearsed: chosen.rehearsed, resumed });
    const from = versionDirectory(dir, parent);
    const trained = await trainer.train({ runDir: runDirectory(dir, run), from, examples, signal }).catch(async (caught: unknown) => {
      const error = CutlayerError.from(caught);
      if (FINAL.includes(error.code)) await this.#abandon(run, `${error.code}: ${error.message}`);
      throw error;
    });
    if (trained === undefined) return false;
    const version = this.#journal.nextVersion;
    const digest = await storeVersion(dir, version, trained);
    await this.#journal.append({ kind: 'aggregate', version, parent, round: run, digest, participants: [], upTo, at: this.#options.now() });
    return true;
  }

  /** The run that is under way with these settings, or a new one. */
  async #startedRun() {
    const { dir, trainer, now } = this.#options;
    const { openRun } = this.#journal;
    if (openRun !== undefined) {
      if (openRun.recipe === trainer.recipe && openRun.parent === this.promoted) return { started: openRun, resumed: true };
      await this.#abandon(openRun.run, 'the settings or the promoted version have changed since it began');
    }
    const seen = this.#journal.seenBy(this.promoted);
    const upTo = this.#log.size;
    const { training } = part(this.#log.examples, upTo, this.#options);
    if (!training.some(({ ordinal }) => ordinal >= seen)) return { started: undefined, resumed: false };
    const run = this.#journal.nextRun;
    await rm(runDirectory(dir, run), { recursive: true, force: true });
    const started = { kind: 'start', run, parent: this.promoted, upTo, seen, recipe: trainer.recipe, at: now() } as const;
    await this.#journal.append(started);
    return { started, resumed: false };
  }

  async #judge(signal: AbortSignal): Promise<GateDecision | undefined> {
    const { dir, trainer, maxForgetting, seed, now } = this.#options;
    const { version, upTo } = this.#journal.candidate!; // the caller has seen to it
    const { heldOut } = part(this.#log.examples, upTo, this.#options);
    const decision = await compareVersions({
      trainer,
      promoted: { version: this.promoted, adapterDir: versionDirectory(dir, this.promoted), seen: this.#journal.seenBy(this.promoted) },
      candidate: { version, adapterDir: versionDirectory(dir, version) },
      heldOut,
      maxForgetting,
      seed,
      signal,
    });
    const { promote, reasons, candidate, promoted, current, earlier } = decision;
    const kind = promote ? 'promote' : 'reject';
    await this.#journal.append({ kind, version, candidate, promoted, current, earlier, reasons: [...reasons], at: now() });
    await linkPromoted(dir, this.promoted);
    await pruneState(dir, this.promoted, KEPT_RUNS);
    this.#tell({ type: 'judged', ...decision });
    return decision;
  }

  async #abandon(run: number, reason: string): Promise<void> {
    await this.#journal.append({ kind: 'abandon', run, reason, at: this.#options.now() });
    this.#tell({ type: 'abandoned', run, reason });
  }

  #tell(event: ImprovementEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** Directory of a training run. */
export function runDirectory(dir: string, run: number): string {
  return join(dir, 'runs', `r${String(run).padStart(6, '0')}`);
}

/** Stores version 0 in a new directory; checks the backbone of a known one. */
async function begin(dir: string, journal: Journal, trainer: Trainer, now: () => number): Promise<void> {
  const [first] = journal.events;
  if (first?.kind === 'begin') {
    if (first.backboneDigest === trainer.backboneDigest) return;
    throw new CutlayerError(
      'BACKBONE_MISMATCH',
      `${dir}: was begun with backbone ${first.backboneDigest.slice(0, 12)}, the bundle's is ${trainer.backboneDigest.slice(0, 12)}; ` +
        `train anew for it: cutlayer client migrate --run ${dir} --out ANOTHER_DIRECTORY`,
    );
  }
  const made = join(dir, '.tmp-first');
  await rm(made, { recursive: true, force: true });
  await trainer.first(made);
  const digest = await storeVersion(dir, 0, made);
  await rm(made, { recursive: true, force: true });
  await journal.append({ kind: 'begin', digest, backboneDigest: trainer.backboneDigest, at: now() });
}

/**
 * Promotes an earlier version again. @returns the version before it
 * @throws CutlayerError ALREADY_EXISTS (a process has the directory), NOT_FOUND, INVALID_ARGUMENT
 */
export async function rollBack(dir: string, version: number, now: () => number): Promise<number> {
  if ((await stat(dir).catch(() => undefined)) === undefined) throw new CutlayerError('NOT_FOUND', `${dir}: no such directory`);
  const lock = await lockRun(dir, IMPROVING);
  try {
    const journal = await Journal.open(dir);
    try {
      const { promoted } = journal;
      if (promoted === undefined)
        throw new CutlayerError('NOT_FOUND', `${dir}: has no versions; give the --dir of cutlayer client improve`);
      const once = journal.events.some((event) => event.kind === 'promote' && event.version === version);
      if (version !== 0 && !once)
        throw new CutlayerError(
          'INVALID_ARGUMENT',
          `--rollback ${version}: expected a version that was promoted once; cutlayer client versions ${dir} lists them`,
        );
      if (!(await hasVersion(dir, version)))
        throw new CutlayerError(
          'NOT_FOUND',
          `--rollback ${version}: its files are gone, only the newest versions are kept; choose a later one`,
        );
      if (promoted !== version) await journal.append({ kind: 'rollback', version, from: promoted, at: now() });
      await linkPromoted(dir, version);
      return promoted;
    } finally {
      await journal.close();
    }
  } finally {
    await lock.release();
  }
}
