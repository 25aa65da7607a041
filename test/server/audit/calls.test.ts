/**
 * What a server's calls leave in the audit log, and what they are refused when it takes no entry.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { CutlayerError } from '../../../src/errors.js';
import { targetOf } from '../../../src/server/audit/audit-target.js';
import { CallAudit } from '../../../src/server/audit/call-audit.js';
import { ENTRIES_OF_A_TENANT, MAX_KINDS, RefusalCounts } from '../../../src/server/audit/refusal-counts.js';
import { SyslogSink } from '../../../src/server/audit/syslog-sink.js';
import { auditLogOver, MemorySink } from '../../support/audit-rig.js';
import { hasCode } from '../../support/has-code.js';
import { framed } from '../../support/raw-grpc.js';
import { as, ECHO, ECHOES, type Rig, type RigOptions, startRig } from '../../support/rpc-rig.js';

describe('audited calls', () => {
  let rig: Rig;
  let sink: MemorySink;
  let calls: CallAudit;
  const start = async (options: RigOptions = {}): Promise<void> => {
    sink = new MemorySink();
    calls = new CallAudit(auditLogOver(sink).log);
    rig = await startRig({ ...options, recorder: calls });
  };
  afterEach(async () => {
    await rig.close();
    calls.close();
  });
  const settled = async (): Promise<void> => {
    for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
  };

  it('have an entry before they are answered: who, what, sizes and decision, and no content', async () => {
    await start({
      answer: async (request, { outcome }) => {
        outcome.rows = 3;
        assert.equal(sink.lines.length, 0);
        return request;
      },
    });
    const { stream, ended } = rig.connect().call(ECHO, { ...as('acme'), 'x-request-id': 'job-7' });
    stream.end(framed(Buffer.from('a secret')));
    assert.equal((await ended).status, 0);
    const [{ sequence: _, time: __, previous: ___, hash: ____, ms, ...entry }] = sink.entries as [Record<string, unknown>];
    const whose = { tenant: 'acme', tokenId: 'acme', method: 'Echo', request: 'job-7', address: '127.0.0.1' };
    assert.deepEqual(entry, { event: 'call', ...whose, code: 'OK', decision: 'answered', bytesIn: 8, bytesOut: 8, rows: 3 });
    assert.equal(typeof ms, 'number');
    assert.doesNotMatch(sink.lines.join(), /secret|YSBzZWNyZXQ/);
    assert.equal(sink.lines.length, 1);
  });

  it('have an entry when a handler refuses them, and the error quotes the id of the call', async () => {
    await start({ answer: async () => Promise.reject(new CutlayerError('LIMIT_EXCEEDED', 'too large')) });
    const end = await rig.connect().send(ECHO, Buffer.alloc(0), { ...as('acme'), 'x-request-id': 'job-8' }).ended;
    assert.equal(end.code, 'LIMIT_EXCEEDED');
    assert.equal(end.details?.requestId, 'job-8');
    await settled();
    const [{ event, decision, code, request }] = sink.entries as [Record<string, unknown>];
    assert.deepEqual([event, decision, code, request], ['call', 'refused', 'LIMIT_EXCEEDED', 'job-8']);
  });

  it('have an id of the server when their own is of another form', async () => {
    await start({ answer: async () => Promise.reject(new CutlayerError('LIMIT_EXCEEDED', 'too large')) });
    for (const id of ['a b', 'x'.repeat(65), '<script>']) {
      const end = await rig.connect().send(ECHO, Buffer.alloc(0), { ...as('acme'), 'x-request-id': id }).ended;
      assert.match(String(end.details?.requestId), /^[0-9a-f-]{36}$/);
    }
  });

  it('are counted, not listed, when their caller is not verified', async () => {
    await start();
    // As many connections as begin at once: others wait for their turn.
    const connections = Array.from({ length: 8 }, () => rig.connect());
    const ends = Array.from({ length: 200 }, (_, at) => connections[at % 8]!.send(ECHO, Buffer.alloc(0), as('wrong')).ended);
    for (const { code } of await Promise.all(ends)) assert.equal(code, 'TOKEN_INVALID');
    calls.close();
    await settled();
    const counted = sink.entries.reduce((sum, { count }) => sum + Number(count), 0);
    assert.equal(counted, 200);
    assert.ok(sink.entries.length <= 4, `${sink.entries.length} entries`);
    const { event, method, code, tenant } = sink.entries[0]!;
    assert.deepEqual([event, method, code, tenant], ['refusals', 'Echo', 'TOKEN_INVALID', undefined]);
  });

  it('are refused as retryable, before their bytes are read, while no entry can be written', async () => {
    let ran = 0;
    await start({
      answer: async (request) => {
        ran += 1;
        return request;
      },
    });
    sink.full = true;
    const first = await rig.connect().send(ECHO, Buffer.from('x'), as('acme')).ended;
    assert.deepEqual([first.code, first.status, ran], ['AUDIT_UNAVAILABLE', 14, 1]);
    assert.equal(rig.observed[0]?.code, 'AUDIT_UNAVAILABLE');
    const next = await rig.connect().send(ECHO, Buffer.from('x'), as('acme')).ended;
    assert.deepEqual([next.code, ran], ['AUDIT_UNAVAILABLE', 1]);
  });

  it('of a stream have an entry at its admission and at its end, and end when no entry can be written', async () => {
    await start();
    const { stream, ended } = rig.connect().call(ECHOES, as('acme'));
    stream.write(framed(Buffer.from('abc')));
    await once(stream, 'data');
    assert.deepEqual([sink.entries.length, sink.entries[0]?.decision], [1, 'admitted']);
    stream.end(framed(Buffer.from('de')));
    assert.equal((await ended).status, 0);
    await settled();
    const { event, decision, code, bytesIn } = sink.entries[1]!;
    assert.deepEqual([event, decision, code, bytesIn], ['stream', 'ended', 'OK', 5]);
    sink.full = true;
    const refused = await rig.connect().send(ECHOES, Buffer.from('x'), as('acme')).ended;
    assert.equal(refused.code, 'AUDIT_UNAVAILABLE');
  });
});

describe('refused calls in one second', () => {
  it('have an entry each only for a verified tenant, and few; kinds are bounded', () => {
    const counts = new RefusalCounts();
    const refusal = { tenant: 'acme', method: 'Forward', code: 'QUEUE_FULL' };
    const own = Array.from({ length: 1000 }, () => counts.add(refusal)).filter(Boolean).length;
    assert.equal(own, ENTRIES_OF_A_TENANT);
    assert.deepEqual(counts.take(), [{ ...refusal, count: 1000 - ENTRIES_OF_A_TENANT }]);
    assert.ok(counts.empty);
    for (let n = 0; n < 1000; n++) counts.add({ ...refusal, tenant: '', code: `C${n}` });
    const taken = counts.take();
    assert.ok(taken.length <= MAX_KINDS + 1);
    assert.equal(
      taken.reduce((sum, { count }) => sum + count, 0),
      1000,
    );
  });
});

describe('the audit log at a syslog collector', () => {
  it('has a message of RFC 5424 for each entry, with its length before it', async () => {
    const collector = createServer();
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const { port } = collector.address() as { port: number };
    const parts: Buffer[] = [];
    collector.on('connection', (socket) => socket.on('data', (bytes) => parts.push(bytes)));
    const { log } = auditLogOver(new SyslogSink({ host: '127.0.0.1', port }, () => 0));
    await log.record('call', { tenant: 'acme' });
    await log.close();
    const [, length, message] = /^(\d+) (<110>1 1970-01-01T00:00:00\.000Z \S+ cutlayer \d+ audit - \{.*?\})\d+ <110>/s.exec(
      Buffer.concat(parts).toString(),
    )!;
    assert.equal(Buffer.byteLength(message!), Number(length));
    collector.close();
    await once(collector, 'close');
    const { log: late } = auditLogOver(new SyslogSink({ host: '127.0.0.1', port }, () => 0));
    await assert.rejects(late.record('call'), hasCode('AUDIT_UNAVAILABLE'));
    await late.close();
  });

  it('is named by an option', () => {
    assert.deepEqual(targetOf('syslog:///run/log.sock'), { kind: 'syslog', address: { path: '/run/log.sock' } });
    assert.deepEqual(targetOf('syslog://[::1]:514'), { kind: 'syslog', address: { host: '::1', port: 514 } });
    assert.deepEqual(targetOf('none'), { kind: 'none' });
    assert.deepEqual(targetOf('./audit'), { kind: 'directory', dir: './audit' });
    for (const wrong of ['', 'syslog://', 'syslog://host', 'syslog://host:0', 'syslog://host:99999', 'http://host:1'])
      assert.equal(targetOf(wrong), undefined, wrong);
  });
});
