/**
 * Commands as their lists show them: name and description. The rest is imported when a command is
 * called, so that one command does not load the others.
 */
import { Command, Option } from 'commander';
import { stderr, stdout } from '../files/output.js';
import type { CommandSpec } from './command-spec.js';

/** A command that can be called. */
export interface CommandEntry {
  readonly name: string;
  readonly description: string;
  /** The word that it takes, as `<adapter>` or `[checkpoint]`, and what that is. */
  readonly word?: readonly [form: string, description: string];
  /** Imports its options, its help and its work. */
  load(): Promise<CommandSpec>;
}

/** Commands of one role, or of one subject within a role. */
export interface CommandGroup {
  readonly name: string;
  readonly description: string;
  readonly commands: readonly CommandEntry[];
  /** Subjects within the role, as `gateway audit`. */
  readonly groups?: readonly CommandGroup[];
  readonly help?: string;
}

/** Each command of some groups, with the words that call it: `['gateway', 'audit', 'verify']`. */
export function commandsOf(groups: readonly CommandGroup[]): readonly (readonly [words: readonly string[], entry: CommandEntry])[] {
  return groups.flatMap(({ name, commands, groups: inner = [] }) => [
    ...commands.map((entry) => [[name, entry.name], entry] as const),
    ...commandsOf(inner).map(([words, entry]) => [[name, ...words], entry] as const),
  ]);
}

/** A command of commander's that has a place in a list but no options; it cannot run. */
export function listedCommand(entry: CommandEntry): Command {
  // The list says [options] after commands that have any.
  return entryCommand(entry).addOption(new Option('--options').hideHelp());
}

/** A command of commander's with the name, the description and the word of an entry. */
export function entryCommand({ name, description, word }: CommandEntry): Command {
  const built = commanderCommand(name, description);
  return word === undefined ? built : built.argument(...word);
}

/** A command that throws where commander would exit, and says after a wrong call where help is. */
export function commanderCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .configureOutput({ writeOut: (text) => stdout.text(text), writeErr: (text) => stderr.text(text) })
    .exitOverride()
    .showHelpAfterError('(--help shows all flags and examples)');
}
