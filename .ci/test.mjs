// Runs the compiled tests, a process per core and three more, since many wait for processes that they
// start. The longest files come first, so that no process has one left when the others are done.
// With --exhaustive: the files whose sweeps have a greater depth (they import
// test/support/exhaustive.ts), at that depth. Further arguments go to mocha.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The allocator's settings of the `cutlayer` command: tests run as the product does.
const { GLIBC_TUNABLES } = await import(pathToFileURL(join('dist', 'src', 'runtime', 'malloc.js')).href);

/** Files of more than about 3 s of processor time on a machine of their own, the longest first. */
const longest = [
  'integration/training-run',
  'integration/peft-methods',
  'clients/inference/decode',
  'integration/crash',
  'clients/federation/lies',
  'server/abuse/deadlines',
  'clients/training/private-training',
  'conformance/transformers',
  'fuzz/fuzz',
  'gateway/split/malformed',
  'compiler/pack/onnx-pack',
  'commands/gateway/gateway',
  'clients/federation/participant',
  'commands/pack/pack',
  'server/abuse/received-bytes',
  'clients/serving/constraints',
  'commands/commands',
  'gateway/service',
  'commands/coordinator/coordinator',
  'conformance/onnx',
  'gateway/ledger/killed',
  'integration/tap',
  'coordinator/coordinator',
  'coordinator/crash',
  'gateway/engine/infer',
  'clients/serving/openai-client',
  'clients/training/adapter-training',
  'clients/model/step-parts',
  'integration/privacy-table',
  'integration/training-comfort',
  'artifacts/store',
  'clients/inference/speculation/draft-model',
  'integration/train-options',
  'compiler/pack/pack',
  'gateway/engine/engine',
  'commands/start-up',
  'protocol/secagg/refusals',
  'clients/inference/grammar/generation',
  'commands/coordinator/invite',
  'runtime/session-host',
  'safetensors/malformed',
  'protocol/secagg/round',
  'clients/data/text-grid',
  'conformance/invariance',
  'coordinator/rounds/impossible-sums',
  'commands/simulation/simulate',
].map((name) => join('dist', 'test', `${name}.test.js`));

const exhaustive = process.argv.includes('--exhaustive');
const further = process.argv.slice(2).filter((argument) => argument !== '--exhaustive');
const files = readdirSync(join('dist', 'test'), { recursive: true })
  .map((name) => join('dist', 'test', String(name)))
  .filter((name) => name.endsWith('.test.js') && (!exhaustive || /from '.*\/support\/exhaustive\.js'/.test(readFileSync(name, 'utf8'))))
  .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
const jobs = Math.min(8, availableParallelism() + 3);

const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
const { status } = spawnSync(process.execPath, [mocha, '--parallel', '--jobs', String(jobs), ...further, ...files], {
  stdio: 'inherit',
  // A developer's own profiles are not part of a test.
  env: { GLIBC_TUNABLES, ...process.env, CUTLAYER_HOME: join('dist', 'no-profiles'), ...(exhaustive && { CUTLAYER_EXHAUSTIVE: '1' }) },
});
process.exitCode = status ?? 1;

function rank(name) {
  const at = longest.indexOf(name);
  return at === -1 ? longest.length : at;
}
