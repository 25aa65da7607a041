/** Founders at a coordinator that binds tokens to client certificates (`--client-ca`). */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { coordinatorOptions } from '../../../src/coordinator/config.js';
import { type RunningCoordinator, runCoordinator } from '../../../src/coordinator/run.js';
import { openSigningKey } from '../../../src/coordinator/signing-keys.js';
import { parseOptions } from '../../../src/options/parse-options.js';
import { signManifest } from '../../../src/protocol/federation/manifest.js';
import { createLogger } from '../../../src/server/observability/log.js';
import { thumbprintOfPem } from '../../../src/server/tls/client-certificate.js';
import { openDevelopmentTls } from '../../../src/server/tls/development-ca.js';
import { cutlayerHere } from '../../support/command-here.js';
import { testManifest } from '../../support/coordinator-rig.js';

describe('a founder at a coordinator with --client-ca', () => {
  let dir: string;
  let stateDir: string;
  let running: RunningCoordinator;
  const pair = (name: string): string[] => ['--client-cert', join(dir, `${name}.pem`), '--client-key', join(dir, `${name}-key.pem`)];
  const coordinator = (...args: string[]) => cutlayerHere(['coordinator', ...args], { CUTLAYER_TOKEN: '' });

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-founder-certificates-'));
    stateDir = join(dir, 'state');
    const { caFile } = await openDevelopmentTls(stateDir, ['127.0.0.1'], Date.now());
    const given = { listen: '127.0.0.1:0', admin: '127.0.0.1:0', audit: 'none', stateDir, clientCa: caFile };
    running = await runCoordinator(parseOptions(coordinatorOptions, given), createLogger({ level: 'silent' }));
    const founder = await openSigningKey(stateDir, 'founder');
    const [coordinatorKey, founderKey] = [running.coordinator.publicKey, founder.publicKey].map((key) => Buffer.from(key).toString('hex'));
    const { manifest } = testManifest({});
    const signed = signManifest({ ...manifest, coordinatorKey: coordinatorKey!, founderKey: founderKey! }, founder.privateKey);
    await running.coordinator.create(signed, new Float32Array(8));
    for (const name of ['alice', 'mallory']) {
      const { code, stderr } = await cutlayerHere(['gateway', 'cert', name, '--out', join(dir, name), '--state-dir', stateDir]);
      assert.equal(code, 0, stderr);
    }
  });
  after(async () => {
    await running.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('on its own machine is let in by a certificate of the authority, and not without', async () => {
    const bare = await coordinator('status', '--state-dir', stateDir);
    assert.equal(bare.code, 1);
    assert.match(bare.stderr, /error TOKEN_INVALID/);
    for (const command of [['status'], ['start'], ['stop'], ['invite', 'member-000', '--out', dir]]) {
      const { code, stderr } = await coordinator(...command, '--state-dir', stateDir, ...pair('alice'));
      assert.equal(code, 0, `${command}: ${stderr}`);
    }
  });

  it('elsewhere has a token that is good over a connection with its own certificate alone', async () => {
    const printed = await coordinator('token', '--admin', 'alice', '--client-cert', join(dir, 'alice.pem'), '--state-dir', stateDir);
    const token = printed.stdout.trim();
    assert.deepEqual(decodeJwt(token).cnf, { 'x5t#S256': thumbprintOfPem(await readFile(join(dir, 'alice.pem'))) });
    const tokenFile = join(dir, 'admin.token');
    await writeFile(tokenFile, token, { mode: 0o600 });
    const place = ['--coordinator', running.listen, '--ca', running.caFile!, '--token-file', tokenFile, '--state-dir', join(dir, 'none')];
    const status = (...certificate: string[]) => coordinator('status', ...place, ...certificate);
    const own = await status(...pair('alice'));
    assert.deepEqual([own.code, /test/.test(own.stdout)], [0, true], own.stderr);
    for (const certificate of [[], pair('mallory')]) {
      const { code, stderr } = await status(...certificate);
      assert.equal(code, 1);
      assert.match(stderr, /error TOKEN_INVALID/);
    }
  });

  it('is told of half a pair before anything is sent', async () => {
    const { code, stderr } = await coordinator('status', '--state-dir', stateDir, ...pair('alice').slice(0, 2));
    assert.equal(code, 1);
    assert.match(stderr, /got the certificate alone; pass both --client-cert and --client-key/);
  });
});
