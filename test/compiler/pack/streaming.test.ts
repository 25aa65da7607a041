/** Packing streams: memory does not grow with the checkpoint. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeModel } from '../../../src/compiler/models/registry.js';
import { layOut } from '../../../src/safetensors/layout.js';
import { thorough } from '../../support/exhaustive.js';

const MEGABYTE = 1 << 20;

thorough('pack: converting a 170 MB bfloat16 checkpoint to 340 MB takes less than 100 MB of memory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'cutlayer-streaming-'));
  try {
    const config = JSON.stringify({
      model_type: 'llama',
      hidden_size: 1024,
      intermediate_size: 4096,
      num_hidden_layers: 5,
      num_attention_heads: 16,
      vocab_size: 4000,
      tie_word_embeddings: true,
    });
    await writeFile(join(root, 'config.json'), config);
    const specs = describeModel(config).weights.all.map(({ name, shape }) => ({ name, dtype: 'BF16' as const, shape }));
    const layout = layOut(specs);
    const file = await open(join(root, 'model.safetensors'), 'w');
    await file.write(layout.head);
    await file.truncate(layout.bytes); // zeros, without taking room on disk
    await file.close();
    const child = fileURLToPath(new URL('../../support/pack-process.js', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [child, root, join(root, 'out')]);
    const { before, peak, written } = JSON.parse(stdout) as { before: number; peak: number; written: number };
    assert.ok(written > 340e6, `${written} bytes`);
    assert.ok(peak - before < 100 * MEGABYTE, `grew by ${Math.round((peak - before) / MEGABYTE)} MB`);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
