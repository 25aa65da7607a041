/** Which tokens are chosen: those of transformers, greedy and drawn. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { connect } from '../../../../clients/typescript/connection/connect.js';
import { generateTokens } from '../../../../clients/typescript/inference/generate.js';
import { candidatesOf, rankTokens } from '../../../../clients/typescript/inference/sampling/candidates.js';
import { topLogprobs } from '../../../../clients/typescript/inference/sampling/logprobs.js';
import { createSampler, drawToken } from '../../../../clients/typescript/inference/sampling/sampler.js';
import { samplingSettings } from '../../../../clients/typescript/inference/sampling/settings.js';
import { ClientBundle } from '../../../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../../../clients/typescript/model/split-model.js';
import { pack } from '../../../../src/compiler/pack/pack.js';
import { packageRoot } from '../../../../src/files/package-root.js';
import { seeded } from '../../../../src/tensor/random.js';
import { withVariant } from '../../../support/checkpoint-variant.js';
import { every } from '../../../support/exhaustive.js';
import { packedFixture } from '../../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../../support/test-gateway.js';

interface Cases {
  readonly greedy: readonly { readonly config: object; readonly prompt: readonly number[]; readonly ids: readonly number[] }[];
  readonly drawn: {
    readonly logits: readonly number[];
    readonly cases: readonly {
      readonly temperature: number;
      readonly topK: number;
      readonly topP: number;
      readonly minP: number;
      readonly typicalP: number;
      readonly probabilities: readonly number[];
    }[];
  };
}

/** Made by test/conformance/generation.py. */
const { greedy, drawn } = JSON.parse(readFileSync(join(packageRoot(), 'test/fixtures/generation/cases.json'), 'utf8')) as Cases;

describe('generation with the settings of generation_config.json', () => {
  let root: string;
  let gateway: TestGateway;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-generation-'));
    gateway = await startTestGateway({ backboneDir: (await packedFixture('llama-tiny')).backboneDir });
  });
  after(async () => {
    await gateway?.close();
    await rm(root, { recursive: true, force: true });
  });

  for (const [at, { config, prompt, ids }] of every(3, [...greedy.entries()])) {
    it(`greedy tokens are those of transformers: ${JSON.stringify(config)}`, async () => {
      const files = { 'generation_config.json': JSON.stringify({ ...config, eos_token_id: -1 }) };
      const tokenizer = readFileSync(join(packageRoot(), 'test/fixtures/llama-tiny/tokenizer.json'));
      await withVariant('llama-tiny', { files: { ...files, 'tokenizer.json': tokenizer } }, (checkpointDir) =>
        pack({ checkpointDir, bottom: 0, top: 0, outDir: join(root, String(at)), name: 'llama-tiny' }),
      );
      const bundle = await ClientBundle.open(join(root, String(at), 'client-bundle'), { threads: 1 });
      const connection = await connect({ address: gateway.gateway.listen, ca: gateway.gateway.caFile!, token: await gateway.token() });
      try {
        const model = new SplitModel(bundle, new RemoteModel(connection));
        const generated: number[] = [];
        for await (const id of generateTokens(model, undefined, prompt, { maxNewTokens: 20 })) generated.push(id);
        assert.deepEqual(generated, ids);
      } finally {
        connection.close();
        await bundle.close();
      }
    });
  }

  it('a caller may set what the model sets', () => {
    const chosen = (options: object, defaults: object): number =>
      createSampler(options, { defaults })(Float32Array.of(3, 2, 1), { ids: [0], promptLength: 1 });
    assert.equal(chosen({ repetitionPenalty: 1 }, { repetitionPenalty: 9, noRepeatNgramSize: 1 }), 1); // banned, not penalized
    assert.equal(chosen({}, { repetitionPenalty: 9 }), 1);
    assert.equal(chosen({ repetitionPenalty: 1 }, { repetitionPenalty: 9 }), 0);
  });
});

describe('choosing a token', () => {
  const chosen = (options: object, logits: readonly number[], ids: readonly number[], stops: readonly number[] = []): number =>
    createSampler(options, { stopTokenIds: new Set(stops) })(Float32Array.from(logits), { ids, promptLength: 1 });

  it('takes penalties of presence and frequency off generated tokens, and not off the prompt', () => {
    assert.equal(chosen({ presencePenalty: 1.5 }, [3, 2], [0]), 0);
    assert.equal(chosen({ presencePenalty: 1.5 }, [3, 2], [0, 0, 0]), 1);
    assert.equal(chosen({ frequencyPenalty: 0.4 }, [3, 2], [0, 0, 0]), 0);
    assert.equal(chosen({ frequencyPenalty: 0.4 }, [3, 2], [0, 0, 0, 0]), 1);
    assert.equal(chosen({ presencePenalty: -1.5 }, [3, 2], [0, 1]), 1);
  });

  it('adds a bias before all else', () => {
    assert.equal(chosen({ logitBias: new Map([[1, 1.5]]) }, [3, 2], [0]), 1);
    assert.equal(chosen({ logitBias: new Map([[0, -100]]), repetitionPenalty: 2 }, [3, 2], [0]), 1);
    assert.equal(chosen({ logitBias: new Map([[7, 100]]) }, [3, 2], [0]), 0);
  });

  it('rules out stop tokens before the least length', () => {
    assert.equal(chosen({ minTokens: 2 }, [3, 2], [1, 1], [0]), 1);
    assert.equal(chosen({ minTokens: 2 }, [3, 2], [1, 1, 1], [0]), 0);
    assert.throws(() => chosen({ minTokens: 2 }, [3], [0], [0]), { code: 'INVALID_ARGUMENT', message: /no token is left/ });
  });

  it('draws of each continuation from a stream of its own, the same for the same seed', () => {
    const draws = (seed: number, number: number): string => {
      const sample = createSampler({ temperature: 1, seed }, {}, number);
      return Array.from({ length: 20 }, () => sample(new Float32Array(50), { ids: [0], promptLength: 1 })).join();
    };
    assert.equal(draws(1, 0), draws(1, 0));
    assert.equal(new Set([draws(1, 0), draws(1, 1), draws(1, 2), draws(2, 0)]).size, 4);
  });
});

describe('the order of tokens', () => {
  it('is that of their logits, ties by id, for every float32', () => {
    const floats = fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(floats, (values) => {
        const logits = Float32Array.from([...values, 0, ...values.slice(0, 9), Number.NEGATIVE_INFINITY], (value) =>
          value === 0 ? 0 : value,
        );
        const expected = [...logits.keys()].sort((a, b) => (logits[a] === logits[b] ? a - b : logits[b]! - logits[a]!));
        assert.deepEqual([...rankTokens(logits)], expected);
      }),
    );
  });

  it('gives log probabilities of the model, most probable first', () => {
    const logits = Float32Array.of(1, 3, 2);
    const total = Math.log(Math.exp(1) + Math.exp(3) + Math.exp(2));
    const top = topLogprobs(logits, 2);
    assert.deepEqual(
      top.map(({ id }) => id),
      [1, 2],
    );
    assert.ok(top.every(({ id, logprob }) => Math.abs(logprob - (logits[id]! - total)) < 1e-6));
  });
});

describe('drawing', () => {
  for (const { probabilities, ...settings } of drawn.cases) {
    it(`has the probabilities of transformers: ${JSON.stringify(settings)}`, () => {
      const { ids, weights } = candidatesOf(Float32Array.from(drawn.logits), samplingSettings(settings, {}));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const found = probabilities.map((_, id) => (ids.includes(id) ? weights[ids.indexOf(id)]! / total : 0));
      for (const [id, probability] of probabilities.entries())
        assert.ok(Math.abs(found[id]! - probability) < 2e-7, `token ${id}: ${found[id]}, not ${probability}`);
    });
  }

  it('draws each candidate as often as its weight says', () => {
    const random = seeded(5);
    const counts = [0, 0, 0];
    for (let i = 0; i < 20_000; i++) counts[drawToken({ ids: Uint32Array.of(2, 0, 1), weights: Float64Array.of(5, 3, 0) }, random)]! += 1;
    assert.equal(counts[1], 0);
    assert.ok(Math.abs(counts[2]! / 20_000 - 5 / 8) < 0.015, counts.join());
  });

  it('refuses settings that no one can mean', () => {
    const wrong = [{ temperature: -1 }, { topP: 0 }, { topP: 1.5 }, { minP: -0.1 }, { typicalP: 2 }, { topK: -1 }, { topK: 1.5 }];
    const others = [
      { repetitionPenalty: 0 },
      { noRepeatNgramSize: -2 },
      { presencePenalty: Number.NaN },
      { logitBias: new Map([[-1, 2]]) },
      { minTokens: 0.5 },
    ];
    for (const settings of [...wrong, ...others])
      assert.throws(() => createSampler(settings), {
        code: 'INVALID_ARGUMENT',
        message: new RegExp(`^generate: ${Object.keys(settings)[0]}: expected`),
      });
  });
});
