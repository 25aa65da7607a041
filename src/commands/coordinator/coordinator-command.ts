/** `cutlayer coordinator …`. Flags and help live here; the work is imported when a command runs. */
import { coordinatorOptions } from '../../coordinator/config.js';
import { CutlayerError } from '../../errors.js';
import { type CommandGroup, command } from '../../options/command.js';
import { checkOption, configCommand } from '../config-command.js';
import { simulateCommand } from '../simulation/simulate-command.js';
import { coordinatorExamples } from './coordinator-examples.js';
import {
  createOptions,
  exportOptions,
  federationOptions,
  rollbackOptions,
  statusOptions,
  stopOptions,
  tokenOptions,
} from './founder-options.js';

const work = () => import('./founder-commands.js');

const serveCommand = command({
  name: 'serve',
  description: 'answer participants and founders over gRPC; rounds go on where they were',
  options: {
    ...coordinatorOptions,
    ...checkOption,
  },
  configFile: true,
  help: coordinatorExamples.serve,
  run: async ({ check, ...config }) => (await import('./run-coordinator-serve.js')).runCoordinatorServe(config, { check }),
});

const createCommand = command({
  name: 'create',
  description: 'found a federation: print the id that participants pin',
  options: createOptions,
  help: coordinatorExamples.create,
  run: async (flags) => (await work()).create(flags),
});

const statusCommand = command({
  name: 'status',
  description: 'show rounds, members, versions and privacy spent',
  options: statusOptions,
  help: coordinatorExamples.status,
  run: async (flags) => (await work()).status(flags),
});

const startCommand = command({
  name: 'start',
  description: 'begin a federation, or go on after a pause',
  options: federationOptions,
  help: coordinatorExamples.start,
  run: async (flags) => (await work()).control(flags, { kind: 'start' }),
});

const stopCommand = command({
  name: 'stop',
  description: 'pause a federation: the round under way is aborted',
  options: stopOptions,
  help: coordinatorExamples.stop,
  run: async (flags) => (await work()).control(flags, { kind: flags.final ? 'finish' : 'pause' }),
});

const rollbackCommand = command({
  name: 'rollback',
  description: 'make an earlier version the promoted one',
  options: rollbackOptions,
  help: coordinatorExamples.rollback,
  run: async (flags) => (await work()).control(flags, { kind: 'rollback', version: flags.version }),
});

const exportCommand = command({
  name: 'export',
  description: 'write a version with the signed chain that leads to it',
  options: exportOptions,
  help: coordinatorExamples.export,
  run: async (flags) => (await work()).exportCommand(flags),
});

const tokenCommand = command({
  name: 'token',
  description: 'issue an access token from the embedded issuer',
  options: tokenOptions,
  help: coordinatorExamples.token,
  async run({ member, admin, ttl, stateDir }) {
    const tenant = member ?? admin;
    if (tenant === undefined || (member !== undefined && admin !== undefined)) {
      throw new CutlayerError('INVALID_OPTION', 'expected either --member NAME, for a participant, or --admin NAME, for a founder');
    }
    const scope = member === undefined ? 'federation:admin' : 'federation:participate';
    const { printToken } = await import('../print-token.js');
    await printToken('coordinator', { tenant, scopes: [scope], ttl, stateDir });
  },
});

/** The command and its subcommands. */
export const coordinatorCommands: CommandGroup = {
  name: 'coordinator',
  description: 'run federations: many sites train one adapter together',
  commands: [
    serveCommand,
    configCommand('coordinator serve', coordinatorOptions),
    createCommand,
    statusCommand,
    startCommand,
    stopCommand,
    rollbackCommand,
    exportCommand,
    tokenCommand,
    simulateCommand,
  ],
  help: coordinatorExamples.coordinator,
};
