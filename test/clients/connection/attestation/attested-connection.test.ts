/** A connection with a policy sends nothing but a token before the gateway's code is proved, on every connection anew. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import type { AttestationOptions } from '../../../../clients/typescript/connection/attestation/attested-clients.js';
import type { AttestationPolicy } from '../../../../clients/typescript/connection/attestation/policy.js';
import { type Connection, type ConnectOptions, connect } from '../../../../clients/typescript/connection/connect.js';
import { parseGatewayConfig } from '../../../../src/gateway/config.js';
import { makeAuthority, makeServer, type Pair } from '../../../../src/server/tls/certificates.js';
import { depth } from '../../../support/exhaustive.js';
import { type FakeHardware, fakeHardware, fakeRegisters } from '../../../support/fake-hardware.js';
import { startTapProxy, type TapProxy } from '../../../support/tap-proxy.js';
import { startTestGateway, type TestGateway } from '../../../support/test-gateway.js';

const policy: AttestationPolicy = {
  measurements: { tdx: [fakeRegisters], sgx: [] },
  tcb: ['UpToDate'],
  maxCollateralAgeMs: 30 * 86_400_000,
  maxEvidenceAgeMs: 3_600_000,
  nvidia: undefined,
};

describe('an attested connection', () => {
  let dir: string;
  let hardware: FakeHardware;
  let authority: Pair;
  let gateway: TestGateway;
  let tap: TapProxy;
  let token: string;
  /** What the hardware answers, and how often it was asked. */
  let answer: (reportData: Buffer) => Buffer;
  let asked: number;
  const open: Connection[] = [];

  const write = ({ cert, key }: Pair) => Promise.all([writeFile(join(dir, 'cert.pem'), cert), writeFile(join(dir, 'key.pem'), key)]);
  const server = () => makeServer(authority, ['127.0.0.1'], Date.now());
  const attested = async (more: Partial<AttestationOptions> = {}, reach: Partial<ConnectOptions> = {}): Promise<Connection> => {
    const attestation = { policy, root: hardware.root, ...more };
    const connection = await connect({
      address: tap.address,
      ca: authority.cert,
      token,
      attestation,
      retry: { retryForMs: 20_000 },
      ...reach,
    });
    open.push(connection);
    return connection;
  };
  const refused = (work: Promise<unknown>, message: RegExp) => assert.rejects(work, { code: 'ATTESTATION_REJECTED', message });
  /** Methods that were called, and evidence that was given, by the gateway's audit log. */
  const audited = async () => {
    const files = (await readdir(join(dir, 'audit'))).filter((name) => name.endsWith('.jsonl'));
    const lines = (await Promise.all(files.map((name) => readFile(join(dir, 'audit', name), 'utf8')))).join('').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as { readonly event: string; readonly method?: string; readonly evidence?: string });
  };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-attested-'));
    hardware = await fakeHardware(Date.now());
    authority = await makeAuthority(Date.now());
    await write(await server());
    await writeFile(join(dir, 'collateral.json'), await hardware.collateral());
    const files = { tlsCert: join(dir, 'cert.pem'), tlsKey: join(dir, 'key.pem'), attestationCollateral: join(dir, 'collateral.json') };
    gateway = await startTestGateway({
      start: { ...files, audit: join(dir, 'audit') },
      quotes: async (reportData) => {
        asked += 1;
        return answer(reportData);
      },
    });
    tap = await startTapProxy(gateway.gateway.listen);
    token = await gateway.token();
  });
  beforeEach(() => {
    [asked, answer] = [0, (reportData) => hardware.quote(reportData)];
  });
  after(async () => {
    for (const connection of open) connection.close();
    await tap?.close();
    await gateway?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('has evidence before its first call, again when evidence is old, and again after each reconnect', async () => {
    let now = Date.now();
    const connection = await attested({ now: () => now });
    assert.equal(asked, 1);
    assert.deepEqual(connection.attested?.measurements, fakeRegisters);
    await connection.call('GetModel', {});
    assert.equal(asked, 1);
    now += policy.maxEvidenceAgeMs + 1;
    await connection.call('GetModel', {});
    assert.equal(asked, 2);
    tap.sever();
    await connection.call('GetModel', {});
    assert.equal(asked, 3);
    const given = (await audited()).filter(({ event }) => event === 'attestation').map(({ evidence }) => evidence);
    assert.equal(given.length, 3);
    assert.equal(given.at(-1), connection.attested?.evidence);
  });

  it('ends with the first evidence that is replayed', async () => {
    const quotes: Buffer[] = [];
    answer = (reportData) => {
      quotes.push(hardware.quote(reportData));
      return quotes[0]!;
    };
    const connection = await attested();
    tap.sever();
    const before = (await audited()).filter(({ method }) => method === 'GetModel').length;
    for (let i = 0; i < 2; i++)
      await refused(connection.call('GetModel', {}), /report data: expected a quote for this call and this TLS key/);
    assert.equal((await audited()).filter(({ method }) => method === 'GetModel').length, before);
  });

  it('is not made to other code, and sends it nothing but the call for evidence', async () => {
    const before = (await audited()).length;
    answer = (reportData) => hardware.quote(reportData, { mrtd: '00'.repeat(48) });
    await refused(attested(), /mrtd: expected a1.*, got 00.*; nothing was sent/);
    const after = (await audited()).slice(before);
    assert.deepEqual(
      after.flatMap(({ method }) => method ?? []),
      ['GetAttestation'],
    );
  });

  it('meets a new TLS key as a new server, which is attested or refused', async () => {
    let now = Date.now();
    const connection = await attested({ now: () => now });
    const { evidence } = connection.attested!;
    await write(await server());
    await gateway.gateway.renew();
    // The open connection still has the key that was attested.
    await connection.call('GetModel', {});
    assert.equal(asked, 1);
    tap.sever();
    await connection.call('GetModel', {});
    assert.equal(asked, 2);
    assert.notEqual(connection.attested?.evidence, evidence);
    await write(await server());
    await gateway.gateway.renew();
    // Evidence that is asked for again names the new key, which the open connection has not.
    now += policy.maxEvidenceAgeMs + 1;
    await connection.call('GetModel', {});
    assert.equal(asked, 4);
    await write(await server());
    await gateway.gateway.renew();
    answer = (reportData) => hardware.quote(reportData, { rtmr3: '00'.repeat(48) });
    tap.sever();
    await refused(connection.call('GetModel', {}), /rtmr3: expected b3/);
  });

  it('is refused through a proxy that ends TLS, also with a certificate that the client trusts', async () => {
    const between = await server();
    const sockets: tls.TLSSocket[] = [];
    const proxy = tls.createServer({ ...between, ALPNProtocols: ['h2'] }, (client) => {
      const [host, port] = gateway.gateway.listen.split(':') as [string, string];
      const upstream = tls.connect({ host, port: Number(port), ca: authority.cert, ALPNProtocols: ['h2'] });
      sockets.push(client, upstream);
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`; // it listens on TCP
      await refused(attested({}, { address }), /TLS key: expected evidence for the key of this connection .* Something between ends TLS/);
      const plain = await connect({ address, ca: authority.cert, token });
      plain.close();
    } finally {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    }
  });

  it('is to a key that the gateway makes at its start and writes nowhere', async () => {
    const stateDir = join(dir, 'state');
    const keys: (Buffer | undefined)[] = [];
    for (let start = 0; start < depth(2, 1); start++) {
      const own = await startTestGateway({
        start: { stateDir, attestation: 'tsm', attestationCollateral: join(dir, 'collateral.json') },
        quotes: async (reportData) => answer(reportData),
      });
      try {
        const reach = { address: own.gateway.listen, ca: own.ca.toString(), token: await own.token() };
        assert.equal((await attested({}, reach)).attested?.kind, 'tdx');
        await own.gateway.renew();
        keys.push(await shownKey(own));
        assert.deepEqual(
          (await readdir(stateDir)).filter((name) => /^server/.test(name)),
          [],
        );
      } finally {
        await own.close();
      }
    }
    // The second start is that of the exhaustive run.
    assert.notDeepEqual(keys[0], keys[1]);
    const config = (more: object) => parseGatewayConfig({ backbone: dir, attestation: 'tsm', ...more });
    const given = { tlsCert: join(dir, 'cert.pem'), tlsKey: join(dir, 'key.pem') };
    assert.throws(() => config(given), { code: 'INVALID_OPTION', message: /--tls-key: expected none with --attestation/ });
    assert.throws(() => config({ insecure: true }), { code: 'INVALID_OPTION', message: /--insecure/ });
    assert.throws(() => config({ attestation: 'quotes.sh' }), { code: 'INVALID_OPTION', message: /the absolute path of a program/ });
  });

  it('is not made without TLS', async () => {
    await assert.rejects(attested({}, { ca: undefined, insecure: true }), {
      code: 'INVALID_ARGUMENT',
      message: /attestation binds the key of TLS/,
    });
  });
});

/** The key that a gateway shows. */
function shownKey({ gateway, ca }: TestGateway): Promise<Buffer | undefined> {
  const [host, port] = gateway.listen.split(':') as [string, string];
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: Number(port), ca, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().pubkey);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
