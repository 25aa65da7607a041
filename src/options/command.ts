/** A command as data: name, help, options, and work that is imported when the command runs. */
import { Command } from 'commander';
import { CutlayerError } from '../errors.js';
import { stderr, stdout } from '../files/output.js';
import { type GivenOptions, gatherOptions, roleOf, valuesOf, withConfigFile, withOptions } from './command-options.js';
import { kebab, type OptionTable, type ValuesOf, variableOf } from './option.js';
import { didYouMean } from './parse-options.js';

/** What a command was called with beside its options' values. */
export interface Call {
  /** Words that are no flags. */
  readonly words: readonly string[];
  /** The options, and where each comes from. */
  readonly options: GivenOptions;
}

/** A command that does something. */
export interface CommandSpec<Table extends OptionTable = OptionTable> {
  readonly name: string;
  readonly description: string;
  readonly options: Table;
  /** The word that it takes, as `<adapter>` or `[checkpoint]`, and what that is. */
  readonly word?: readonly [form: string, description: string];
  /** Whether its options may stand in a file, given as `--config`. */
  readonly configFile?: boolean;
  /** Explanations and examples, below the flags. */
  readonly help: string;
  /** Does the work, importing it first. @throws CutlayerError */
  run(values: ValuesOf<Table>, call: Call): Promise<void>;
}

/** Commands of one role. */
export interface CommandGroup {
  readonly name: string;
  readonly description: string;
  readonly commands: readonly CommandSpec[];
  readonly help?: string;
}

/** States a command; its options' types reach its `run`. */
export function command<const Table extends OptionTable>(spec: CommandSpec<Table>): CommandSpec {
  return spec;
}

/** Makes a command of commander's. */
export function buildCommand(spec: CommandSpec): Command {
  const built = commanderCommand(spec.name, spec.description);
  if (spec.word !== undefined) built.argument(...spec.word);
  if (spec.configFile === true) withConfigFile(built);
  return withOptions(built, spec.options)
    .allowExcessArguments(true)
    .addHelpText('after', ({ command }) => `${spec.help.trimEnd()}${environmentHelp(command, spec)}`)
    .action(async () => {
      refuseExtraWords(built, spec);
      const options = await gatherOptions(built, spec.options);
      await spec.run(valuesOf(options), { words: built.args, options });
    });
}

/** Makes a command of commander's that has others below it. */
export function buildGroup({ name, description, commands, help = '' }: CommandGroup): Command {
  const group = commanderCommand(name, description).addHelpText('after', help);
  for (const spec of commands) group.addCommand(buildCommand(spec));
  return group;
}

/** A command that throws where commander would exit, and says after a wrong call where help is. */
export function commanderCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .configureOutput({ writeOut: (text) => stdout.text(text), writeErr: (text) => stderr.text(text) })
    .exitOverride()
    .showHelpAfterError('(--help shows all flags and examples)');
}

function environmentHelp(built: Command, { options, configFile }: CommandSpec): string {
  const [name] = Object.keys(options);
  const role = roleOf(built);
  if (name === undefined || role === undefined) return '';
  const order = `flag, environment, ${configFile === true ? 'the file of --config, ' : ''}default`;
  return `\n\nEach option has an environment variable: --${kebab(name)} is ${variableOf(role, name)}. The first of these counts: ${order}.`;
}

/** @throws CutlayerError INVALID_OPTION naming the first surplus word and the nearest flag */
function refuseExtraWords(built: Command, { options }: CommandSpec): void {
  const extra = built.args[built.registeredArguments.length];
  if (extra === undefined) return;
  const guess = didYouMean(extra, Object.keys(options).map(kebab), '--');
  throw new CutlayerError('INVALID_OPTION', `${built.name()}: unexpected word ${extra}${guess}`);
}
