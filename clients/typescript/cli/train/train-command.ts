/** `cutlayer client train` */
import { command } from '../../../../src/options/command-spec.js';
import { methodHelp } from './method-help.js';
import { trainOptions } from './train-options-table.js';

export const trainCommand = command({
  options: trainOptions,
  configFile: true,
  help: `
${methodHelp()}

Examples:
  Train 16 virtual tokens for 300 steps:
    $ cutlayer client train --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
        --data train.jsonl --validation valid.jsonl --out run1 --steps 300

  Go on after an interruption (same command, plus --resume):
    $ cutlayer client train … --out run1 --steps 300 --resume

  A prefix, stopping early:
    $ cutlayer client train … --method prefix-tuning --virtual-tokens 8 --patience 3 --eval-every 25

  With differential privacy for each example, epsilon 4 at most:
    $ cutlayer client train … --dp-clip-norm 1 --dp-epsilon 4 --batch 64 --steps 500

  The same run again, with one thing changed:
    $ cutlayer client train --config run1/config.yaml --lr 0.003 --out run2

A line of data.jsonl, one of:
  {"prompt": "Ticket: printer is on fire\\nUrgency:", "completion": " high"}
  {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
  {"text": "…"}
  {"text": "…", "label": "spam"}   for --method classification-head
and with any of them "task": "…"   for --method multitask-prompt-tuning

A private run says (example, epsilon, delta, steps, sampling), here and in privacy.json beside the adapter. That holds for the adapter, against its readers;
not for the gateway, which computes on the examples' activations, and not for the losses on this screen and in --out, which are exact: do not publish them.
Every run on the same data spends anew. docs/privacy.md has the rest.`,
  run: async (flags) => (await import('./run-train.js')).runTrain(flags),
});
