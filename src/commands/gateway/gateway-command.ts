/** `cutlayer gateway start | token`. Flags and help live here; the work is imported when a command runs. */
import { Command } from 'commander';
import type { GatewayConfig } from '../../gateway/config.js';
import type { RunningGateway } from '../../gateway/run.js';

const START_EXAMPLES = `
Examples:
  Serve a packed backbone on this machine, with a development certificate:
    $ cutlayer pack ./my-checkpoint --out ./packed
    $ cutlayer gateway start --backbone ./packed/backbone

  Serve it to others, with a real certificate:
    $ cutlayer gateway start --backbone ./packed/backbone --listen 0.0.0.0:443 \\
        --tls-cert fullchain.pem --tls-key privkey.pem

  Trust the tokens of an identity provider instead of one's own:
    $ cutlayer gateway start --backbone ./packed/backbone \\
        --issuer https://id.example --audience cutlayer --jwks-url https://id.example/.well-known/jwks.json

Clients need the address, a token (cutlayer gateway token) and, with a development certificate, the file ca.pem of the state directory.
SIGTERM and SIGINT finish what is in flight and exit.`;

const TOKEN_EXAMPLES = `
Examples:
  A token for one tenant, for 30 days, kept in a file that only its owner may read:
    $ (umask 077; cutlayer gateway token --tenant acme > acme.token)

  One that may run the backbone but not train through it:
    $ cutlayer gateway token --tenant acme --scope split:infer --ttl 24h

The token is printed bare. It is a secret: whoever has it is that tenant.`;

/** Builds the command. */
export function gatewayCommand(): Command {
  const gateway = new Command('gateway').description('serve a backbone to clients, and issue their tokens');
  gateway
    .command('start')
    .description('serve a packed backbone over gRPC')
    .requiredOption('--backbone <dir>', 'directory of a packed backbone (cutlayer pack)')
    .option('--listen <host:port>', 'gRPC address; port 0 picks a free one (default: 127.0.0.1:50051)')
    .option('--admin <host:port>', 'address of keys, health and metrics (default: 127.0.0.1:8080)')
    .option('--state-dir <dir>', 'keys and certificates (default: ~/.cutlayer/gateway)')
    .option('--issuer <name>', 'iss of the tokens (default: a name made for this state directory)')
    .option('--audience <name>', 'aud of the tokens (default: a name made for this state directory)')
    .option('--jwks-url <url>', 'public keys of an external issuer, instead of the embedded one')
    .option('--workers <n>', 'steps computed at once (default: 1)')
    .option('--threads <n>', 'threads per worker (default: the cores, divided among the workers)')
    .option('--residual-memory <size>', 'memory for steps between forward and backward (default: 1GiB)')
    .option('--queue-limit <n>', 'steps that may wait; more are refused as retryable (default: 64)')
    .option('--max-batch <n>', 'sequences of a step (default: 256)')
    .option('--max-tokens <n>', 'rows of a step (default: 16384)')
    .option('--max-virtual-tokens <n>', 'rows of a soft prompt or prefix (default: 1024)')
    .option('--max-deadline <seconds>', 'longest time for one call (default: 600)')
    .option('--max-in-flight <n>', 'calls at once (default: 64)')
    .option('--allow-prefix-init', 'give out keys and values of real tokens, so that a prefix may begin from a text; see docs/privacy.md')
    .option('--grace <seconds>', 'time for calls in flight at shutdown (default: 30)')
    .option('--tls-names <list>', 'names by which clients reach it, for the development certificate, comma-separated')
    .option('--tls-cert <file>', 'certificate chain, PEM (default: a development certificate)')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--insecure', 'no TLS; loopback addresses only')
    .option('--no-verify', 'skip the sha256 of the weights at start')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (default: info)')
    .option('--json', 'print one JSON line when ready')
    .addHelpText('after', START_EXAMPLES)
    .action(start);
  gateway
    .command('token')
    .description('issue an access token from the embedded issuer')
    .requiredOption('--tenant <name>', 'whose token: 1 to 64 of [A-Za-z0-9._-]')
    .option('--scope <scopes>', 'what it allows', 'split:train split:infer')
    .option('--ttl <time>', 'how long it lives: 90s, 15m, 24h or 30d', '30d')
    .option('--state-dir <dir>', 'state directory of the gateway (default: ~/.cutlayer/gateway)')
    .addHelpText('after', TOKEN_EXAMPLES)
    .action(token);
  return gateway;
}

async function start(options: Record<string, unknown>): Promise<void> {
  const { parseGatewayConfig } = await import('../../gateway/config.js');
  const config = parseGatewayConfig(options);
  const { createLogger } = await import('../../server/observability/log.js');
  const log = createLogger({ level: config.logLevel });
  const { logVerbosity, setLogVerbosity } = await import('@grpc/grpc-js');
  // What it has to say reaches us as errors, which are told in our own words.
  setLogVerbosity(logVerbosity.NONE);
  const { runGateway } = await import('../../gateway/run.js');
  const gateway = await runGateway(config, log);
  announce(gateway, config);
  const { untilSignalled } = await import('../until-signalled.js');
  await untilSignalled((signal) => {
    log.info({ signal, inFlight: gateway.server.inFlight }, 'shutting down; a second signal exits at once');
    return gateway.close();
  });
  log.info('stopped');
}

/** Says on standard output that the gateway answers, and where. */
function announce({ listen, admin, caFile, model, backboneDigest }: RunningGateway, { json, insecure }: GatewayConfig): void {
  const line = json
    ? JSON.stringify({ event: 'ready', listen, admin, tls: !insecure, caFile: caFile ?? null, model, backboneDigest, pid: process.pid })
    : `ready: ${model} on ${listen}${insecure ? ' without TLS' : ''}, admin on http://${admin}${caFile ? `, clients trust ${caFile}` : ''}`;
  process.stdout.write(`${line}\n`);
}

async function token(options: { tenant: string; scope: string; ttl: string; stateDir?: string }): Promise<void> {
  const [{ KeyRing }, { openIdentity }, { issueToken }, { gatewayScopes, parseScopes }, { parseTtl }, { defaultStateDir }] =
    await Promise.all([
      import('../../server/auth/key-ring.js'),
      import('../../server/auth/identity.js'),
      import('../../server/auth/issuer.js'),
      import('../../server/auth/scopes.js'),
      import('../../server/auth/ttl.js'),
      import('../../gateway/config.js'),
    ]);
  const stateDir = options.stateDir ?? defaultStateDir();
  const request = { tenant: options.tenant, scopes: parseScopes(options.scope, gatewayScopes), ttlSeconds: parseTtl(options.ttl) };
  const ring = await KeyRing.open(stateDir);
  if (ring.isNew)
    process.stderr.write(`note: made new keys in ${stateDir}; only a gateway started with this --state-dir takes the token\n`);
  process.stdout.write(`${await issueToken(ring, await openIdentity(stateDir), request, Date.now())}\n`);
}
