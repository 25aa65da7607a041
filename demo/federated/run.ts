/**
 * Four sites train one soft prompt that none could train alone. A vendor's gateway, a coordinator
 * and four participants are separate processes, over TLS, with secure aggregation. One site is
 * killed in a round and comes back. Baselines follow: each site alone, and one with all data. Last,
 * the coordinator's stored files are searched for any site's update.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CutlayerError } from '../../src/errors.js';
import { writeFileAtomic } from '../../src/files/atomic-file.js';
import { type BackgroundProcess, runProcess } from '../processes.js';
import type { Holding } from '../summary.js';
import { Comparison } from './baselines.js';
import { FounderWatch } from './founder-watch.js';
import { found, lastWords, type Parties, startServers, startSite } from './parties.js';
import { printFederated } from './print.js';
import { renderFederated } from './report.js';
import { type FederatedSettings, parseFederatedSettings, type SiteName, siteDir, siteNames } from './settings.js';
import { chainOf, eventsOf, SiteFiles } from './site-files.js';
import { searchStored, takeSnapshot } from './stored-bytes.js';
import type { FederatedSummary, Score, ScorePoint } from './summary.js';

/** Output of `cutlayer pack --json`. */
interface Packed {
  readonly backboneDir: string;
  readonly clientBundleDir: string;
  readonly parameters: { readonly backbone: number; readonly client: number };
}

/** Output of `cutlayer coordinator status --json`, as far as the demo reads it. */
interface Status {
  readonly state: string;
  readonly reason: string;
  readonly released: number;
  readonly aborted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const POLL_MS = 150;
/** A demo without progress for this long ends with an error. */
const PATIENCE_MS = 600_000;

async function main(settings: FederatedSettings): Promise<void> {
  const { out } = settings;
  const began = performance.now();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  say('vendor: packing the checkpoint');
  const packDir = join(out, 'packed');
  const packed = JSON.parse(await runProcess('cutlayer', ['pack', settings.checkpoint, '--out', packDir, '--json'])) as Packed;
  say('starting the gateway of the vendor and the coordinator of the consortium, over TLS');
  const parties = await startServers(out, packed);
  const sites = new Map<SiteName, BackgroundProcess>();
  try {
    say('enrolling four sites; founding the federation');
    const federation = await found(settings, parties);
    const token = await runProcess('cutlayer', ['gateway', 'token', '--tenant', 'comparison', '--state-dir', parties.gatewayDir]);
    const { listen: address, caFile } = parties.gateway.ready;
    const comparison = await Comparison.open(settings, parties.bundleDir, { address, caFile, token: token.trim() });
    try {
      say(`federation ${federation.slice(0, 12)}: ${settings.rounds} versions, each of a round with ${settings.steps} steps at each site`);
      for (const site of siteNames) sites.set(site, startSite(site, federation, settings, parties));
      const files = new SiteFiles(out);
      // The comparison runs while the sites wait for each other.
      const compared = compare(settings, comparison);
      compared.catch(() => undefined);
      const founder = await FounderWatch.open(parties.coordinatorDir);
      const lost = await federate(settings, federation, parties, sites, files, founder).finally(() => founder.close());
      say('federation finished; measuring');
      const { before, local, pooled, curves } = await compared;
      const federated = await measureVersions(settings, comparison, files);
      const status = await statusOf(parties);
      await parties.coordinator.stop();
      say("looking for the sites' updates in everything that the coordinator has stored");
      takeSnapshot(parties.coordinatorDir, out, 'end');
      const rounds = await releasedRounds(out);
      const summary: FederatedSummary = {
        settings,
        federation,
        model: parties.gateway.ready.model,
        seconds: (performance.now() - began) / 1000,
        rows: comparison.sizes,
        before,
        local,
        federated: federated.score,
        pooled,
        curves: { federated: federated.curve, ...curves },
        rounds,
        aborted: status.aborted,
        lost,
        bytes: { toCoordinator: status.bytesIn, fromCoordinator: status.bytesOut },
        search: await searchStored(out, files, rounds),
        holdings: holdings(packed, parties, out),
      };
      await writeFileAtomic(join(out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
      await writeFileAtomic(join(out, 'report.html'), renderFederated(summary));
      printFederated(summary);
      const at = (name: string): string => relative('.', join(out, name));
      process.stdout.write(`\nsummary: ${at('summary.json')}\nreport:  ${at('report.html')}\n`);
      requireSecrecy(summary);
    } finally {
      await comparison.close();
    }
  } finally {
    for (const site of sites.values()) site.kill('SIGKILL');
    await parties.coordinator.stop();
    await parties.gateway.stop();
  }
}

/** Lets the federation run to its end; kills a site and brings it back. */
async function federate(
  settings: FederatedSettings,
  federation: string,
  parties: Parties,
  sites: Map<SiteName, BackgroundProcess>,
  files: SiteFiles,
  founder: FounderWatch,
): Promise<FederatedSummary['lost']> {
  const { out, lost, lostInRound, rounds } = settings;
  const watched = siteNames.find((site) => site !== lost)!;
  let released = 0;
  let killedIn: number | undefined;
  let back = false;
  let skipped = false;
  let lastChange = performance.now();
  const crashed = new Map<SiteName, string>();
  const watch = (site: SiteName, child: BackgroundProcess): void => {
    void child.ended.then(({ code, signal }) => {
      if (code !== 0 && signal !== 'SIGKILL') crashed.set(site, `status ${code ?? signal}`);
    });
  };
  for (const [site, child] of sites) watch(site, child);
  for (;;) {
    await sleep(POLL_MS);
    for (const [site, how] of crashed)
      throw new CutlayerError('INTERNAL', `site ${site} ended with ${how}; its last messages:\n${lastWords(out, site)}`);
    await files.collect();
    const chain = await chainOf(out, watched);
    const aggregates = chain.flatMap((broadcast) => (broadcast.kind === 'aggregate' ? [broadcast] : []));
    if (killedIn === undefined) {
      const round = eventsOf(out, lost).findLast((event) => event.type === 'stage' && event.stage === 'submitting');
      if (round?.type === 'stage' && round.round >= lostInRound) {
        killedIn = round.round;
        sites.get(lost)!.kill('SIGKILL');
        await sites.get(lost)!.ended;
        say(`killed ${lost} in round ${killedIn}: its shares are out, its update is not`);
      }
    }
    const seen = await founder.look();
    for (const { round, aborted } of seen?.aborted ?? []) say(`round ${round} was aborted: ${aborted}`);
    const waiting = seen?.report.round;
    if (!skipped && waiting?.round === killedIn && waiting?.stage === 'submitting' && waiting.awaited.join() === lost) {
      skipped = true;
      say(`round ${waiting.round} waits for ${lost} alone: the founder lets it go on (cutlayer coordinator skip ${lost})`);
      await founder.skip(lost);
    }
    if (aggregates.length > released) {
      for (const { round, participants } of aggregates.slice(released))
        say(
          `round ${round} released: the sum of ${participants.length} (${participants.join(', ')}), ${rounds - aggregates.length} of ${rounds} versions to go`,
        );
      released = aggregates.length;
      lastChange = performance.now();
      takeSnapshot(parties.coordinatorDir, out, `version-${released}`);
    }
    if (killedIn !== undefined && !back && aggregates.some(({ round }) => round >= killedIn!)) {
      back = true;
      say(`starting ${lost} again`);
      const child = startSite(lost, federation, settings, parties);
      sites.set(lost, child);
      watch(lost, child);
    }
    if (chain.some(({ kind }) => kind === 'finish')) break;
    if (performance.now() - lastChange > PATIENCE_MS)
      throw new CutlayerError(
        'DEADLINE_EXCEEDED',
        `no round was released for ${PATIENCE_MS / 1000} s: ${JSON.stringify(await statusOf(parties))}`,
      );
  }
  await Promise.all([...sites.values()].map(({ ended }) => ended));
  await files.collect();
  if (killedIn === undefined) throw new CutlayerError('INTERNAL', `${lost} was never seen in round ${lostInRound}; raise --rounds`);
  const again = (await chainOf(out, watched)).find(
    (broadcast) => broadcast.kind === 'aggregate' && broadcast.round > killedIn! && broadcast.participants.includes(lost),
  );
  return { site: lost, round: killedIn, back: again?.kind === 'aggregate' ? again.round : null };
}

/** Rounds after which everything is measured. */
function measuredRounds(rounds: number): ReadonlySet<number> {
  return new Set(Array.from({ length: rounds }, (_, at) => at + 1).filter((round) => round % 4 === 0 || round === rounds));
}

async function compare(settings: FederatedSettings, comparison: Comparison) {
  const points = measuredRounds(settings.rounds);
  const local: Partial<Record<SiteName, Score>> = {};
  const curves: Record<string, readonly ScorePoint[]> = {};
  const pooled = await comparison.train('pooled', points);
  curves.pooled = pooled.curve;
  for (const site of siteNames) {
    const trained = await comparison.train(site, points);
    local[site] = trained.score;
    curves[`${site} alone`] = trained.curve;
  }
  return { before: await comparison.before(), local: local as Record<SiteName, Score>, pooled: pooled.score, curves };
}

async function measureVersions({ rounds }: FederatedSettings, comparison: Comparison, { versions }: SiteFiles) {
  const last = versions.get(rounds);
  if (last === undefined) throw new CutlayerError('INTERNAL', `version ${rounds} was not found at the sites`);
  const curve: ScorePoint[] = [];
  for (const round of measuredRounds(rounds)) {
    const values = versions.get(round);
    if (values !== undefined) curve.push({ round, exactMatch: await comparison.common(values) });
  }
  return { score: await comparison.score(last), curve };
}

async function releasedRounds(out: string): Promise<FederatedSummary['rounds']> {
  return (await chainOf(out, siteNames[0])).flatMap((broadcast) =>
    broadcast.kind === 'aggregate' ? [{ round: broadcast.round, version: broadcast.version, participants: broadcast.participants }] : [],
  );
}

async function statusOf({ coordinatorDir }: Parties): Promise<Status> {
  return JSON.parse(await runProcess('cutlayer', ['coordinator', 'status', '--json', '--state-dir', coordinatorDir])) as Status;
}

function holdings(packed: Packed, { coordinatorDir }: Parties, out: string): readonly Holding[] {
  const files = (dir: string, prefix: string): Holding['files'] =>
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path: `${prefix}/${relative(dir, path)}`, bytes: statSync(path).size };
      })
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  const [site] = siteNames;
  const own = join(siteDir(out, site), 'state');
  return [
    { party: 'vendor', parameters: packed.parameters.backbone, files: files(packed.backboneDir, 'backbone') },
    { party: 'coordinator', parameters: 0, files: files(coordinatorDir, 'coordinator') },
    {
      party: `each site (here ${site})`,
      parameters: packed.parameters.client,
      files: files(own, 'state').filter(({ path }) => !path.includes('versions/')),
    },
  ];
}

/** The demo fails if it finds an update. */
function requireSecrecy({ search }: FederatedSummary): void {
  if (search.matches.length > 0)
    throw new CutlayerError('INTERNAL', `an update was found in the coordinator's files: ${search.matches.join('; ')}`);
  if (!search.control) throw new CutlayerError('INTERNAL', 'the search did not find the update that was planted');
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));

try {
  await main(parseFederatedSettings(process.argv.slice(2)));
} catch (caught) {
  const error = CutlayerError.from(caught);
  const why = error.code === 'INTERNAL' && error.cause !== undefined ? `: ${String(error.cause)}` : '';
  process.stderr.write(`demo failed: ${error.code}: ${error.message}${why}\n`);
  process.exitCode = 1;
}
