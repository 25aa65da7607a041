/** `cutlayer client`: everything that the holder of the data runs. The work is in `clients/typescript/cli/`. */
import { Command } from 'commander';
import { classifyCommand } from '../../clients/typescript/cli/classify/classify-command.js';
import { evalCommand } from '../../clients/typescript/cli/eval/eval-command.js';
import { federateCommand } from '../../clients/typescript/cli/federate/federate-command.js';
import { generateCommand } from '../../clients/typescript/cli/generate/generate-command.js';
import { identityCommand } from '../../clients/typescript/cli/identity/identity-command.js';
import { inspectCommand } from '../../clients/typescript/cli/inspect/inspect-command.js';
import { sweepCommand } from '../../clients/typescript/cli/sweep/sweep-command.js';
import { trainCommand } from '../../clients/typescript/cli/train/train-command.js';
import { versionsCommand } from '../../clients/typescript/cli/versions/versions-command.js';

/** The command and its subcommands. */
export function clientCommand(): Command {
  return new Command('client')
    .description("adapt a vendor's model to your own text, measure it and generate with it")
    .addCommand(trainCommand())
    .addCommand(sweepCommand())
    .addCommand(inspectCommand())
    .addCommand(evalCommand())
    .addCommand(generateCommand())
    .addCommand(classifyCommand())
    .addCommand(identityCommand())
    .addCommand(federateCommand())
    .addCommand(versionsCommand())
    .addHelpText(
      'after',
      `
Start with:
  $ cutlayer client train --help
`,
    );
}
