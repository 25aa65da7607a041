/**
 * A3u: without the head, cotangents still say which labels are the same: those of one label point
 * in similar directions. Pairs of rows are told apart by the cosine of their cotangents, or by how
 * near their norms are; the better of the two counts. Through held top blocks a row's cotangent
 * goes along the residual stream, so that its direction is still that of its own label.
 */
import { seeded } from '../../../../src/tensor/random.js';
import { attacker } from '../attacker.js';
import { dot } from '../dot.js';
import { labelsOf } from '../metrics.js';
import { auc, rocMeasures, type Scores } from '../roc.js';
import { predictedTokens } from '../seen.js';
import { noCotangents } from './known-head.js';

/** Pairs that are judged at most. */
const PAIRS = 4000;

/** A pair of rows of cotangents, each by its record and its token. */
interface Pair {
  readonly places: readonly (readonly [record: number, token: number])[];
  readonly cosine: number;
  readonly norms: number;
}

export const cotangentClusters = attacker<readonly Pair[]>({
  id: 'A3u',
  title: 'which labels are the same, with an unknown head',
  knows: 'the cotangents alone; with held top blocks also which rows have a label, as the wanted rows say without',
  says: '100 % tells every pair of equal labels from every pair of different ones; no label gets a name by it.',
  skipped: noCotangents,
  async attack(view) {
    const places: (readonly [number, number])[] = [];
    const values: Float32Array[] = [];
    for (let at = 0; at < view.records; at++) {
      const seen = await view.record(at);
      const d = view.bundle.dims.hiddenSize;
      const labelled = new Set(view.labelled(at));
      for (const [row, token] of predictedTokens(seen).entries()) {
        if (!labelled.has(token)) continue;
        places.push([at, token]);
        values.push(seen.cotangents!.data.slice(row * d, (row + 1) * d));
      }
    }
    const norms = values.map((value) => Math.sqrt(dot(value, value)));
    const random = seeded(places.length);
    return Array.from({ length: places.length > 1 ? PAIRS : 0 }, () => {
      const a = random.integer(places.length);
      const b = (a + 1 + random.integer(places.length - 1)) % places.length;
      const cosine = dot(values[a]!, values[b]!) / (norms[a]! * norms[b]! || 1);
      return { places: [places[a]!, places[b]!], cosine, norms: -Math.abs(norms[a]! - norms[b]!) };
    });
  },
  score(pairs, { examples, own, classes, seed }) {
    const labels = examples.map((example) => labelsOf(example, classes !== undefined));
    const labelAt = ([record, token]: Pair['places'][number]) => labels[record]!.get(classes === undefined ? token : 0);
    const judged = pairs.filter(({ places }) => places.every((place) => place[0] < own && labelAt(place) !== undefined));
    const same = judged.map(({ places }) => labelAt(places[0]!) === labelAt(places[1]!));
    const scores = (by: 'cosine' | 'norms'): Scores => {
      const of = (wanted: boolean) => judged.filter((_, at) => same[at] === wanted).map((pair) => pair[by]);
      return { wanted: of(true), others: of(false) };
    };
    if (!same.includes(true) || !same.includes(false)) return [];
    const by = auc(scores('cosine')) >= auc(scores('norms')) ? 'cosine' : 'norms';
    return rocMeasures(`equal labels, by ${by === 'cosine' ? 'direction' : 'norm'} (interval over pairs)`, scores(by), seed);
  },
});
