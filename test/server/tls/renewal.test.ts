import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import express from 'express';
import { type AdminServer, adminCredentials, listenAdmin } from '../../../src/server/admin/listen.js';
import { makeAuthority, makeServer, type Pair } from '../../../src/server/tls/certificates.js';
import { openTls, type Tls } from '../../../src/server/tls/open-tls.js';
import { CertificateRenewal } from '../../../src/server/tls/renewal.js';

describe('certificates of a running server', () => {
  let dir: string;
  let authority: Pair;
  let first: Pair;
  let second: Pair;
  let tls: Tls;
  let admin: AdminServer;
  let renewal: CertificateRenewal;
  const logged: string[] = [];
  const log = { warn: () => {}, info: (text: string) => logged.push(text), error: (_: object, text: string) => logged.push(text) } as never;
  const write = ({ cert, key }: Pair) => Promise.all([writeFile(join(dir, 'cert.pem'), cert), writeFile(join(dir, 'key.pem'), key)]);
  const serialOf = ({ cert }: Pair): string => new X509Certificate(cert).serialNumber;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-renewal-'));
    authority = await makeAuthority(Date.now());
    [first, second] = await Promise.all([
      makeServer(authority, ['127.0.0.1'], Date.now()),
      makeServer(authority, ['127.0.0.1'], Date.now()),
    ]);
    await write(first);
    const files = { tlsCert: join(dir, 'cert.pem'), tlsKey: join(dir, 'key.pem'), tlsNames: [], insecure: false, adminTls: true };
    const listen = { host: '127.0.0.1', port: 0 };
    tls = await openTls({ ...files, listen, admin: listen, stateDir: dir }, { secrets: 'nothing', log, now: Date.now });
    admin = await listenAdmin(express(), '127.0.0.1', 0, log, tls.credentials);
    renewal = new CertificateRenewal({ tls, servers: [admin], log });
  });
  after(async () => {
    renewal.close();
    await admin.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** The serial number that a new connection is shown. */
  const shown = () =>
    new Promise<string>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: admin.port, ca: authority.cert, agent: false }, (response) => {
        response.resume();
        resolve((response.socket as TLSSocket).getPeerX509Certificate()!.serialNumber);
      });
      asked.on('error', reject).end();
    });

  it('are replaced for new connections when their files change, and at no other time', async () => {
    assert.equal(await shown(), serialOf(first));
    await renewal.look();
    assert.deepEqual(logged, []);
    await write(second);
    await renewal.look();
    assert.equal(await shown(), serialOf(second));
    assert.deepEqual(logged, ['certificate: new files are in use']);
  });

  it('stay when the new files are no pair, and the log says so', async () => {
    logged.length = 0;
    await write({ cert: first.cert, key: second.key });
    await renewal.look();
    assert.equal(await shown(), serialOf(second));
    assert.deepEqual(logged, ['certificate: the files cannot be used; the last good ones stay in use']);
    await rm(join(dir, 'key.pem'));
    await renewal.look();
    assert.equal(logged.length, 2);
    await write(first);
    await renewal.look();
    assert.equal(await shown(), serialOf(first));
  });

  it('serve the admin port everywhere but on a loopback address that is not told to use them', () => {
    const at = (host: string, adminTls: boolean) => adminCredentials({ admin: { host }, adminTls }, tls.credentials) !== 'insecure';
    assert.deepEqual([at('127.0.0.1', false), at('::1', false), at('localhost', false)], [false, false, false]);
    assert.deepEqual([at('127.0.0.1', true), at('0.0.0.0', false), at('10.0.0.1', false)], [true, true, true]);
  });
});
