/** `cutlayer client versions` */
import { command } from '../../../../src/options/command-spec.js';
import { versionsOptions } from './versions-options.js';

export const versionsCommand = command({
  options: versionsOptions,
  help: `
Reads the coordinator's signed broadcasts that this member has kept, checks every signature and hash, and tells what became of each version: candidate,
promoted, superseded (by a later one), rejected, or rolledBack. Numbers are the cohort's means: "gained" is what a version was better by than the one promoted
before it on all held-out examples, "forgot" what it was worse by on the earlier ones. The promoted version is in adapter/ of the state directory, the newest
five are in versions/.

Of an improvement (cutlayer client improve), versions come from its own journal: "round" is the run, "members" is empty, and below stands why each version was
promoted or kept away.

Examples:
    $ cutlayer client versions federation
    $ cutlayer client versions tickets
    $ cutlayer client versions --state-dir federation --json`,
  run: async (flags, { words }) => (await import('./run-versions.js')).runVersions(flags, words[0]),
});
