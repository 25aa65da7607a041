/** Makes commands of commander's from entries and specs. */
import type { Command } from 'commander';
import { CutlayerError } from '../errors.js';
import { type CommandEntry, entryCommand } from './command-entry.js';
import { gatherOptions, roleOf, valuesOf, withConfigFile, withOptions } from './command-options.js';
import type { CommandSpec } from './command-spec.js';
import { kebab, variableOf } from './option.js';
import { didYouMean } from './parse-options.js';

/** Makes a command of commander's. */
export function buildCommand(entry: CommandEntry, spec: CommandSpec): Command {
  const built = entryCommand(entry);
  const { configFile = false } = spec;
  const run = typeof configFile === 'object' ? configFile : undefined;
  if (configFile !== false) withConfigFile(built);
  return withOptions(built, spec.options)
    .allowExcessArguments(true)
    .addHelpText('after', ({ command }) => `${spec.help.trimEnd()}${environmentHelp(command, spec)}`)
    .action(async () => {
      refuseExtraWords(built, spec);
      const options = await gatherOptions(built, spec.options, run);
      await spec.run(valuesOf(options), { words: built.args, options });
    });
}

function environmentHelp(built: Command, { options, configFile }: CommandSpec): string {
  const [name] = Object.keys(options);
  const role = roleOf(built);
  if (name === undefined || role === undefined) return '';
  const brings = Object.keys(options).filter((name) => options[name]!.presets !== undefined);
  const profile = brings.map((name) => `the ${name}, `).join('');
  const order = `flag, environment, ${configFile !== undefined && configFile !== false ? 'the file of --config, ' : ''}${profile}default`;
  return `\n\nEach option has an environment variable: --${kebab(name)} is ${variableOf(role, name)}. The first of these counts: ${order}.`;
}

/** @throws CutlayerError INVALID_OPTION naming the first surplus word and the nearest flag */
function refuseExtraWords(built: Command, { options }: CommandSpec): void {
  if (built.registeredArguments.at(-1)?.variadic === true) return;
  const extra = built.args[built.registeredArguments.length];
  if (extra === undefined) return;
  const guess = didYouMean(extra, Object.keys(options).map(kebab), '--');
  throw new CutlayerError('INVALID_OPTION', `${built.name()}: unexpected word ${extra}${guess}`);
}
