/** `cutlayer gateway audit-extraction`: flags and help. Work is imported when it runs. */
import { command } from '../../../options/command-spec.js';
import { extractionOptions } from './extraction-options.js';

export const extractionCommand = command({
  options: extractionOptions,
  help: `
Attacks your own model as a tenant could. A student, a small transformer of random weights, is trained on what a real gateway answers,
on loopback. This is done three times, for as many steps on the same texts:
  without access   it has the client bundle (tokenizer, embedding, head) and the labels of its own texts
  protected        it also has the answers that it got until the policy of --protection refused more
  unprotected      it also has the answers to --rows rows

The recovery ratio says what the answers were worth: (student - without access) / (model - without access), of the share of labels predicted
right on --held-out. 0 %: nothing. 100 %: the student is as good as the model there. It is a lower bound: a patient attacker with more
texts, more steps or a better student gets further.

Examples:
  With the bound of rows a day that you would sell:
    $ cutlayer gateway audit-extraction --backbone packed/backbone --bundle packed/client-bundle --student my-checkpoint/config.json \\
        --data texts.jsonl --held-out test.jsonl --protection policies.yaml --out audit

  The same again, after ctrl-C or a crash, goes on where it was:
    $ cutlayer gateway audit-extraction … --out audit

Writes report.json and report.txt.`,
  run: async (flags) => (await import('./run-extraction.js')).runExtraction(flags),
});
