/**
 * `npm run privacy-table`: packs the demo's checkpoint at several cuts, and measures the table in
 * docs/privacy.md by the settings of privacy.yaml. More options of `client privacy` may follow.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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
const models = packed.flatMap((dir) => ['--packed', dir]);
cutlayer('client', 'privacy', '--config', 'demo/privacy.yaml', ...models, '--out', join(out, 'table'), ...process.argv.slice(2));
