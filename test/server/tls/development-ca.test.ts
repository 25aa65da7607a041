import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { openDevelopmentTls, type TlsFiles } from '../../../src/server/tls/development-ca.js';

const DAY = 24 * 3600 * 1000;

/** Whether a client that trusts `ca` completes a handshake with a server that uses `files`, by the server's name or address. */
async function handshake(files: TlsFiles, ca: string, host: string): Promise<boolean> {
  const server = createServer({ cert: files.cert, key: files.key }, (socket) => socket.end());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca, servername: host === '127.0.0.1' ? '' : host });
  const good = await new Promise<boolean>((done) => {
    socket.once('secureConnect', () => done(socket.authorized));
    socket.once('error', () => done(false));
  });
  socket.destroy();
  await new Promise((done) => server.close(done));
  return good;
}

describe('development certificates', () => {
  let dir: string;
  const now = Date.now();
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-ca-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('are trusted by a client that is given the authority, under every local name', async () => {
    const files = await openDevelopmentTls(dir, ['127.0.0.1'], now);
    const ca = await readFile(files.caFile, 'utf8');
    const certificate = new X509Certificate(files.cert);
    assert.ok(certificate.verify(new X509Certificate(ca).publicKey));
    for (const name of ['127.0.0.1', '::1']) assert.ok(certificate.checkIP(name), name);
    assert.ok(await handshake(files, ca, 'localhost'));
  });

  it('are not trusted by a client that was given another authority', async () => {
    const other = await mkdtemp(join(tmpdir(), 'cutlayer-ca-'));
    const files = await openDevelopmentTls(dir, ['localhost'], now);
    const stranger = await openDevelopmentTls(other, ['localhost'], now);
    assert.equal(await handshake(files, await readFile(stranger.caFile, 'utf8'), 'localhost'), false);
    await rm(other, { recursive: true });
  });

  it('are trusted by a client whose file joins several authorities', async () => {
    const other = await mkdtemp(join(tmpdir(), 'cutlayer-ca-'));
    const both = [await openDevelopmentTls(dir, ['localhost'], now), await openDevelopmentTls(other, ['localhost'], now)];
    const joined = (await Promise.all(both.map(({ caFile }) => readFile(caFile, 'utf8')))).join('');
    for (const files of both) assert.ok(await handshake(files, joined, 'localhost'));
    await rm(other, { recursive: true });
  });

  it('are kept and used again, and say when the authority is new', async () => {
    const first = await openDevelopmentTls(dir, ['localhost'], now);
    const second = await openDevelopmentTls(dir, ['localhost'], now + DAY);
    assert.equal(first.newAuthority, true);
    assert.equal(second.newAuthority, false);
    assert.equal(second.cert, first.cert);
  });

  it('get a new server certificate, of the same authority, for a new host and before expiry', async () => {
    const first = await openDevelopmentTls(dir, ['localhost'], now);
    const moved = await openDevelopmentTls(dir, ['gateway.internal'], now);
    assert.ok(new X509Certificate(moved.cert).checkHost('gateway.internal'));
    const later = await openDevelopmentTls(dir, ['0.0.0.0', 'gateway.internal'], now + 85 * DAY);
    assert.notEqual(later.cert, moved.cert);
    assert.deepEqual([moved.newAuthority, later.newAuthority], [false, false]);
    assert.notEqual(first.cert, moved.cert);
  });

  it('keep private keys where only their owner can read them', async function () {
    if (process.platform === 'win32') this.skip();
    await openDevelopmentTls(dir, ['localhost'], now);
    for (const name of ['ca-key.pem', 'server-key.pem']) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  });
});
