/**
 * A4: what A1, A2 and A3 each use, together. Several beginnings of a text are kept at once. A next
 * token is scored by its row behind the held blocks, its share in other texts, and the label that
 * the cotangent shows. A2 and the texts say which tokens to try.
 * @see Chen et al., arXiv:2409.00960 (inversion from both ends, warm-started by a learned one)
 */
import type { Tensor } from '../../../../src/tensor/tensor.js';
import type { StepParts } from '../../adapters/adapter.js';
import { type AttackRun, attacker, type VendorView } from '../attacker.js';
import { CandidateRows } from '../candidate-rows.js';
import { type Inverter, inverterMissing, inverterOf } from '../inverter.js';
import { tokenMeasures } from '../metrics.js';
import { type JudgedRow, RowChannel } from '../row-channel.js';
import { RowLaw, type RowPairs } from '../row-law.js';
import type { SeenRecord } from '../seen.js';
import { TextPrior } from '../text-prior.js';
import { positionRows, sentRows, textRows } from '../text-rows.js';
import { matches } from '../wire-matches.js';
import { cotangentsMissing, labelsOfRecord } from './known-head.js';

/** Beginnings that are kept. */
const BEAM = 8;
/** Tokens that are tried behind each: by the inverter, and by the texts. */
const BY_ROWS = 24;
const BY_TEXT = 8;
/** Where none of them explains the row: so many more, by the inverter. */
const MOST_CANDIDATES = 2048;
/** Nats of the label that the cotangent shows. */
const LABEL = 4;
/** Texts from which the law of rows is learned. */
const TEXTS = 64;

/** What an attack knows of the data. */
interface Knowledge {
  readonly inverter: Inverter;
  readonly prior: TextPrior;
  readonly law: RowLaw | RowChannel;
  /** Whether cotangents show labels. */
  readonly labels: boolean;
}

/** The rows of candidates behind a beginning. */
interface Behind extends Pick<CandidateRows, 'width' | 'run'> {
  after(token: number): Promise<Behind>;
}

interface Beginning {
  readonly tokens: readonly number[];
  readonly score: number;
  readonly behind: Behind;
}

export const jointSearch = attacker<readonly (readonly number[])[]>({
  id: 'A4',
  title: 'search by rows, texts and cotangents together',
  knows: 'what A1, A2 and A3 know',
  says: `${BEAM} beginnings of each text are kept; tokens are scored by the rows that the held blocks give, by texts of the same kind and by the cotangents.`,
  async skipped(view) {
    if (view.bundle.dims.bottom > 0 && !view.bundle.decoders.complete)
      return 'the bundle was packed without graphs to decode through its blocks; the vendor must pack it again';
    return inverterMissing(view);
  },
  async attack(view, run) {
    const { records, others, bundle, wire } = view;
    const { signal, progress } = run;
    const inverter = await inverterOf(view, { signal, onProgress: (done, total) => progress(done, total + records) });
    const parts = await view.parts(0);
    // Through the vendor's own blocks the exact law is none where blocks are trained in secret.
    const exact = bundle.holdsSome('bottom', parts.blockWeights) ? undefined : view.rowTransform;
    const law = exact === undefined ? await learnedLaw(view, parts, signal) : new RowChannel(exact, wire);
    const known = {
      ...{ inverter, prior: new TextPrior(bundle.vocabSize, others), law },
      labels: (await cotangentsMissing(view)) === undefined && parts.classifier === undefined,
    };
    const guesses: (readonly number[])[] = [];
    for (let at = 0; at < records; at++) {
      guesses.push(await run.kept(`record ${at}`, () => searched(view, known, at, run)));
      progress(at + 1, records);
    }
    return guesses;
  },
  score: tokenMeasures,
});

/** From texts that the vendor sends itself. */
async function learnedLaw({ bundle, others, wire, imitate }: VendorView, parts: StepParts, signal?: AbortSignal): Promise<RowLaw> {
  const pairs: RowPairs[] = [];
  for (const tokens of others.slice(0, TEXTS)) {
    const sent = await sentRows(bundle, await imitate(tokens, signal), virtualTokensOf(parts), signal);
    pairs.push({ sent, exact: await textRows(bundle, parts, tokens, signal) });
  }
  return new RowLaw(pairs, matches[wire]);
}

/** How rows of a record are judged: a sent row, its place, and a candidate's row. */
type Judge = (place: number, exact: Float32Array) => JudgedRow;

async function judgeOf(
  { bundle }: VendorView,
  { law }: Knowledge,
  { rows: sent, virtualTokens }: SeenRecord,
  signal?: AbortSignal,
): Promise<Judge> {
  if (law instanceof RowLaw) {
    const rows = await sentRows(bundle, sent, virtualTokens, signal);
    return (place, exact) => {
      const distance = law.distance(rowOf(rows, place), exact);
      return { distance, logLikelihood: law.logLikelihood(distance) };
    };
  }
  // The transform is of rows with their positions.
  const positions = await positionRows(bundle, sent.shape[0]!, virtualTokens, signal);
  return (place, exact) => law.judge(rowOf(sent, place), law.lawOf(exact, positions?.[place]));
}

async function searched(view: VendorView, known: Knowledge, at: number, { signal }: AttackRun): Promise<readonly number[]> {
  const { inverter, prior, law } = known;
  const seen = await view.record(at);
  const { rows: sent, length } = seen;
  const judge = await judgeOf(view, known, seen, signal);
  const labels = new Map(known.labels ? (await labelsOfRecord(view, at, signal)).map(({ token, label }) => [token, label]) : []);
  let beam: readonly Beginning[] = [{ tokens: [], score: 0, behind: await begun(view, at) }];
  for (let place = 0; place < length; place++) {
    signal?.throwIfAborted();
    const byRows = inverter.likeliest(sent, place, BY_ROWS).map(({ token }) => token);
    const label = labels.get(place);
    const next: (Beginning & { readonly distance: number })[] = [];
    const tried = async (beginning: Beginning, all: readonly number[]): Promise<void> => {
      const candidates = all.slice(0, beginning.behind.width);
      const found = await beginning.behind.run(candidates, signal);
      for (const [index, token] of candidates.entries()) {
        const { distance, logLikelihood } = judge(place, rowOf(found, index));
        const gained = logLikelihood + prior.logProbability(token, beginning.tokens) + (token === label ? LABEL : 0);
        next.push({ ...beginning, tokens: [...beginning.tokens, token], score: beginning.score + gained, distance });
      }
      if (all.length > candidates.length) await tried(beginning, all.slice(candidates.length));
    };
    for (const one of beam)
      await tried(one, [...new Set([...byRows, ...prior.likeliest(one.tokens, BY_TEXT), ...(label === undefined ? [] : [label])])]);
    if (!next.some(({ distance }) => law.explains(distance)))
      await tried(
        beam[0]!,
        inverter
          .likeliest(sent, place, MOST_CANDIDATES)
          .slice(BY_ROWS)
          .map(({ token }) => token),
      );
    next.sort((a, b) => b.score - a.score);
    beam = await Promise.all(next.slice(0, BEAM).map(async (one) => ({ ...one, behind: await one.behind.after(one.tokens.at(-1)!) })));
  }
  return beam[0]!.tokens;
}

/** Before the first token. */
async function begun({ bundle, parts }: VendorView, at: number): Promise<Behind> {
  const { blockWeights: _, ...given } = await parts(at);
  if (bundle.dims.bottom > 0) return new CandidateRows(bundle, given);
  const table: Behind = { width: MOST_CANDIDATES, run: (candidates) => bundle.embed(candidates), after: async () => table };
  return table;
}

const virtualTokensOf = ({ softPrompt, prefix }: StepParts): number => softPrompt?.shape[0] ?? prefix?.shape[2] ?? 0;

function rowOf({ shape, data }: Tensor<'float32'>, row: number): Float32Array {
  const d = shape[1]!;
  return data.subarray(row * d, (row + 1) * d);
}
