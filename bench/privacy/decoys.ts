/**
 * Decoys among the records that train an adapter, each with the same weight. Measured are what they
 * cost on the demo's task, and how well a vendor tells them from own records by what crosses.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Adapter } from '../../clients/typescript/adapters/adapter.js';
import { createAdapter } from '../../clients/typescript/adapters/registry.js';
import { nearestRow } from '../../clients/typescript/audit/attackers/nearest-row.js';
import type { Measure } from '../../clients/typescript/audit/metrics.js';
import { auc, rocMeasures, type Scores } from '../../clients/typescript/audit/roc.js';
import type { Example } from '../../clients/typescript/data/examples.js';
import { packageRoot } from '../../src/files/package-root.js';
import { l2Norm } from '../../src/tensor/l2-norm.js';
import type { Report } from '../report.js';
import { type DemoModel, interval, openDemoModel } from './demo-model.js';

/** Records of either kind that train, and that are asked about. */
const TRAINED = 240;
const ASKED = 80;
const SITES = ['north', 'south', 'river', 'mill'] as const;

/** Text that is public: what is sent as decoys, and more of its kind, which the vendor has. */
interface PublicText {
  readonly decoys: readonly Example[];
  readonly more: readonly Example[];
}

/** Trains with decoys of two kinds, and asks which records are the client's. */
export async function benchDecoys(report: Report): Promise<void> {
  const demo = await openDemoModel(0);
  try {
    const own = (await demo.examples('data/train.jsonl')).slice(0, TRAINED);
    report.add('decoys: none: exact answers', 100 * (await demo.exact(await demo.trained('prompt-tuning', own))), '%');
    const kinds = { 'notes of others': await notesOfOthers(demo), 'prose, cut to own sizes': await proseLike(demo, own) };
    for (const [kind, given] of Object.entries(kinds)) {
      const trained = await demo.trained('prompt-tuning', [...own, ...given.decoys]);
      report.add(`decoys: ${kind}: exact answers`, 100 * (await demo.exact(trained)), '%');
      for (const [when, adapter] of [['before training', await fresh(demo)] as const, ['after training', trained] as const])
        for (const [by, measure] of Object.entries(await told(demo, adapter, own.slice(0, ASKED), given)))
          report.add(`decoys: ${kind}: told ${when} by ${by}, AUC ${interval(measure)}`, 100 * measure.value, '%');
    }
  } finally {
    await demo.close();
  }
}

async function fresh({ bundle }: DemoModel): Promise<Adapter> {
  const keyValues = () => Promise.reject(new Error('no keys and values are asked for'));
  return createAdapter({ bundle, keyValues }, 'prompt-tuning', { virtualTokens: 16, seed: 0 });
}

/** How well each signal tells own records from decoys, in the better direction. */
async function told(demo: DemoModel, adapter: Adapter, own: readonly Example[], { decoys, more }: PublicText) {
  const publicText = [...decoys, ...more];
  const { view } = await demo.audited(adapter, [...own, ...decoys.slice(0, ASKED)]);
  const read = (await nearestRow.attack(view, { progress: () => undefined, kept: (_, work) => work() })) as readonly (readonly number[])[];
  const [seen, known] = [countsOf(read), countsOf(more.map(({ tokenIds }) => [...tokenIds]))];
  const corpus = publicText.map(({ tokenIds }) => spelled([...tokenIds])).join('');
  const signals: Record<string, number>[] = [];
  for (const [at, tokens] of read.entries()) {
    const { length, positions, cotangents } = await view.record(at);
    const odds = tokens.reduce((sum, token) => sum + Math.log(seen(token) / known(token)), 0) / tokens.length;
    const norm = l2Norm([cotangents!.data]) / Math.sqrt(positions.length);
    const lookUp = corpus.includes(spelled(tokens)) ? 0 : 1;
    signals.push({ length, labels: positions.length, cotangents: norm, 'words of the text': odds, 'a look-up of the text': lookUp });
  }
  const measures = Object.keys(signals[0]!).map(
    (name) =>
      [
        name,
        better(
          signals.map((one) => one[name]!),
          own.length,
        ),
      ] as const,
  );
  return Object.fromEntries(measures);
}

function better(values: readonly number[], own: number): Measure {
  const scores = (sign: 1 | -1): Scores => {
    const signed = values.map((value) => sign * value);
    return { wanted: signed.slice(0, own), others: signed.slice(own) };
  };
  const chosen = auc(scores(1)) >= 0.5 ? scores(1) : scores(-1);
  return rocMeasures('own records', chosen, 0)[0]!;
}

const spelled = (tokens: readonly number[]): string => tokens.map((token) => ` ${token} `).join('');

/** The share of each token in texts; one that they do not have counts a little. */
function countsOf(texts: readonly (readonly number[])[]): (token: number) => number {
  const counts = new Map<number, number>();
  for (const token of texts.flat()) counts.set(token, (counts.get(token) ?? 0) + 1);
  const all = texts.flat().length;
  return (token) => ((counts.get(token) ?? 0) + 0.5) / all;
}

/** Notes of the federation's sites, which others have written in the same manner. */
async function notesOfOthers({ examples }: DemoModel): Promise<PublicText> {
  const files = (part: string) => Promise.all(SITES.map((site) => examples(`federated/data/${site}-${part}.jsonl`)));
  const [decoys, more] = [await files('train'), await files('test')];
  // Of all sites alike, from the first on.
  const mixed = decoys[0]!.flatMap((_, at) => decoys.map((site) => site[at]!));
  return { decoys: mixed, more: more.flat() };
}

/** Pieces of the documentation, each as long as an own record, with as many labels. */
async function proseLike({ bundle }: DemoModel, own: readonly Example[]): Promise<PublicText> {
  const texts = ['benchmarks', 'federation', 'gateway', 'serving', 'client'].map((name) => join(packageRoot(), 'docs', `${name}.md`));
  const prose = bundle.tokenizer.encode((await Promise.all(texts.map((file) => readFile(file, 'utf8')))).join('\n'));
  let from = 0;
  const cut = ({ tokenIds, labelMask }: Example, at: number): Example => {
    const ids = Int32Array.from(prose.slice(from, from + tokenIds.length));
    from += tokenIds.length;
    return { tokenIds: ids, labelMask: labelMask.slice(), promptLength: labelMask.indexOf(1), source: `prose:${at}` };
  };
  return { decoys: own.map(cut), more: own.map(cut) };
}
