// Installs the tarball of `npm run release` as a user would, with an empty home, and runs the command from there.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const dir = mkdtempSync(join(tmpdir(), 'cutlayer-tarball-'));
const home = join(dir, 'home');
const prefix = join(dir, 'prefix');
mkdirSync(home);
// As the README says.
const env = { ...process.env, HOME: home, ONNXRUNTIME_NODE_INSTALL: 'skip' };

try {
  const release = join(root, '.build', 'release');
  run('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: release });
  const tarball = join(release, `cutlayer-${version}.tgz`);
  const files = run('tar', ['-tzf', tarball]).split('\n').filter(Boolean);
  const names = new Set(files.map((path) => path.replace(/^package\//, '')));
  for (const wanted of ['README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE', 'docs/client.md', 'proto/cutlayer/v1/split.proto', 'dist/src/main.js', 'dist/src/gateway/dashboard/page/dashboard.js'])
    check(names.has(wanted), `the tarball lacks ${wanted}`);
  const stray = [...names].find((name) => /^(?:dist\/(?:test|bench|demo)|test|demo|bench)\//.test(name));
  check(stray === undefined, `the tarball has ${stray}`);

  // The user's own registry settings stay: they are of the machine, not of the user's home.
  const userconfig = join(process.env.HOME ?? home, '.npmrc');
  const config = existsSync(userconfig) ? ['--userconfig', userconfig] : [];
  run('npm', ['install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', '--prefer-offline', ...config, tarball]);

  const bin = join(prefix, 'bin', 'cutlayer');
  check(run(bin, ['--version']).trim() === version, 'the installed command has another version');
  check(run(bin, ['--help']).includes('cutlayer pack'), 'the installed command has no help');
  // The README's lines that remove the binaries of other platforms leave a command that works.
  const prune = /^find .*$/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))[0];
  const binaries = join(prefix, 'lib', 'node_modules', 'cutlayer', 'node_modules', 'onnxruntime-node', 'bin');
  const before = megabytes(binaries);
  run('sh', ['-c', prune], { cwd: binaries });
  const after = megabytes(binaries);
  check(after < before / 2, `pruning left ${after} of ${before} MB`);

  const packed = join(dir, 'packed');
  run(bin, ['pack', join(root, 'test', 'fixtures', 'llama-tiny'), '--out', packed]);
  run(bin, ['gateway', 'start', '--backbone', join(packed, 'backbone'), '--state-dir', join(home, 'state'), '--check']);
  process.stdout.write(`cutlayer ${version}: ${files.length} files, installed and run from its tarball; pruned from ${before} to ${after} MB\n`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function run(command, args, options = {}) {
  return execFileSync(command, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'], ...options });
}

function megabytes(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.round(files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0) / 1e6);
}

function check(holds, message) {
  if (!holds) throw new Error(message);
}
