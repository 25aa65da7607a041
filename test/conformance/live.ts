/**
 * The live half of the conformance tests, for continuous integration: transformers and PEFT, as installed for the given python, make the fixtures
 * again; and PEFT loads adapters that our client wrote, and must give our logits.
 *
 *     npm run conformance -- --python PATH
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Adapter,
  ClientBundle,
  connect,
  makeBatch,
  Prefix,
  RemoteModel,
  SoftPrompt,
  SplitModel,
} from '../../clients/typescript/index.js';
import { packageRoot } from '../../src/package-root.js';
import { writeTensors } from '../../src/safetensors/tensors-file.js';
import { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { readCurves } from '../support/curves.js';
import { startGateway } from '../support/gateway-process.js';
import { packedFixture } from '../support/packed-fixture.js';

const fixtures = ['gpt2-tiny', 'llama-tiny', 'llama3-tiny'];
/** The harder cut: every span's graphs take part. The others are held to the committed values by `npm test`. */
const cut = { bottom: 1, top: 1 };

const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' } } });
const script = join(packageRoot(), 'test', 'conformance', 'check_live.py');
let failures = 0;

check('fixtures, made again', []);
for (const fixture of fixtures) await checkAdapters(fixture);
process.exitCode = failures === 0 ? 0 : 1;

/** Writes the final adapters of the training curves and has PEFT compare logits. */
async function checkAdapters(fixture: string): Promise<void> {
  const curves = await readCurves(fixture);
  const { backboneDir, bundleDir } = await packedFixture(fixture, cut);
  const gateway = await startGateway({ backboneDir });
  const bundle = await ClientBundle.open(bundleDir);
  const connection = await connect({ address: gateway.address, ca: gateway.caFile!, token: await gateway.token('conformance') });
  const work = mkdtempSync(join(tmpdir(), 'cutlayer-live-'));
  try {
    const model = new SplitModel(bundle, new RemoteModel(connection));
    for (const method of ['softPrompt', 'prefix'] as const) {
      const value = curves.tensors.get(curves.curves.find((curve) => curve.method === method)!.final)!;
      const adapter: Adapter = method === 'softPrompt' ? new SoftPrompt(bundle, value) : new Prefix(bundle, value);
      const dir = join(work, method);
      await adapter.save(dir);
      const logits = join(work, `${method}.safetensors`);
      await writeTensors(
        logits,
        await allLogits(
          model,
          adapter,
          curves.batches[0]!.map((example) => [...example.tokenIds]),
        ),
      );
      const checkpoint = join(packageRoot(), 'test', 'fixtures', fixture);
      check(`${fixture} at ${cut.bottom}, ${cut.top}: ${method}`, ['--adapter', dir, '--checkpoint', checkpoint, '--logits', logits]);
    }
  } finally {
    connection.close();
    await bundle.close();
    await gateway.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

/** Logits after every real token, each from the sequence up to that token: [N, V], with the right-padded batch that they belong to. */
async function allLogits(model: SplitModel, adapter: Adapter, sequences: readonly (readonly number[])[]): Promise<Record<string, Tensor>> {
  const beginnings = sequences.flatMap((ids) => ids.map((_, last) => ids.slice(0, last + 1)));
  const batch = makeBatch(beginnings.map((ids) => ({ tokenIds: Int32Array.from(ids), labelMask: new Uint8Array(ids.length) })));
  const logits = await model.nextLogits(batch, await adapter.parts());
  const longest = Math.max(...sequences.map((ids) => ids.length));
  const tokenIds = BigInt64Array.from(
    sequences.flatMap((ids) => [...ids, ...Array<number>(longest - ids.length).fill(0)]),
    BigInt,
  );
  return {
    tokenIds: tensor('int64', [sequences.length, longest], tokenIds),
    lengths: tensor(
      'int64',
      [sequences.length],
      BigInt64Array.from(sequences, (ids) => BigInt(ids.length)),
    ),
    logits: f32(logits.shape, logits.data),
  };
}

/** Runs the python side; its findings go to the terminal. */
function check(title: string, args: readonly string[]): void {
  process.stdout.write(`${title}: `);
  const { status, error } = spawnSync(values.python, [script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) return;
  process.stdout.write(`failed${error === undefined ? '' : `: ${error.message}`}\n`);
  failures += 1;
}
