/** kill -9 of either side in the middle of training or of a text costs time, and nothing else. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Semaphore } from 'async-mutex';
import {
  ClientBundle,
  type Connection,
  connect,
  type Example,
  generateTokens,
  loadExamples,
  makeBatch,
  RemoteModel,
  SoftPrompt,
  SplitModel,
  TrainingClient,
  train,
} from '../../clients/typescript/index.js';
import { f32 } from '../../src/tensor/tensor.js';
import { cutlayerHere } from '../support/command-here.js';
import { thorough } from '../support/exhaustive.js';
import { startGatewayHere } from '../support/gateway-here.js';
import { type GatewayProcess, MAIN, startGateway } from '../support/gateway-process.js';
import { packedFixture } from '../support/packed-fixture.js';
import { writeNotes } from '../support/training-data.js';

describe('kill -9', () => {
  let dir: string;
  let bundleDir: string;
  let gateway: GatewayProcess;
  let bundle: ClientBundle;
  let examples: readonly Example[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-crash-'));
    const packed = await packedFixture('llama-tiny');
    bundleDir = packed.bundleDir;
    gateway = await startGateway({ backboneDir: packed.backboneDir, stateDir: join(dir, 'state') });
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    writeNotes(join(dir, 'train.jsonl'), 24, 1);
    examples = await loadExamples(join(dir, 'train.jsonl'), bundle.tokenizer, { maxLength: 60 });
    await writeFile(join(dir, 'token'), await gateway.token('acme'));
  });

  after(async () => {
    await bundle?.close();
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const open = (onRetry?: () => void) =>
    connect({
      address: gateway.address,
      ca: gateway.caFile!,
      tokenFile: join(dir, 'token'),
      ...(onRetry === undefined ? {} : { onRetry }),
    });

  const losses = async (name: string, connection: Connection, onStep: (step: number) => void): Promise<readonly number[]> => {
    const adapter = await SoftPrompt.create(bundle, 4, { init: 'SAMPLE_VOCAB', seed: 2 });
    const seen: number[] = [];
    await train(new TrainingClient(bundle, connection, adapter), {
      outDir: join(dir, name),
      examples,
      totalSteps: 10,
      batchSize: 4,
      accumulation: 2,
      onEvent: (event) => {
        if (event.type !== 'step') return;
        seen.push(event.loss);
        onStep(event.step);
      },
    });
    return seen;
  };

  it('of the gateway in the middle of training: the client waits for it and goes on with the losses of an undisturbed run', async () => {
    let connection = await open();
    const undisturbed = await losses('undisturbed', connection, () => undefined);
    connection.close();
    let repeated = 0;
    let restarted: Promise<void> | undefined;
    connection = await open(() => {
      repeated += 1;
    });
    const disturbed = await losses('disturbed', connection, (step) => {
      // The next step's calls are on their way while the gateway dies.
      if (step === 4) restarted = killAndRestart();
    });
    await restarted;
    connection.close();
    assert.ok(repeated > 0, 'the client noticed');
    assert.deepEqual(disturbed, undisturbed);
  });

  thorough('of the gateway between Forward and Backward: the client sends the step again and gets the same cotangent', async () => {
    const connection = await open();
    const remote = new RemoteModel(connection);
    const values = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(i));
    const input = {
      hiddenStates: f32([2, 5, 32], values(320, 1)),
      lengths: [5, 3],
      adapter: { kind: 'softPrompt', value: f32([3, 32], values(96, 0.5)) },
      positions: [2, 6, 9],
    } as const;
    const cotangent = f32([3, 32], values(96, 0.1));
    const wanted = await (await remote.forward(input)).backward(cotangent, { wantHiddenStates: true });
    const step = await remote.forward(input);
    await killAndRestart();
    const sent = connection.counters.bytesUp;
    const again = await step.backward(cotangent, { wantHiddenStates: true });
    assert.deepEqual(again, wanted);
    assert.equal(connection.counters.bytesUp - sent, (5 + 3 + 3 + 3) * 32 * 4, 'the inputs went up once more');
    connection.close();
  });

  it('is survived by a gateway that has room for hardly a step: evicted steps are sent again and give the same gradients', async () => {
    const { backboneDir } = await packedFixture('llama-tiny');
    const small = await startGatewayHere({ backboneDir, start: { residualMemory: '30KiB' } });
    const roomy = await open();
    const cramped = await connect({ address: small.address, ca: small.caFile!, token: await small.token('acme') });
    const parts = await (await SoftPrompt.create(bundle, 4, { init: 'SAMPLE_VOCAB', seed: 2 })).parts();
    const batches = [0, 4, 8, 12, 16, 20].map((at) => makeBatch(examples.slice(at, at + 4)));
    const gradients = async (connection: Connection, depth: number) => {
      const model = new SplitModel(bundle, new RemoteModel(connection));
      const pipeline = new Semaphore(depth);
      return Promise.all(batches.map((batch) => pipeline.runExclusive(() => model.gradient(batch, parts))));
    };
    const wanted = await gradients(roomy, 1);
    const once = roomy.counters.bytesUp;
    assert.deepEqual(await gradients(cramped, 6), wanted);
    assert.ok(cramped.counters.bytesUp > once, 'at least one step was sent again');
    roomy.close();
    cramped.close();
    await small.stop();
  });

  thorough('of the client: --resume gives the metrics and the adapter of a run that never stopped', async () => {
    await trainHere('cli-whole');
    const killed = clientTrain('cli-killed');
    await metricsHold(join(dir, 'cli-killed', 'metrics.jsonl'), 7, killed);
    killed.kill('SIGKILL');
    await exit(killed);
    assert.ok(!existsSync(join(dir, 'cli-killed', 'adapter')), 'it was killed before its end');
    await trainHere('cli-killed', '--resume');
    assert.deepEqual(await stepLosses('cli-killed'), await stepLosses('cli-whole'));
    assert.deepEqual(await adapterBytes('cli-killed'), await adapterBytes('cli-whole'));
  });

  thorough('is not needed: ctrl-C writes a checkpoint, says how to go on, and exits with 130', async () => {
    const stopped = clientTrain('cli-stopped');
    let log = '';
    stopped.stderr!.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    await metricsHold(join(dir, 'cli-stopped', 'metrics.jsonl'), 3, stopped);
    stopped.kill('SIGINT');
    assert.equal(await exit(stopped), 130);
    assert.match(log, /The checkpoint is in .*; go on with the same command plus --resume/);
    await trainHere('cli-stopped', '--resume');
    assert.deepEqual(await stepLosses('cli-stopped'), await stepLosses('cli-whole'));
    assert.deepEqual(await adapterBytes('cli-stopped'), await adapterBytes('cli-whole'));
  });

  thorough('of the gateway in the middle of a text: its session is replayed, and the tokens are the same', async () => {
    let repeated = 0;
    const connection = await open(() => {
      repeated += 1;
    });
    const prompt = [...examples[0]!.tokenIds];
    const text = async (onToken?: (count: number) => void): Promise<readonly number[]> => {
      const ids: number[] = [];
      const options = { maxNewTokens: 16, minTokens: 16, temperature: 1, seed: 4 };
      for await (const id of generateTokens(new SplitModel(bundle, new RemoteModel(connection)), undefined, prompt, options)) {
        ids.push(id);
        onToken?.(ids.length);
      }
      return ids;
    };
    const undisturbed = await text();
    assert.equal(undisturbed.length, 16);
    let restarted: Promise<void> | undefined;
    const disturbed = await text((count) => {
      // The next token's rows are on their way while the gateway dies.
      if (count === 5) restarted = killAndRestart();
    });
    await restarted;
    connection.close();
    assert.ok(repeated > 0, 'the client noticed');
    assert.deepEqual(disturbed, undisturbed);
  });

  thorough('of the client in the middle of a file of prompts: --resume gives the answers of a run that never stopped', async () => {
    await writeFile(join(dir, 'prompts.jsonl'), Array.from({ length: 60 }, (_, at) => `{"prompt": "pump ${at}"}\n`).join(''));
    const args = (out: string, ...more: readonly string[]): readonly string[] => [
      ...['client', 'generate', '--bundle', bundleDir, '--gateway', gateway.address, '--ca', gateway.caFile!],
      ...['--token-file', join(dir, 'token'), '--prompts', join(dir, 'prompts.jsonl'), '--out', join(dir, out), '--batch', '2'],
      ...['--max-new-tokens', '12', '--temperature', '1', '--seed', '3', '--threads', '1', ...more],
    ];
    assert.equal((await cutlayerHere(args('answers-whole.jsonl'))).code, 0);
    const killed = spawn(process.execPath, [MAIN, ...args('answers-killed.jsonl')], { stdio: 'ignore' });
    const lines = async (out: string) => (await readFile(join(dir, out), 'utf8').catch(() => '')).split('\n').length - 1;
    while ((await lines('answers-killed.jsonl')) < 6) {
      assert.equal(killed.exitCode, null, 'it was killed before its end');
      await sleep(5);
    }
    killed.kill('SIGKILL');
    await exit(killed);
    assert.ok((await lines('answers-killed.jsonl')) < 60);
    const { code, stderr } = await cutlayerHere(args('answers-killed.jsonl', '--resume'));
    assert.equal(code, 0, stderr);
    assert.deepEqual(await readFile(join(dir, 'answers-killed.jsonl')), await readFile(join(dir, 'answers-whole.jsonl')));
  });

  // The last one: it leaves no gateway.
  thorough('of the gateway for good: the client gives up after its time', async () => {
    const connection = await connect({
      address: gateway.address,
      ca: gateway.caFile!,
      tokenFile: join(dir, 'token'),
      retry: { retryForMs: 300, initialDelayMs: 50 },
    });
    await gateway.kill();
    const model = new SplitModel(bundle, new RemoteModel(connection));
    await assert.rejects(model.evaluate(makeBatch(examples.slice(0, 1)), undefined), { code: 'UNAVAILABLE', message: /gave up/ });
    connection.close();
  });

  async function killAndRestart(): Promise<void> {
    const dead = gateway;
    await dead.kill();
    gateway = await dead.restart();
  }

  /** Trains to the end. */
  async function trainHere(out: string, ...more: readonly string[]): Promise<void> {
    const { code, stderr } = await cutlayerHere(trainArguments(out, ...more));
    assert.equal(code, 0, stderr);
  }

  /** Trains in a process of its own, which can be killed. */
  function clientTrain(out: string): ChildProcess {
    return spawn(process.execPath, [MAIN, ...trainArguments(out)], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  function trainArguments(out: string, ...more: readonly string[]): readonly string[] {
    const args = ['client', 'train', '--bundle', bundleDir, '--gateway', gateway.address, '--ca', gateway.caFile!];
    args.push('--token-file', join(dir, 'token'), '--data', join(dir, 'train.jsonl'), '--out', join(dir, out));
    args.push('--steps', '40', '--batch', '4', '--virtual-tokens', '4', '--checkpoint-every', '3', '--threads', '1', ...more);
    return args;
  }

  async function stepLosses(out: string): Promise<readonly (readonly [number, number])[]> {
    const lines = (await readFile(join(dir, out, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line) as { step: number; loss: number }).map(({ step, loss }) => [step, loss]);
  }

  const adapterBytes = (out: string) => readFile(join(dir, out, 'adapter', 'adapter_model.safetensors'));
});

/** The exit code of a process, also when it has ended already. */
async function exit(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Resolves when a run has written that many steps. Looks at the file whenever the process says something. */
async function metricsHold(file: string, steps: number, child: ChildProcess): Promise<void> {
  for await (const _ of child.stderr!.iterator({ destroyOnReturn: false })) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text.split('\n').length > steps) return;
  }
  throw new Error(`the client ended before step ${steps}`);
}
