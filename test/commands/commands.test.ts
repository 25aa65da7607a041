/**
 * Every option of every command: one row gives flag, key, environment variable, default and help.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { commandGroups, packEntry } from '../../src/commands/command-list.js';
import { program } from '../../src/commands/program.js';
import { buildCommand } from '../../src/options/command.js';
import { type CommandEntry, commandsOf } from '../../src/options/command-entry.js';
import { gatherOptions } from '../../src/options/command-options.js';
import type { CommandSpec } from '../../src/options/command-spec.js';
import { readConfigFile } from '../../src/options/config-file.js';
import { kebab, type OptionRow, variableOf } from '../../src/options/option.js';
import { parseValue } from '../../src/options/parse-options.js';

/** Texts of values, one of which every row takes. */
const samples = [
  '7',
  '0.5',
  '30',
  '6h',
  '3',
  'a=b',
  'some-name',
  '127.0.0.1:7',
  '512MiB',
  'https://id.example/jwks',
  'true',
  'false',
  'lora',
  'k'.repeat(43),
  '2030-01-01',
  'tokensPerDay',
  'rows-per-day',
  'A5',
  'emails',
  'tsm',
  `7:${'0'.repeat(64)}`,
];

/** A text that a row takes, other than its default. */
function sampleOf(name: string, row: OptionRow): string {
  const texts = [...(row.choices ?? []), ...samples].filter((text) => text !== String(row.fallback));
  const found = texts.find((text) => 'value' in row.parse(row.fromText(text)));
  assert.ok(found !== undefined, `no sample for ${name}`);
  return found;
}

/** All commands with their role. */
const commands: readonly (readonly [role: string, entry: CommandEntry, spec: CommandSpec])[] = await Promise.all(
  [['pack', packEntry] as const, ...commandsOf(commandGroups).map(([[role], entry]) => [role!, entry] as const)].map(
    async ([role, entry]) => [role, entry, await entry.load()] as const,
  ),
);

/** The command as the program has it, called with some arguments but not run. */
function called(role: string, entry: CommandEntry, spec: CommandSpec, args: readonly string[]): Command {
  const command = buildCommand(entry, spec).action(() => {});
  const words = entry.word?.[0].startsWith('<') ? ['word'] : [];
  const root = new Command('cutlayer').enablePositionalOptions();
  const below = role === entry.name ? root : root.command(role);
  below.addCommand(command);
  root.parse([...(role === entry.name ? [] : [role]), entry.name, ...words, ...args], { from: 'user' });
  return command;
}

const requiredFlags = ({ options }: CommandSpec, but?: string): string[] =>
  Object.entries(options).flatMap(([name, row]) =>
    row.required === true && name !== but ? [`--${kebab(name)}`, sampleOf(name, row)] : [],
  );

/**
 * Without what would make an option idle or read a profile; rows that go with others are tried by
 * config-file.test.ts, profiles by profiles.test.ts.
 */
const alone = (spec: CommandSpec): CommandSpec => ({
  ...spec,
  options: Object.fromEntries(Object.entries(spec.options).map(([name, { idle: _, presets: __, ...row }]) => [name, row])),
});

describe('every option of every command', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-commands-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  for (const [role, entry, spec] of commands) {
    const title = role === entry.name ? role : `${role} ${entry.name}`;

    it(`${title}: has a default that its own parser takes`, () => {
      for (const [name, row] of Object.entries(spec.options)) {
        if (row.fallback !== undefined) parseValue(row, row.fallback, name, String(row.fallback));
        assert.ok(!(row.required === true && row.fallback !== undefined), `${name} is required, so its default is never used`);
      }
    });

    it(`${title}: is in the help, with its default`, () => {
      const help = buildCommand(entry, spec).helpInformation().replace(/\s+/g, ' ');
      for (const [name, row] of Object.entries(spec.options)) {
        const flag = row.argument === undefined && row.fallback === true ? `--no-${kebab(name)}` : `--${kebab(name)}`;
        assert.ok(help.includes(`${flag} `), flag);
        assert.ok(row.text !== '' && help.includes(row.text.replace(/\s+/g, ' ').slice(0, 20)), `${flag}: ${row.text}`);
        if (typeof row.fallback === 'number') assert.ok(help.includes(`default: ${row.fallback})`), flag);
      }
    });

    it(`${title}: may be a flag, a variable or a key, in this order`, async () => {
      for (const [name, row] of Object.entries(spec.options)) {
        const variable = variableOf(role, name);
        const text = sampleOf(name, row);
        const file = join(dir, 'options.yaml');
        const fromText = row.fromText(text);
        await writeFile(file, `${JSON.stringify({ [kebab(name)]: fromText })}\n`);
        const expected = parseValue(row, fromText, name, text);
        const read = (await readConfigFile(file, spec.options))[name];
        assert.deepEqual(
          parseValue(row, read, name, text),
          row.path === true ? resolve(dir, String(expected)) : expected,
          `${name} in a file`,
        );

        const others = requiredFlags(spec, name);
        process.env[variable] = text;
        try {
          const fromVariable = (await gatherOptions(called(role, entry, alone(spec), others), alone(spec).options))[name]!;
          assert.deepEqual([fromVariable.source, fromVariable.place, fromVariable.value], ['environment', variable, expected]);
          const flag = row.argument === undefined ? [`--${fromText === false ? 'no-' : ''}${kebab(name)}`] : [`--${kebab(name)}`, text];
          const fromFlag = (await gatherOptions(called(role, entry, alone(spec), [...others, ...flag]), alone(spec).options))[name]!;
          assert.deepEqual([fromFlag.source, fromFlag.value], ['flag', expected]);
        } finally {
          delete process.env[variable];
        }
      }
    });
  }

  it('has a variable that no option of another meaning has: none of a role is called as another, or as a token', () => {
    const secrets = ['CUTLAYER_TOKEN', 'CUTLAYER_COORDINATOR_TOKEN'];
    for (const [role, , { options }] of commands)
      for (const name of Object.keys(options)) assert.ok(!secrets.includes(variableOf(role, name)), name);
  });
});

describe('a word that is no option', () => {
  const run = async (...args: readonly string[]): Promise<unknown> => {
    const root = await program(args);
    const quiet = (command: Command): void => {
      command.configureOutput({ writeErr: () => {} });
      command.commands.forEach(quiet);
    };
    quiet(root);
    return root.parseAsync([...args], { from: 'user' });
  };

  it('is refused after every command, with the nearest flag', async () => {
    for (const [path, { word }] of [[[packEntry.name], packEntry] as const, ...commandsOf(commandGroups)]) {
      // A command of several words takes any.
      if (word?.[0].includes('...')) continue;
      const words = word === undefined ? [] : ['word'];
      await assert.rejects(
        run(...path, ...words, 'nonsense-word'),
        { code: 'INVALID_OPTION', message: /unexpected word nonsense-word/ },
        path.join(' '),
      );
    }
    await assert.rejects(run('client', 'train', 'bundel'), { message: 'train: unexpected word bundel; did you mean --bundle?' });
    await assert.rejects(run('gateway', 'start', 'backbone'), { message: /did you mean --backbone\?/ });
  });

  it('is refused in the place of a command, with the nearest one', async () => {
    await assert.rejects(run('gateway', 'star'), { message: /unknown command 'star'\n\(Did you mean start\?\)/ });
    await assert.rejects(run('clinet'), { message: /unknown command 'clinet'\n\(Did you mean client\?\)/ });
  });
});
