// Runs the compiled tests, a process per core and one more, since many wait for processes that they
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

/** Files of more than about 4 s of processor time on a machine of their own, the longest first. */
const longest = [
  'integration/peft-methods',
  'clients/federation/lies',
  'conformance/transformers',
  'integration/training-run',
  'integration/crash',
  'conformance/onnx',
  'clients/inference/decode',
  'clients/inference/grammar/generation',
  'clients/training/private-training',
  'compiler/pack/onnx-pack',
  'commands/coordinator/coordinator',
  'clients/federation/participant',
  'integration/training-comfort',
  'fuzz/fuzz',
  'gateway/split/malformed',
  'clients/federation/data/forgetting',
  'commands/simulation/simulate',
  'coordinator/rounds/private-rounds',
  'commands/start-up',
  'commands/pack/pack',
  'integration/full-disk',
  'gateway/memory',
  'clients/training/adapter-training',
  'integration/examples',
  'coordinator/crash',
  'clients/model/step-parts',
  'clients/federation/data/examples-server',
  'server/abuse/received-bytes',
  'compiler/pack/pack',
].map((name) => join('dist', 'test', `${name}.test.js`));

const exhaustive = process.argv.includes('--exhaustive');
const further = process.argv.slice(2).filter((argument) => argument !== '--exhaustive');
const files = readdirSync(join('dist', 'test'), { recursive: true })
  .map((name) => join('dist', 'test', String(name)))
  .filter((name) => name.endsWith('.test.js') && (!exhaustive || /from '.*\/support\/exhaustive\.js'/.test(readFileSync(name, 'utf8'))))
  .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
const jobs = Math.min(8, availableParallelism() + 2);

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
