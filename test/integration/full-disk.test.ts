/** `client train` where the file system takes no more: it names the file and what to do, leaves whole lines, no lock, and nothing for others to read. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeFailure } from '../../src/files/atomic-file.js';
import { cutlayerHere } from '../support/command-here.js';
import { depth } from '../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';
import { MAIN } from '../support/server-process.js';
import { writeNotes } from '../support/training-data.js';

interface Outcome {
  readonly code: number;
  readonly stderr: string;
}

describe('client train', function () {
  this.timeout(240_000);
  let dir: string;
  let gateway: GatewayHere;
  let flags: readonly string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-full-'));
    const packed = await packedFixture('llama-tiny');
    gateway = await startGatewayHere({ backboneDir: packed.backboneDir });
    await writeFile(join(dir, 'secret.token'), await gateway.token('acme'));
    writeNotes(join(dir, 'train.jsonl'), 24, 1);
    flags = [
      '--bundle',
      packed.bundleDir,
      '--gateway',
      gateway.address,
      '--ca',
      gateway.caFile!,
      '--token-file',
      join(dir, 'secret.token'),
    ];
    flags = [...flags, '--data', join(dir, 'train.jsonl'), '--threads', '1', '--virtual-tokens', '4', '--checkpoint-every', '50'];
  });

  after(async () => {
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** @param kilobytes The largest file that the process may write. */
  const train = async (out: string, kilobytes: number, ...more: readonly string[]): Promise<Outcome> => {
    const words = ['-c', 'ulimit -f "$0"; exec "$@"', String(kilobytes), process.execPath, MAIN, 'client', 'train'];
    try {
      return { code: 0, ...(await promisify(execFile)('bash', [...words, ...flags, '--out', out, ...more])) };
    } catch (caught) {
      return caught as Outcome; // execFile's error has the same fields
    }
  };

  const file = 'metrics.jsonl';
  const places = [
    ['alone', ['--no-tensorboard']],
    ['beside TensorBoard', []],
  ] as const;
  for (const [where, more] of depth<readonly (typeof places)[number][]>(places, [])) {
    it(`names ${file} (${where}) when it cannot grow, without a stack trace or a lock, and goes on when it can`, async () => {
      const kilobytes = more.length > 0 ? 8 : 2;
      const out = join(dir, `full-${kilobytes}`);
      // The configuration and the first lines fit, the later ones do not.
      const full = await train(out, kilobytes, '--steps', '40', ...more);
      assert.equal(full.code, 1);
      assert.match(full.stderr, /error IO_ERROR: .*: cannot be written \(EFBIG: the system allows no larger file; raise its limit/);
      assert.ok(full.stderr.includes(file), full.stderr);
      assert.doesNotMatch(full.stderr, /INTERNAL|\n\s+at /);
      assert.ok(!(await readdir(out)).includes('run.lock'));
      const lines = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).split('\n');
      assert.equal(lines.pop(), '');
      for (const line of lines) JSON.parse(line);
      const again = await cutlayerHere(['client', 'train', ...flags, '--out', out, '--steps', '40', '--resume', ...more]);
      assert.equal(again.code, 0, again.stderr);
    });
  }

  it('lets its owner alone read what it writes', async () => {
    const out = join(dir, 'private');
    const umask = process.umask(0o022);
    try {
      const validation = ['--validation', join(dir, 'train.jsonl')];
      const { code, stderr } = await cutlayerHere(['client', 'train', ...flags, '--out', out, '--steps', '2', ...validation]);
      assert.equal(code, 0, stderr);
    } finally {
      process.umask(umask);
    }
    const open: string[] = [];
    for (const name of ['', ...((await readdir(out, { recursive: true })) as string[])]) {
      const { mode } = await lstat(join(out, name));
      if ((mode & 0o077) !== 0) open.push(`${name} ${(mode & 0o777).toString(8)}`);
    }
    assert.deepEqual(open, []);
  });
});

describe('the error of a file that cannot be written', () => {
  it('says of a full disk that it is full, and names the directory that was being filled', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
    const inner = writeFailure('/run/.tmp-1/file', full);
    const { message } = writeFailure('/run/adapter', inner) as Error;
    assert.equal(
      message,
      '/run/adapter: cannot be written (ENOSPC: the disk is full; free space there and do it again); what was there before is unchanged',
    );
  });
});
