/** Texts held to a constraint, from a split model through a gateway. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContinuationOptions } from '../../../../clients/typescript/inference/continuation.js';
import { continueAll, promptIds } from '../../../../clients/typescript/inference/generate.js';
import type { Constraint } from '../../../../clients/typescript/inference/grammar/constraint.js';
import { leaseGrammar } from '../../../../clients/typescript/inference/grammar/grammar-cache.js';
import { cutlayerHere } from '../../../support/command-here.js';
import { depth, thorough } from '../../../support/exhaustive.js';
import { packedFixture } from '../../../support/packed-fixture.js';
import { type ServingRig, startServingRig } from '../../../support/serving-rig.js';
import { dataOfStreams, startTapProxy, type TapProxy } from '../../../support/tap-proxy.js';

const schema = {
  type: 'object',
  properties: { secret_part_name: { enum: ['compressor bearing', 'inlet valve'] }, count: { type: 'integer', minimum: 3, maximum: 42 } },
  required: ['secret_part_name', 'count'],
};

describe('generation under a constraint', () => {
  let rig: ServingRig;
  let tap: TapProxy;
  before(async () => {
    rig = await startServingRig({
      through: async (gateway) => {
        tap = await startTapProxy(gateway);
        return tap.address;
      },
    });
  });
  after(async () => {
    await rig?.close();
    await tap?.close();
  });

  async function texts(
    options: ContinuationOptions,
    count = 1,
  ): Promise<readonly { readonly text: string; readonly finish: string; readonly tokens: number }[]> {
    const { model } = rig;
    const ids = promptIds(model.bundle.tokenizer, 'The pump');
    const made = Array.from({ length: count }, () => ({ text: '', finish: '', tokens: 0 }));
    const prompts = made.map((_, number) => ({ ids, options: { temperature: 1, maxNewTokens: 100, ...options }, number }));
    for await (const { index, text, finish, token } of continueAll(model, undefined, prompts)) {
      made[index]!.text += text;
      made[index]!.finish = finish ?? '';
      if (token !== undefined) made[index]!.tokens++;
    }
    return made;
  }

  it('gives texts that fit, and ends them where the grammar does', async () => {
    const constraints: readonly (readonly [Constraint, (text: string) => boolean])[] = [
      [
        { kind: 'schema', schema },
        (text) => schema.properties.secret_part_name.enum.includes((JSON.parse(text) as { secret_part_name: string }).secret_part_name),
      ],
      [{ kind: 'regex', pattern: '[A-C]{2}-\\d{3}' }, (text) => /^[A-C]{2}-\d{3}$/.test(text)],
      [{ kind: 'choice', choices: ['yes', 'no', ' perhaps'] }, (text) => ['yes', 'no', ' perhaps'].includes(text)],
    ];
    for (const [constraint, fits] of constraints) {
      for (const { text, finish } of await texts({ constraint, seed: 4 }, depth(3, 1))) {
        assert.equal(finish, 'stop');
        assert.ok(fits(text), text);
      }
    }
  });

  it('sends neither the schema nor the text', async () => {
    const [made] = await texts({ constraint: { kind: 'schema', schema } });
    const sent = tap.connections().flatMap(({ up, down }) => [up, down, ...dataOfStreams(up).values(), ...dataOfStreams(down).values()]);
    assert.ok(sent.reduce((sum, { length }) => sum + length, 0) > 1000);
    for (const part of ['secret_part_name', 'compressor bearing', 'inlet valve', made!.text])
      assert.ok(!sent.some((bytes) => bytes.includes(part)));
  });

  thorough('says length where the text was cut off', async () => {
    const [made] = await texts({ constraint: { kind: 'regex', pattern: 'a{50}' }, maxNewTokens: 3 });
    assert.equal(made!.finish, 'length');
    assert.match(made!.text, /^a+$/);
  });

  thorough('gives log probabilities of the model without the constraint', async () => {
    const { model } = rig;
    const ids = promptIds(model.bundle.tokenizer, 'The pump');
    const top = async (constraint?: Constraint) => {
      for await (const { token } of continueAll(model, undefined, [{ ids, options: { constraint, topLogprobs: 320, maxNewTokens: 1 } }]))
        if (token !== undefined) return token;
      return assert.fail('no token');
    };
    const [free, held] = [await top(), await top({ kind: 'choice', choices: ['zq'] })];
    assert.deepEqual(held.top, free.top);
    assert.notEqual(held.id, free.id);
    assert.equal(held.logprob, free.top.find(({ id }) => id === held.id)!.logprob);
  });

  thorough('compiles a constraint once, and ends one that explodes in time', async () => {
    const { tokenizer } = rig.model.bundle;
    const stops = tokenizer.stopTokenIds;
    const constraint: Constraint = { kind: 'regex', pattern: 'x{1,3}' };
    const [a, b] = await Promise.all([leaseGrammar(tokenizer, constraint, stops), leaseGrammar(tokenizer, constraint, stops)]);
    assert.equal(a.thread, b.thread);
    a.release();
    b.release();
    const exploding: Constraint = { kind: 'regex', pattern: '(?:(?:(?:[a-z]?[b-x]?){0,900}y?){0,900}z?){0,900}' };
    const began = performance.now();
    await assert.rejects(leaseGrammar(tokenizer, exploding, stops, { compileMs: 1500, answerMs: 1000, heapMb: 128 }), {
      code: 'LIMIT_EXCEEDED',
    });
    assert.ok(performance.now() - began < 30_000);
  });

  thorough('is asked for at the command line, one constraint at a time', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-constraint-'));
    try {
      await writeFile(join(dir, 'schema.json'), JSON.stringify(schema));
      await writeFile(join(dir, 'bad.json'), JSON.stringify({ type: 'object', properties: { a: { not: {} } } }));
      await writeFile(join(dir, 'prompts.jsonl'), '{"prompt": "The pump"}\n{"prompt": "The valve"}\n');
      await writeFile(join(dir, 'token'), await rig.gateway.token('acme'));
      const { bundleDir } = await packedFixture('llama-tiny');
      const flags = [
        '--bundle',
        bundleDir,
        '--gateway',
        rig.gateway.address,
        '--insecure',
        '--token-file',
        join(dir, 'token'),
        '--threads',
        '1',
      ];
      const generate = (...args: readonly string[]) => cutlayerHere(['client', 'generate', ...flags, '--temperature', '1', ...args]);
      const one = await generate('--prompt', 'The pump', '--json-schema', join(dir, 'schema.json'));
      assert.equal(one.code, 0, one.stderr);
      const { count } = JSON.parse(one.stdout) as { readonly count: number };
      assert.ok(count >= 3 && count <= 42);
      const many = await generate(
        '--prompts',
        join(dir, 'prompts.jsonl'),
        '--out',
        join(dir, 'out.jsonl'),
        '--choice',
        'ja',
        '--choice',
        'nein',
      );
      assert.equal(many.code, 0, many.stderr);
      const answers = (await readFile(join(dir, 'out.jsonl'), 'utf8')).trimEnd().split('\n');
      assert.ok(answers.every((line) => ['ja', 'nein'].includes((JSON.parse(line) as { readonly text: string }).text)));
      const both = await generate('--prompt', 'x', '--regex', 'a', '--choice', 'b');
      assert.match(both.stderr, /INVALID_OPTION: --choice: --regex is given too/);
      const bad = await generate('--prompt', 'x', '--json-schema', join(dir, 'bad.json'));
      assert.match(bad.stderr, /INVALID_ARGUMENT: schema: #\/properties\/a\/not: not cannot be enforced/);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
