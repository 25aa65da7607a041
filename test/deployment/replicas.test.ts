/**
 * Two gateways over one PostgreSQL database, behind haproxy. kill -9 of one of them costs clients
 * time, and nothing else: the same adapters, the same tokens, the same bill.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '../../clients/typescript/index.js';
import { CutlayerError } from '../../src/errors.js';
import { cutlayerHere } from '../support/command-here.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { ReplicaLoad } from '../support/replica-load.js';
import { type Replicas, replicasSuite } from '../support/replicas.js';

replicasSuite('two gateways over one PostgreSQL database, behind haproxy', function () {
  this.timeout(180_000);
  let load: ReplicaLoad;
  let replicas: Replicas;

  before(async () => {
    load = await ReplicaLoad.start();
    replicas = load.replicas;
  });
  after(() => load?.stop());

  /** Calls until the gateway refuses; resolves with the code. */
  const refusal = async (gateway: GatewayProcess, token: string): Promise<string> => {
    for (;;) {
      try {
        (await connect({ address: gateway.address, ca: replicas.caFile, token, retry: { retryForMs: 0 } })).close();
      } catch (caught) {
        return CutlayerError.from(caught).code;
      }
      await pause(100);
    }
  };

  const command = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await cutlayerHere(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  it('takes a token at either gateway, whichever of them, or which command, has issued it', async () => {
    const [a, b] = replicas.gateways;
    const token = (
      await command('gateway', 'token', '--tenant', 'either', '--keys-dir', replicas.keysDir, '--state-dir', a.stateDir)
    ).trim();
    for (const gateway of [a, b]) (await load.open(gateway.address, token)).close();
    const file = join(load.dir, 'either.client');
    const tokenUrl = `https://${replicas.admin}/oauth2/token`;
    const flags = ['--token-url', tokenUrl, '--keys-dir', replicas.keysDir, '--state-dir', a.stateDir];
    await command('gateway', 'client', 'add', 'either', '--out', file, ...flags);
    // The token endpoint of one of them answers; each gateway takes what it gives.
    for (const gateway of [a, b, a, b]) {
      (await connect({ address: gateway.address, ca: replicas.caFile, tokenFile: file })).close();
    }
  });

  it('takes tokens of a new key at both as soon as a command has made it, and those of the key before', async () => {
    const before = await replicas.token({ tenant: 'rotating' });
    await command('gateway', 'keys', 'rotate', '--keys-dir', replicas.keysDir);
    const after = await replicas.token({ tenant: 'rotating' });
    for (const { address } of replicas.gateways) for (const token of [before, after]) (await load.open(address, token)).close();
  });

  it('refuses at one gateway what was suspended or disabled at the other', async () => {
    const [a, b] = replicas.gateways;
    const token = await replicas.token({ tenant: 'leaving' });
    (await load.open(b.address, token)).close();
    // The command asks the gateway of this state directory.
    await command('gateway', 'tenant', 'suspend', 'leaving', '--state-dir', a.stateDir);
    assert.equal(await refusal(b, token), 'TENANT_SUSPENDED');
    const id = (await command('gateway', 'client', 'add', 'disabling', '--secret', '--state-dir', a.stateDir)).split(' ')[0]!;
    const ofClient = await replicas.token({ tenant: 'disabling', clientId: id });
    (await load.open(b.address, ofClient)).close();
    await command('gateway', 'client', 'disable', id, '--state-dir', a.stateDir);
    assert.equal(await refusal(b, ofClient), 'TOKEN_INVALID');
  });

  // The last one: it leaves one gateway.
  it('kill -9 of one under load: no step is wrong, lost or charged twice', async () => {
    const undisturbed = await load.run('whole');
    const [dying, living] = replicas.gateways;
    let moving: readonly string[] = [];
    const disturbed = await load.run('killed', {
      connected: async () => {
        moving = await load.trainersOf(dying, 'GetModel', 'killed');
      },
      atMark: () => dying.kill(),
    });
    for (const [tenant, { result }] of disturbed) assert.deepEqual(result, undisturbed.get(tenant)!.result, tenant);
    assert.ok(moving.length > 0, 'a trainer was at the gateway that was killed');
    const stayed = await load.trainersOf(living, 'Backward', 'killed');
    assert.deepEqual(
      moving.filter((tenant) => !stayed.includes(tenant)),
      [],
      'each went on at the other one',
    );
    const replayed = [...disturbed].filter(([tenant, { bytesUp }]) => bytesUp > undisturbed.get(tenant)!.bytesUp);
    assert.ok(
      replayed.some(([tenant]) => tenant.startsWith('decoder')),
      'a text was half done at the gateway that was killed',
    );
    for (const tenant of disturbed.keys()) {
      const charged = await load.chargedTo(`${tenant}-killed`);
      assert.ok(charged.calls > 0, tenant);
      assert.deepEqual(charged, await load.chargedTo(`${tenant}-whole`), tenant);
    }
  });
});
