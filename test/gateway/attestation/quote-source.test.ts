/** Where a gateway's quotes come from: the kernel's interface, or a program. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { quoteSource, type ReportFiles, tsmQuotes } from '../../../src/gateway/attestation/quote-source.js';

describe('a source of quotes', () => {
  const reportData = Buffer.alloc(64, 3);

  it('makes a report of its own in the configfs of the kernel, and removes it', async () => {
    const blobs = new Map<string, Buffer>();
    const told: string[] = [];
    const kernel: ReportFiles = {
      mkdir: async (path) => void told.push(`mkdir ${dirname(path)}`),
      writeFile: async (path, content) => void blobs.set(path, content),
      async readFile(path) {
        assert.equal(basename(path), 'outblob');
        return Buffer.concat([Buffer.from('quote of '), blobs.get(join(dirname(path), 'inblob'))!]);
      },
      rmdir: async () => void told.push('rmdir'),
    };
    const quotes = tsmQuotes('/tsm', kernel);
    assert.deepEqual(await quotes(reportData), Buffer.concat([Buffer.from('quote of '), reportData]));
    await quotes(reportData);
    assert.deepEqual(told, ['mkdir /tsm', 'rmdir', 'mkdir /tsm', 'rmdir']);
    assert.equal(new Set(blobs.keys()).size, 2);
  });

  it('says that a machine has no such interface', async () => {
    await assert.rejects(tsmQuotes('/nowhere/tsm')(reportData), { code: 'ATTESTATION_UNAVAILABLE', message: /gives no report \(ENOENT\)/ });
  });

  it('is a program that reads report data in hex; one that fails or writes nothing gives no evidence', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-quotes-'));
    const program = async (name: string, text: string) => {
      await writeFile(join(dir, name), `#!/bin/sh\n${text}\n`);
      await chmod(join(dir, name), 0o755);
      return quoteSource(join(dir, name));
    };
    try {
      assert.equal(
        String(await (await program('works', 'read line; printf "quote of %s" "$line"'))(reportData)),
        `quote of ${'03'.repeat(64)}`,
      );
      await assert.rejects((await program('fails', 'exit 3'))(reportData), {
        code: 'ATTESTATION_UNAVAILABLE',
        message: /its program gives no evidence \(3\)/,
      });
      await assert.rejects((await program('silent', 'exit 0'))(reportData), { code: 'ATTESTATION_UNAVAILABLE', message: /wrote nothing/ });
      await assert.rejects(quoteSource(join(dir, 'missing'))(reportData), { code: 'ATTESTATION_UNAVAILABLE', message: /ENOENT/ });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
