/** A prefix that begins from real keys and values: those of the whole model, however it is cut, held to transformers' past_key_values. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { flattenPrefix } from '../../../clients/typescript/adapters/peft.js';
import { ClientBundle, connect, createAdapter, makeBatch, Prefix, RemoteModel, SplitModel } from '../../../clients/typescript/index.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { depth } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { maxRelativeError } from '../../support/packed-model.js';
import { startTestGateway } from '../../support/test-gateway.js';

const TOLERANCE = 1e-5;

interface Running {
  readonly model: SplitModel;
  readonly bundle: ClientBundle;
  readonly close: () => Promise<void>;
}

async function start(name: string, cut: { bottom: number; top: number }, gateway: Record<string, unknown>): Promise<Running> {
  const { backboneDir, bundleDir } = await packedFixture(name, cut);
  const running = await startTestGateway({ backboneDir, start: gateway });
  const connection = await connect({ address: running.gateway.listen, ca: running.ca.toString(), token: await running.token() });
  const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
  return {
    model: new SplitModel(bundle, new RemoteModel(connection)),
    bundle,
    close: async () => {
      connection.close();
      await bundle.close();
      await running.close();
    },
  };
}

describe('keys and values of the whole model', () => {
  let reference: ReadonlyMap<string, Tensor>;

  before(async () => {
    reference = (await readTensors(join(packageRoot(), 'test/fixtures/methods/key-values.safetensors'))).tensors;
  });

  const everyCut = [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ] as const;
  const twoCuts = depth<readonly (readonly [number, number])[]>(everyCut, [everyCut[2], everyCut[3]]);
  const one: readonly (readonly [number, number])[] = [[1, 1]];
  const checkpoints: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
    'gpt2-tiny': depth<readonly (readonly [number, number])[]>(everyCut, [everyCut[0], everyCut[1]]),
    'llama-tiny': depth(twoCuts, []),
    'llama3-tiny': depth(one, []),
    'qwen3-tiny': depth<readonly (readonly [number, number])[]>(everyCut, [everyCut[3]]),
    'olmo2-tiny': depth(one, []),
    'phi3-tiny': depth(one, []),
    'granite-tiny': depth(one, []),
    'gemma3_text-tiny': [[1, 1]],
  };

  it('has a reference of each checkpoint', () => {
    assert.deepEqual([...new Set([...reference.keys()].map((key) => key.split('.')[0]))].sort(), Object.keys(checkpoints).sort());
  });

  for (const [name, cuts] of Object.entries(checkpoints)) {
    for (const [bottom, top] of cuts) {
      describe(`${name}, bottom ${bottom}, top ${top}`, () => {
        let running: Running;
        before(async () => {
          running = await start(name, { bottom, top }, { allowPrefixInit: true });
        });
        after(() => running?.close());

        it("are transformers' past_key_values, as PEFT makes a prefix of them", async () => {
          const tokenIds = [...(reference.get(`${name}.tokenIds`)!.data as BigInt64Array)].map(Number);
          const keyValues = await running.model.keyValues(tokenIds);
          assert.ok(maxRelativeError(flattenPrefix(keyValues), reference.get(`${name}.keyValues`)!) < TOLERANCE);
        });

        if (bottom === 0 || top === 0) return;
        it('in a prefix, those of a text continue as the text itself does', async () => {
          const { model, bundle } = running;
          const [text, rest] = [
            [3, 11, 7, 5, 2],
            [9, 4, 6],
          ];
          const batch = (ids: readonly number[]) => makeBatch([{ tokenIds: Int32Array.from(ids), labelMask: new Uint8Array(ids.length) }]);
          const prefix = new Prefix(bundle, await model.keyValues(text!));
          const whole = await model.nextLogits(batch([...text!, ...rest!]));
          const continued = await model.nextLogits(batch(rest!), await prefix.parts());
          assert.ok(maxRelativeError(continued, whole) < TOLERANCE);
        });
      });
    }
  }

  describe('as init TEXT of prefix tuning', () => {
    const initText = 'the quick brown fox jumps over the lazy dog';
    let running: Running;

    before(async () => {
      running = await start('llama-tiny', { bottom: 1, top: 0 }, { allowPrefixInit: true, maxVirtualTokens: 16 });
    });
    after(() => running.close());

    const create = (settings: Parameters<typeof createAdapter>[2]) => {
      const { model, bundle } = running;
      return createAdapter({ bundle, keyValues: (tokenIds) => model.keyValues(tokenIds) }, 'prefix-tuning', { init: 'TEXT', ...settings });
    };

    it("begins with the text's first tokens", async () => {
      const adapter = await create({ initText, virtualTokens: 4 });
      assert.deepEqual(adapter.parameters[0]!.value, await running.model.keyValues(running.bundle.encode(initText).slice(0, 4)));
      assert.equal(adapter.numVirtualTokens, 4);
    });

    it('refuses a text that is too short, no text, a projection, and a client without a gateway', async () => {
      const count = running.bundle.encode(initText).length;
      const refusals: readonly [Promise<unknown>, RegExp][] = [
        [create({ initText, virtualTokens: count + 1 }), new RegExp(`has ${count} tokens, ${count + 1} virtual tokens .*ask for ${count}`)],
        [create({ virtualTokens: 2 }), /--init-text/],
        [create({ initText, virtualTokens: 2, prefixProjection: true }), /projection/],
        [create({ init: 'SAMPLE_VOCAB', virtualTokens: 2 }), /SAMPLE_VOCAB/],
        [createAdapter({ bundle: running.bundle }, 'prefix-tuning', { init: 'TEXT', initText, virtualTokens: 2 }), /connect to one/],
      ];
      for (const [made, message] of refusals) await assert.rejects(made, { code: 'INVALID_ARGUMENT', message });
    });

    it('tells the limit of virtual tokens', async () => {
      const tooMany = running.model.keyValues(Array<number>(17).fill(3));
      await assert.rejects(tooMany, { code: 'LIMIT_EXCEEDED', message: /expected at most 16, got 17/ });
    });
  });

  it("are refused where the vendor's policy does not allow it, and the model card says so before", async () => {
    const { model, close } = await start('gpt2-tiny', { bottom: 0, top: 0 }, {});
    try {
      assert.equal(model.remote.connection.card.prefixInit, false);
      await assert.rejects(model.keyValues([1, 2, 3]), { code: 'PREFIX_INIT_REFUSED', message: /--init RANDOM/ });
    } finally {
      await close();
    }
  });
});
