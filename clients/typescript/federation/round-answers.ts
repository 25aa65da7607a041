/** A participant's answers to tasks: checked against chain, ledger and data, written, then sent. */
import { CutlayerError } from '../../../src/errors.js';
import { type RoundStage, roundStages, type StageTask, stageOfTask, type Task } from '../../../src/protocol/federation/federation-api.js';
import { privacyEventOf } from '../../../src/protocol/federation/round-mechanism.js';
import type { ChainLog } from './chain-log.js';
import { cutoffSignal } from './cutoff.js';
import type { LocalData } from './data/local-data.js';
import type { MemberRound } from './member-round.js';
import type { OwnLedger } from './own-ledger.js';
import type { ParticipantEvent } from './participant-events.js';
import { endsRound } from './patience.js';
import type { Pin } from './pin.js';
import type { RoundWork } from './round-work.js';

export interface AnswerSurroundings {
  readonly pin: Pin;
  readonly chain: ChainLog;
  readonly round: MemberRound;
  readonly ledger: OwnLedger;
  readonly work: RoundWork;
  readonly data: LocalData;
  readonly tell: (event: ParticipantEvent) => void;
  /** Around the work of a round, see `withSignsOfLife`. */
  readonly atWork: <T>(work: () => Promise<T>) => Promise<T>;
}

export class RoundAnswers {
  readonly #around: AnswerSurroundings;
  /** The newest stage that was answered or given up. */
  done: { readonly round: number; readonly stage: RoundStage } | null = null;
  /** Rounds declined or given up. */
  satOut = 0;
  bytesUp = 0;

  constructor(around: AnswerSurroundings) {
    this.#around = around;
    const { round } = around;
    if (round.number > 0 && round.active === undefined) this.done = { round: round.number, stage: 'unmasking' };
  }

  /** Whether the task was answered or given up. */
  isDone(task: StageTask): boolean {
    return (
      this.done !== null &&
      task.round === this.done.round &&
      roundStages.indexOf(stageOfTask[task.kind]) <= roundStages.indexOf(this.done.stage)
    );
  }

  /**
   * Answers a task, or sits its round out.
   * @param remainingMs Until the stage's cutoff. @returns False: the round was sat out.
   * @throws CutlayerError what passes (the stage is answered again), or ends a participant
   */
  async answer(task: StageTask, remainingMs: number, signal: AbortSignal): Promise<boolean> {
    const { round } = task;
    const cutoff = cutoffSignal(remainingMs);
    try {
      await this.#stage(task, remainingMs, cutoff === undefined ? signal : AbortSignal.any([signal, cutoff]));
      this.#answered(task);
      return true;
    } catch (caught) {
      const late = cutoff?.aborted && !signal.aborted;
      const error = late ? new CutlayerError('ROUND_CLOSED', `round ${round}: not done before the cutoff`) : CutlayerError.from(caught);
      if (signal.aborted || !endsRound(error)) throw error;
      this.#sitOut(round, error);
      return false;
    }
  }

  /** Gives up the round under way. */
  abandon(): void {
    const { round } = this.#around;
    if (round.active !== undefined) round.leave(round.number, { keepTraining: false });
  }

  #answered({ kind, round: number }: StageTask): void {
    const { round, pin, tell } = this.#around;
    const last = kind === 'unmask' || (kind === 'submit' && pin.open.manifest.settings.secureAggregation === null);
    this.done = { round: number, stage: last ? 'unmasking' : stageOfTask[kind] };
    if (!last) return;
    const purpose = round.active?.purpose ?? 'train';
    round.leave(number, { keepTraining: true });
    tell({ type: 'answered', round: number, purpose });
  }

  #sitOut(number: number, { code, message }: CutlayerError): void {
    const { round, tell } = this.#around;
    // A replayed round is no round to leave: the one under way goes on.
    if (number >= round.number) {
      round.leave(number, { keepTraining: false });
      this.done = { round: number, stage: 'unmasking' };
    }
    this.satOut += 1;
    tell({ type: 'satOut', round: number, code, message });
  }

  async #stage(task: StageTask, remainingMs: number, signal: AbortSignal): Promise<void> {
    const { chain, round, tell } = this.#around;
    const stage = { type: 'stage', round: task.round, stage: stageOfTask[task.kind], remainingMs } as const;
    if (task.kind === 'enlist') return this.#enlist(task, stage);
    const cohort = 'cohort' in task ? task.cohort.map(({ advertisement }) => advertisement.participant).sort() : [];
    tell({ ...stage, ...(cohort.length > 0 ? { cohort } : {}) });
    switch (task.kind) {
      case 'shareKeys':
        return round.shareKeys(task, (hash) => chain.knows(hash));
      case 'submit':
        return this.#submit(task, signal);
      case 'confirm':
        return round.confirm(task, (purpose) => chain.newestSum(purpose));
      case 'unmask':
        return round.unmask(task);
    }
  }

  async #enlist({ round: number, purpose, version, promoted }: Extract<Task, { kind: 'enlist' }>, stage: ParticipantEvent): Promise<void> {
    const { chain, pin, round, ledger, data, tell } = this.#around;
    const { settings } = pin.open.manifest;
    const refuse = (why: string): CutlayerError => new CutlayerError('ROUND_REFUSED', `round ${number}: ${why}; this member sits it out`);
    const { headHash: chainHead } = chain;
    if (chainHead === undefined) throw refuse('nothing has been broadcast yet');
    if (promoted !== chain.promoted)
      throw refuse(`it is told that version ${promoted} is promoted, but the newest broadcast of it names ${chain.promoted}`);
    if (purpose === 'train' && version !== promoted)
      throw refuse(`it is told to train from version ${version}, but ${promoted} is the promoted one`);
    if (purpose === 'evaluate' && version !== chain.candidate)
      throw refuse(`it is told to measure version ${version}, which is no candidate`);
    if (purpose === 'evaluate' && settings.evaluation === null) throw refuse('the manifest has no evaluate rounds');
    const clipNorm = purpose === 'train' ? chain.clipNorm : null;
    // The smallest cohort has the least noise for each; the round's own is checked before sending.
    ledger.require(number, privacyEventOf(pin.open.manifest, purpose, { cohort: settings.cohort.min, clipNorm }), chain.released);
    const found = purpose === 'train' ? (await data.roundExamples(number, version)).examples : data.heldOut(promoted).current;
    if (found.length === 0) {
      const missing = purpose === 'train' ? 'examples to train on' : 'held-out examples to measure on';
      throw new CutlayerError('INVALID_DATA', `round ${number}: there are no ${missing}; this member sits it out`);
    }
    const { weights } = settings;
    const examples = purpose === 'train' && weights.kind === 'examples' ? Math.min(found.length, weights.maxExamples) : 1;
    const resumed = round.number === number && round.active !== undefined;
    if (!resumed) tell({ type: 'round', round: number, purpose, version, examples: found.length, resumed });
    tell(stage);
    await round.enlist({ round: number, purpose, version, promoted, clipNorm, chainHead, examples });
  }

  async #submit(task: Extract<Task, { kind: 'submit' }>, signal: AbortSignal): Promise<void> {
    const { chain, pin, round, ledger, work, atWork, tell } = this.#around;
    const prepared = round.prepare(task, (hash) => chain.knows(hash));
    if (prepared.kind === 'wanted') {
      const { active, cohort } = prepared;
      const { purpose, clipNorm } = active;
      const payload = await atWork(() =>
        purpose === 'train' ? work.train(task.round, active, cohort, signal) : work.measureBoth(active, cohort, signal),
      );
      const sealed = await round.seal(task, payload);
      const event = privacyEventOf(pin.open.manifest, purpose, { cohort, clipNorm });
      ledger.require(task.round, event, chain.released);
      ledger.spend(task.round, event);
      round.commit(task.round, cohort, sealed);
    }
    const bytes = await round.submit(task.round);
    this.bytesUp += bytes;
    const purpose = round.active?.purpose ?? 'train';
    tell({ type: 'submitted', round: task.round, purpose, bytes, again: prepared.kind === 'committed' });
  }
}
