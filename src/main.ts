#!/usr/bin/env -S GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967295:glibc.malloc.trim_threshold=17179869184:glibc.malloc.arena_max=1 node
/**
 * The `cutlayer` command. It only wires: flags live in src/commands, and what they need is imported when they run. The first line sets
 * glibc's allocator (src/runtime/malloc.ts says why); other C libraries ignore it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { clientCommand } from './commands/client-command.js';
import { coordinatorCommand } from './commands/coordinator/coordinator-command.js';
import { reportFailure } from './commands/failure.js';
import { gatewayCommand } from './commands/gateway/gateway-command.js';
import { packCommand } from './commands/pack/pack-command.js';
import { packageRoot } from './files/package-root.js';

const EXAMPLES = `
The vendor packs a checkpoint, serves its backbone, and issues a token:
  $ cutlayer pack ./my-checkpoint --out ./packed
  $ cutlayer gateway start --backbone ./packed/backbone
  $ cutlayer gateway token --tenant acme > acme.token

The client gets ./packed/client-bundle, the token and ca.pem, and trains on data that stays where it is:
  $ cutlayer client train --bundle ./client-bundle --gateway 127.0.0.1:50051 \\
      --ca ca.pem --token-file acme.token --data notes.jsonl --out ./adapter

Several sites train one adapter together, and nobody sees the update of one:
  $ cutlayer coordinator --help

Every command has --help with examples.`;

/** The program with all commands, not yet run. */
function program(): Command {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  const root = new Command('cutlayer')
    .description('Adapt a proprietary LLM without its weights leaving the vendor, and without text, labels or adapter leaving the client.')
    .version(version)
    // So that a command's own --version is its own.
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES)
    .addCommand(packCommand())
    .addCommand(gatewayCommand())
    .addCommand(clientCommand())
    .addCommand(coordinatorCommand());
  everyCommand(root, (command) => command.exitOverride().showHelpAfterError('(--help shows all flags and examples)'));
  return root;
}

function everyCommand(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const child of command.commands) everyCommand(child, apply);
}

// `cutlayer … | head`: whoever reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await program().parseAsync();
} catch (caught) {
  process.exitCode = reportFailure(caught);
}
