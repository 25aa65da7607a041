/** `cutlayer client classify` */
import { command } from '../../../../src/options/command-spec.js';
import { runFile } from '../run-file.js';
import { classifyOptions } from './classify-options.js';

export const classifyCommand = command({
  options: classifyOptions,
  configFile: runFile({}),
  help: `
Texts are read as those of {"text","label"} records. One class per line goes to standard output, in the order of the texts.

Examples:
  $ cutlayer client classify --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
      --adapter run1/adapter --text "Ticket: printer is on fire"
  $ cutlayer client classify … --adapter run1/adapter --json < tickets.txt`,
  run: async (flags) => (await import('./run-classify.js')).runClassify(flags),
});
