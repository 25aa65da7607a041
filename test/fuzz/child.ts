/**
 * The process that runs one target: `child.js MODULE SEED SECONDS PROGRESS [CORPUS]`, or
 * `child.js MODULE FILE` for one input. Inputs that reach new code go to the folder CORPUS and
 * guide the next ones. Its result is one line of JSON; exit status 2 is a finding.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { peakMemory } from '../support/peak-memory.js';
import { GrownCorpus } from './grown-corpus.js';
import { Guide } from './guide.js';
import { inputsOf } from './inputs.js';
import { minimized } from './minimize.js';
import { startCoverage } from './precise-coverage.js';
import { openProgress } from './progress.js';
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
  /** Of the processor's time: those of the clock say little on a busy machine. */
  readonly seconds: number;
  /** With guidance: functions that ran, and inputs that reached new code. */
  readonly reached?: { readonly functions: number; readonly inputs: number };
  readonly finding?: Finding & { readonly input: string };
}

/**
 * What costs more than most inputs do is asked after a slow one, which alone can fill so much, and
 * now and then.
 */
const ASK_AFTER_MS = 5;
const ASK_EVERY = 64;

/** The peak of memory when it was asked last. */
let peak = peakMemory();
let unasked = 0;

/**
 * Runs one input and measures it. A slow one runs again, by the processor's time: other processes
 * may have had it.
 */
async function measured(target: Target, input: Uint8Array, again = false): Promise<boolean | Finding> {
  const cpu = again ? process.cpuUsage() : undefined;
  const startedAt = performance.now();
  const outcome = await judge(target, input);
  const ms = performance.now() - startedAt;
  if (typeof outcome === 'object') return outcome;
  if (ms > ASK_AFTER_MS || ++unasked >= ASK_EVERY) {
    const before = peak;
    [peak, unasked] = [peakMemory(), 0];
    const growth = peak - before;
    if (growth > MAX_GROWTH_BYTES) return { kind: 'memory', text: `memory grew by ${Math.round(growth / 2 ** 20)} MiB` };
  }
  if (ms < MAX_CPU_MS) return outcome;
  if (cpu === undefined) return measured(target, input, true);
  const { user, system } = process.cpuUsage(cpu);
  const used = (user + system) / 1000;
  return used < MAX_CPU_MS ? outcome : { kind: 'slow', text: `took ${Math.round(used)} ms of the processor's time` };
}

/**
 * The finding again, now with its stack: the stacks of refusals would cost more than what refuses.
 */
async function withStack(target: Target, input: Uint8Array, finding: Finding): Promise<Finding> {
  Error.stackTraceLimit = 10;
  if (finding.kind !== 'error' && finding.kind !== 'difference') return finding;
  const again = await judge(target, input);
  return typeof again === 'object' ? again : finding;
}

interface Run {
  readonly name: string;
  readonly target: Target;
  readonly seed: number;
  readonly seconds: number;
  /** The file that says which input runs. */
  readonly progressPath: string;
  /** With guidance. */
  readonly guided?: { readonly corpus: GrownCorpus; readonly coverage: ReturnType<typeof startCoverage> };
}

async function fuzz({ name, target, seed, seconds, progressPath, guided }: Run): Promise<ChildResult> {
  const cpu = process.cpuUsage();
  const usedSeconds = (): number => {
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / 1e6;
  };
  Error.stackTraceLimit = 0;
  const progress = openProgress(progressPath);
  let reachedNew = 0;
  const guide =
    guided &&
    new Guide({
      coverage: guided.coverage,
      runAgain: (input) => {
        progress.runs(input);
        return judge(target, input);
      },
      reachedNew: (input) => {
        reachedNew++;
        guided.corpus.add(input);
      },
    });
  const reached = () => guide && { reached: { functions: guide.functions, inputs: reachedNew } };
  const inputs = inputsOf(name, target, seed, guided && (() => guided.corpus.inputs));
  const startedAt = performance.now();
  let read = 0;
  for (let index = 0; ; index++) {
    if (performance.now() - startedAt >= 1000 * seconds) return { executions: index, read, seconds: usedSeconds(), ...reached() };
    const input = inputs(index);
    progress.runs(input);
    const outcome = await measured(target, input);
    if (outcome === true) read++;
    if (typeof outcome !== 'object') {
      await guide?.ran(input);
      continue;
    }
    const used = usedSeconds();
    const found = await withStack(target, input, outcome);
    const same = signature(found);
    const smallest = await minimized(
      input,
      async (candidate) => {
        progress.runs(candidate);
        const again = await judge(target, candidate);
        return typeof again === 'object' && signature(again) === same;
      },
      found.kind === 'error' || found.kind === 'difference' ? Date.now() + MINIMIZE_MS : 0,
    );
    const finding = { ...found, input: Buffer.from(smallest).toString('base64') };
    return { executions: index + 1, read, seconds: used, ...reached(), finding };
  }
}

const [modulePath = '', second = '', seconds, progressPath, corpusDir] = process.argv.slice(2);
// Before the target is loaded: only code that is loaded later is counted by block.
const coverage = corpusDir === undefined ? undefined : startCoverage();
// Every module of a target exports it under this name.
const { target } = (await import(pathToFileURL(modulePath).href)) as { readonly target: Target };
if (progressPath === undefined) {
  const outcome = await measured(target, readFileSync(second));
  if (typeof outcome === 'object') process.stdout.write(`${outcome.kind}: ${outcome.text}\n`);
  else process.stdout.write(outcome ? 'read\n' : 'refused with a typed error\n');
  process.exit(typeof outcome === 'object' ? 2 : 0);
}
const result = await fuzz({
  name: basename(modulePath, '.js'),
  target,
  seed: Number(second),
  seconds: Number(seconds),
  progressPath,
  ...(corpusDir !== undefined && coverage && { guided: { corpus: new GrownCorpus(corpusDir), coverage } }),
});
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(result.finding === undefined ? 0 : 2);
