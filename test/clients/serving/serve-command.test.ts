/** `cutlayer client serve` as a process: what it prints, and how it ends. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { readyLines } from '../../../clients/typescript/cli/serve/ready-lines.js';
import { endProcess, readyLine, startNode } from '../../../demo/server-process.js';
import { exposureAt } from '../../../src/artifacts/exposure.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { cutlayerHere } from '../../support/command-here.js';
import { type GatewayHere, startGatewayHere } from '../../support/gateway-here.js';
import { packedFixture } from '../../support/packed-fixture.js';

describe('cutlayer client serve', () => {
  let dir: string;
  let gateway: GatewayHere;
  let flags: readonly string[];
  let child: ChildProcess | undefined;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-serve-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    gateway = await startGatewayHere({ backboneDir, insecure: true, start: { shutdownDate: '2026-01-31' } });
    await writeFile(join(dir, 'token'), await gateway.token('acme'));
    flags = [
      'client',
      'serve',
      '--bundle',
      bundleDir,
      '--gateway',
      gateway.address,
      '--insecure',
      '--token-file',
      join(dir, 'token'),
      '--port',
      '0',
    ];
  });
  after(async () => {
    child?.kill('SIGKILL');
    await gateway?.stop();
    await rm(dir, { recursive: true });
  });

  it('says where it answers, what crosses and that the backbone has ended, makes its key, answers, and ends at SIGTERM', async () => {
    const env = { ...process.env, CUTLAYER_HOME: join(dir, 'home') };
    const improved = join(dir, 'improved');
    await mkdir(improved);
    await writeFile(join(improved, 'journal.jsonl'), '');
    child = startNode(join(packageRoot(), 'dist/src/main.js'), [...flags, '--json', '--base-name', 'base', '--feedback', improved], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    let told = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
    const ready = await readyLine<{
      readonly url: string;
      readonly models: readonly string[];
      readonly keyFile: string;
      readonly note: string;
    }>(child, () => new Error('serve ended before it was ready'));
    assert.deepEqual(ready.models, ['base']);
    assert.ok(ready.note.includes(exposureAt(0)));
    assert.equal((await stat(ready.keyFile)).mode & 0o777, 0o600);
    const openai = new OpenAI({ baseURL: ready.url, apiKey: (await readFile(ready.keyFile, 'utf8')).trim(), maxRetries: 0 });
    const answer = await openai.completions.create({ model: 'base', prompt: 'The pump', max_tokens: 3 });
    assert.equal(answer.usage?.completion_tokens, 3);
    const shown = await openai.models.retrieve('base');
    assert.equal((shown as unknown as { readonly shutdown_date: string }).shutdown_date, '2026-01-31');
    assert.match(told, /warning: the vendor no longer serves this backbone since 2026-01-31, by its model card; .*cutlayer client migrate/);
    const said = await openai.post('/feedback', { body: { prompt: 'The pump', completion: 'leaks', verdict: 'accepted' } });
    assert.deepEqual(said, { accepted: 1, duplicates: 0, rejected: 0, problems: [] });
    assert.equal((await readdir(join(improved, 'inbox'))).length, 1);
    await endProcess(child, 'SIGTERM');
    assert.equal(child.exitCode, 0);
  });

  it('prints lines to try, and the sentence on what crosses', () => {
    const models = [{ id: 'base', created: 1, parent: undefined, backboneDigest: 'd', shutdownDate: undefined, method: undefined }];
    const lines = readyLines({ url: 'http://127.0.0.1:8788', models, keyFile: '/home/me/key', bottom: 0 }, false).join('\n');
    assert.match(lines, /curl http:\/\/127\.0\.0\.1:8788\/v1\/chat\/completions -H "Authorization: Bearer \$\(cat \/home\/me\/key\)"/);
    assert.match(lines, /not in any message[\s\S]*at each step[\s\S]*look the tokens up/);
  });

  it('refuses what would open it by accident, and adapters that are not there', async () => {
    const refused = async (more: readonly string[], message: RegExp) => {
      const { code, stderr } = await cutlayerHere([...flags, ...more], { CUTLAYER_HOME: join(dir, 'home') });
      assert.notEqual(code, 0);
      assert.match(stderr, message);
    };
    await refused(['--no-key', '--host', '0.0.0.0'], /--no-key: expected a loopback address/);
    await refused(['--no-key', '--key-file', 'x'], /--no-key: expected either this or --key-file/);
    await refused(['--adapter', 'tickets'], /--adapter: expected NAME=DIR/);
    await refused(['--adapter', 'tickets=nowhere'], /nowhere: no such directory/);
    await refused(
      ['--feedback', 'nowhere'],
      /--feedback nowhere: no directory of an improvement; start cutlayer client improve --dir nowhere/,
    );
    await refused(['--adapters', 'nowhere'], /--adapters nowhere: no such directory/);
  });
});
