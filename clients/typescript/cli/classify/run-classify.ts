/** The work of `cutlayer client classify`. */
import { text as readAll } from 'node:stream/consumers';
import { CutlayerError } from '../../../../src/errors.js';
import { stdout } from '../../../../src/files/output.js';
import { classify } from '../../inference/classify.js';
import { openAdapted } from '../open-adapted.js';
import { withSession } from '../session.js';
import type { ClassifyFlags } from './classify-options.js';

export async function runClassify(flags: ClassifyFlags): Promise<void> {
  const texts = flags.text === undefined ? (await readAll(process.stdin)).split(/\r?\n/).filter((line) => line !== '') : [flags.text];
  if (texts.length === 0) throw new CutlayerError('INVALID_ARGUMENT', 'classify: expected at least one line of text on standard input');
  await withSession(flags, async (session, signal) => {
    const { model, adapter } = await openAdapted(flags.adapter, session);
    for (const { label, probabilities } of await classify(model, adapter, texts, { batchSize: flags.batch, task: flags.task, signal })) {
      const named = Object.fromEntries(probabilities.map((probability, id) => [adapter.labels![id]!, probability]));
      if (flags.json) stdout.json({ label, probabilities: named });
      else stdout.line(label);
    }
  });
}
