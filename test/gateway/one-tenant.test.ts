import assert from 'node:assert/strict';
import { oneTenantOnUnpatched } from '../../src/gateway/one-tenant.js';
import type { Verifier } from '../../src/server/auth/verifier.js';
import { nodeFault } from '../../src/server/node-version.js';
import { hasCode } from '../support/has-code.js';
import { principal } from '../support/rpc-rig.js';

describe('a version of Node', () => {
  for (const [version, unpatched] of [
    ['v20.20.0', true],
    ['v21.7.3', true],
    ['v22.23.4', true],
    ['v22.23.5', false],
    ['v22.24.0', false],
    ['v23.11.1', true],
    ['v24.9.0', true],
    ['v24.22.2', true],
    ['v24.22.3', false],
    ['v24.23.0-nightly2026', false],
    ['v26.0.0', false],
    ['v18.0.0', true],
  ] as const)
    it(`${version} ${unpatched ? 'has' : 'does not have'} the fault`, () => assert.equal(nodeFault(version).unpatched, unpatched));
});

describe('a gateway on an unpatched Node', () => {
  const verify: Verifier = async (token) => principal(token);
  const gate = (version: string, accepted: boolean) => {
    const said: string[] = [];
    const say = (_: object, text: string): void => void said.push(text);
    const log = { warn: say, error: say } as unknown as Parameters<typeof oneTenantOnUnpatched>[1]['log']; // it uses this form alone
    return { said, verify: oneTenantOnUnpatched(verify, { accepted, log, fault: nodeFault(version) }) };
  };

  it('serves the first tenant, and refuses a second by an error that names the flag', async () => {
    const { said, verify: gated } = gate('v20.20.0', false);
    assert.match(said[0]!, /^NODE v20\.20\.0 HAS A PUBLISHED HTTP\/2 FAULT/);
    assert.equal((await gated('acme')).tenant, 'acme');
    const refused = hasCode('UNPATCHED_NODE', /--accept-unpatched-node/);
    await assert.rejects(gated('other'), refused);
    await assert.rejects(gated('third'), refused);
    assert.equal((await gated('acme')).tenant, 'acme');
    assert.equal(said.length, 2);
  });

  it('serves all when its operator accepts the fault, and warns all the same', async () => {
    const { said, verify: gated } = gate('v20.20.0', true);
    for (const tenant of ['acme', 'other']) assert.equal((await gated(tenant)).tenant, tenant);
    assert.equal(said.length, 1);
  });

  it('says and refuses nothing on a patched one', async () => {
    const { said, verify: gated } = gate('v24.22.3', false);
    for (const tenant of ['acme', 'other']) assert.equal((await gated(tenant)).tenant, tenant);
    assert.deepEqual(said, []);
  });
});
