/**
 * A training step of one tenant, alone and beside another that fills the queue or the step store,
 * in pairs. The quiet tenant calls back to back, as no client can; then it works between its calls
 * for as long as one of them takes. The goal is a median within twice the time alone, with work.
 *
 * The loud tenant has more calls than the queue has places for, of steps of the quiet one's size or
 * of the largest ones. It repeats refused calls after the delays of our client, or at once, which
 * takes processors in this process. Or it sends Forwards without a Backward into a store that has
 * room for a few of them. Whatever it does, no call of the quiet tenant is refused, and none of its
 * residuals are evicted: either would fail the run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { retryDelayMs } from '../clients/typescript/connection/retry.js';
import type { BackboneArtifact } from '../src/artifacts/store.js';
import { CutlayerError } from '../src/errors.js';
import { type BackboneEngine, createEngine, type EngineStats } from '../src/gateway/engine/engine.js';
import { type CheckedInputs, stepDigest } from '../src/gateway/engine/step-inputs.js';
import { f32 } from '../src/tensor/tensor.js';
import { checkInputs } from '../test/support/checked-inputs.js';
import { tinyBackbone } from '../test/support/tiny-backbone.js';
import { elapsedMs, median } from './paired.js';
import type { Report } from './report.js';

const model = { hiddenSize: 256, numLayers: 12 } as const;
/** Sequences of 128 tokens: of the quiet tenant's steps, and of the largest legal ones. */
const [QUIET, LARGEST] = [4, 128];
const SEQUENCE = 128;
/** Calls that may wait, and those that the loud tenant has at the gateway at a time. */
const [QUEUE, LANES] = [16, 24];
/** Steps of the quiet tenant's size that the step store has room for. */
const STORE_STEPS = 10;
/** Steps of the quiet tenant on each side of a pair. */
const STEPS = 4;

/** What the loud tenant does. */
interface Flood {
  readonly what: string;
  readonly batch: number;
  readonly lanes: number;
  readonly backward: boolean;
  /** Before a refused call comes again. @param attempt from 1 */
  readonly delayMs: (attempt: number) => number;
  /** Whether what it fills is full. */
  readonly full: (now: EngineStats, before: EngineStats) => boolean;
}

const ourDelayMs = (attempt: number): number => retryDelayMs(attempt, {}, Math.random);
const atOnce = (): number => 0;

const floods: readonly Flood[] = [
  ...[ourDelayMs, atOnce].flatMap((delayMs) =>
    [QUIET, LARGEST].map((batch): Flood => {
      const what = `a queue full of ${batch * SEQUENCE}${delayMs === atOnce ? ', refused calls at once again' : ''}`;
      return { ...{ what, batch, lanes: LANES, backward: true, delayMs }, full: ({ queueLength }) => queueLength >= QUEUE };
    }),
  ),
  {
    ...{ what: 'a full step store', batch: QUIET, lanes: 4, backward: false, delayMs: ourDelayMs },
    full: ({ evictedResiduals }, before) => evictedResiduals > before.evictedResiduals,
  },
];

/** Medians over `rounds` pairs. */
export async function benchFairness(report: Report, rounds: number): Promise<void> {
  const artifact = await tinyBackbone(model);
  for (const flood of floods) await benchFlood(report, artifact, flood, rounds);
}

async function benchFlood(report: Report, artifact: BackboneArtifact, flood: Flood, rounds: number): Promise<void> {
  const stepBytes = QUIET * SEQUENCE * model.hiddenSize * (model.numLayers + 1) * Float32Array.BYTES_PER_ELEMENT;
  const residualMemoryBytes = flood.backward ? 2 ** 30 : STORE_STEPS * stepBytes;
  const engine = await createEngine({ artifact, workers: 1, queueLimit: QUEUE, residualMemoryBytes });
  try {
    for (let warm = 0; warm < 3; warm++) await medianStep(engine, 0);
    const callMs = (await medianStep(engine, 0)) / 2;
    for (const workMs of [0, callMs]) {
      const pairs: [number, number][] = [];
      for (let round = 0; round < rounds; round++) {
        const alone = await medianStep(engine, workMs);
        const beside = await whileFlooded(engine, flood, () => medianStep(engine, workMs));
        pairs.push([alone, beside]);
      }
      const how = workMs === 0 ? 'back to back' : 'with work between its calls';
      const aloneMs = median(pairs.map(([alone]) => alone));
      report.add(`fairness: ${QUIET * SEQUENCE} rows ${how}, ${flood.what}`, median(pairs.map(([, beside]) => beside)), 'ms', {
        baseline: `${aloneMs.toFixed(1)} ms alone`,
        ratio: median(pairs.map(([alone, beside]) => beside / alone)),
      });
    }
    if (!flood.backward && engine.stats().recomputes > 0)
      throw new Error(`fairness: ${engine.stats().recomputes} steps of the quiet tenant lost their residuals to the loud one`);
  } finally {
    await engine.close();
  }
}

/** Runs `work` once the loud tenant has filled what it fills; then its calls are given up. */
async function whileFlooded<T>(engine: BackboneEngine, flood: Flood, work: () => Promise<T>): Promise<T> {
  const endings = Array.from({ length: flood.lanes }, () => new AbortController());
  const before = engine.stats();
  const inputs = inputsOf(engine, flood.batch);
  const run = async ({ signal }: AbortController, lane: number): Promise<void> => {
    for (let at = 0, refused = 0; !signal.aborted; at++) {
      const call = { tenant: 'loud', stepId: `${performance.now()}-${lane}-${at}`, signal };
      try {
        await step(engine, call, inputs, flood);
        refused = 0;
      } catch (caught) {
        const { code } = CutlayerError.from(caught);
        if (code !== 'QUEUE_FULL' && code !== 'CANCELLED') throw caught;
        await sleep(flood.delayMs(++refused), undefined, { signal }).catch(() => undefined);
      }
    }
  };
  const lanes = Promise.all(endings.map(run));
  try {
    while (!flood.full(engine.stats(), before)) await Promise.race([sleep(5), lanes]);
    return await work();
  } finally {
    for (const ending of endings) ending.abort();
    await lanes;
    engine.forgetTenant('loud');
  }
}

/** The median of some steps, after one that does not count. */
async function medianStep(engine: BackboneEngine, workMs: number): Promise<number> {
  const inputs = inputsOf(engine, QUIET);
  const quiet = () => step(engine, { tenant: 'quiet', stepId: `${performance.now()}` }, inputs, { backward: true, workMs });
  await quiet();
  const times: number[] = [];
  for (let at = 0; at < STEPS; at++) times.push(await elapsedMs(quiet));
  return median(times);
}

/** A step's inputs, whose rows are all answered, and their digest. */
interface StepInputs {
  readonly inputs: CheckedInputs;
  readonly digest: string;
}

function inputsOf({ artifact }: BackboneEngine, batch: number): StepInputs {
  const rows = batch * SEQUENCE;
  const positions = BigInt64Array.from({ length: rows }, (_, row) => BigInt(row));
  const hiddenStates = f32([batch, SEQUENCE, model.hiddenSize], new Float32Array(rows * model.hiddenSize).fill(0.1));
  const inputs = checkInputs({ hiddenStates, adapter: { kind: 'none' }, positions }, artifact.manifest);
  return { inputs, digest: stepDigest(inputs) };
}

/** Forward, and Backward, of one step; the client works after each. */
async function step(
  engine: BackboneEngine,
  call: { readonly tenant: string; readonly stepId: string; readonly signal?: AbortSignal },
  given: StepInputs,
  { backward, workMs = 0 }: { readonly backward: boolean; readonly workMs?: number },
): Promise<void> {
  await engine.forward({ ...call, ...given, training: true });
  await sleep(workMs);
  const rows = given.inputs.positions.length;
  const cotangent = () => f32([rows, model.hiddenSize], new Float32Array(rows * model.hiddenSize).fill(0.1));
  if (backward) await engine.backward({ ...call, cotangent: cotangent(), wantHiddenStates: true });
  await sleep(workMs);
}
