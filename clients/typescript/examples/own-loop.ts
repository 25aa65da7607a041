/**
 * Layer 2: a training loop of one's own from four verbs.
 *
 *   node dist/clients/typescript/examples/own-loop.js BUNDLE HOST:PORT CA_FILE TOKEN_FILE DATA
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientBundle, connect, loadExamples, SoftPrompt, schedule, TrainingClient } from '../index.js';

const [bundleDir, address, ca, tokenFile, dataFile] = process.argv.slice(2) as [string, string, string, string, string];

const bundle = await ClientBundle.open(bundleDir);
const connection = await connect({ address, ca, tokenFile });
const adapter = await SoftPrompt.create(bundle, 8, { init: 'SAMPLE_VOCAB', seed: 0 });
const client = new TrainingClient(bundle, connection, adapter, {
  learningRate: 0.02,
  schedule: schedule('linear', { totalSteps: 10, warmupSteps: 2 }),
  maxGradNorm: 1,
});
const examples = await loadExamples(dataFile, bundle.tokenizer, { maxLength: client.model.maxLength(adapter.numVirtualTokens) });

for (let step = 0; step < 10; step++) {
  // Two concurrent micro-batches of four; they add up in the order of the calls.
  const at = (step * 8) % Math.max(1, examples.length - 8);
  await Promise.all([client.forwardBackward(examples.slice(at, at + 4)), client.forwardBackward(examples.slice(at + 4, at + 8))]);
  const { loss, gradNorm } = await client.optimStep();
  console.log(`step ${step}: loss ${loss.toFixed(4)}, gradient norm ${gradNorm.toFixed(3)}`);
}

// Adapter in PEFT's format, and the optimizer's state beside it.
const state = join(await mkdtemp(join(tmpdir(), 'cutlayer-example-')), 'state');
await client.saveState(state, { note: 'after 10 steps' });
console.log(`saved to ${state}: ${JSON.stringify(await client.loadState(state))}`);

process.stdout.write('sample: ');
for await (const piece of client.sample('The pump', { maxNewTokens: 12 })) process.stdout.write(piece);
process.stdout.write('\n');

connection.close();
await bundle.close();
