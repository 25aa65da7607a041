/**
 * The test's end of a coordinator in another process: calls it, notices that it was killed, starts
 * it again.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FederationApi } from '../../src/protocol/federation/federation-api.js';

/** One call; `member` empty: of the rig itself. */
export interface CoordinatorCall {
  readonly id: number;
  readonly member: string;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** See the module's header. */
export class KilledCoordinator {
  readonly #path: string;
  readonly #settings: string;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (reason: Error) => void }>();
  #child: ChildProcess | undefined;
  #calling = 0;
  /** Times that it was killed. */
  kills = 0;

  constructor(path: string, settings: object) {
    this.#path = path;
    this.#settings = JSON.stringify(settings);
  }

  /** Starts it; false: it was killed before it could be asked anything. */
  async start(killAt: number): Promise<boolean> {
    const script = fileURLToPath(new URL('./round-coordinator-process.js', import.meta.url));
    const child = fork(script, [this.#path, String(killAt), this.#settings], { serialization: 'advanced' });
    this.#child = child;
    const ready = new Promise<boolean>((resolve) => {
      child.on('message', (message: { id: number; result?: unknown; error?: string }) => {
        if (message.id === -1) resolve(true);
        const call = this.#calls.get(message.id);
        this.#calls.delete(message.id);
        if (message.error === undefined) call?.resolve(message.result);
        else call?.reject(new Error(message.error));
      });
      child.once('exit', (_, signal) => {
        if (signal === 'SIGKILL') this.kills += 1;
        if (this.#child === child) this.#child = undefined;
        for (const { reject } of this.#calls.values()) reject(new Error('killed'));
        this.#calls.clear();
        resolve(false);
      });
    });
    return ready;
  }

  get alive(): boolean {
    return this.#child !== undefined;
  }

  call<T>(method: string, args: readonly unknown[] = [], member = ''): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#child === undefined) throw new Error('killed');
      const id = this.#calling++;
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, member, method, args } satisfies CoordinatorCall, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  /** A member's view. */
  api(member: string): FederationApi {
    const methods = ['manifest', 'nextTask', 'broadcasts', 'version', 'enlist', 'shareKeys', 'submit', 'confirm', 'unmask'] as const;
    const entries = methods.map((method) => [method, (...args: readonly unknown[]) => this.call(method, args, member)]);
    return Object.fromEntries(entries) as FederationApi; // all of its methods are in the list
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  }
}
