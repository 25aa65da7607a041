/** The work of `cutlayer client generate`. */
import { text as readAll } from 'node:stream/consumers';
import { CutlayerError } from '../../../../src/errors.js';
import { stdout } from '../../../../src/files/output.js';
import { loadAdapter } from '../../adapters/load.js';
import { generate } from '../../inference/generate.js';
import { adapterDirectory } from '../../inspect/adapter-report.js';
import { RemoteModel } from '../../model/remote-model.js';
import { SplitModel } from '../../model/split-model.js';
import { withSession } from '../session.js';
import type { GenerateFlags } from './generate-options.js';

export async function runGenerate(flags: GenerateFlags): Promise<void> {
  const prompt = flags.prompt ?? (await readAll(process.stdin));
  if (prompt === '') throw new CutlayerError('INVALID_ARGUMENT', 'generate: the prompt is empty');
  await withSession(flags, async ({ bundle, connection }, signal) => {
    const model = new SplitModel(bundle, new RemoteModel(connection));
    const adapter = flags.adapter === undefined ? undefined : await loadAdapter(await adapterDirectory(flags.adapter), { bundle });
    const { maxNewTokens, temperature, topK, topP, repetitionPenalty, seed, task } = flags;
    const options = { maxNewTokens, temperature, topK, topP, repetitionPenalty, seed, task, signal };
    for await (const piece of generate(model, adapter, prompt, options)) stdout.text(piece);
    stdout.text('\n');
  });
}
