/** The JSON files beside an adapter: PEFT's config and Cutlayer's own. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_FILE, readAdapterConfig } from '../../../clients/typescript/adapters/adapter-config.js';
import { checkSidecar, readSidecar, SIDECAR_FILE } from '../../../clients/typescript/adapters/sidecar.js';
import { editedJson } from '../json-edits.js';
import { scratchDirectory } from '../scratch-files.js';
import type { Target } from '../target.js';

const dir = join(scratchDirectory(), 'adapter');
mkdirSync(dir, { recursive: true });
const identity = { backboneDigest: 'ab'.repeat(32), tokenizerDigest: 'cd'.repeat(32) };
const sidecar = { format: 'cutlayer-adapter', formatVersion: 1, method: 'prompt-tuning', ...identity, tasks: ['a', 'b'] };
const config = { peft_type: 'PROMPT_TUNING', task_type: 'CAUSAL_LM', num_virtual_tokens: 8, token_dim: 32 };

export const target: Target = {
  examples: [sidecar, config].map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson([sidecar, config]),
  words: ['"parts":["a","b"]', '"labels":[', '"combined"', '"__proto__":', '"peft_type":"LORA"'],
  async run(input) {
    rmSync(join(dir, SIDECAR_FILE), { force: true });
    writeFileSync(join(dir, CONFIG_FILE), input);
    if (!Buffer.from(input).includes('cutlayer')) return void (await readAdapterConfig(dir));
    writeFileSync(join(dir, SIDECAR_FILE), input);
    const found = (await readSidecar(dir))!;
    writeFileSync(join(dir, SIDECAR_FILE), JSON.stringify(found));
    assert.deepEqual(await readSidecar(dir), found);
    checkSidecar(dir, found, identity);
  },
};
