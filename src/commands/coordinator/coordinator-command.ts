/** `cutlayer coordinator …`. Flags and help live here; the work is imported when a command runs. */
import { coordinatorOptions } from '../../coordinator/config.js';
import { CutlayerError } from '../../errors.js';
import { command } from '../../options/command-spec.js';
import { checkOption, configCommand } from '../config-command.js';
import { coordinatorExamples } from './coordinator-examples.js';
import {
  createOptions,
  exportOptions,
  federationOptions,
  restoreOptions,
  rollbackOptions,
  statusOptions,
  stopOptions,
  storeOptions,
  tokenOptions,
} from './founder-options.js';
import { inviteOptions } from './invite-options.js';

const work = () => import('./founder-commands.js');

export const serveCommand = command({
  options: {
    ...coordinatorOptions,
    ...checkOption,
  },
  configFile: true,
  help: coordinatorExamples.serve,
  run: async ({ check, ...config }) => (await import('./run-coordinator-serve.js')).runCoordinatorServe(config, { check }),
});

export const backupCommand = command({
  options: storeOptions,
  help: coordinatorExamples.backup,
  run: async (flags, { words }) => (await import('./run-backup.js')).backupCoordinator(words[0]!, flags), // commander requires it
});

export const restoreCommand = command({
  options: restoreOptions,
  help: coordinatorExamples.restore,
  run: async (flags, { words }) => (await import('./run-backup.js')).restoreCoordinator(words[0]!, flags), // as above
});

export const createCommand = command({
  options: createOptions,
  help: coordinatorExamples.create,
  run: async (flags) => (await work()).create(flags),
});

export const statusCommand = command({
  options: statusOptions,
  help: coordinatorExamples.status,
  run: async (flags) => (await work()).status(flags),
});

export const startCommand = command({
  options: federationOptions,
  help: coordinatorExamples.start,
  run: async (flags) => (await work()).control(flags, { kind: 'start' }),
});

export const stopCommand = command({
  options: stopOptions,
  help: coordinatorExamples.stop,
  run: async (flags) => (await work()).control(flags, { kind: flags.final ? 'finish' : 'pause' }),
});

export const skipCommand = command({
  options: federationOptions,
  help: coordinatorExamples.skip,
  run: async (flags, { words }) => (await work()).skip(flags, words[0]!), // commander requires the word
});

export const rollbackCommand = command({
  options: rollbackOptions,
  help: coordinatorExamples.rollback,
  run: async (flags) => (await work()).control(flags, { kind: 'rollback', version: flags.version }),
});

export const inviteCommand = command({
  options: inviteOptions,
  help: coordinatorExamples.invite,
  run: async (flags, { words }) => (await import('./run-invite.js')).runInvite(words, flags),
});

export const exportCommand = command({
  options: exportOptions,
  help: coordinatorExamples.export,
  run: async (flags) => (await work()).exportCommand(flags),
});

export const tokenCommand = command({
  options: tokenOptions,
  help: coordinatorExamples.token,
  async run({ member, admin, ttl, clientCert, stateDir }) {
    const tenant = member ?? admin;
    if (tenant === undefined || (member !== undefined && admin !== undefined)) {
      throw new CutlayerError('INVALID_OPTION', 'expected either --member NAME, for a participant, or --admin NAME, for a founder');
    }
    const scope = member === undefined ? 'admin' : 'federate';
    const { printToken } = await import('../print-token.js');
    await printToken('coordinator', { tenant, scopes: [scope], ttl, clientCert, stateDir });
  },
});

export const showCommand = configCommand('coordinator serve', coordinatorOptions);
