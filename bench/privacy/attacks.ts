/** What a vendor makes of masked cotangents: with a head and without, and by the next prompt. */
import type { VendorView } from '../../clients/typescript/audit/attacker.js';
import { cotangentClusters } from '../../clients/typescript/audit/attackers/cotangent-clusters.js';
import { type LabelGuess, labelMeasures, type Measure } from '../../clients/typescript/audit/metrics.js';
import { labelsOfRows, type Sent } from '../../clients/typescript/audit/nearest-label.js';
import { rocMeasures, type Scores } from '../../clients/typescript/audit/roc.js';
import { predictedTokens, type SeenRecord } from '../../clients/typescript/audit/seen.js';
import type { Truth } from '../../clients/typescript/audit/truth.js';
import { AdamW } from '../../clients/typescript/optimizers/adamw.js';
import { l2Norm } from '../../src/tensor/l2-norm.js';
import { seeded } from '../../src/tensor/random.js';
import { f32 } from '../../src/tensor/tensor.js';
import { coefficientsByAdamW, coefficientsBySgd } from './coefficients.js';
import type { MaskedRun, SeenMasked, SeenRun } from './masked-steps.js';
import { combined } from './masks.js';
import { basisOf, nearestCosine, without } from './spans.js';

/** What is left of a cotangent outside a span may be so long, relative to it. */
const ROUNDING = 1e-3;
/** Pairs of rows that are compared. */
const PAIRS = 2000;

/** What each attack infers. */
export interface MaskedResult {
  /** Labels by the head, from what was sent alone, and with the next prompts. */
  readonly span: Measure;
  readonly used: Measure;
  /** Equal labels without the head, AUC: from what was sent, and from what was rebuilt. */
  readonly sentAlike: Measure;
  readonly rebuiltAlike: Measure;
}

/** All attacks. */
export async function attackMasked(run: MaskedRun, seen: SeenRun): Promise<MaskedResult> {
  const { records } = seen;
  const rebuilt = rebuiltCotangents(run, seen);
  return {
    span: await labelsBySpan(run, records, (at) => records[at]!.sent),
    used: await labelsBySpan(run, records, (at) => [rebuilt[at]!]),
    sentAlike: rocMeasures('equal labels', spansAlike(run, records), run.seed)[0]!,
    rebuiltAlike: await labelsAlike(run, records, (at) => rebuilt[at]!),
  };
}

/** Each record's own cotangent up to a factor, by what its client has made of the answers. */
export function rebuiltCotangents({ optimizer, batch, sent: count }: MaskedRun, { records, steps }: SeenRun): readonly Float32Array[] {
  const found = optimizer === 'sgd' ? coefficientsBySgd(steps) : coefficientsByAdamW(steps, new AdamW(0));
  return records.map(({ sent }, at) => {
    const first = (at % batch) * count;
    return combined(sent, found[Math.floor(at / batch)]!.subarray(first, first + count));
  });
}

/** Labels whose cotangents are sums of those given of a record. */
export async function labelsBySpan(
  run: MaskedRun,
  records: SeenRun['records'],
  cotangents: (at: number) => readonly Float32Array[],
): Promise<Measure> {
  const guesses: LabelGuess[][] = [];
  for (const [at, record] of records.entries()) {
    const tokens = predictedTokens(seenOf(record, run.virtualTokens, record.sent[0]!));
    const guess = await labelsOfRows(run.bundle, record.outputs, spanOf(cotangents(at)), {});
    guesses.push(guess.map((label, row) => ({ token: tokens[row]!, label })));
  }
  return labelMeasures(guesses, truthOf(run, records))[0]!;
}

/** A3u on all that was sent: rows of one label have spans with a direction in common. */
export function spansAlike({ bundle, examples, virtualTokens, seed }: MaskedRun, records: SeenRun['records']): Scores {
  const rows = records.flatMap(({ sent, positions }, at) =>
    positions.map((position, row) => ({
      basis: basisOf(sent, row, bundle.dims.hiddenSize),
      label: examples[at]!.tokenIds[position - virtualTokens + 1]!,
    })),
  );
  const random = seeded(seed, rows.length);
  const scores = { wanted: [] as number[], others: [] as number[] };
  for (let pair = 0; pair < PAIRS; pair++) {
    const a = random.integer(rows.length);
    const b = (a + 1 + random.integer(rows.length - 1)) % rows.length;
    const [one, other] = [rows[a]!, rows[b]!];
    scores[one.label === other.label ? 'wanted' : 'others'].push(nearestCosine(one.basis, other.basis));
  }
  return scores;
}

/** A3u on cotangents. */
async function labelsAlike(run: MaskedRun, records: SeenRun['records'], cotangents: (at: number) => Float32Array): Promise<Measure> {
  const { bundle, virtualTokens } = run;
  const record = async (at: number): Promise<SeenRecord> => seenOf(records[at]!, virtualTokens, cotangents(at));
  // It reads no more of a view.
  const labelled = (at: number): readonly number[] => predictedTokens(seenOf(records[at]!, virtualTokens, cotangents(at)));
  const view = { bundle, records: records.length, record, labelled } as Partial<VendorView> as VendorView;
  const none = { progress: () => undefined, kept: <Result>(_: string, work: () => Promise<Result>) => work() };
  return cotangentClusters.score(await cotangentClusters.attack(view, none), truthOf(run, records))[0]!;
}

function truthOf({ examples, seed }: MaskedRun, { length }: SeenRun['records']): Truth {
  const own = examples.slice(0, length);
  return { examples: own, sent: own, own: length, planted: [], classes: undefined, text: () => '', seed };
}

function seenOf({ outputs, positions }: SeenMasked, leading: number, cotangents: Float32Array): SeenRecord {
  return {
    ...{ rows: outputs, length: 0, leading, virtualTokens: leading },
    outputs,
    positions,
    cotangents: f32(outputs.shape, cotangents),
  };
}

/** A label's cotangent is a sum of those that were sent for its row. */
function spanOf(cotangents: readonly Float32Array[]): Sent {
  const bases = new Map<number, readonly Float32Array[]>();
  return {
    left(row, cotangent) {
      const basis = bases.get(row) ?? basisOf(cotangents, row, cotangent.length);
      bases.set(row, basis);
      return without(cotangent, basis);
    },
    rounding: (_, cotangent) => ROUNDING * l2Norm([cotangent]),
  };
}
