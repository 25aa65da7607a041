/**
 * Layer 3: a whole run with validation, early stopping, checkpoints and resume (as the command
 * `client train`). Started again after ctrl-C or kill -9, it goes on as if it had never stopped.
 *
 *   node dist/clients/typescript/examples/whole-run.js BUNDLE HOST:PORT CA_FILE TOKEN_FILE DATA OUT
 */
import {
  ClientBundle,
  connect,
  defaultLearningRate,
  evaluate,
  loadAdapter,
  loadExamples,
  Prefix,
  schedule,
  TrainingClient,
  train,
} from '../index.js';

const [bundleDir, address, ca, tokenFile, dataFile, outDir] = process.argv.slice(2) as [string, string, string, string, string, string];

const bundle = await ClientBundle.open(bundleDir);
const connection = await connect({
  address,
  ca,
  tokenFile,
  onRetry: ({ error }) => console.error(`waiting for the gateway: ${error.code}`),
});
const totalSteps = 20;
const client = new TrainingClient(bundle, connection, Prefix.create(bundle, 4, { seed: 0 }), {
  learningRate: defaultLearningRate('prefix-tuning'),
  schedule: schedule('cosine', { totalSteps, warmupSteps: 2 }),
  maxGradNorm: 1,
});
const all = await loadExamples(dataFile, bundle.tokenizer, { maxLength: client.model.maxLength(4), overlong: 'truncate' });
const held = Math.max(1, Math.floor(all.length / 5));
const validation = all.slice(0, held);

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
const before = await evaluate(client.model, undefined, validation);
const summary = await train(client, {
  outDir,
  examples: all.slice(held),
  validation,
  totalSteps,
  batchSize: 4,
  checkpointEvery: 5,
  patience: 3,
  resume: true,
  signal: interrupt.signal,
  onEvent: (event) => {
    if (event.type === 'step')
      console.log(`step ${event.step}: loss ${event.loss.toFixed(4)}, ${event.tokensPerSecond.toFixed(0)} tokens/s`);
    if (event.type === 'validation') console.log(`validation: loss ${event.evaluation.loss.toFixed(4)}${event.best ? ' (best)' : ''}`);
  },
});

if (summary.adapterDir !== undefined) {
  const after = await evaluate(client.model, await loadAdapter(summary.adapterDir, { bundle }), validation);
  console.log(`validation loss ${before.loss.toFixed(4)} without, ${after.loss.toFixed(4)} with the adapter in ${summary.adapterDir}`);
}
connection.close();
await bundle.close();
