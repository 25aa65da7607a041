/** A gateway under hostile connections of every kind at once: an honest client's steps stay what they are. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { metricsOf, seriesOf } from '../../../bench/gateway-metrics.js';
import { attacks, CALLS, type HostileConnection, type Kind } from '../../../bench/hostile/attacks.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { thorough } from '../../support/exhaustive.js';
import { seeded, uniform } from '../../support/random.js';
import { bearer, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const kinds = Object.keys(attacks) as Kind[];
const OF_EACH_KIND = 166;
const STEPS = 4;
const ROWS = 4;
const ADDRESSES = 4;

describe('a gateway under a mixed attack', () => {
  let running: TestGateway;
  let calls: SplitCalls;
  before(async () => {
    running = await startTestGateway();
    calls = splitCalls(running.connect());
  });
  after(() => running.close());

  const connections = (): number => running.gateway.server.gauges().connections;

  /** The bytes of the answers of steps, each with its Backward. */
  async function steps(name: string): Promise<readonly string[]> {
    const metadata = bearer(await running.token({ tenant: 'honest' }));
    const { hiddenSize } = running.gateway.engine.artifact.manifest.dims;
    const answers: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      const rows = (seed: number, ...shape: readonly number[]) => {
        const { data, shape: whole } = uniform('float32', [...shape, hiddenSize], seeded(seed));
        return encodeTensor(f32(whole, data), 'f32');
      };
      const stepId = `${name}-${step}`;
      const { backboneDigest } = running.gateway;
      const forward = { stepId, backboneDigest, hiddenStates: rows(step, 1, ROWS), lengths: [ROWS], positions: [], training: true };
      const { hiddenStates } = await calls.forward(forward, metadata);
      const backward = { stepId, cotangent: rows(100 + step, ROWS), wantHiddenStates: true };
      const { hiddenStatesCotangent } = await calls.backward(backward, metadata);
      answers.push(...[hiddenStates, hiddenStatesCotangent].map((tensor) => Buffer.from(tensor!.data).toString('hex')));
    }
    return answers;
  }

  thorough(
    'answers an honest client exactly, counts what it refuses, and keeps no connection when the attackers have gone',
    async function () {
      this.timeout(600_000);
      const alone = await steps('alone');
      assert.equal(connections(), 1);
      const { listen: address, caFile } = running.gateway;
      const token = await running.token({ tenant: 'hostile' });
      const refused = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>;
      const hostile: HostileConnection[] = [];
      for (let at = 0; at < OF_EACH_KIND; at++) {
        for (const kind of kinds) {
          const target = { address, caFile: caFile!, ca: running.ca, token, localAddress: `127.0.1.${1 + (at % ADDRESSES)}`, at };
          hostile.push(attacks[kind](target, () => refused[kind]++));
        }
        await Promise.all(hostile.slice(-kinds.length).map(({ opened }) => opened));
      }
      const most = connections();
      assert.deepEqual(await steps('beside'), alone);
      // Half-open ones and slow readers stay until somebody ends them.
      assert.ok(most > OF_EACH_KIND, `${most} were open`);
      // A call without a token is refused on its headers, one with a length of 4 GiB at its first bytes.
      const made = CALLS * OF_EACH_KIND;
      while (refused['unknown key'] < made || refused.oversize < made) await delay(10);
      const counted = seriesOf(await metricsOf(running.gateway.admin), 'cutlayer_calls_total', { code: 'TOKEN_INVALID' });
      assert.equal(
        counted.reduce((sum, count) => sum + count, 0),
        made,
      );
      for (const connection of hostile) connection.close();
      await Promise.all(hostile.map(({ ended }) => ended));
      while (connections() > 1) await delay(10);
      assert.deepEqual(await steps('after'), alone);
      assert.equal(running.gateway.server.gauges().messageBytes, 0);
    },
  );
});
