/** The work of `cutlayer client eval`. */
import { loadAdapter } from '../../adapters/load.js';
import { loadExamples } from '../../data/examples.js';
import { batchLimits, evaluate } from '../../inference/evaluate.js';
import { adapterDirectory } from '../../inspect/adapter-report.js';
import { RemoteModel } from '../../model/remote-model.js';
import { SplitModel } from '../../model/split-model.js';
import { exampleOptions } from '../example-options.js';
import { withSession } from '../session.js';
import { formatBytes, percent } from '../text-layout.js';
import { checkFits } from '../train/advice.js';
import type { EvalFlags } from './eval-options.js';

export async function runEval(flags: EvalFlags): Promise<void> {
  await withSession(flags, async ({ bundle, connection }, signal) => {
    const model = new SplitModel(bundle, new RemoteModel(connection));
    const adapter = flags.adapter === undefined ? undefined : await loadAdapter(await adapterDirectory(flags.adapter), { bundle });
    const limits = batchLimits(model, adapter, { batchSize: flags.batch, maxTokensPerBatch: flags.maxTokens });
    const room = model.maxLength(adapter?.numVirtualTokens ?? 0);
    const reading = exampleOptions(flags, adapter, { room, ...limits }, signal);
    const examples = await loadExamples(flags.data, bundle.tokenizer, reading);
    checkFits(examples, limits, flags.maxTokens);
    const result = await evaluate(model, adapter, examples, {
      ...limits,
      ...(flags.generate === undefined ? {} : { generateExamples: flags.generate }),
      signal,
      onProgress: process.stderr.isTTY ? (done, total) => process.stderr.write(`\r${done}/${total} examples`) : undefined,
    });
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    const { bytesUp, bytesDown } = connection.counters;
    if (flags.json) {
      console.log(JSON.stringify({ ...result, bytesUp, bytesDown }));
      return;
    }
    console.log(`loss                    ${result.loss.toFixed(4)}`);
    console.log(`perplexity              ${result.perplexity.toFixed(3)}`);
    console.log(`${adapter?.labels === undefined ? 'token accuracy ' : 'accuracy       '}         ${percent(result.accuracy)}`);
    console.log(`exact match             ${percent(result.exactMatch)}`);
    if (result.generationExactMatch !== undefined) console.log(`generated exactly       ${percent(result.generationExactMatch)}`);
    for (const [name, task] of Object.entries(result.tasks ?? {}))
      console.log(`task ${name}: loss ${task.loss.toFixed(4)}, exact match ${percent(task.exactMatch)}, ${task.examples} examples`);
    console.log(`examples, label tokens  ${result.examples}, ${result.targets}`);
    console.log(`sent, received          ${formatBytes(bytesUp)}, ${formatBytes(bytesDown)}`);
  });
}
