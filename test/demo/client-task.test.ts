/** The demo's checkpoint and rows: what the demo's claims rest on, checked without training anything. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { packageRoot } from '../../src/files/package-root.js';
import { openSafetensors } from '../../src/safetensors/reader.js';

interface Row {
  readonly prompt: string;
  readonly completion: string;
}

const demo = join(packageRoot(), 'demo');
const checkpoint = join(demo, 'backbone', 'checkpoint');
const splits = ['train', 'validation', 'test'] as const;

function rows(file: string): Row[] {
  const lines = readFileSync(join(demo, 'data', `${file}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as Row);
}

const json = (path: string): object => JSON.parse(readFileSync(path, 'utf8')) as object;

describe('demo client task', () => {
  it('shares no note between training, validation and test rows', () => {
    const prompts = splits.flatMap((split) => rows(split).map((row) => row.prompt));
    assert.equal(prompts.length, 680);
    assert.equal(new Set(prompts).size, prompts.length);
  });

  it('never spells out the house style', () => {
    for (const split of splits) {
      for (const { prompt } of rows(split)) {
        assert.match(prompt, /^Note: .*\nTags:$/);
        assert.doesNotMatch(prompt, /profile|topics|urgency|order|slash/i);
      }
    }
  });

  it('gives every note the tags of one scheme: colour / building / topic code', () => {
    for (const split of splits) {
      for (const { prompt, completion } of rows(split)) {
        const [, site] = /^ (?:green|amber|red) \/ (.+) \/ (?:PLB|ELC|HTG|CLN)$/.exec(completion) ?? [];
        assert.ok(site !== undefined && prompt.includes(site), `${prompt}${completion}`);
      }
    }
  });

  it('tokenizes prompt and completion apart as it does joined, so that loss starts at a token border', () => {
    const tokenizer = new Tokenizer(json(join(checkpoint, 'tokenizer.json')), json(join(checkpoint, 'tokenizer_config.json')));
    const ids = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;
    for (const file of ['train', 'validation', 'test', 'reply-test']) {
      for (const { prompt, completion } of rows(file)) {
        assert.deepEqual([...ids(prompt), ...ids(completion)], ids(prompt + completion));
        assert.equal(tokenizer.decode(ids(prompt + completion)), prompt + completion);
      }
    }
  });

  it('ships a 16-bit backbone of 2 to 6 million parameters in at most 15 MB', async () => {
    const sizes = readdirSync(checkpoint).map((name) => statSync(join(checkpoint, name)).size);
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= 15e6);
    const file = await openSafetensors(join(checkpoint, 'model.safetensors'));
    await file.close();
    let parameters = 0;
    for (const { dtype, shape } of file.tensors.values()) {
      assert.equal(dtype, 'BF16');
      parameters += shape.reduce((product, dim) => product * dim, 1);
    }
    assert.ok(parameters >= 2e6 && parameters <= 6e6, `${parameters} parameters`);
  });
});
