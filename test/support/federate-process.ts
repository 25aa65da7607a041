/** A participant in a process of its own, started by `cutlayer client federate --json`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ParticipantEvent } from '../../clients/typescript/federation/participant-events.js';
import { MAIN } from './gateway-process.js';

/** What it says. */
export type FederateEvent = ParticipantEvent | { readonly type: 'summary'; readonly rounds: number; readonly stopped: string };

/** The process and all it has said. */
export class FederateProcess {
  readonly events: FederateEvent[] = [];
  readonly #child: ChildProcess;
  readonly #watchers: (() => void)[] = [];
  #errors = '';

  /** @param env Added to this process's own. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(process.execPath, [MAIN, 'client', 'federate', ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    process.once('exit', () => this.#child.kill('SIGKILL'));
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.events.push(JSON.parse(line) as FederateEvent);
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** Resolves with the first event that fits. @throws Error when it ends before */
  when<Event extends FederateEvent>(fits: (event: FederateEvent) => event is Event): Promise<Event>;
  when(fits: (event: FederateEvent) => boolean): Promise<FederateEvent>;
  when(fits: (event: FederateEvent) => boolean): Promise<FederateEvent> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.events.find(fits);
        if (found !== undefined) resolve(found);
      };
      this.#watchers.push(look);
      this.#child.once('exit', (code) => reject(new Error(`the participant ended with ${code}:\n${this.#errors}`)));
      look();
    });
  }

  /** Waits for its end. @param signal Sent first. @returns the exit code */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.#child.kill(signal);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  /** Standard error. */
  get errors(): string {
    return this.#errors;
  }
}
