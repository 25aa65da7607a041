import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { packageRoot } from '../../../src/files/package-root.js';
import { fileName } from '../../../src/server/audit/audit-files.js';
import { MAX_WAITING } from '../../../src/server/audit/audit-log.js';
import { FileSink } from '../../../src/server/audit/file-sink.js';
import { verifyAudit } from '../../../src/server/audit/verify-audit.js';
import { auditLogOver, MemorySink, writeAudit } from '../../support/audit-rig.js';
import { thorough } from '../../support/exhaustive.js';
import { hasCode } from '../../support/has-code.js';

const built = (path: string): string => pathToFileURL(join(packageRoot(), 'dist', path)).href;

describe('the audit log', () => {
  it('writes in groups: what waits while one is written is the next', async () => {
    const sink = new MemorySink();
    const { log } = auditLogOver(sink);
    await Promise.all(Array.from({ length: 100 }, (_, n) => log.record('call', { rows: n })));
    assert.deepEqual(sink.groups, [100]);
    assert.deepEqual(
      sink.entries.map(({ rows }) => rows),
      Array.from({ length: 100 }, (_, n) => n),
    );
    assert.equal(log.head.sequence, 99);
    await log.close();
    assert.equal(sink.entries.at(-1)?.event, 'checkpoint');
    assert.ok(sink.closed);
    await assert.rejects(log.record('call'), hasCode('AUDIT_UNAVAILABLE'));
  });

  it('refuses what it cannot write, says so once, and goes on with an entry of the gap when it can', async () => {
    const sink = new MemorySink();
    const { log, said } = auditLogOver(sink);
    await log.record('start');
    sink.full = true;
    const refused = hasCode('AUDIT_UNAVAILABLE', /cannot be written, so it is refused; try again later/);
    await Promise.all([assert.rejects(log.record('call'), refused), assert.rejects(log.record('call'), refused)]);
    assert.throws(() => log.requireWritable(), refused);
    await assert.rejects(log.record('call'), refused);
    assert.equal(log.gauges().auditFailing, 1);
    assert.deepEqual(said, ['THE AUDIT LOG CANNOT BE WRITTEN: calls are refused until it can']);
    sink.full = false;
    for (let n = 0; log.gauges().auditFailing === 1 && n < 40; n++) await new Promise((resolve) => setTimeout(resolve, 50));
    await log.record('call', { rows: 1 });
    assert.deepEqual(
      sink.entries.map(({ event }) => event),
      ['start', 'interrupted', 'call'],
    );
    assert.deepEqual([sink.entries[1]?.refused, sink.entries[1]?.reason], [4, 'memory: the disk is full']);
    assert.deepEqual(said.slice(1), ['the audit log can be written again']);
    await log.close();
  });

  thorough('bounds the entries that wait', async () => {
    const { log } = auditLogOver(new MemorySink());
    const waiting = Array.from({ length: MAX_WAITING }, () => log.record('call'));
    await assert.rejects(log.record('call'), hasCode('AUDIT_UNAVAILABLE'));
    await Promise.all(waiting);
    await log.record('call');
    await log.close();
  });

  it('signs a checkpoint after a thousand entries, and after a minute', async () => {
    const clock = { now: 0 };
    const sink = new MemorySink();
    const { log } = auditLogOver(sink, { now: () => clock.now });
    await Promise.all(Array.from({ length: 1000 }, () => log.record('call')));
    const checkpoints = () => sink.entries.filter(({ event }) => event === 'checkpoint').length;
    assert.equal(checkpoints(), 1);
    await log.record('call');
    assert.equal(checkpoints(), 1);
    clock.now += 60_000;
    await log.record('call');
    assert.equal(checkpoints(), 2);
    await log.close();
  });
});

describe('files of the audit log', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-audit-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  const at = (name: string): string => join(dir, name);

  it('begins a new file by size, and the chain goes on over files and starts; only the owner reads them', async () => {
    const umask = process.umask(0o022);
    try {
      await writeAudit(dir, 30);
    } finally {
      process.umask(umask);
    }
    await writeAudit(dir, 30);
    const files = await readdir(dir);
    assert.ok(files.length >= 3, files.join());
    for (const file of files) assert.equal((await stat(at(file))).mode & 0o777, 0o600);
    const { entries, head, first, publicKey } = await verifyAudit(dir);
    assert.deepEqual([entries, head.sequence, first], [63, 62, 0]);
    assert.equal(publicKey?.length, 43);
  });

  it('cuts off the incomplete line of a killed process, and tells of it', async () => {
    const head = await writeAudit(dir, 3, 1e6);
    const file = at(fileName(0));
    const whole = await readFile(file);
    await writeFile(file, Buffer.concat([whole, whole.subarray(0, 40)]));
    assert.equal((await verifyAudit(dir)).tornBytes, 40);
    const opened = await FileSink.open(dir);
    assert.deepEqual([opened.head, opened.torn?.bytes], [head, 40]);
    await opened.sink.close();
    assert.deepEqual(await readFile(file), whole);
  });

  it('goes on after a process was killed while it began a file', async () => {
    const head = await writeAudit(dir, 3, 1e6);
    await writeFile(at(fileName(head.sequence + 1)), '{"half');
    await writeAudit(dir, 1);
    assert.equal((await verifyAudit(dir, { remembered: head })).entries, 7);
  });

  it('does not go on after a last entry that was changed', async () => {
    await writeAudit(dir, 3, 1e6);
    const text = await readFile(at(fileName(0)), 'utf8');
    await writeFile(at(fileName(0)), text.replace(/.\n$/, 'x\n'));
    await assert.rejects(FileSink.open(dir), hasCode('AUDIT_BROKEN'));
  });

  it('leaves whole entries where the system takes no more, and names the reason', async () => {
    // A process of its own, whose files may have 8 kB.
    const script = `
      const { FileSink } = await import(${JSON.stringify(built('src/server/audit/file-sink.js'))});
      const { auditLogOver } = await import(${JSON.stringify(built('test/support/audit-rig.js'))});
      const { sink } = await FileSink.open(${JSON.stringify(dir)});
      const { log } = auditLogOver(sink);
      let written = 0;
      const failure = await (async () => { for (;; written++) await log.record('call', { tenant: 'acme' }); })().catch((error) => error);
      await log.close();
      console.log(JSON.stringify([written, failure.code, failure.cause.message]));`;
    const words = ['-c', 'ulimit -f 8; exec "$@"', 'bash', process.execPath, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)('bash', words);
    const [written, code, reason] = JSON.parse(stdout);
    assert.equal(code, 'AUDIT_UNAVAILABLE');
    assert.match(reason, /audit-0+\.jsonl: cannot be written \(EFBIG/);
    const { entries, tornBytes } = await verifyAudit(dir);
    assert.deepEqual([entries, tornBytes], [written, 0]);
    assert.ok(written > 10);
  });

  it('belongs to one process', async () => {
    const { sink } = await FileSink.open(dir);
    await assert.rejects(FileSink.open(dir), hasCode('ALREADY_EXISTS', /writing the audit log here.*choose another --audit/));
    const next = FileSink.open(dir, { waitMs: 60_000 });
    await sink.close();
    await (await next).sink.close();
    await (await FileSink.open(dir)).sink.close();
  });
});
