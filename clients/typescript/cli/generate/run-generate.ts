/** The work of `cutlayer client generate`. */
import { stderr, stdout } from '../../../../src/files/output.js';
import { loadAdapter } from '../../adapters/load.js';
import { learnedChats } from '../../adapters/trained-on.js';
import { generate } from '../../inference/generate.js';
import { adapterDirectory } from '../../inspect/adapter-report.js';
import { RemoteModel } from '../../model/remote-model.js';
import { SplitModel } from '../../model/split-model.js';
import { withSession } from '../session.js';
import type { GenerateFlags } from './generate-options.js';
import { readPrompt } from './read-prompt.js';

export async function runGenerate(flags: GenerateFlags): Promise<void> {
  const prompt = await readPrompt(flags, process.stdin);
  await withSession(flags, async ({ bundle, connection }, signal) => {
    const model = new SplitModel(bundle, new RemoteModel(connection));
    const adapterDir = flags.adapter === undefined ? undefined : await adapterDirectory(flags.adapter);
    const adapter = adapterDir === undefined ? undefined : await loadAdapter(adapterDir, { bundle });
    if (adapterDir !== undefined && typeof prompt === 'string' && (await learnedChats(adapterDir)))
      stderr.line(
        'warning: this adapter learned conversations, and the prompt is plain text; pass --chat to send it through the chat template',
      );
    for await (const piece of generate(model, adapter, prompt, { ...flags, signal })) stdout.text(piece);
    stdout.text('\n');
  });
}
