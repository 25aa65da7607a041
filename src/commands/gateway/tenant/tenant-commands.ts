/** `cutlayer gateway tenant …`: flags and help. Work is imported when it runs. */
import { command } from '../../../options/command-spec.js';
import { parsedList, toggle, withDefault } from '../../../options/option.js';
import { boundOptions, common, limitFlagNames, limitOptions, readBoundName } from './tenant-options.js';

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

const ofOne = (action: 'suspend' | 'resume' | 'delete', help: string) =>
  command({
    options: common,
    help: `${note}

Examples:
  $ cutlayer gateway tenant ${action} acme${help}`,
    run: async (flags, { words }) => (await work()).act(action, words[0]!, flags),
  });

export const showCommand = command({
  options: common,
  help: `${note}
Of a running gateway it shows each bound of the protection, and the place that names it.

Examples:
  $ cutlayer gateway tenant show acme`,
  run: async (flags, { words }) => (await work()).show(words[0]!, flags),
});
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

export const protectionCommand = command({
  options: {
    ...common,
    ...boundOptions,
    clear: withDefault(
      parsedList('bound', 'bounds to take away, or all', 'expected names of bounds, as rows-per-day, or all', readBoundName),
      [],
    ),
  },
  help: `${note}
A bound of a tenant itself comes before those of the file of --protection; docs/protection.md says what each counts.
It holds from the tenant's next call on. Without a flag the bounds are shown.

Examples:
  $ cutlayer gateway tenant protection acme --rows-per-day 500000 --near-inputs off
  $ cutlayer gateway tenant protection acme --clear rows-per-day
  $ cutlayer gateway tenant protection acme --clear all`,
  run: async ({ clear, ...flags }, { words }) => (await work()).changeProtection(words[0]!, flags, clear),
});
