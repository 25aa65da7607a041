/** The work of `cutlayer client versions`. */
import { readVersions } from '../../federation/data/read-versions.js';
import { lineageOf, versionTable } from '../../federation/data/versions.js';
import type { VersionsFlags } from './versions-options.js';

/**
 * Runs the command. @throws CutlayerError NOT_FOUND, MANIFEST_REJECTED, BROADCAST_REJECTED,
 * IO_ERROR
 */
export async function runVersions({ stateDir, json }: VersionsFlags): Promise<void> {
  const registry = await readVersions(stateDir);
  const { federation, name, member, chainHead, promoted, versions } = registry;
  if (json) {
    console.log(JSON.stringify(registry));
    return;
  }
  console.error(`${name} (${federation.slice(0, 12)}) as ${member} has seen it`);
  if (promoted === null) {
    console.error('no version has been broadcast yet');
    return;
  }
  console.log(versionTable(versions));
  console.error(`promoted: ${lineageOf(versions, promoted).join(' <- ')}`);
  console.error(`chain head: ${chainHead} (two members who see the same one were told the same)`);
}
