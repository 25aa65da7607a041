/** `cutlayer gateway tenant …`: flags and help. Work is imported when it runs. */
import { command } from '../../../options/command-spec.js';
import { parsedList, toggle, withDefault } from '../../../options/option.js';
import { common, limitFlagNames, limitOptions } from './tenant-options.js';

const limitName = (given: unknown) => limitFlagNames.find((name) => name === given);
const work = () => import('./run-tenant.js');
const note = `
A gateway that runs with the state directory is asked; without one the database is opened.`;

export const createCommand = command({
  options: { ...common, ...limitOptions },
  help: `${note}

Examples:
  $ cutlayer gateway tenant create acme
  $ cutlayer gateway tenant create acme --tokens-per-day 5000000 --sessions 8`,
  run: async (flags, { words }) => (await work()).create(words[0]!, flags),
});

export const listCommand = command({
  options: { ...common, deleted: toggle(false, 'list the deleted ones instead') },
  help: `${note}

Examples:
  $ cutlayer gateway tenant list --format json`,
  run: async (flags) => (await work()).list(flags),
});

const ofOne = (action: 'show' | 'suspend' | 'resume' | 'delete', help: string) =>
  command({
    options: common,
    help: `${note}

Examples:
  $ cutlayer gateway tenant ${action} acme${help}`,
    run: async (flags, { words }) => (await work()).act(action, words[0]!, flags),
  });

export const showCommand = ofOne('show', '');
export const suspendCommand = ofOne('suspend', '');
export const resumeCommand = ofOne('resume', '');
export const deleteCommand = ofOne(
  'delete',
  `

Its kept steps, decode sessions, kept rows and rows in the database are erased; sums of its use stay for the bill.`,
);

export const limitsCommand = command({
  options: {
    ...common,
    ...limitOptions,
    clear: withDefault(parsedList('limit', 'limits to take away', `expected some of ${limitFlagNames.join(', ')}`, limitName), []),
  },
  help: `${note}

Examples:
  $ cutlayer gateway tenant limits acme --requests-per-second 20 --in-flight-bytes 512MiB
  $ cutlayer gateway tenant limits acme --clear tokensPerDay`,
  run: async ({ clear, ...flags }, { words }) => (await work()).changeLimits(words[0]!, flags, clear),
});
