/**
 * Layer 1: the backbone as one differentiable call, and its vjp. The loss is one's own: half the
 * squared distance of the last token's hidden state from a target.
 *
 *   node dist/clients/typescript/examples/raw-backbone.js BUNDLE HOST:PORT CA_FILE TOKEN_FILE
 */
import { ClientBundle, connect, f32, RemoteModel, SoftPrompt, tensor } from '../index.js';

const [bundleDir, address, ca, tokenFile] = process.argv.slice(2) as [string, string, string, string];

const bundle = await ClientBundle.open(bundleDir);
const connection = await connect({ address, ca, tokenFile });
const remote = new RemoteModel(connection);

// Text becomes embeddings here; only those leave. (A client with blocks, k > 0, runs those too.)
const ids = BigInt64Array.from(bundle.encode('The pump lost pressure.'), BigInt);
const hiddenStates = await bundle.inputsEmbeds(tensor('int64', [1, ids.length], ids)); // [1, S, d]
const prompt = await SoftPrompt.create(bundle, 4, { init: 'SAMPLE_VOCAB', seed: 0 });
const rows = prompt.parameters[0].value.data; // [4, d], trained in place

// Rows are numbered flat: 4 prompt rows, then the text; only the last token's row is asked for.
const last = prompt.numVirtualTokens + ids.length - 1;
const target = new Float32Array(bundle.dims.hiddenSize);
for (let step = 0; step < 5; step++) {
  const { output, backward } = await remote.forward({
    hiddenStates,
    lengths: [ids.length],
    adapter: { kind: 'softPrompt', value: prompt.parameters[0].value },
    positions: [last],
  });
  const difference = output.data.map((value, i) => value - target[i]!);
  const loss = 0.5 * difference.reduce((sum, value) => sum + value * value, 0);
  const { adapter } = await backward(f32(output.shape, difference)); // [4, d]
  const gradient = adapter!.data;
  console.log(`step ${step}: loss ${loss.toFixed(4)}, gradient norm ${Math.hypot(...gradient).toFixed(4)}`);
  gradient.forEach((value, i) => {
    rows[i] = rows[i]! - 0.001 * value;
  });
}
console.log(`sent ${connection.counters.bytesUp} bytes, received ${connection.counters.bytesDown}`);

connection.close();
await bundle.close();
