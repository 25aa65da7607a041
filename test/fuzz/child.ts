/**
 * The process that runs one target: `child.js MODULE SEED SECONDS PROGRESS`, or `child.js MODULE FILE` for one input. It writes the index
 * of its current input to PROGRESS before it runs it, and its result to standard output as one line of JSON. Exit status 2 is a finding.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { peakMemory } from '../support/peak-memory.js';
import { inputsOf } from './inputs.js';
import { minimized } from './minimize.js';
import { type Finding, judge, signature, type Target } from './target.js';

/** One input may take so much of the processor's time, and raise the peak of memory by so much. */
const MAX_CPU_MS = 2000;
const MAX_GROWTH_BYTES = 256 * 2 ** 20;
const MINIMIZE_MS = 20_000;

/** What a run of a target says. */
export interface ChildResult {
  readonly executions: number;
  /** Inputs that were read, not refused. */
  readonly read: number;
  readonly seconds: number;
  readonly finding?: Finding & { readonly input: string };
}

/** The peak of memory after the last input, so before the next one. */
let peak = peakMemory();

/** Runs one input and measures it; a slow one runs twice, for other processes may have had the processor. */
async function measured(target: Target, input: Uint8Array, tries = 2): Promise<boolean | Finding> {
  const before = peak;
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const outcome = await judge(target, input);
  if (typeof outcome === 'object') return outcome;
  peak = peakMemory();
  const growth = peak - before;
  if (growth > MAX_GROWTH_BYTES) return { kind: 'memory', text: `memory grew by ${Math.round(growth / 2 ** 20)} MiB` };
  if (performance.now() - startedAt < MAX_CPU_MS) return outcome;
  const { user, system } = process.cpuUsage(cpu);
  if ((user + system) / 1000 < MAX_CPU_MS) return outcome;
  if (tries > 1) return measured(target, input, tries - 1);
  return { kind: 'slow', text: `took ${Math.round((user + system) / 1000)} ms of the processor's time` };
}

async function fuzz(name: string, target: Target, seed: number, seconds: number, progress: string): Promise<ChildResult> {
  const inputs = inputsOf(name, target, seed);
  const file = openSync(progress, 'w');
  const cell = new Float64Array(1);
  const startedAt = performance.now();
  let read = 0;
  for (let index = 0; ; index++) {
    const elapsed = (performance.now() - startedAt) / 1000;
    if (elapsed >= seconds) return { executions: index, read, seconds: elapsed };
    cell[0] = index;
    writeSync(file, cell, 0, 8, 0);
    const input = inputs(index);
    const outcome = await measured(target, input);
    if (outcome === true) read++;
    if (typeof outcome !== 'object') continue;
    const same = signature(outcome);
    const smallest = await minimized(
      input,
      async (candidate) => {
        writeSync(file, cell, 0, 8, 0);
        const again = await judge(target, candidate);
        return typeof again === 'object' && signature(again) === same;
      },
      outcome.kind === 'error' || outcome.kind === 'difference' ? Date.now() + MINIMIZE_MS : 0,
    );
    return { executions: index + 1, read, seconds: elapsed, finding: { ...outcome, input: Buffer.from(smallest).toString('base64') } };
  }
}

const [modulePath = '', second = '', seconds, progress] = process.argv.slice(2);
// Every module of a target exports it under this name.
const { target } = (await import(pathToFileURL(modulePath).href)) as { readonly target: Target };
if (progress === undefined) {
  const outcome = await measured(target, readFileSync(second));
  if (typeof outcome === 'object') process.stdout.write(`${outcome.kind}: ${outcome.text}\n`);
  else process.stdout.write(outcome ? 'read\n' : 'refused with a typed error\n');
  process.exit(typeof outcome === 'object' ? 2 : 0);
}
const result = await fuzz(basename(modulePath, '.js'), target, Number(second), Number(seconds), progress);
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(result.finding === undefined ? 0 : 2);
