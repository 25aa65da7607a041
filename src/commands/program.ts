/** The `cutlayer` command line, made for one call: only the command that is called is imported. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { exposure, exposureAt } from '../artifacts/exposure.js';
import { packageRoot } from '../files/package-root.js';
import { type CommandEntry, type CommandGroup, commanderCommand, listedCommand } from '../options/command-entry.js';
import { commandGroups, packEntry } from './command-list.js';

const EXAMPLES = `
The vendor packs a checkpoint, serves its backbone, and issues a token:
  $ cutlayer pack ./my-checkpoint --out ./packed
  $ cutlayer gateway start --backbone ./packed/backbone
  $ cutlayer gateway token --tenant acme > acme.token

The client gets ./packed/client-bundle, the token and ca.pem, and trains on its own text:
  $ cutlayer client train --bundle ./client-bundle --gateway 127.0.0.1:50051 \\
      --ca ca.pem --token-file acme.token --data notes.jsonl --out ./adapter

Several sites train one adapter together:
  $ cutlayer coordinator --help

What crosses:
  ${`${exposure} ${exposureAt(0).replace('At this cut', 'At the default cut')}`.replaceAll('. ', '.\n  ')}

Every command has --help with examples.`;

/**
 * The program, not yet run. @param words Of the call. Commands that they do not name are listed in
 * help, but have no options.
 */
export async function program(words: readonly string[]): Promise<Command> {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  const description = 'Adapt a proprietary LLM: the vendor keeps the backbone; the client keeps text and labels.';
  const root = commanderCommand('cutlayer', description)
    .version(version)
    // So that a command's own --version is its own.
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES)
    .addCommand(await commandFor(packEntry, words.includes(packEntry.name)));
  for (const group of commandGroups) root.addCommand(await groupFor(group, words));
  return root;
}

async function groupFor({ name, description, commands, groups = [], help = '' }: CommandGroup, words: readonly string[]): Promise<Command> {
  const built = commanderCommand(name, description).addHelpText('after', help);
  for (const entry of commands) built.addCommand(await commandFor(entry, words.includes(name) && words.includes(entry.name)));
  for (const group of groups) built.addCommand(await groupFor(group, words));
  return built;
}

async function commandFor(entry: CommandEntry, named: boolean): Promise<Command> {
  if (!named) return listedCommand(entry);
  const [{ buildCommand }, spec] = await Promise.all([import('../options/command.js'), entry.load()]);
  return buildCommand(entry, spec);
}
