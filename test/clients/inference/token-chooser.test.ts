/** Which tokens are chosen: those of transformers, greedy and drawn. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../../clients/typescript/connection/connect.js';
import { generateTokens } from '../../../clients/typescript/inference/generate.js';
import { drawToken, tokenChooser } from '../../../clients/typescript/inference/token-chooser.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../../clients/typescript/model/split-model.js';
import { pack } from '../../../src/compiler/pack/pack.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { seeded } from '../../../src/tensor/random.js';
import { withVariant } from '../../support/checkpoint-variant.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

interface Cases {
  readonly greedy: readonly { readonly config: object; readonly prompt: readonly number[]; readonly ids: readonly number[] }[];
  readonly drawn: {
    readonly logits: readonly number[];
    readonly cases: readonly {
      readonly temperature: number;
      readonly topK: number;
      readonly topP: number;
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

  for (const [at, { config, prompt, ids }] of greedy.entries()) {
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
    const choose = tokenChooser({ repetitionPenalty: 1 }, { repetitionPenalty: 9, noRepeatNgramSize: 1 });
    assert.equal(choose(Float32Array.of(3, 2, 1), [0]), 1); // the second is banned, the penalty is not applied
    assert.equal(tokenChooser({}, { repetitionPenalty: 9 })(Float32Array.of(3, 2, 1), [0]), 1);
    assert.equal(tokenChooser({ repetitionPenalty: 1 }, { repetitionPenalty: 9 })(Float32Array.of(3, 2, 1), [0]), 0);
  });
});

describe('drawing', () => {
  for (const { probabilities, ...settings } of drawn.cases) {
    it(`draws with the probabilities of transformers: ${JSON.stringify(settings)}`, () => {
      const random = seeded(5);
      const counts = new Array<number>(probabilities.length).fill(0);
      const draws = 20_000;
      for (let i = 0; i < draws; i++) counts[drawToken(Float32Array.from(drawn.logits), settings, random)]! += 1;
      probabilities.forEach((probability, token) => {
        const share = counts[token]! / draws;
        assert.ok(probability === 0 ? share === 0 : Math.abs(share - probability) < 0.015, `token ${token}: ${share}, not ${probability}`);
      });
    });
  }

  it('refuses settings that no one can mean', () => {
    for (const wrong of [
      { temperature: -1 },
      { topP: 0 },
      { topP: 1.5 },
      { topK: -1 },
      { topK: 1.5 },
      { repetitionPenalty: 0 },
      { noRepeatNgramSize: -2 },
    ])
      assert.throws(() => tokenChooser(wrong), { code: 'INVALID_ARGUMENT', message: /generate: expected/ }, JSON.stringify(wrong));
  });
});
