/** `cutlayer client serve` */
import { command } from '../../../../src/options/command-spec.js';
import { runFile } from '../run-file.js';
import { serveOptions } from './serve-options.js';

export const serveCommand = command({
  options: serveOptions,
  configFile: runFile({}),
  help: `
Programs that speak OpenAI's API use the model and your adapters at http://127.0.0.1:8788/v1.
Prompts, answers, tools and schemas are in no message to the gateway; rows of numbers are.
docs/serving.md says of each field of a request whether it is honoured, ignored or refused.

Examples:
  $ cutlayer client serve --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
      --adapter tickets=run1
  $ cutlayer client serve --profile acme --adapters adapters --port 9000`,
  run: async (flags) => (await import('./run-serve.js')).runServe(flags),
});
