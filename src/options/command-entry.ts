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

/** Commands of one role. */
export interface CommandGroup {
  readonly name: string;
  readonly description: string;
  readonly commands: readonly CommandEntry[];
  readonly help?: string;
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
