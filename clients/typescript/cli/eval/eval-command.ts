/** `cutlayer client eval` */
import { command } from '../../../../src/options/command-spec.js';
import { runFile } from '../run-file.js';
import { evalOptions } from './eval-options.js';

export const evalCommand = command({
  options: evalOptions,
  configFile: runFile({ data: null, validation: 'data' }),
  help: `
exact match: the share of examples whose every label token is the most probable one given the right tokens before it.

Examples:
  How much the adapter helps:
    $ cutlayer client eval --bundle model/client-bundle --gateway vendor.example:443 --token-file token --data test.jsonl
    $ cutlayer client eval … --data test.jsonl --adapter run1/adapter --generate 50
  With the settings of a run, on its validation data:
    $ cutlayer client eval --config run1/config.yaml --adapter run1`,
  run: async (flags) => (await import('./run-eval.js')).runEval(flags),
});
