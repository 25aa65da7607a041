/** The work of `cutlayer client generate`. */
import { stderr, stdout } from '../../../../src/files/output.js';
import { searchBeams } from '../../inference/beams/search-beams.js';
import { generate, promptIds } from '../../inference/generate.js';
import { noteDecoding } from '../note-decoding.js';
import { openAdapted } from '../open-adapted.js';
import { withSession } from '../session.js';
import type { GenerateFlags } from './generate-options.js';
import { readConstraint } from './read-constraint.js';
import { readPrompt } from './read-prompt.js';
import { checkBatchFlags, runBatch } from './run-batch.js';

export async function runGenerate(flags: GenerateFlags): Promise<void> {
  checkBatchFlags(flags);
  const prompt = flags.prompts === undefined ? await readPrompt(flags, process.stdin) : undefined;
  const options = { ...flags, constraint: await readConstraint(flags) };
  await withSession(flags, async (session, signal) => {
    const { model, adapter, learnedChats } = await openAdapted(flags.adapter, session);
    noteDecoding(model);
    const warnPlain = () =>
      stderr.line(
        'warning: this adapter learned conversations, and the prompt is plain text; pass --chat to send it through the chat template',
      );
    if (prompt === undefined) return runBatch(options, model, adapter, signal, learnedChats ? warnPlain : undefined);
    if (typeof prompt === 'string' && learnedChats) warnPlain();
    if (flags.numBeams > 1) {
      const found = await searchBeams(model, adapter, promptIds(session.bundle.tokenizer, prompt, session.defences), {
        ...options,
        signal,
      });
      const { numReturnSequences: count } = flags;
      if (count === 1) stdout.text(`${found[0]!.text}\n`);
      else for (const { text, score, finish, ids } of found.slice(0, count)) stdout.json({ text, score, finish, tokens: ids.length });
      return;
    }
    for await (const piece of generate(model, adapter, prompt, { ...options, signal })) stdout.text(piece);
    stdout.text('\n');
  });
}
