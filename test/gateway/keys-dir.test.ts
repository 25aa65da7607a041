/** Gateways that share signing keys (`--keys-dir`) and have state directories of their own. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openIdentity } from '../../src/server/auth/identity.js';
import { issueToken } from '../../src/server/auth/issuer.js';
import { KeyRing } from '../../src/server/auth/key-ring.js';
import { cutlayerHere } from '../support/command-here.js';
import { bearer, splitCalls, startTestGateway, type TestGateway } from '../support/test-gateway.js';

describe('the directory of signing keys', () => {
  let keysDir: string;
  let gateways: readonly TestGateway[];
  before(async () => {
    keysDir = await mkdtemp(join(tmpdir(), 'cutlayer-keys-'));
    gateways = [await startTestGateway({ start: { keysDir } }), await startTestGateway({ start: { keysDir } })];
  });
  after(async () => {
    for (const gateway of gateways) await gateway.close();
    await rm(keysDir, { recursive: true, force: true });
  });

  const token = async (): Promise<string> => {
    const request = { tenant: 'acme', scopes: ['infer'], ttlSeconds: 60 } as const;
    return issueToken(await KeyRing.open(keysDir), await openIdentity(keysDir), request, Date.now());
  };
  const accepted = async (given: string): Promise<void> => {
    for (const gateway of gateways) await splitCalls(gateway.connect()).getModel(bearer(given));
  };

  it('makes a token good at each gateway that shares it, also with a key that a command has made since', async () => {
    await accepted(await token());
    const { code, stderr } = await cutlayerHere(['gateway', 'keys', 'rotate', '--keys-dir', keysDir]);
    assert.equal(code, 0, stderr);
    await accepted(await token());
  });

  it('is found by the commands of a running gateway, and by those that are told it', async () => {
    const { stateDir } = gateways[0]!;
    const { code, stderr } = await cutlayerHere(['gateway', 'tenant', 'create', 'beta', '--state-dir', stateDir]);
    assert.equal(code, 0, stderr);
    const printed = await cutlayerHere(['gateway', 'token', '--tenant', 'beta', '--state-dir', stateDir, '--keys-dir', keysDir]);
    await accepted(printed.stdout.trim());
    const client = ['gateway', 'client', 'add', 'beta', '--out', join(keysDir, 'beta.client'), '--state-dir', stateDir];
    assert.equal((await cutlayerHere([...client, '--keys-dir', keysDir])).code, 0);
    const { issuer } = JSON.parse(await readFile(join(keysDir, 'beta.client'), 'utf8')) as { issuer: string };
    assert.equal(issuer, (await openIdentity(keysDir)).issuer);
  });
});
