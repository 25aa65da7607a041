/**
 * A participant's in-process connection to its coordinator. It counts bytes, limits how many
 * participants compute at a time, and tracks whether its participant is busy. It also drops the
 * participant in the rounds that the simulation chose.
 */

import type { Semaphore } from 'async-mutex';
import { CutlayerError } from '../../errors.js';
import {
  type FederationApi,
  type RoundStage,
  type StageTask,
  stageOfTask,
  type TaskAnswer,
  type TaskRequest,
} from '../../protocol/federation/federation-api.js';
import type { VirtualClock } from './virtual-clock.js';

export interface ConnectionSurroundings {
  readonly clock: VirtualClock;
  /** Held while a participant trains or measures. */
  readonly gate: Semaphore;
  /** The stage at which a participant vanishes for the rest of a round; null: it stays. */
  readonly vanishing: (member: string, round: number) => RoundStage | null;
  readonly activity: Activity;
}

export interface Activity {
  /** Participants that are not waiting for a task. */
  busy: number;
  events: number;
}

/** Bytes of a member to and from the coordinator. */
export interface Traffic {
  up: number;
  down: number;
}

const BYTES_PER_NUMBER = 8;

export class SimulatedConnection implements FederationApi {
  readonly traffic: Traffic = { up: 0, down: 0 };
  /** Rounds in which the participant was lost. */
  readonly vanished: { readonly round: number; readonly stage: RoundStage }[] = [];
  readonly member: string;
  readonly #inner: FederationApi;
  readonly #around: ConnectionSurroundings;
  /**
   * By round; bytes between two rounds count for the later one. Participants may be ahead of the
   * round that the simulation looks at.
   */
  readonly #byRound = new Map<number, Traffic>();
  #round = 1;
  #leave: () => void = () => undefined;

  constructor(inner: FederationApi, member: string, around: ConnectionSurroundings) {
    this.#inner = inner;
    this.member = member;
    this.#around = around;
  }

  /** Bytes of the rounds up to this one that were not yet taken. */
  takeTraffic(through: number): Traffic {
    const sum: Traffic = { up: 0, down: 0 };
    for (const [round, { up, down }] of this.#byRound) {
      if (round > through) continue;
      sum.up += up;
      sum.down += down;
      this.#byRound.delete(round);
    }
    return sum;
  }

  async nextTask(request: TaskRequest, signal?: AbortSignal): Promise<TaskAnswer> {
    this.#leave();
    for (;;) {
      const answer = await this.#idle(() => this.#inner.nextTask(request, signal));
      const { task } = answer;
      if ('round' in task && this.#isLost(task)) {
        await this.rest(Math.max(1, answer.remainingMs + 1), signal);
        continue;
      }
      if (task.kind === 'submit') [, this.#leave] = await this.#around.gate.acquire();
      if ('round' in task) this.#round = task.round;
      // How often it waits, and for what, depends on timing.
      return task.kind === 'wait' ? answer : this.#received(answer);
    }
  }

  manifest() {
    return this.#call([], this.#inner.manifest());
  }

  broadcasts(from: number) {
    // How many broadcasts come at a time, and so how often this is called, depends on timing.
    return this.#call([], this.#inner.broadcasts(from));
  }

  version(version: number) {
    return this.#call([version], this.#inner.version(version));
  }

  enlist(...args: Parameters<FederationApi['enlist']>) {
    return this.#call(args, this.#inner.enlist(...args));
  }

  shareKeys(...args: Parameters<FederationApi['shareKeys']>) {
    return this.#call(args, this.#inner.shareKeys(...args));
  }

  async submit(...args: Parameters<FederationApi['submit']>): Promise<void> {
    this.#leave();
    await this.#call(args, this.#inner.submit(...args));
    this.#answered(args[0]);
  }

  confirm(...args: Parameters<FederationApi['confirm']>) {
    return this.#call(args, this.#inner.confirm(...args));
  }

  async unmask(...args: Parameters<FederationApi['unmask']>): Promise<void> {
    await this.#call(args, this.#inner.unmask(...args));
    this.#answered(args[0]);
  }

  /** Sleeps in the simulation's time. @throws CutlayerError CANCELLED */
  async rest(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#idle(() => this.#around.clock.sleep(ms, signal));
    if (signal?.aborted) throw new CutlayerError('CANCELLED', 'the wait was cancelled');
  }

  /** Called when the participant has ended, to free its place. */
  close(): void {
    this.#leave();
  }

  /** This may be the member's last answer of the round. */
  #answered(round: number): void {
    this.#round = round + 1;
  }

  /** Counts the participant as idle meanwhile. */
  async #idle<T>(wait: () => Promise<T>): Promise<T> {
    const { activity } = this.#around;
    activity.busy -= 1;
    activity.events += 1;
    try {
      return await wait();
    } finally {
      activity.busy += 1;
      activity.events += 1;
    }
  }

  #isLost({ kind, round }: StageTask): boolean {
    if (this.vanished.some((lost) => lost.round === round)) return true;
    const stage = stageOfTask[kind];
    if (this.#around.vanishing(this.member, round) !== stage) return false;
    this.vanished.push({ round, stage });
    return true;
  }

  async #call<T>(args: readonly unknown[], answer: Promise<T>): Promise<T> {
    this.#around.activity.events += 1;
    this.#count('up', args);
    return this.#received(await answer);
  }

  #received<T>(answer: T): T {
    this.#count('down', answer);
    return answer;
  }

  #count(way: keyof Traffic, value: unknown): void {
    const bytes = payloadSize(value);
    const counted = this.#byRound.get(this.#round) ?? { up: 0, down: 0 };
    this.#byRound.set(this.#round, counted);
    counted[way] += bytes;
    this.traffic[way] += bytes;
  }
}

/** Bytes of a value of the federation's interface, without transport framing. */
function payloadSize(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'number') return BYTES_PER_NUMBER;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, field) => sum + payloadSize(field), 0);
}
