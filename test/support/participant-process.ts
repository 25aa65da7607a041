/** `cutlayer client federate` in a process of its own, heard through the events that it prints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ParticipantEvent } from '../../clients/typescript/federation/participant-events.js';
import { MAIN } from './server-process.js';

/** The last line that the command prints. */
export interface SummaryLine {
  readonly type: 'summary';
  readonly stopped: string;
  readonly rounds: number;
  readonly version: number;
}

type Line = ParticipantEvent | SummaryLine;

/** A participant that runs. */
export interface ParticipantProcess {
  /** Everything it has printed. */
  readonly lines: readonly Line[];
  /** Resolves at the first line, from the beginning on, that is wanted; rejects with the log when the process ends before it. */
  until(wanted: (line: Line) => boolean): Promise<Line>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves with the exit code, and what was logged. */
  readonly ended: Promise<{ readonly code: number | null; readonly log: string }>;
}

/** Starts one. @param flags of `client federate`, but for --json */
export function startParticipant(flags: readonly string[]): ParticipantProcess {
  const child = spawn(process.execPath, [MAIN, 'client', 'federate', ...flags, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const abandon = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', abandon);
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const lines: Line[] = [];
  const heard = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as Line);
    for (const look of heard) look();
  });
  const ended = once(child, 'close').then(([code]: unknown[]) => {
    process.off('exit', abandon);
    return { code: code as number | null, log };
  });
  return {
    lines,
    ended,
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find(wanted);
          if (found === undefined) return;
          heard.delete(look);
          resolve(found);
        };
        heard.add(look);
        look();
        void ended.then(({ code }) => reject(new Error(`the participant ended with code ${code}:\n${log}`)));
      }),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
