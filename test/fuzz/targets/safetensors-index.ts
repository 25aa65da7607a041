/** `model.safetensors.index.json` beside two shards. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint } from '../../../src/safetensors/checkpoint.js';
import { encodeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { editedJson } from '../json-edits.js';
import { scratchDirectory } from '../scratch-files.js';
import type { Target } from '../target.js';

const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const names = ['a.weight', 'b.weight'] as const;
const dir = join(scratchDirectory(), 'sharded');
mkdirSync(dir, { recursive: true });
for (const [at, shard] of shards.entries()) writeFileSync(join(dir, shard), encodeTensors({ [names[at]!]: f32([2], [1, 2]) }));

const index = { metadata: { total_size: 16 }, weight_map: { [names[0]]: shards[0], [names[1]]: shards[1] } };

export const target: Target = {
  examples: [Buffer.from(JSON.stringify(index))],
  made: editedJson([index]),
  words: [...shards, ...names, '../', '__proto__'],
  async run(input) {
    writeFileSync(join(dir, 'model.safetensors.index.json'), input);
    const checkpoint = await openCheckpoint(dir);
    for (const name of checkpoint.tensors.keys()) for await (const chunk of checkpoint.chunks(name)) void chunk;
    await checkpoint.close();
  },
};
