/** `cutlayer client check` */
import { command } from '../../../../src/options/command-spec.js';
import { runFile } from '../run-file.js';
import { checkOptions } from './check-options.js';

export const checkCommand = command({
  options: checkOptions,
  configFile: runFile({}),
  help: `
A line for each check: ok, FAIL with what to do, or - where an earlier failure is in the way. Exits with 1 when a check fails.
It sends the token to a trusted gateway only, prints no token, and runs no step.

Examples:
  $ cutlayer client check --bundle model/client-bundle --gateway vendor.example:443 --token-file token
  $ cutlayer client check … --json`,
  run: async (flags, { options }) => (await import('./run-check.js')).runCheck(flags, options),
});
