/** The work of `cutlayer client versions`. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { readVersions } from '../../federation/data/read-versions.js';
import { JOURNAL_FILE, readJournal, versionsOfJournal } from '../../improvement/journal.js';
import { lineageOf, type VersionView } from '../../versions/version-registry.js';
import { columns } from '../text-layout.js';
import type { VersionsFlags } from './versions-options.js';

/**
 * Runs the command. @param word The state directory, unless a flag names it.
 * @throws CutlayerError INVALID_OPTION, NOT_FOUND, MANIFEST_REJECTED, BROADCAST_REJECTED,
 *   STORE_CORRUPT, IO_ERROR
 */
export async function runVersions(flags: VersionsFlags, word: string | undefined): Promise<void> {
  const dir = word ?? flags.stateDir;
  if (dir === undefined || (word !== undefined && flags.stateDir !== undefined))
    throw new CutlayerError('INVALID_OPTION', 'versions: expected one state directory, as cutlayer client versions DIR');
  const improved = await stat(join(dir, JOURNAL_FILE)).catch(() => undefined);
  if (improved === undefined) await ofFederation(dir, flags.json);
  else await ofImprovement(dir, flags.json);
}

async function ofImprovement(dir: string, json: boolean): Promise<void> {
  const events = await readJournal(dir);
  const versions = versionsOfJournal(events);
  const promoted = versions.find(({ status }) => status === 'promoted')?.version ?? null;
  const reasons = events.flatMap((event) =>
    event.kind === 'promote' || event.kind === 'reject'
      ? [{ version: event.version, reasons: event.reasons, current: event.current, earlier: event.earlier }]
      : [],
  );
  if (json) {
    stdout.json({ promoted, versions, judged: reasons });
    return;
  }
  stdout.text(`${versionTable(versions)}\n`);
  for (const { version, reasons: why } of reasons) stderr.line(`version ${version}: ${why.join('; ')}`);
  if (promoted !== null) stderr.line(`promoted: ${lineageOf(versions, promoted).join(' <- ')}`);
}

async function ofFederation(stateDir: string, json: boolean): Promise<void> {
  const registry = await readVersions(stateDir);
  const { federation, name, member, chainHead, promoted, versions } = registry;
  if (json) {
    stdout.json(registry);
    return;
  }
  stderr.line(`${name} (${federation.slice(0, 12)}) as ${member} has seen it`);
  if (promoted === null) {
    stderr.line('no version has been broadcast yet');
    return;
  }
  stdout.text(`${versionTable(versions)}\n`);
  stderr.line(`promoted: ${lineageOf(versions, promoted).join(' <- ')}`);
  stderr.line(`chain head: ${chainHead} (two members who see the same one were told the same)`);
}

/** The versions as a table for people. */
export function versionTable(versions: readonly VersionView[]): string {
  const number = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(4));
  const rows = versions.map(({ version, parent, status, round, participants, current, gain, forgetting, at }) => [
    String(version),
    parent === null ? '-' : String(parent),
    round === null ? '-' : String(round),
    status,
    participants.length === 0 ? '-' : String(participants.length),
    number(current?.loss),
    number(current?.accuracy),
    number(current?.exactMatch),
    number(gain?.loss),
    number(forgetting?.loss),
    new Date(at).toISOString().slice(0, 19).replace('T', ' '),
  ]);
  const head = [
    'version',
    'from',
    'round',
    'status',
    'members',
    'loss',
    'accuracy',
    'exact',
    'gained (loss)',
    'forgot (loss)',
    'broadcast (UTC)',
  ];
  return columns([head, ...rows]).join('\n');
}
