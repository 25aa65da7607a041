/** Members that wait for a task: one call each, woken when the federation changes. */
import { CutlayerError } from '../../errors.js';
import type { Schedule } from './federation-context.js';

/** Why a wait ended. */
export type Woken = 'changed' | 'timeout' | 'replaced';

/** The waiting calls of one federation. */
export class WaitingMembers {
  readonly #schedule: Schedule;
  readonly #waiting = new Map<string, (why: Woken) => void>();

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /**
   * Waits for a change until `atMs`, or a later call of the member.
   * @throws CutlayerError CANCELLED
   */
  wait(member: string, atMs: number, signal?: AbortSignal): Promise<Woken> {
    this.replace(member);
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#schedule(atMs, () => done('timeout'));
      const over = (): void => {
        cancelTimer();
        signal?.removeEventListener('abort', aborted);
        if (this.#waiting.get(member) === done) this.#waiting.delete(member);
      };
      const done = (why: Woken): void => {
        over();
        resolve(why);
      };
      const aborted = (): void => {
        over();
        reject(new CutlayerError('CANCELLED', 'the wait for a task was cancelled'));
      };
      this.#waiting.set(member, done);
      if (signal?.aborted === true) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Ends the member's earlier call, since a newer one waits. */
  replace(member: string): void {
    this.#waiting.get(member)?.('replaced');
  }

  /** Whether a call of the member waits. */
  has(member: string): boolean {
    return this.#waiting.has(member);
  }

  /** Wakes all waiting calls. */
  wake(): void {
    for (const done of [...this.#waiting.values()]) done('changed');
  }
}
