/**
 * The live half of the conformance tests, for continuous integration: transformers and PEFT, as installed for the given python, make the fixtures
 * again, and checkpoints of every family with other weights, against which the packed halves are held; and PEFT loads adapters that our client wrote,
 * of every method, and must give our logits.
 *
 *     npm run conformance -- --python PATH
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '../../clients/typescript/connection/connect.js';
import type { Example } from '../../clients/typescript/data/examples.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../clients/typescript/model/split-model.js';
import { TrainingClient } from '../../clients/typescript/training/training-client.js';
import { packageRoot } from '../../src/files/package-root.js';
import { writeTensors } from '../../src/safetensors/tensors-file.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { startGateway } from '../support/gateway-process.js';
import { allLogits, caseAdapter, methodCaseNames, methodFamilies, readMethodCase } from '../support/method-curves.js';
import { packedFixture } from '../support/packed-fixture.js';
import { checkFamilies } from './live-families.js';

/** The harder cut: every span's graphs take part. The others are held to the committed values by `npm test`. */
const cut = { bottom: 1, top: 1 };
/** Steps taken before an adapter is saved: what PEFT loads has been trained here. */
const steps = 2;

/**
 * The instruction set on which torch made the committed values: AVX2. With AVX-512 torch sums in
 * another order, and after 30 steps a few of its own values differ by more than the tolerance.
 */
const referenceInstructions = { ATEN_CPU_CAPABILITY: 'avx2', ONEDNN_MAX_CPU_ISA: 'AVX2' };

const { values } = parseArgs({
  options: { python: { type: 'string', default: 'python3' }, 'adapters-only': { type: 'boolean', default: false } },
});
const script = join(packageRoot(), 'test', 'conformance', 'check_live.py');
let failures = 0;

if (!values['adapters-only']) {
  check('fixtures, made again', [], referenceInstructions);
  failures += await checkFamilies(values.python, 1000);
}
const work = mkdtempSync(join(tmpdir(), 'cutlayer-live-'));
try {
  const written: Written[] = [];
  for (const family of methodFamilies()) written.push(...(await writeAdapters(family)));
  const list = join(work, 'adapters.json');
  writeFileSync(list, JSON.stringify(written));
  check(`${written.length} adapters written here, loaded by PEFT`, ['--adapters', list]);
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;

/** What the python side compares. */
interface Written {
  readonly title: string;
  readonly adapter: string;
  readonly checkpoint: string;
  readonly logits: string;
}

/** Trains each method a little, saves it, and computes its logits. */
async function writeAdapters(family: string): Promise<readonly Written[]> {
  const { backboneDir, bundleDir } = await packedFixture(family, cut);
  const gateway = await startGateway({ backboneDir });
  const bundle = await ClientBundle.open(bundleDir);
  const connection = await connect({ address: gateway.address, ca: gateway.caFile!, token: await gateway.token('conformance') });
  const written: Written[] = [];
  try {
    const model = new SplitModel(bundle, new RemoteModel(connection));
    for (const { name } of methodCaseNames(family)) {
      const item = await readMethodCase(family, name);
      const adapter = await caseAdapter(bundle, item, item.initial);
      const client = new TrainingClient(bundle, connection, adapter, {
        learningRate: item.optimizer.learningRate,
        optimizer: item.optimizer,
      });
      for (let step = 0; step < steps; step++) {
        void client.forwardBackward(item.batches[step]!);
        await client.optimStep();
      }
      const dir = join(work, family, name);
      mkdirSync(dir, { recursive: true });
      await adapter.save(dir);
      const logits = join(work, family, `${name}.safetensors`);
      await writeTensors(logits, { ...batchTensors(item.logitsBatch), logits: await allLogits(model, adapter, item.logitsBatch) });
      const checkpoint = join(packageRoot(), 'test', 'fixtures', family);
      written.push({ title: `${family} at ${cut.bottom}, ${cut.top}: ${name}`, adapter: saved(dir), checkpoint, logits });
    }
    return written;
  } finally {
    connection.close();
    await bundle.close();
    await gateway.stop();
  }
}

/** PEFT's directory, or the one file of whole weights that full training saves. */
function saved(dir: string): string {
  if (existsSync(join(dir, 'adapter_config.json'))) return dir;
  const files = readdirSync(dir).filter((file) => file.endsWith('.safetensors'));
  return files.length === 1 ? join(dir, files[0]!) : dir;
}

/** A right-padded batch as the python side reads it. */
function batchTensors(examples: readonly Example[]): Record<string, Tensor> {
  const sequence = Math.max(...examples.map(({ tokenIds }) => tokenIds.length));
  const ids = examples.flatMap(({ tokenIds }) => [...tokenIds, ...Array<number>(sequence - tokenIds.length).fill(0)]);
  const perExample = (values: readonly number[]) => tensor('int64', [examples.length], BigInt64Array.from(values, BigInt));
  const tasks = examples.flatMap(({ task }) => task ?? []);
  return {
    tokenIds: tensor('int64', [examples.length, sequence], BigInt64Array.from(ids, BigInt)),
    lengths: perExample(examples.map(({ tokenIds }) => tokenIds.length)),
    ...(tasks.length > 0 ? { taskIds: perExample(tasks) } : {}),
  };
}

/** Runs the python side; its findings go to the terminal. */
function check(title: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  process.stdout.write(`${title}: `);
  const { status, error } = spawnSync(values.python, [script, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  if (status === 0) return;
  process.stdout.write(`failed${error === undefined ? '' : `: ${error.message}`}\n`);
  failures += 1;
}
