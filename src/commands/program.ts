/**
 * The `cutlayer` command line: its roles and their commands, from which the program is made. Their
 * work is imported when they run.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { classifyCommand } from '../../clients/typescript/cli/classify/classify-command.js';
import { evalCommand } from '../../clients/typescript/cli/eval/eval-command.js';
import { federateCommand } from '../../clients/typescript/cli/federate/federate-command.js';
import { generateCommand } from '../../clients/typescript/cli/generate/generate-command.js';
import { identityCommand } from '../../clients/typescript/cli/identity/identity-command.js';
import { inspectCommand } from '../../clients/typescript/cli/inspect/inspect-command.js';
import { sweepCommand } from '../../clients/typescript/cli/sweep/sweep-command.js';
import { trainCommand } from '../../clients/typescript/cli/train/train-command.js';
import { versionsCommand } from '../../clients/typescript/cli/versions/versions-command.js';
import { exposure, exposureAt } from '../artifacts/exposure.js';
import { packageRoot } from '../files/package-root.js';
import { buildCommand, buildGroup, type CommandGroup, commanderCommand } from '../options/command.js';
import { coordinatorCommands } from './coordinator/coordinator-command.js';
import { gatewayCommands } from './gateway/gateway-command.js';
import { packCommand } from './pack/pack-command.js';

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

/** Everything that the holder of the data runs. The work is in `clients/typescript/cli/`. */
const clientCommands: CommandGroup = {
  name: 'client',
  description: "adapt a vendor's model to your own text, measure it and generate with it",
  commands: [
    trainCommand,
    sweepCommand,
    inspectCommand,
    evalCommand,
    generateCommand,
    classifyCommand,
    identityCommand,
    federateCommand,
    versionsCommand,
  ],
  help: `
Start with:
  $ cutlayer client train --help`,
};

/** The commands that belong to a role. */
export const commandGroups: readonly CommandGroup[] = [gatewayCommands, clientCommands, coordinatorCommands];

/** The program with all commands, not yet run. */
export function program(): Command {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  const description = 'Adapt a proprietary LLM: the vendor keeps the backbone; the client keeps text and labels.';
  const root = commanderCommand('cutlayer', description)
    .version(version)
    // So that a command's own --version is its own.
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES)
    .addCommand(buildCommand(packCommand));
  for (const group of commandGroups) root.addCommand(buildGroup(group));
  return root;
}
