/**
 * Runs a target in a process of its own, with a heap limit and a watchdog that can name the input
 * of a process that hangs or dies.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processorMs } from '../support/process-memory.js';
import type { ChildResult } from './child.js';
import { minimized } from './minimize.js';
import { readProgress } from './progress.js';
import type { Finding } from './target.js';

const CHILD = fileURLToPath(new URL('child.js', import.meta.url));

const LOOK_MS = 250;
/**
 * A process that waits uses no time of the processor: it hangs after so many times the limit by the
 * clock.
 */
const WAITING = 15;

/** How a target is run. */
export interface CampaignOptions {
  /** The compiled module of the target. */
  readonly modulePath: string;
  readonly seed: number;
  readonly seconds: number;
  /** A process that stands still for so long of its own time hangs. Default 20 s. */
  readonly hangMs?: number;
  /** Time to make the input of a process that hung or died smaller. Default 60 s. */
  readonly minimizeMs?: number;
  /**
   * A folder of inputs that reached new code: they guide the next ones, and others join them.
   * Default: no guidance.
   */
  readonly corpusDir?: string;
  /** The heap of a process that runs the target. Default 512. */
  readonly heapMb?: number;
}

/** What came out. */
export interface Campaign extends Omit<ChildResult, 'finding'> {
  readonly finding?: Finding & { readonly input: Uint8Array };
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly hung: boolean;
}

/** The time that a process has used; by the clock where it cannot be told. */
function usedMs(pid: number | undefined): number {
  try {
    return processorMs(pid!);
  } catch {
    return Date.now();
  }
}

/** The bounds of one process. */
type Bounds = Required<Pick<CampaignOptions, 'hangMs' | 'heapMb'>>;

/** Runs the child until it ends, or kills it when `run` has not moved for too long of its time. */
function runChild(args: readonly string[], { hangMs, heapMb }: Bounds, run: () => number): Promise<Ended> {
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMb}`, '--enable-source-maps', CHILD, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  const collect = (chunk: Buffer): void => {
    out = `${out}${chunk}`.slice(-(1 << 22));
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  let [last, used, since, hung] = [-1, 0, 0, false];
  const watchdog = setInterval(() => {
    const now = run();
    // On a busy machine a good process stands still by the clock.
    if (now !== last) [last, used, since] = [now, usedMs(child.pid), Date.now()];
    else if (usedMs(child.pid) - used > hangMs || Date.now() - since > WAITING * hangMs) {
      hung = true;
      child.kill('SIGKILL');
    }
  }, LOOK_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(watchdog);
      resolve({ code, out, hung });
    });
  });
}

/** Runs one input in a process of its own. @returns undefined when it was read or refused */
async function replay(modulePath: string, file: string, bounds: Bounds): Promise<Finding | undefined> {
  const { code, out, hung } = await runChild([modulePath, file], bounds, () => 0);
  if (code === 0) return undefined;
  if (hung) return { kind: 'slow', text: `did not end within ${bounds.hangMs} ms` };
  if (code !== 2) return { kind: 'crash', text: `the process died: ${out.slice(-2000)}` };
  const [kind = '', ...text] = out.split(': ');
  return { kind: kind as Finding['kind'], text: text.join(': ').trim() }; // written by child.ts
}

/** Runs a target for some seconds, or until its first finding. */
export async function campaign({
  modulePath,
  seed,
  seconds,
  minimizeMs = 60_000,
  corpusDir,
  ...given
}: CampaignOptions): Promise<Campaign> {
  const bounds: Bounds = { hangMs: given.hangMs ?? 20_000, heapMb: given.heapMb ?? 512 };
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-fuzz-'));
  try {
    const progress = join(dir, 'progress');
    writeFileSync(progress, '');
    const startedAt = Date.now();
    const args = [modulePath, String(seed), String(seconds), progress, ...(corpusDir === undefined ? [] : [corpusDir])];
    const { code, out, hung } = await runChild(args, bounds, () => readProgress(progress).run);
    if (code === 0 || code === 2) {
      const { finding, ...counts } = JSON.parse(out.slice(out.lastIndexOf('\n', out.length - 2) + 1)) as ChildResult; // written by child.ts
      return { ...counts, ...(finding && { finding: { ...finding, input: Buffer.from(finding.input, 'base64') } }) };
    }
    const { run, input } = readProgress(progress);
    const counts = { executions: run, read: 0, seconds: (Date.now() - startedAt) / 1000 };
    const file = join(dir, 'input');
    const again = async (candidate: Uint8Array): Promise<Finding | undefined> => {
      writeFileSync(file, candidate);
      return replay(modulePath, file, bounds);
    };
    const found = (await again(input)) ?? {
      kind: 'crash' as const,
      text: `the process ${hung ? 'stood still' : 'died'} at this input after ${counts.executions} others, and not at this input alone: ${out.slice(-2000)}`,
    };
    const smallest = await minimized(input, async (candidate) => (await again(candidate))?.kind === found.kind, Date.now() + minimizeMs);
    return { ...counts, finding: { ...found, input: smallest } };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
