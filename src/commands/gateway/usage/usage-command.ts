/** `cutlayer gateway usage`: flags and help. Work is imported when it runs. */
import { command } from '../../../options/command-spec.js';
import { usageOptions } from './usage-options.js';

export const usageCommand = command({
  options: usageOptions,
  help: `
A gateway that runs with the state directory is asked; without one the database is opened.

Examples:
  $ cutlayer gateway usage
  $ cutlayer gateway usage --tenant acme --by hour --from 2027-03-01 --to 2027-03-02
  $ cutlayer gateway usage --from 2027-02-01 --to 2027-03-01 --format csv > february.csv`,
  run: async (flags) => (await import('./run-usage.js')).runUsage(flags),
});
