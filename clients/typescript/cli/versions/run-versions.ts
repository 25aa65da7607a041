/** The work of `cutlayer client versions`. */

import { stderr, stdout } from '../../../../src/files/output.js';
import { readVersions } from '../../federation/data/read-versions.js';
import { lineageOf, type VersionView } from '../../versions/version-registry.js';
import { columns } from '../text-layout.js';
import type { VersionsFlags } from './versions-options.js';

/**
 * Runs the command. @throws CutlayerError NOT_FOUND, MANIFEST_REJECTED, BROADCAST_REJECTED,
 * IO_ERROR
 */
export async function runVersions({ stateDir, json }: VersionsFlags): Promise<void> {
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
