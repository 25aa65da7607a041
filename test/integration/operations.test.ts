/**
 * The commands of docs/operations.md run as they stand, in their order, in one shell's directory:
 * from a checkpoint to a first tenant's bill, that agrees with the customer's own count.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';
import { thorough } from '../support/exhaustive.js';
import { MAIN } from '../support/server-process.js';
import { writeNotes } from '../support/training-data.js';

const page = () => readFile(join(packageRoot(), 'docs', 'operations.md'), 'utf8');

/** The blocks that a vendor pastes, without those of other parts. */
function blocks(text: string): readonly string[] {
  const part = text.slice(text.indexOf('## From nothing'), text.indexOf('## As a service'));
  return [...part.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

describe('docs/operations.md', () => {
  it('has the way to a first tenant as commands that can be pasted', async () => {
    const commands = blocks(await page()).join('');
    for (const wanted of [
      'cutlayer pack',
      'gateway start',
      'gateway tenant create',
      'gateway onboard',
      'client login',
      'client train',
      'gateway usage',
    ])
      assert.ok(commands.includes(wanted), wanted);
  });

  thorough('brings a vendor to a first bill, and the bill to what the customer counted', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-operations-'));
    await mkdir(join(dir, 'bin'));
    await writeFile(join(dir, 'bin', 'cutlayer'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });
    await cp(join(packageRoot(), 'test', 'fixtures', 'llama-tiny'), join(dir, 'my-llama'), { recursive: true });
    writeNotes(join(dir, 'train.jsonl'), 16, 1);
    const { CUTLAYER_HOME: _, ...rest } = process.env;
    const env = {
      ...rest,
      HOME: join(dir, 'home'),
      XDG_CONFIG_HOME: join(dir, 'home'),
      PATH: `${join(dir, 'bin')}${delimiter}${process.env.PATH}`,
    };
    const ports = { '50051': await freePort(), '8080': await freePort() };
    const local = (text: string) =>
      text.replace(/127\.0\.0\.1:(50051|8080)/g, (_whole, port: keyof typeof ports) => `127.0.0.1:${ports[port]}`);

    let gateway: ReturnType<typeof spawn> | undefined;
    const said: string[] = [];
    try {
      for (const block of blocks(await page()).map(local)) {
        if (/^cutlayer gateway start (?!.*--check)/m.test(block) && block.trim().split('\n').length === 1) {
          gateway = spawn('/bin/sh', ['-c', `exec ${block}`], { cwd: dir, env, stdio: ['ignore', 'pipe', 'ignore'] });
          await once(gateway.stdout!, 'data');
          continue;
        }
        said.push(await shell(block, dir, env));
      }
    } finally {
      if (gateway) {
        gateway.kill('SIGTERM');
        await once(gateway, 'exit');
      }
    }
    const charged = /charged[^\n]*/.exec(said.join('\n'))?.[0] ?? '';
    assert.match(charged, /EUR/);
    const [header, ...rows] = (await readFile(join(dir, 'acme.csv'), 'utf8')).trim().split(/\r?\n/);
    const column = header!.split(',').indexOf('forward');
    const forward = rows.map((row) => Number(row.split(',')[column])).reduce((sum, value) => sum + value, 0);
    assert.ok(forward > 0);
    assert.ok(charged.replaceAll(',', '').includes(String(forward)), `${charged} has not ${forward}`);
    await rm(dir, { recursive: true, force: true });
  });
});

/** Runs a block as a shell that stops at the first failure; its output, errors included. */
function shell(block: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('/bin/sh', ['-euc', block], { cwd, env }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${block}\n${stdout}\n${stderr}`));
      else resolve(`${stdout}\n${stderr}`);
    });
  });
}
