import assert from 'node:assert/strict';
import { SecAggClient } from '../../../src/protocol/secagg/client.js';
import { context, lowPins, Table } from '../../support/secagg-table.js';

/** The first participant as a restarted process finds it. */
function restarted(table: Table): SecAggClient {
  const { client, identity } = table.site(0);
  return SecAggClient.fromState(JSON.parse(JSON.stringify(client.toState())), identity);
}

describe('a participant that was killed in a round', () => {
  it('answers every stage with the same bytes as before, from the state saved at any stage', () => {
    const table = new Table(5);
    const answers: ((client: SecAggClient) => unknown)[] = [
      (client) => client.advertise(context),
      (client) => client.shareKeys(table.advertisements.toReversed(), table.roster),
      (client) => client.mask(table.inbox('site-000').toReversed(), table.site(0).ring),
      (client) => client.confirm(table.survivors),
      (client) => client.unmask(table.confirmations.toReversed()),
    ];
    const stages = [() => table, () => table.share(), () => table.submit(), () => table.confirm(), () => table.reveal()];
    const given: unknown[] = [];
    for (const [stage, play] of stages.entries()) {
      play();
      given.push(answers[stage]!(table.site(0).client));
      const client = restarted(table);
      for (const [earlier, answer] of given.entries())
        assert.deepEqual(answers[earlier]!(client), answer, `stage ${earlier + 1} after stage ${stage + 1}`);
    }
    const [advertisement, , masked, confirmation, revealed] = given;
    assert.deepEqual(advertisement, table.advertisements[0]);
    assert.deepEqual(masked, table.masked.get('site-000'));
    assert.deepEqual(confirmation, table.confirmations[0]);
    assert.deepEqual(revealed, table.revealed[0]);
  });

  it('finishes the round as if nothing had happened, restarted before every stage', async () => {
    const table = new Table(4);
    const restart = () => {
      for (const [name, site] of table.sites)
        Object.assign(site, { client: SecAggClient.fromState(site.client.toState(), table.sites.get(name)!.identity) });
    };
    for (const play of [() => table.share(), () => table.submit(), () => table.confirm(), () => table.reveal()]) {
      restart();
      play();
    }
    assert.deepEqual((await table.unmask()).sum, table.plainSum(table.names));
  });

  it('still refuses what it had answered differently before it was killed', () => {
    const confirmed = new Table(5).share().submit().confirm();
    assert.throws(() => restarted(confirmed).confirm(confirmed.names.slice(0, 4)), {
      code: 'SECAGG_REFUSED',
      message: /another list of survivors/,
    });
    assert.throws(() => restarted(confirmed).mask(confirmed.inbox('site-000'), confirmed.site(1).ring), {
      code: 'SECAGG_REFUSED',
      message: /another vector/,
    });
    assert.throws(() => restarted(confirmed).mask(confirmed.inbox('site-000').slice(1), confirmed.site(0).ring), {
      message: /another inbox/,
    });
    assert.throws(() => restarted(confirmed).shareKeys(confirmed.advertisements.slice(0, 4), confirmed.roster), {
      message: /another cohort/,
    });
    assert.throws(() => restarted(confirmed).advertise(new Uint8Array(32)), { message: /another context/ });
    confirmed.reveal();
    assert.throws(() => restarted(confirmed).unmask(confirmed.confirmations.slice(1)), { message: /asked a second time/ });
  });

  it('draws new secrets for every round', () => {
    const table = new Table(3);
    const { name, identity } = table.site(0);
    const [one, other] = [1, 2].map(() => SecAggClient.begin(table.round, lowPins, name, identity).advertise(context));
    for (const field of ['encryptionKey', 'maskKey', 'selfMaskCommitment'] as const) assert.notDeepEqual(one![field], other![field]);
  });

  it('keeps its identity key out of the state, and takes no state of another identity', () => {
    const table = new Table(3);
    const { client, identity } = table.site(0);
    assert.ok(!JSON.stringify(client.toState()).includes(Buffer.from(identity.privateKey).toString('base64')));
    assert.throws(() => SecAggClient.fromState(client.toState(), table.site(1).identity), {
      code: 'INVALID_CONFIG',
      message: /another identity/,
    });
  });

  it('takes no state that is damaged', () => {
    const table = new Table(3);
    const { client, identity } = table.site(0);
    const state = client.toState();
    for (const damaged of [
      null,
      {},
      { ...state, version: 2 },
      { ...state, secrets: { ...state.secrets, maskKey: 'AAAA' } },
      { ...state, survivors: 'all' },
    ])
      assert.throws(() => SecAggClient.fromState(damaged, identity), {
        code: 'INVALID_CONFIG',
        message: /state of a secure-aggregation round/,
      });
  });
});
