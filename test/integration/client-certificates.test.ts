/**
 * A gateway that binds tokens to client certificates (`--client-ca`), and a customer who got one
 * file from `cutlayer gateway onboard`. In the exhaustive run each of them is a process.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import type { Onboarding } from '../../clients/typescript/cli/login/onboarding-file.js';
import { type ConnectOptions, connect } from '../../clients/typescript/connection/connect.js';
import { tokenSource } from '../../clients/typescript/connection/token-source.js';
import { makeAuthority, makeClient, type Pair } from '../../src/server/tls/certificates.js';
import { thumbprintOfPem } from '../../src/server/tls/client-certificate.js';
import { openDevelopmentTls } from '../../src/server/tls/development-ca.js';
import { cutlayerHere } from '../support/command-here.js';
import { startDelayProxy } from '../support/delay-proxy.js';
import { exhaustive, thorough } from '../support/exhaustive.js';
import { startGatewayHere } from '../support/gateway-here.js';
import { startGateway } from '../support/gateway-process.js';
import { packedFixture } from '../support/packed-fixture.js';
import { cutlayer } from '../support/server-process.js';
import { writeNotes } from '../support/training-data.js';

describe('a gateway with --client-ca, and a customer with the file of onboard', function () {
  this.timeout(120_000);
  const run = exhaustive ? cutlayer : cutlayerHere;
  let dir: string;
  let stateDir: string;
  let caFile: string;
  let gateway: { readonly address: string; stop(): Promise<void> };
  let bundleDir: string;
  let handed: Onboarding;
  const strangers: Record<string, Pair> = {};

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-bound-'));
    stateDir = join(dir, 'state');
    const packed = await packedFixture('llama-tiny');
    bundleDir = packed.bundleDir;
    ({ caFile } = await openDevelopmentTls(stateDir, ['127.0.0.1'], Date.now()));
    const { backboneDir } = packed;
    gateway = exhaustive
      ? await startGateway({ backboneDir, stateDir, flags: ['--client-ca', caFile, '--admin-tls', '--token-life', '1'] })
      : await startGatewayHere({ backboneDir, stateDir, start: { clientCa: caFile, adminTls: true, tokenLife: 1 } });
    const out = join(dir, 'acme.cutlayer');
    const place = ['--state-dir', stateDir, '--address', gateway.address];
    const made = await run(['gateway', 'onboard', 'acme', '--out', out, '--bundle', bundleDir, '--client-certificate', ...place]);
    assert.equal(made.code, 0, made.stderr);
    handed = JSON.parse(await readFile(out, 'utf8')) as Onboarding;
    const now = Date.now();
    const authority = { cert: await readFile(caFile, 'utf8'), key: await readFile(join(stateDir, 'ca-key.pem'), 'utf8') };
    const foreign = await makeAuthority(now);
    strangers['another of the authority'] = await makeClient(authority, 'bolt', 30, now);
    strangers['one of a foreign authority'] = await makeClient(foreign, 'acme', 30, now);
    strangers['a self-signed one'] = foreign;
  });
  after(async () => {
    await gateway.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const pair = ({ cert, key }: Pair) => ({ clientCert: cert, clientKey: key });
  /** Whether the gateway takes a token over a connection with a certificate. */
  async function outcome(access: Partial<ConnectOptions>): Promise<string> {
    try {
      const retry = { retryForMs: 1000 };
      (await connect({ address: gateway.address, ca: caFile, retry, ...access })).close();
      return 'OK';
    } catch (caught) {
      return (caught as { readonly code: string }).code;
    }
  }

  it('binds what it gives out to the certificate of the connection, and takes it over that one alone', async () => {
    const own = pair(handed.certificate!);
    const credentials = handed.client!;
    const token = await tokenSource({ credentials, ca: caFile, ...own })(false);
    const { cnf } = decodeJwt<{ cnf?: Record<string, string> }>(token);
    assert.deepEqual(cnf, { 'x5t#S256': thumbprintOfPem(handed.certificate!.cert) });
    assert.equal(await outcome({ token, ...own }), 'OK');
    assert.equal(await outcome({ token }), 'TOKEN_INVALID', 'without a certificate');
    for (const [what, other] of Object.entries(strangers)) assert.equal(await outcome({ token, ...pair(other) }), 'TOKEN_INVALID', what);
  });

  it('gives credentials without a certificate that counts nothing that it takes', async () => {
    const credentials = handed.client!;
    const bare = await tokenSource({ credentials, ca: caFile })(false);
    assert.equal(decodeJwt(bare).cnf, undefined);
    assert.equal(await outcome({ credentials }), 'TOKEN_INVALID');
    for (const [what, stranger] of Object.entries(strangers)) {
      const expected = what === 'another of the authority' ? 'OK' : 'TOKEN_INVALID';
      assert.equal(await outcome({ credentials, ...pair(stranger) }), expected, what);
      assert.equal(await outcome({ token: bare, ...pair(stranger) }), 'TOKEN_INVALID', what);
    }
  });

  it('refuses a pair that is none before it connects, without quoting it', async () => {
    const { cert, key } = handed.certificate!;
    const cases = [
      [{ clientCert: cert }, /got the certificate alone/],
      [{ clientCert: cert, clientKey: strangers['a self-signed one']!.key }, /key is that of another certificate/],
      [{ clientCert: cert, clientKey: cert }, /a private key without a passphrase/],
      [{ clientCert: join(dir, 'none.pem'), clientKey: key }, /none\.pem: no such file/],
    ] as const;
    for (const [access, message] of cases)
      await assert.rejects(connect({ address: gateway.address, ca: caFile, token: 'x', ...access }), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(!error.message.includes(key.slice(60, 100)));
        return true;
      });
    const insecure = { address: gateway.address, insecure: true, token: 'x', clientCert: cert, clientKey: key };
    await assert.rejects(connect(insecure), { code: 'INVALID_ARGUMENT', message: /either a client certificate or insecure/ });
  });

  thorough('trains with the file alone, and gets new tokens while the run goes on', async () => {
    const env = { CUTLAYER_HOME: join(dir, 'home'), CUTLAYER_TOKEN: '' };
    const login = await run(['client', 'login', '--from', join(dir, 'acme.cutlayer')], env);
    assert.equal(login.code, 0, login.stdout + login.stderr);
    const data = join(dir, 'notes.jsonl');
    writeNotes(data, 8, 1);
    const endpoint = await countedConnections(Number(new URL(handed.client!.tokenUrl).port));
    // A link of 10 ms each way makes the run longer than the life of a token, on any machine.
    const proxy = await startDelayProxy(Number(gateway.address.split(':')[1]), 10);
    try {
      const home = join(dir, 'home/profiles/default');
      const kept = JSON.parse(await readFile(join(home, 'profile.json'), 'utf8'));
      assert.deepEqual([kept.clientCert, kept.clientKey, kept.tokenFile], ['client.pem', 'client-key.pem', 'token']);
      await writeFile(join(home, 'profile.json'), JSON.stringify({ ...kept, gateway: `127.0.0.1:${proxy.port}` }));
      const tokenUrl = `https://127.0.0.1:${endpoint.port}/oauth2/token`;
      await writeFile(join(home, 'token'), JSON.stringify({ ...handed.client, tokenUrl }));
      const trained = await run(
        ['client', 'train', '--data', data, '--out', join(dir, 'run'), '--steps', '30', '--batch', '2', '--virtual-tokens', '2'],
        env,
      );
      assert.equal(trained.code, 0, trained.stderr);
      assert.ok(endpoint.count() >= 2, `${endpoint.count()} tokens were asked for`);
    } finally {
      await proxy.close();
      endpoint.close();
    }
  });

  it('is logged in to with the paths of a pair too, which a profile keeps for its own gateway', async () => {
    const home = { CUTLAYER_HOME: join(dir, 'paths'), CUTLAYER_TOKEN: '' };
    await mkdir(join(dir, 'pair'), { recursive: true });
    const [cert, key, tokenFile] = ['cert.pem', 'key.pem', 'acme.client'].map((name) => join(dir, 'pair', name)) as [
      string,
      string,
      string,
    ];
    await Promise.all([
      writeFile(cert, handed.certificate!.cert),
      writeFile(key, handed.certificate!.key),
      writeFile(tokenFile, JSON.stringify(handed.client)),
    ]);
    const where = ['--bundle', bundleDir, '--gateway', gateway.address, '--ca', caFile, '--token-file', tokenFile];
    const refused = await run(['client', 'login', ...where], home);
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, /^FAIL +access .*token: invalid$/m);
    const login = await run(['client', 'login', ...where, '--client-cert', cert, '--client-key', key], home);
    assert.equal(login.code, 0, login.stdout + login.stderr);
    const checked = await run(['client', 'check'], home);
    assert.equal(checked.code, 0, checked.stdout);
    for (const name of ['client-cert', 'client-key']) assert.match(checked.stdout, new RegExp(`^${name} +\\S+ +profile default$`, 'm'));
    const other = await run(['client', 'check', '--gateway', '127.0.0.1:1', '--token-file', tokenFile], home);
    assert.match(other.stdout, /^client-cert +(?!.*profile)/m);
  });
});

/** Passes connections on to a port, and counts them: a client opens one for each token. */
async function countedConnections(target: number) {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    const on = connectTcp(target, '127.0.0.1');
    for (const end of [socket, on]) end.on('error', () => undefined);
    socket.pipe(on).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, count: () => count, close: () => server.close() };
}
