/** The federated demo's processes, each with its own directory, keys and tokens. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BackgroundProcess,
  type CoordinatorReady,
  type GatewayProcess,
  runProcess,
  type ServerProcess,
  startCoordinator,
  startGateway,
  startInBackground,
} from '../processes.js';
import { type FederatedSettings, type SiteName, siteDir, siteNames } from './settings.js';

/** What a party's process knows of the others. */
export interface Parties {
  readonly gateway: GatewayProcess;
  readonly coordinator: ServerProcess<CoordinatorReady>;
  /** State directory of the coordinator: all that it stores. */
  readonly coordinatorDir: string;
  readonly gatewayDir: string;
  readonly bundleDir: string;
}

const anyPort = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
const quiet = ['--log-level', 'error'];

/** Starts gateway and coordinator, over TLS. */
export async function startServers(
  out: string,
  packed: { readonly backboneDir: string; readonly clientBundleDir: string },
): Promise<Parties> {
  const gatewayDir = join(out, 'gateway');
  const coordinatorDir = join(out, 'coordinator');
  const gateway = await startGateway(['--backbone', packed.backboneDir, '--state-dir', gatewayDir, ...anyPort, ...quiet]);
  try {
    const coordinator = await startCoordinator(['--state-dir', coordinatorDir, ...anyPort, ...quiet]);
    return { gateway, coordinator, coordinatorDir, gatewayDir, bundleDir: packed.clientBundleDir };
  } catch (error) {
    await gateway.stop();
    throw error;
  }
}

/** Makes a site's identity and its tokens of vendor and coordinator. @returns its public key */
async function enrol(site: SiteName, out: string, { gatewayDir, coordinatorDir }: Parties): Promise<string> {
  const dir = siteDir(out, site);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const publicKey = runProcess('cutlayer', ['client', 'identity', '--out', join(dir, 'identity.key')], 'on failure');
  const gateway = runProcess('cutlayer', ['gateway', 'token', '--tenant', site, '--ttl', '24h', '--state-dir', gatewayDir]);
  const coordinator = runProcess('cutlayer', ['coordinator', 'token', '--member', site, '--ttl', '24h', '--state-dir', coordinatorDir]);
  writeFileSync(join(dir, 'gateway.token'), await gateway, { mode: 0o600 });
  writeFileSync(join(dir, 'coordinator.token'), await coordinator, { mode: 0o600 });
  return (await publicKey).trim();
}

/** Enrols the sites and creates the federation. @returns its id */
export async function found(settings: FederatedSettings, parties: Parties): Promise<string> {
  const { out, virtualTokens, rounds, steps, batch, lr, schedule, cutoff } = settings;
  const members: string[] = [];
  for (const site of siteNames) members.push('--member', `${site}=${await enrol(site, out, parties)}`);
  const config = {
    name: 'four sites',
    adapter: { method: 'prompt-tuning', settings: { 'virtual-tokens': virtualTokens } },
    cohort: { min: 3 },
    rounds: { count: rounds, enlistSeconds: 15, trainSeconds: cutoff, stageSeconds: Math.min(cutoff, 60) },
    training: { epochs: null, steps, batchSize: batch, learningRate: lr, schedule },
    strategy: { kind: 'fedavg' },
    secureAggregation: { bits: 32, bound: 8 },
    evaluation: null,
  };
  const file = join(out, 'federation.yaml');
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`); // JSON is YAML
  const state = ['--state-dir', parties.coordinatorDir];
  const flags = ['--config', file, '--bundle', parties.bundleDir, ...members, '--start', ...state];
  return (await runProcess('cutlayer', ['coordinator', 'create', ...flags])).trim();
}

/** Starts a site, or restarts it. Its messages are in `federate.log`. */
export function startSite(site: SiteName, federation: string, { out, data }: FederatedSettings, parties: Parties): BackgroundProcess {
  const dir = siteDir(out, site);
  const { gateway, coordinator, bundleDir } = parties;
  const args = [
    'client',
    'federate',
    '--federation',
    federation,
    '--state-dir',
    join(dir, 'state'),
    '--identity',
    join(dir, 'identity.key'),
  ];
  args.push('--coordinator', coordinator.ready.listen, '--coordinator-ca', coordinator.ready.caFile);
  args.push('--coordinator-token-file', join(dir, 'coordinator.token'));
  args.push('--gateway', gateway.ready.listen, '--ca', gateway.ready.caFile, '--token-file', join(dir, 'gateway.token'));
  args.push('--bundle', bundleDir, '--data', join(data, `${site}-train.jsonl`), '--held-out', join(data, `${site}-validation.jsonl`));
  args.push('--no-measure');
  return startInBackground(args, join(dir, 'federate.log'));
}

/** The end of a site's messages. */
export function lastWords(out: string, site: SiteName): string {
  return readFileSync(join(siteDir(out, site), 'federate.log'), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-12)
    .join('\n');
}
