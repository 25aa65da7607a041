/**
 * What held blocks that are trained in secret hide on the demo's model. Tokens are recovered by the
 * vendor's own blocks, and by the trained ones.
 */
import type { AttackerId, VendorView } from '../../clients/typescript/audit/attacker.js';
import { prefixTokens } from '../../clients/typescript/audit/attackers/prefix-search.js';
import { LikelyTokens } from '../../clients/typescript/audit/likely-tokens.js';
import { type Measure, tokenMeasures } from '../../clients/typescript/audit/metrics.js';
import { runSuite } from '../../clients/typescript/audit/suite.js';
import { textRows } from '../../clients/typescript/audit/text-rows.js';
import type { Report } from '../report.js';
import { interval, openDemoModel } from './demo-model.js';

const RECORDS = 8;

/** Trains LoRA on one held block, and attacks rows that are sent afterwards. */
export async function benchTrainedBlocks(report: Report): Promise<void> {
  const demo = await openDemoModel(1);
  try {
    const examples = await demo.examples('data/train.jsonl');
    const [own, others] = [examples.slice(0, RECORDS), examples.slice(RECORDS)];
    const adapter = await demo.trained('prompt-tuning+lora', examples);
    report.add('trained blocks: exact answers', 100 * (await demo.exact(adapter)), '%');
    const { view, truth } = await demo.audited(adapter, own, others);
    const tell = (what: string, measure: Measure): void =>
      report.add(`trained blocks: tokens, ${what} ${interval(measure)}`, 100 * measure.value, '%');
    const likely = await LikelyTokens.open(demo.bundle);
    const known: (readonly number[])[] = [];
    for (let at = 0; at < view.records; at++) known.push(await prefixTokens(view, likely, { at, parts: await view.parts(at) }));
    const { softPrompt } = await view.parts(0);
    // What has learned from the trained blocks is kept by the list of texts.
    const bare: VendorView = {
      ...{ ...view, others: [...view.others] },
      imitate: (tokens, signal) => textRows(demo.bundle, softPrompt === undefined ? {} : { softPrompt }, tokens, signal),
    };
    const by = async (given: VendorView, id: AttackerId): Promise<Measure> => {
      const run = { view: given, truth, only: [id], kept: <Result>(_: string, work: () => Promise<Result>) => work() };
      return (await runSuite({ ...run, onProgress: () => undefined }))[0]!.measures[0]!;
    };
    tell("A1 by the vendor's blocks", await by(view, 'A1'));
    tell('A1 by the trained blocks', tokenMeasures(known, truth)[0]!);
    for (const id of ['A2', 'A4'] as const) {
      tell(`${id} that learned from the vendor's blocks`, await by(bare, id));
      tell(`${id} that learned from the trained blocks`, await by(view, id));
    }
  } finally {
    await demo.close();
  }
}
