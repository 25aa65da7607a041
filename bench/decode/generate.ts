/** One greedy continuation, head included, against transformers' `generate` on torch. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ClientBundle, RemoteModel, SplitModel } from '../../clients/typescript/index.js';
import { DecodeSession } from '../../clients/typescript/inference/decode-session.js';
import { seeded } from '../../test/support/random.js';
import { startBaseline } from '../baseline.js';
import { openGatewayTrainer } from '../gateway-trainer.js';
import { paired } from '../paired.js';
import type { Report } from '../report.js';
import type { Model } from '../session.js';
import { connectAs } from './gateway.js';

/** Tokens of the prompt: less than a block, so that nothing is kept of it. */
const PROMPT = 32;

/** Measures `tokens` greedy tokens. */
export async function benchGenerate(report: Report, model: Model, tokens: number, rounds: number, python: string): Promise<void> {
  const baseline = await startBaseline(python, join('decode', 'generate_baseline.py'), ['--checkpoint', model.checkpointDir]);
  if (baseline === undefined) {
    report.note('transformers generate: skipped, no python with torch and transformers (name one with --python)');
    return;
  }
  const { gateway, close } = await openGatewayTrainer(model, { batch: 1, sequence: 8, virtualTokens: 1 });
  const connection = await connectAs('generates', model, gateway);
  const bundle = await ClientBundle.open(join(model.packedDir, 'client-bundle'), { threads: availableParallelism(), verify: false });
  try {
    const split = new SplitModel(bundle, new RemoteModel(connection));
    const random = seeded(1);
    const ours = async (): Promise<void> => {
      let ids = Array.from({ length: PROMPT }, () => Math.floor(random() * bundle.vocabSize));
      const session = await DecodeSession.open(split, {}, { maxTokens: PROMPT + tokens });
      for (let at = 0; at < tokens; at++) {
        const { data } = await bundle.logits(await session.append(ids));
        ids = [greatest(data)];
      }
      session.close();
    };
    let seed = 0;
    const pair = await paired(ours, () => baseline.ask(`generate ${PROMPT} ${tokens} ${seed++}`), rounds);
    const rate = (ms: number): number => (1000 * tokens) / ms;
    report.add(`one continuation through the gateway, ${PROMPT} + ${tokens} tokens, ${model.name}`, rate(pair.aMs), 'tokens/s', {
      baseline: `transformers generate, ${rate(pair.bMs).toFixed(1)} tokens/s`,
      ratio: 1 / pair.ratio,
    });
  } finally {
    connection.close();
    await bundle.close();
    await close();
    await baseline.close();
  }
}

function greatest(values: Float32Array): number {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at]! > values[best]!) best = at;
  return best;
}
