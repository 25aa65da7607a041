/**
 * `npm run privacy-table`: packs the demo's checkpoint at several cuts, and measures the table in
 * docs/privacy.md by the settings of privacy.yaml. More options of `client privacy` may follow.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/files/package-root.js';

/** Blocks that the client holds, in the order in which they are measured. */
const CUTS = [0, 2, 1];

const root = packageRoot();
const out = join(root, 'demo', 'out', 'privacy');

/** Runs a command of this build; one that fails ends the script. */
function cutlayer(...args: readonly string[]): void {
  // Paths of settings are relative to the project's root.
  const { status } = spawnSync(process.execPath, [join(root, 'dist/src/main.js'), ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const packed = CUTS.map((bottom) => {
  const dir = join(out, `packed-k${bottom}`);
  if (!existsSync(dir)) cutlayer('pack', 'demo/backbone/checkpoint', '--out', dir, '--bottom', `${bottom}`);
  return dir;
});
// All who read this know it, so it hides nothing: a second table has the noise of the first.
const secret = join(out, 'defence-secret');
mkdirSync(out, { recursive: true });
writeFileSync(secret, createHash('sha256').update('the privacy table of the demo').digest('hex'), { mode: 0o600 });
const models = packed.flatMap((dir) => ['--packed', dir]);
cutlayer(
  'client',
  'privacy',
  '--config',
  'demo/privacy.yaml',
  ...models,
  '--defence-secret-file',
  secret,
  '--out',
  join(out, 'table'),
  ...process.argv.slice(2),
);
