import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityFromSeed } from '../../../src/protocol/secagg/signature.js';
import { auditFiles, linesOf } from '../../../src/server/audit/audit-files.js';
import { type ChainHead, seal } from '../../../src/server/audit/chain.js';
import { checkpointFields } from '../../../src/server/audit/checkpoint.js';
import { verifyAudit } from '../../../src/server/audit/verify-audit.js';
import { auditKey, writeAudit } from '../../support/audit-rig.js';
import { cutlayerHere } from '../../support/command-here.js';
import { hasCode } from '../../support/has-code.js';

describe('cutlayer gateway audit verify', () => {
  let root: string;
  let written: string;
  let head: ChainHead;
  let copies = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-verify-'));
    written = join(root, 'written');
    head = await writeAudit(written, 40);
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** A copy of the log, with one of its files rewritten. */
  async function changed(change: (lines: string[]) => string[], file = 1): Promise<string> {
    const dir = join(root, `copy-${copies++}`);
    await cp(written, dir, { recursive: true });
    const path = (await auditFiles(dir))[file]!;
    const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
    await writeFile(
      path,
      change(lines)
        .map((line) => `${line}\n`)
        .join(''),
    );
    return dir;
  }

  const faults: readonly (readonly [name: string, change: (lines: string[]) => string[], reason: RegExp])[] = [
    ['a changed field', ([first, ...rest]) => [first!.replace('acme', 'acmf'), ...rest], /:1: entry \d+ has been changed/],
    ['an entry that was left out', ([first, , ...rest]) => [first!, ...rest], /:2: expected entry \d+, got \d+/],
    ['two entries in another order', ([a, b, ...rest]) => [b!, a!, ...rest], /:1: expected entry/],
    ['an entry that is there twice', ([a, ...rest]) => [a!, a!, ...rest], /:2: expected entry/],
    ['a line that is no entry', ([a, ...rest]) => [a!, '{}', ...rest], /:2: expected an entry/],
    ['an end that was cut off before another file', (lines) => lines.slice(0, -1), /expected entry \d+, got \d+/],
    ['an entry sealed anew', resealed, /:2: entry \d+ does not follow entry/],
  ];
  for (const [name, change, reason] of faults)
    it(`finds ${name}, and names file and line`, async () => {
      await assert.rejects(verifyAudit(await changed(change)), hasCode('AUDIT_BROKEN', reason));
    });

  /** Gives the first entry another tenant and a right hash. */
  function resealed([first, ...rest]: string[]): string[] {
    const { sequence, previous, time } = JSON.parse(first!);
    return [seal({ sequence: sequence - 1, hash: previous }, Date.parse(time), 'call', { tenant: 'other' }).line, ...rest];
  }

  it('finds a file that is missing between two others', async () => {
    const dir = await changed((lines) => lines);
    await rm((await auditFiles(dir))[1]!);
    await assert.rejects(verifyAudit(dir), hasCode('AUDIT_BROKEN', /entries are missing/));
  });

  it('takes a log whose earlier files are elsewhere, and says where it begins', async () => {
    const dir = await changed((lines) => lines);
    await rm((await auditFiles(dir))[0]!);
    assert.ok((await verifyAudit(dir)).first > 0);
  });

  it('finds a cut at the end, and a chain written anew, against a remembered head', async () => {
    assert.deepEqual((await verifyAudit(written, { remembered: head })).head, head);
    const dir = await changed((lines) => lines);
    const last = (await auditFiles(dir)).at(-1)!;
    await truncate(last, (await readFile(last, 'utf8')).trimEnd().lastIndexOf('\n') + 1);
    await assert.doesNotReject(verifyAudit(dir));
    await assert.rejects(verifyAudit(dir, { remembered: head }), hasCode('AUDIT_BROKEN', /its end was cut off/));
    const other = { ...head, hash: 'a'.repeat(64) };
    await assert.rejects(verifyAudit(written, { remembered: other }), hasCode('AUDIT_BROKEN', /written anew/));
  });

  it('finds a checkpoint of another key, and one whose signature is of another head', async () => {
    const stranger = identityFromSeed(Buffer.alloc(32, 9));
    const replaced =
      (fields: (before: ChainHead) => object) =>
      (lines: string[]): string[] => {
        const { sequence, previous } = JSON.parse(lines.at(-1)!);
        const before = { sequence: sequence - 1, hash: previous };
        return [...lines.slice(0, -1), seal(before, 0, 'checkpoint', { ...fields(before) }).line];
      };
    const lastFile = (await readdir(written)).length - 1;
    const byStranger = await changed(
      replaced((before) => checkpointFields(stranger, before)),
      lastFile,
    );
    await assert.rejects(verifyAudit(byStranger), hasCode('AUDIT_BROKEN', /names the key/));
    const ofOther = await changed(
      replaced(() => checkpointFields(auditKey, head)),
      lastFile,
    );
    await assert.rejects(verifyAudit(ofOther), hasCode('AUDIT_BROKEN', /wrong signature/));
    await assert.rejects(verifyAudit(written, { publicKey: 'A'.repeat(43) }), hasCode('AUDIT_BROKEN', /names the key/));
  });

  it('prints the head, which it then takes; says what is broken; and shows the last entries', async () => {
    const found = await cutlayerHere(['gateway', 'audit', 'verify', written]);
    assert.equal(found.code, 0, found.stderr);
    const printed = /^head: (\S+)$/m.exec(found.stdout)![1]!;
    assert.equal(printed, `${head.sequence}:${head.hash}`);
    const { code, stderr } = await cutlayerHere(['gateway', 'audit', 'verify', await changed(faults[0]![1]), '--head', printed]);
    assert.equal(code, 1);
    assert.match(stderr, /error AUDIT_BROKEN: .*audit-\d+\.jsonl:1: entry \d+ has been changed/);
    const tail = await cutlayerHere(['gateway', 'audit', 'tail', written, '--lines', '12']);
    assert.equal(tail.stdout.split('\n').length, 13);
    assert.match(tail.stdout, /^\d+ \S+Z call code=OK method=Forward rows=39 tenant=acme\n\d+ \S+Z checkpoint/m);
    const json = await cutlayerHere(['gateway', 'audit', 'tail', written, '--json', '--lines', '1']);
    assert.equal(JSON.parse(json.stdout).sequence, head.sequence);
  });

  it('reads a log of many chunks line by line', async () => {
    const path = join(root, 'long.jsonl');
    await writeFile(path, `${'x'.repeat(1000)}\n`.repeat(1000));
    let lines = 0;
    for await (const { text, whole } of linesOf(path)) {
      assert.ok(whole && text.length === 1000);
      lines++;
    }
    assert.equal(lines, 1000);
    await writeFile(path, 'x'.repeat(300_000));
    await assert.rejects(linesOf(path).next(), hasCode('AUDIT_BROKEN', /longer one/));
  });
});
