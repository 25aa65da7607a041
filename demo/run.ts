/**
 * The main job, end to end. A vendor packs a checkpoint and serves its backbone over TLS; a client
 * in another process trains a soft prompt through the gateway. Then the client serves the adapter
 * to OpenAI's own client. Prints the result and writes `summary.json` and `report.html`.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CutlayerError } from '../src/errors.js';
import { writeFileAtomic } from '../src/files/atomic-file.js';
import type { ClientResult, ClientTask } from './client.js';
import { printSummary } from './print.js';
import { type GatewayProcess, runProcess, startGateway } from './processes.js';
import { renderReport } from './report.js';
import { type ServedAnswer, servedAnswer } from './served-answer.js';
import { type DemoSettings, parseSettings } from './settings.js';
import { chanceAccuracy, findSplits } from './splits.js';
import type { DemoSummary, Holding } from './summary.js';

/** Output of `cutlayer pack --json`. */
interface Packed {
  readonly backboneDir: string;
  readonly clientBundleDir: string;
  readonly parameters: { readonly backbone: number; readonly client: number };
}

async function main(settings: DemoSettings): Promise<void> {
  const out = settings.out;
  mkdirSync(out, { recursive: true });
  const splits = findSplits(settings.data, join(out, 'data'));

  say('vendor: packing the checkpoint');
  const packDir = join(out, 'packed');
  rmSync(packDir, { recursive: true, force: true });
  const cut = ['--bottom', String(settings.bottom), '--top', String(settings.top)];
  const packed = JSON.parse(await runProcess('cutlayer', ['pack', settings.checkpoint, ...cut, '--out', packDir, '--json'])) as Packed;

  say('vendor: starting the gateway');
  const stateDir = join(out, 'gateway-state');
  const gateway = await startGateway([
    '--backbone',
    packed.backboneDir,
    '--listen',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
    '--state-dir',
    stateDir,
    '--log-level',
    'warn',
  ]);
  let result: ClientResult;
  let serving: ServedAnswer;
  try {
    result = await trainAsClient(settings, packed, stateDir, gateway, splits);
    say('client: serving the adapter, and asking it through the openai package');
    const { listen, caFile } = gateway.ready;
    const connection = ['--bundle', packed.clientBundleDir, '--gateway', listen, '--ca', caFile, '--token-file', join(out, 'client.token')];
    const prompt = result.samples[0]?.prompt ?? 'Note:';
    serving = await servedAnswer(connection, join(out, 'run', 'adapter'), join(out, 'api-key'), prompt);
  } finally {
    await gateway.stop();
  }
  const summary: DemoSummary = {
    before: result.before,
    after: result.after,
    chance: chanceAccuracy(settings.data, splits),
    steps: result.steps,
    seconds: result.seconds,
    tokensPerSecond: result.tokensPerSecond,
    bytesPerStep: result.bytesPerStep,
    bytesPerStepFormula: result.bytesPerStepFormula,
    parameters: { client: packed.parameters.client, vendor: packed.parameters.backbone, trained: result.trained },
    model: gateway.ready.model,
    adapter: `soft prompt of ${settings.virtualTokens} virtual tokens`,
    holdings: holdings(packed, join(out, 'run', 'adapter'), result.trained),
    samples: result.samples,
    curve: result.curve,
    serving,
  };
  await writeFileAtomic(join(out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  await writeFileAtomic(join(out, 'report.html'), renderReport(summary));
  printSummary(summary);
  process.stdout.write(`\nsummary: ${relative('.', join(out, 'summary.json'))}\nreport:  ${relative('.', join(out, 'report.html'))}\n`);
}

async function trainAsClient(
  settings: DemoSettings,
  packed: Packed,
  stateDir: string,
  gateway: GatewayProcess,
  splits: ClientTask['splits'],
): Promise<ClientResult> {
  const { out } = settings;
  const tokenFile = join(out, 'client.token');
  const token = await runProcess('cutlayer', ['gateway', 'token', '--tenant', 'demo', '--ttl', '24h', '--state-dir', stateDir]);
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const task: ClientTask = {
    settings,
    splits,
    bundleDir: packed.clientBundleDir,
    gateway: gateway.ready.listen,
    caFile: gateway.ready.caFile,
    tokenFile,
    runDir: join(out, 'run'),
  };
  const [taskFile, resultFile] = [join(out, 'client-task.json'), join(out, 'client-result.json')];
  writeFileSync(taskFile, JSON.stringify(task, null, 2));
  await runProcess('client', [taskFile, resultFile]);
  return JSON.parse(readFileSync(resultFile, 'utf8')) as ClientResult;
}

function holdings(packed: Packed, adapterDir: string, trained: number): Holding[] {
  const files = (dir: string, prefix: string): Holding['files'] =>
    readdirSync(dir)
      .sort()
      .map((name) => ({ path: `${prefix}/${name}`, bytes: statSync(join(dir, name)).size }));
  return [
    { party: 'vendor', parameters: packed.parameters.backbone, files: files(packed.backboneDir, 'backbone') },
    {
      party: 'client',
      parameters: packed.parameters.client + trained,
      files: [...files(packed.clientBundleDir, 'client-bundle'), ...files(adapterDir, 'adapter')],
    },
  ];
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

try {
  await main(parseSettings(process.argv.slice(2)));
} catch (caught) {
  const error = CutlayerError.from(caught);
  const why = error.code === 'INTERNAL' && error.cause !== undefined ? `: ${String(error.cause)}` : '';
  process.stderr.write(`demo failed: ${error.code}: ${error.message}${why}\n`);
  process.exitCode = 1;
}
