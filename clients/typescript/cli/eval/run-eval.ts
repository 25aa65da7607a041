/** The work of `cutlayer client eval`. */

import { byteText } from '../../../../src/files/byte-text.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { loadExamples, numbered } from '../../data/examples.js';
import { batchLimits } from '../../inference/batch-limits.js';
import { evaluate } from '../../inference/evaluate.js';
import { exampleOptions } from '../example-options.js';
import { openAdapted } from '../open-adapted.js';
import { withSession } from '../session.js';
import { figure, percent } from '../text-layout.js';
import { checkFits } from '../train/advice.js';
import type { EvalFlags } from './eval-options.js';

export async function runEval(flags: EvalFlags): Promise<void> {
  await withSession(flags, async (session, signal) => {
    const { bundle, connection } = session;
    const { model, adapter } = await openAdapted(flags.adapter, session);
    const limits = batchLimits(model, adapter, { batchSize: flags.batch, maxTokensPerBatch: flags.maxTokens });
    const room = model.maxLength(adapter?.numVirtualTokens ?? 0);
    const reading = exampleOptions(flags, adapter, { room, ...limits }, signal, session.defences);
    const examples = numbered('data', await loadExamples(flags.data, bundle.tokenizer, reading));
    checkFits(examples, limits, flags.maxTokens);
    const result = await evaluate(model, adapter, examples, {
      ...limits,
      ...(flags.generate === undefined ? {} : { generateExamples: flags.generate }),
      signal,
      onProgress: (done, total) => stderr.status(`${done}/${total} examples`),
    });
    stderr.clearStatus();
    const { bytesUp, bytesDown } = connection.counters;
    if (flags.json) {
      stdout.json({ ...result, bytesUp, bytesDown });
      return;
    }
    stdout.line(`loss                    ${figure(result.loss, 4)}`);
    stdout.line(`perplexity              ${figure(result.perplexity, 3)}`);
    stdout.line(`${adapter?.labels === undefined ? 'token accuracy ' : 'accuracy       '}         ${percent(result.accuracy)}`);
    stdout.line(`exact match             ${percent(result.exactMatch)}`);
    if (result.generationExactMatch !== undefined) stdout.line(`generated exactly       ${percent(result.generationExactMatch)}`);
    for (const [name, task] of Object.entries(result.tasks ?? {}))
      stdout.line(`task ${name}: loss ${figure(task.loss, 4)}, exact match ${percent(task.exactMatch)}, ${task.examples} examples`);
    stdout.line(`examples, label tokens  ${result.examples}, ${result.targets}`);
    stdout.line(`sent, received          ${byteText(bytesUp)}, ${byteText(bytesDown)}`);
  });
}
