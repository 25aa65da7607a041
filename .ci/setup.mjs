// Makes a fresh clone ready to run: installs what package-lock.json pins (only when that is missing or has changed) and compiles (only when a
// source is newer than the last good compile). Plain JavaScript with nothing but Node, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 20) fail(`Cutlayer needs Node.js 20 or newer, this is ${process.version}`);

const lockDigest = createHash('sha256').update(readFileSync('package-lock.json')).update(process.version).digest('hex');
const installStamp = join('node_modules', '.cutlayer-installed');
if (!existsSync(installStamp) || readFileSync(installStamp, 'utf8') !== lockDigest) {
  say('installing the pinned dependencies (npm ci)');
  // On Windows npm is a .cmd file, which only a shell can start.
  run('npm', ['ci', '--no-audit', '--no-fund'], { shell: process.platform === 'win32' });
  writeFileSync(installStamp, lockDigest);
}

const bin = join('dist', 'src', 'main.js');
const compileStamp = join('dist', '.compiled');
const sources = ['package.json', 'tsconfig.json', 'package-lock.json', ...['src', 'clients', 'test', 'bench', 'demo'].flatMap(sourceFiles)];
const compiledAt = existsSync(compileStamp) ? statSync(compileStamp).mtimeMs : 0;
const listing = sources.join('\n');
if (sources.some((file) => statSync(file).mtimeMs > compiledAt) || readFileSync(compileStamp, 'utf8') !== listing) {
  say('compiling');
  // Each checker reads the library's types again: more than cores, they only cost time.
  const checkers = String(Math.min(4, availableParallelism()));
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  run(process.execPath, [tsc, '-p', '.', '--checkers', checkers]);
  // What a browser runs is compiled against the browser's own types.
  run(process.execPath, [tsc, '-p', join('src', 'gateway', 'dashboard', 'page'), '--checkers', checkers]);
  chmodSync(bin, 0o755);
  mkdirSync('dist', { recursive: true });
  writeFileSync(compileStamp, listing);
}

function sourceFiles(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true })
    .map((name) => join(dir, String(name)))
    .filter((name) => name.endsWith('.ts'))
    .sort();
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (result.error) fail(`cannot start ${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`${command} ${args.join(' ')} ended with status ${result.status}`);
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

function fail(text) {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
}
