// Runs the compiled tests, a process per core and one more, since many wait for processes that they
// start. With --exhaustive: the files whose sweeps have a greater depth (they import
// test/support/exhaustive.ts), at that depth. Further arguments go to mocha.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const exhaustive = process.argv.includes('--exhaustive');
const further = process.argv.slice(2).filter((argument) => argument !== '--exhaustive');
const files = readdirSync(join('dist', 'test'), { recursive: true })
  .map((name) => join('dist', 'test', String(name)))
  .filter((name) => name.endsWith('.test.js') && (!exhaustive || /from '.*\/support\/exhaustive\.js'/.test(readFileSync(name, 'utf8'))))
  .sort();
const jobs = Math.min(8, availableParallelism() + 1);

const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
const { status } = spawnSync(process.execPath, [mocha, '--parallel', '--jobs', String(jobs), ...further, ...files], {
  stdio: 'inherit',
  env: { ...process.env, ...(exhaustive && { CUTLAYER_EXHAUSTIVE: '1' }) },
});
process.exitCode = status ?? 1;
