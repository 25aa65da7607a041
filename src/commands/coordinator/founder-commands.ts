/** The founder commands. Each opens a connection, asks, prints and ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { FederationReport } from '../../coordinator/coordinator-api.js';
import { openSigningKey, readSigningKey } from '../../coordinator/signing-keys.js';
import { CutlayerError } from '../../errors.js';
import { stderr, stdout } from '../../files/output.js';
import type { FounderAction } from '../../protocol/federation/founder-order.js';
import { updateLength } from '../../protocol/federation/manifest.js';
import type { IdentityKey } from '../../protocol/secagg/signature.js';
import { createFederation, foundingSettings } from './create-federation.js';
import { exportVersion } from './export-version.js';
import { allReports, type FounderConnection, openFounderConnection, pickFederation } from './founder-connection.js';
import type { CreateFlags, ExportFlags, FederationFlags, FounderFlags, StatusFlags } from './founder-options.js';
import { reportLines } from './report-text.js';
import { readRoster } from './roster.js';
import { readSettings } from './settings-input.js';
import { steer } from './steer.js';

const WATCH_MS = 2000;

async function withConnection<T>(flags: FounderFlags, run: (connection: FounderConnection) => Promise<T>): Promise<T> {
  const connection = await openFounderConnection(flags);
  try {
    return await run(connection);
  } finally {
    connection.close();
  }
}

/** `coordinator create`. @throws CutlayerError */
export async function create(flags: CreateFlags): Promise<void> {
  const { name, method, rounds, minCohort } = flags;
  const shortcuts = { name, 'adapter.method': method, 'rounds.count': rounds, 'cohort.min': minCohort };
  const single = Object.entries(shortcuts).flatMap(([path, value]) => (value === undefined ? [] : [`${path}=${JSON.stringify(value)}`]));
  const given = await readSettings({ file: flags.config, single: [...single, ...flags.set] });
  if (flags.printConfig) {
    stdout.text(stringify(foundingSettings(given)));
    return;
  }
  const { bundle } = flags;
  if (bundle === undefined) throw new CutlayerError('INVALID_OPTION', '--bundle: a federation needs the client bundle of its backbone');
  if (flags.member.length === 0) {
    throw new CutlayerError('INVALID_OPTION', '--member: a federation needs members; give each as --member NAME=KEY');
  }
  const members = await readRoster(flags.member);
  const founder = await openSigningKey(flags.stateDir, 'founder');
  await withConnection(flags, async (connection) => {
    const { id, manifest } = await createFederation(connection, { given, members, bundle, signer: flags.signer, founder, now: Date.now() });
    if (flags.start) await steer(connection, id, { kind: 'start' }, founder);
    const values = updateLength(manifest);
    if (flags.json) {
      const { name } = manifest.settings;
      stdout.json({ event: 'created', federation: id, name, members: members.length, values, started: flags.start });
      return;
    }
    const next = flags.start ? 'it has begun' : `begin with: cutlayer coordinator start --federation ${id.slice(0, 12)}`;
    stderr.line(
      `created ${manifest.settings.name}: ${members.length} members, ${manifest.settings.adapter.method}, updates of ${values} values; ${next}`,
    );
    stdout.line(id);
  });
}

/** `coordinator status`. @throws CutlayerError */
export async function status(flags: StatusFlags): Promise<void> {
  await withConnection(flags, async (connection) => {
    for (;;) {
      const all = await allReports(connection);
      const reports = flags.federation === undefined ? all : [pickFederation(all, flags.federation)];
      if (flags.watch && !flags.json) stdout.clearScreen();
      for (const report of reports) printReport(report, flags.json);
      if (reports.length === 0 && !flags.json) stdout.line('no federation yet; make one with cutlayer coordinator create');
      if (!flags.watch) return;
      await sleep(WATCH_MS);
    }
  });
}

/** `coordinator export`. @throws CutlayerError */
export async function exportCommand(flags: ExportFlags): Promise<void> {
  await withConnection(flags, async (connection) => {
    const { federation } = await picked(connection, flags);
    const exported = await exportVersion(connection, { ...flags, federation });
    const { digest, out, adapter } = exported;
    if (flags.json) stdout.json({ event: 'exported', federation, version: exported.version, digest, out, adapter: adapter ?? null });
    else stdout.line(`exported version ${exported.version} to ${out}${adapter === undefined ? '' : `, the adapter to ${adapter}`}`);
  });
}

/** `coordinator start`, `stop` and `rollback`. @throws CutlayerError */
export async function control(flags: FederationFlags, action: FounderAction): Promise<void> {
  await withConnection(flags, async (connection) => {
    const { federation } = await picked(connection, flags);
    const report = await steer(connection, federation, action, await founderKey(flags));
    if (flags.json) stdout.json(report);
    else stdout.line(`${report.name}: ${report.state}${report.reason === '' ? '' : `, ${report.reason}`}`);
  });
}

/**
 * `coordinator skip`: the round that is under way goes on without a member. @throws CutlayerError
 */
export async function skip(flags: FederationFlags, member: string): Promise<void> {
  await withConnection(flags, async (connection) => {
    const { federation, round, name } = await picked(connection, flags);
    if (round === null) throw new CutlayerError('ROUND_CLOSED', `skip: ${name} has no round under way, so it waits for no member`);
    const action: FounderAction = { kind: 'skip', member, round: round.round };
    const report = await steer(connection, federation, action, await founderKey(flags));
    if (flags.json) stdout.json(report);
    else stdout.line(`${report.name}: round ${action.round} does not wait for ${member} in ${round.stage}`);
  });
}

async function founderKey({ stateDir }: FounderFlags): Promise<IdentityKey> {
  const founder = await readSigningKey(stateDir, 'founder');
  if (founder !== undefined) return founder;
  throw new CutlayerError(
    'NOT_THE_FOUNDER',
    `${stateDir}: no founder-key.hex here, and a federation is steered with the key of its founder; pass the --state-dir with which it was created`,
  );
}

function printReport(report: FederationReport, json: boolean): void {
  if (json) stdout.json(report);
  else for (const line of reportLines(report, Date.now())) stdout.line(line);
}

async function picked(connection: FounderConnection, { federation }: FederationFlags): Promise<FederationReport> {
  return pickFederation(await allReports(connection), federation);
}
