/** `cutlayer coordinator …`. Flags and help live here; the work is imported when a command runs. */
import { Command } from 'commander';
import { simulateCommand } from '../simulation/simulate-command.js';
import { coordinatorExamples } from './coordinator-examples.js';
import type { CreateFlags, ExportFlags, RollbackFlags, StatusFlags, StopFlags } from './founder-commands.js';
import type { FederationFlags } from './founder-link.js';
import type { CoordinatorTokenFlags } from './token-command.js';

/** Builds the command. */
export function coordinatorCommand(): Command {
  const coordinator = new Command('coordinator').description(
    'run federations: many sites train one adapter, and nobody sees the update of one',
  );
  coordinator.addCommand(serveCommand());
  coordinator.addCommand(createCommand());
  for (const command of steeringCommands()) coordinator.addCommand(command);
  coordinator.addCommand(exportCommand());
  coordinator.addCommand(tokenCommand());
  coordinator.addCommand(simulateCommand());
  return coordinator.addHelpText('after', coordinatorExamples.coordinator);
}

/** Flags by which a founder's command finds its coordinator. */
function founder(command: Command): Command {
  return command
    .option('--coordinator <host:port>', 'where the coordinator is (default: the one that runs with --state-dir on this machine)')
    .option('--ca <file>', "PEM file of the authority behind its certificate (default: the state directory's, or the system's)")
    .option('--token-file <file>', 'file with an admin token (default: $CUTLAYER_TOKEN, or one made with the keys of --state-dir)')
    .option('--insecure', 'no TLS; only for a coordinator on this machine')
    .option('--state-dir <dir>', 'state directory (default: ~/.cutlayer/coordinator)')
    .option('--json', 'print one JSON line');
}

/** And its federation. */
function founderOf(command: Command): Command {
  return founder(command).option('--federation <id>', 'its id, the beginning of it, or its name (default: the only one)');
}

const collect = (value: string, list: readonly string[]): readonly string[] => [...list, value];

function serveCommand(): Command {
  return new Command('serve')
    .description('answer participants and founders over gRPC; rounds go on where they were')
    .option('--listen <host:port>', 'gRPC address; port 0 picks a free one (default: 127.0.0.1:50061)')
    .option('--admin <host:port>', 'address of keys, health and metrics (default: 127.0.0.1:8081)')
    .option('--state-dir <dir>', 'keys, certificates and database (default: ~/.cutlayer/coordinator)')
    .option('--database <file>', 'the database (default: coordinator.db in the state directory)')
    .option('--issuer <name>', 'iss of the tokens (default: a name made for this state directory)')
    .option('--audience <name>', 'aud of the tokens (default: a name made for this state directory)')
    .option('--jwks-url <url>', 'public keys of an external issuer, instead of the embedded one')
    .option('--max-message <size>', 'largest update, or other message (default: 256MiB)')
    .option('--max-deadline <seconds>', 'longest time for one call, waiting included (default: 600)')
    .option('--max-in-flight <n>', 'calls at once; each waiting participant is one (default: 2048)')
    .option('--grace <seconds>', 'time for calls in flight at shutdown (default: 10)')
    .option('--tls-names <list>', 'names by which participants reach it, for the development certificate, comma-separated')
    .option('--tls-cert <file>', 'certificate chain, PEM (default: a development certificate)')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--insecure', 'no TLS; loopback addresses only')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (default: info)')
    .option('--json', 'print one JSON line when ready')
    .addHelpText('after', coordinatorExamples.serve)
    .action(async (options: Record<string, unknown>) => {
      const { serve } = await import('./serve-command.js');
      await serve(options);
    });
}

function createCommand(): Command {
  return founder(new Command('create'))
    .description('found a federation: print the id that participants pin')
    .option('--bundle <dir>', 'client bundle of the backbone that is adapted (cutlayer pack)')
    .option('--member <name=key>', 'a member and its public key, 64 hex digits or a file that holds them; repeat', collect, [])
    .option('--config <file>', 'settings, YAML; what is left out has a default')
    .option('--name <name>', "the federation's name")
    .option('--method <method>', 'adapter, as cutlayer client train --method (default: prompt-tuning)')
    .option('--rounds <n>', 'released aggregates after which it is finished (default: until stopped)')
    .option('--min-cohort <n>', 'members that a round needs (default: 3)')
    .option('--set <setting=value>', 'any setting by its path, such as strategy.kind=fedadam; repeat', collect, [])
    .option('--start', 'begin at once')
    .option('--print-config', 'print all settings, as these flags and the defaults make them, and create nothing')
    .addHelpText('after', coordinatorExamples.create)
    .action(async (flags: CreateFlags) => {
      const { create } = await import('./founder-commands.js');
      await create(flags);
    });
}

function steeringCommands(): readonly Command[] {
  const run = () => import('./founder-commands.js');
  return [
    founderOf(new Command('status'))
      .description('show rounds, members, versions and privacy spent')
      .option('--watch', 'show it again every two seconds, until interrupted')
      .addHelpText('after', coordinatorExamples.status)
      .action(async (flags: StatusFlags) => (await run()).status(flags)),
    founderOf(new Command('start'))
      .description('begin a federation, or go on after a pause')
      .addHelpText('after', coordinatorExamples.start)
      .action(async (flags: FederationFlags) => (await run()).start(flags)),
    founderOf(new Command('stop'))
      .description('pause a federation: the round under way is aborted')
      .option('--final', 'end it for good')
      .addHelpText('after', coordinatorExamples.stop)
      .action(async (flags: StopFlags) => (await run()).stop(flags)),
    founderOf(new Command('rollback'))
      .description('make an earlier version the promoted one')
      .requiredOption('--version <n>', 'the version; 0 is the initial adapter')
      .addHelpText('after', coordinatorExamples.rollback)
      .action(async (flags: RollbackFlags) => (await run()).rollback(flags)),
  ];
}

function exportCommand(): Command {
  return founderOf(new Command('export'))
    .description('write a version with the signed chain that leads to it')
    .requiredOption('--out <dir>', 'a new directory')
    .option('--version <n>', 'the version (default: the promoted one)')
    .option('--bundle <dir>', "client bundle of the backbone, to write the adapter in PEFT's files too")
    .addHelpText('after', coordinatorExamples.export)
    .action(async (flags: ExportFlags) => {
      const { exportCommand: run } = await import('./founder-commands.js');
      await run(flags);
    });
}

function tokenCommand(): Command {
  return new Command('token')
    .description('issue an access token from the embedded issuer')
    .option('--member <name>', 'for a participant: its name on the roster')
    .option('--admin <name>', 'for a founder, who creates and steers federations')
    .option('--ttl <time>', 'how long it lives: 90s, 15m, 24h or 30d', '30d')
    .option('--state-dir <dir>', 'state directory of the coordinator (default: ~/.cutlayer/coordinator)')
    .addHelpText('after', coordinatorExamples.token)
    .action(async (flags: CoordinatorTokenFlags) => {
      const { token } = await import('./token-command.js');
      await token(flags);
    });
}
