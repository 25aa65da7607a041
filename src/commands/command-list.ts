/**
 * All commands by role: names, descriptions and words. Options, help and work are imported when a
 * command is called.
 */
import type { CommandEntry, CommandGroup } from '../options/command-entry.js';
import { coordinatorExamples } from './coordinator/coordinator-examples.js';

const gateway = () => import('./gateway/gateway-command.js');
const identity = () => import('./gateway/identity-commands.js');
const tenant = () => import('./gateway/tenant/tenant-commands.js');
const usage = () => import('./gateway/usage/usage-command.js');
const audit = () => import('./gateway/audit/audit-commands.js');
const signer = () => import('./signer/signer-commands.js');
const login = () => import('../../clients/typescript/cli/login/login-command.js');
const coordinator = () => import('./coordinator/coordinator-command.js');

/** The command that belongs to no role. */
export const packEntry: CommandEntry = {
  name: 'pack',
  description: 'Cut a Hugging Face checkpoint: backbone/ for the gateway, client-bundle/ for its clients',
  word: ['[checkpoint]', 'directory with config.json and safetensors weights (F32, F16 or BF16)'],
  load: async () => (await import('./pack/pack-command.js')).packCommand,
};

const gatewayCommands: CommandGroup = {
  name: 'gateway',
  description: 'serve a backbone to clients, and issue their tokens',
  commands: [
    {
      name: 'start',
      description: 'serve a packed backbone over gRPC',
      load: async () => (await gateway()).startCommand,
    },
    {
      name: 'config',
      description: 'show the configuration that cutlayer gateway start would have',
      load: async () => (await gateway()).showCommand,
    },
    {
      name: 'token',
      description: 'issue an access token from the embedded issuer',
      load: async () => (await gateway()).tokenCommand,
    },
    {
      name: 'cert',
      description: 'issue a client certificate from the local authority',
      word: ['<name>', 'its name: 1 to 64 of [A-Za-z0-9._-]'],
      load: async () => (await gateway()).certCommand,
    },
    {
      name: 'backup',
      description: 'write tables and keys into one file, also while the gateway runs',
      word: ['<file>', 'the new file'],
      load: async () => (await gateway()).backupCommand,
    },
    {
      name: 'restore',
      description: 'put a backup back, or move it to another database',
      word: ['<file>', 'what gateway backup has written'],
      load: async () => (await gateway()).restoreCommand,
    },
    {
      name: 'onboard',
      description: 'write one file with which a customer logs in: address, CA, token, and which bundle',
      word: ['<tenant>', 'the customer: 1 to 64 of [A-Za-z0-9._-]'],
      load: async () => (await gateway()).onboardCommand,
    },
    {
      name: 'usage',
      description: 'show what tenants have used, by hour or day, and its price',
      load: async () => (await usage()).usageCommand,
    },
    {
      name: 'inspect-policy',
      description: 'show what a file of --protection permits, and the line of an error',
      word: ['<file>', 'the YAML file'],
      load: async () => (await import('./gateway/policy/inspect-policy-command.js')).inspectPolicyCommand,
    },
    {
      name: 'audit-extraction',
      description: "measure what a student learns of the model from a tenant's quota, with protection and without",
      load: async () => (await import('./gateway/extraction/extraction-command.js')).extractionCommand,
    },
  ],
  groups: [
    {
      name: 'tenant',
      description: 'make, list, suspend and delete tenants, and bound them',
      commands: [
        {
          name: 'create',
          description: 'make a tenant, with limits of its own',
          word: ['<tenant>', 'its name: 1 to 64 of [A-Za-z0-9._-]'],
          load: async () => (await tenant()).createCommand,
        },
        {
          name: 'list',
          description: 'list tenants with their status and limits',
          load: async () => (await tenant()).listCommand,
        },
        {
          name: 'show',
          description: 'show one tenant, and what is left of its rates',
          word: ['<tenant>', 'its name'],
          load: async () => (await tenant()).showCommand,
        },
        {
          name: 'suspend',
          description: 'refuse a tenant, and end its calls and streams; its data stays',
          word: ['<tenant>', 'its name'],
          load: async () => (await tenant()).suspendCommand,
        },
        {
          name: 'resume',
          description: 'let a suspended tenant in again',
          word: ['<tenant>', 'its name'],
          load: async () => (await tenant()).resumeCommand,
        },
        {
          name: 'delete',
          description: 'delete a tenant and its data; its tokens stay refused',
          word: ['<tenant>', 'its name'],
          load: async () => (await tenant()).deleteCommand,
        },
        {
          name: 'limits',
          description: 'change the limits of a tenant',
          word: ['<tenant>', 'its name'],
          load: async () => (await tenant()).limitsCommand,
        },
        {
          name: 'protection',
          description: 'change or show the bounds by which the model is protected from a tenant',
          word: ['<tenant>', 'its name'],
          load: async () => (await tenant()).protectionCommand,
        },
      ],
    },
    {
      name: 'client',
      description: 'register clients of tenants, which get their tokens by themselves',
      commands: [
        {
          name: 'add',
          description: 'register a client, and write the file with which it asks for tokens',
          word: ['<tenant>', 'whose client: 1 to 64 of [A-Za-z0-9._-]'],
          load: async () => (await identity()).addClientCommand,
        },
        {
          name: 'list',
          description: 'show the clients, disabled ones included',
          load: async () => (await identity()).listClientsCommand,
        },
        {
          name: 'disable',
          description: 'disable a client for good; its tokens are void',
          word: ['<id>', 'as client list shows it'],
          load: async () => (await identity()).disableClientCommand,
        },
      ],
    },
    {
      name: 'keys',
      description: 'the keys that sign access tokens',
      commands: [
        {
          name: 'rotate',
          description: 'make a new key, also while the gateway runs',
          load: async () => (await identity()).rotateKeysCommand,
        },
      ],
    },
    {
      name: 'audit',
      description: 'read the log of every call and every change, and check that it is as it was written',
      commands: [
        {
          name: 'verify',
          description: 'check hashes, order and signatures of every entry; print the head',
          word: ['[path]', 'a directory of the log, or one of its files'],
          load: async () => (await audit()).verifyCommand,
        },
        {
          name: 'tail',
          description: 'show the last entries',
          word: ['[path]', 'a directory of the log, or one of its files'],
          load: async () => (await audit()).tailCommand,
        },
      ],
    },
  ],
};

const signerCommands: CommandGroup = {
  name: 'signer',
  description: 'make the key that signs what cutlayer pack writes, and show its public part',
  commands: [
    {
      name: 'new',
      description: 'make a key, and print the public key that clients pin',
      load: async () => (await signer()).newCommand,
    },
    {
      name: 'show',
      description: 'print the public key of a key',
      word: ['<file>', 'a key that cutlayer signer new has written'],
      load: async () => (await signer()).showCommand,
    },
  ],
};

/** Everything that the holder of the data runs. The work is in `clients/typescript/cli/`. */
const clientCommands: CommandGroup = {
  name: 'client',
  description: "adapt a vendor's model to your own text, measure it and generate with it",
  commands: [
    {
      name: 'check',
      description: 'say whether bundle, gateway, certificate, token and clock are right, and what to do',
      load: async () => (await import('../../clients/typescript/cli/check/check-command.js')).checkCommand,
    },
    {
      name: 'login',
      description: 'keep bundle, gateway, CA and token as a profile, which every command then uses',
      load: async () => (await login()).loginCommand,
    },
    {
      name: 'profiles',
      description: 'list the profiles that login has written; prints no token',
      load: async () => (await login()).profilesCommand,
    },
    {
      name: 'logout',
      description: 'remove a profile and the token in it',
      load: async () => (await login()).logoutCommand,
    },
    {
      name: 'train',
      description: 'train an adapter on your own text; text and labels are in no message',
      load: async () => (await import('../../clients/typescript/cli/train/train-command.js')).trainCommand,
    },
    {
      name: 'sweep',
      description: 'train with several learning rates, and rank them',
      load: async () => (await import('../../clients/typescript/cli/sweep/sweep-command.js')).sweepCommand,
    },
    {
      name: 'inspect',
      description: 'say what an adapter is, whether it is sound, and whether it fits a bundle',
      word: ['<adapter>', "an adapter's directory, a checkpoint's, or a run's"],
      load: async () => (await import('../../clients/typescript/cli/inspect/inspect-command.js')).inspectCommand,
    },
    {
      name: 'eval',
      description: 'measure the model, bare or with an adapter, on a data file',
      load: async () => (await import('../../clients/typescript/cli/eval/eval-command.js')).evalCommand,
    },
    {
      name: 'audit',
      description: 'measure what an adversarial vendor could infer of your own records',
      load: async () => (await import('../../clients/typescript/cli/audit/audit-command.js')).auditCommand,
    },
    {
      name: 'privacy',
      description: 'measure what each defence hides of your own records, and what it costs',
      load: async () => (await import('./privacy-table/privacy-command.js')).privacyCommand,
    },
    {
      name: 'generate',
      description: 'write the text that follows a prompt',
      load: async () => (await import('../../clients/typescript/cli/generate/generate-command.js')).generateCommand,
    },
    {
      name: 'chat',
      description: 'talk with the model in the terminal',
      load: async () => (await import('../../clients/typescript/cli/chat/chat-command.js')).chatCommand,
    },
    {
      name: 'serve',
      description: "answer OpenAI's API on this machine: the model, and each adapter by name",
      load: async () => (await import('../../clients/typescript/cli/serve/serve-command.js')).serveCommand,
    },
    {
      name: 'classify',
      description: 'tell the class of texts',
      load: async () => (await import('../../clients/typescript/cli/classify/classify-command.js')).classifyCommand,
    },
    {
      name: 'identity',
      description: 'make the identity that you take part in federations with',
      load: async () => (await import('../../clients/typescript/cli/identity/identity-command.js')).identityCommand,
    },
    {
      name: 'federate',
      description: 'train one adapter together with others; text and labels are in no message',
      load: async () => (await import('../../clients/typescript/cli/federate/federate-command.js')).federateCommand,
    },
    {
      name: 'improve',
      description: 'keep improving an adapter from new examples and feedback; text and labels are in no message',
      load: async () => (await import('../../clients/typescript/cli/improve/improve-command.js')).improveCommand,
    },
    {
      name: 'migrate',
      description: "train an adapter anew for the vendor's new model, and compare the scores",
      load: async () => (await import('../../clients/typescript/cli/migrate/migrate-command.js')).migrateCommand,
    },
    {
      name: 'versions',
      description: 'list the versions of an improvement, or of a federation as this member has seen them',
      word: ['[state]', 'state directory of cutlayer client improve or federate'],
      load: async () => (await import('../../clients/typescript/cli/versions/versions-command.js')).versionsCommand,
    },
  ],
  help: `
Start with:
  $ cutlayer client train --help`,
};

const coordinatorCommands: CommandGroup = {
  name: 'coordinator',
  description: 'run federations: many sites train one adapter together',
  commands: [
    {
      name: 'serve',
      description: 'answer participants and founders over gRPC; rounds go on where they were',
      load: async () => (await coordinator()).serveCommand,
    },
    {
      name: 'config',
      description: 'show the configuration that cutlayer coordinator serve would have',
      load: async () => (await coordinator()).showCommand,
    },
    {
      name: 'backup',
      description: 'write tables and keys into one file, also while the coordinator runs',
      word: ['<file>', 'the new file'],
      load: async () => (await coordinator()).backupCommand,
    },
    {
      name: 'restore',
      description: 'put a backup back, or move it to another database',
      word: ['<file>', 'what coordinator backup has written'],
      load: async () => (await coordinator()).restoreCommand,
    },
    {
      name: 'create',
      description: 'found a federation: print the id that participants pin',
      load: async () => (await coordinator()).createCommand,
    },
    {
      name: 'invite',
      description: 'write one file for each member: coordinator, CA, token, federation',
      word: ['<member...>', 'names on the roster'],
      load: async () => (await coordinator()).inviteCommand,
    },
    {
      name: 'status',
      description: 'show rounds, members, versions and privacy spent',
      load: async () => (await coordinator()).statusCommand,
    },
    {
      name: 'start',
      description: 'begin a federation, or go on after a pause',
      load: async () => (await coordinator()).startCommand,
    },
    {
      name: 'stop',
      description: 'pause a federation: the round under way is aborted',
      load: async () => (await coordinator()).stopCommand,
    },
    {
      name: 'skip',
      description: 'let the round under way go on without a member that does not answer',
      word: ['<member>', 'its name on the roster'],
      load: async () => (await coordinator()).skipCommand,
    },
    {
      name: 'rollback',
      description: 'make an earlier version the promoted one',
      load: async () => (await coordinator()).rollbackCommand,
    },
    {
      name: 'export',
      description: 'write a version with the signed chain that leads to it',
      load: async () => (await coordinator()).exportCommand,
    },
    {
      name: 'token',
      description: 'issue an access token from the embedded issuer',
      load: async () => (await coordinator()).tokenCommand,
    },
    {
      name: 'simulate',
      description: 'run a whole federation in this process, to see how it would learn',
      load: async () => (await import('./simulation/simulate-command.js')).simulateCommand,
    },
  ],
  help: coordinatorExamples.coordinator,
};

/** The commands that belong to a role. */
export const commandGroups: readonly CommandGroup[] = [signerCommands, gatewayCommands, clientCommands, coordinatorCommands];
