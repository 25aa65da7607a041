/** Copies of the coordinator's files at several moments, and the search for updates in them. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readMember } from '../../clients/typescript/federation/data/read-versions.js';
import { CutlayerError } from '../../src/errors.js';
import { roundArithmetic } from '../../src/protocol/federation/round-mechanism.js';
import { scaleOf } from '../../src/protocol/secagg/fixed-point.js';
import { floatWords, type Pattern, PatternSearch, ringWords, WINDOW, windowsOf } from './pattern-search.js';
import { siteDir, siteNames } from './settings.js';
import type { SiteFiles, SiteUpdate } from './site-files.js';
import type { RoundRecord, SearchRecord } from './summary.js';

const snapshotsDir = (out: string): string => join(out, 'coordinator-snapshots');

/** Copies the coordinator's files: database with write-ahead log, keys, certificates. */
export function takeSnapshot(coordinatorDir: string, out: string, name: string): void {
  const target = join(snapshotsDir(out), name);
  mkdirSync(target, { recursive: true });
  for (const file of filesIn(coordinatorDir)) {
    try {
      copyFileSync(file, join(target, relative(coordinatorDir, file).replaceAll('/', '_')));
    } catch (error) {
      // Files come and go while the coordinator runs.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Searches for every update of a site, as float32 and in the ring's fixed point. */
export async function searchStored(
  out: string,
  { updates, versions }: Pick<SiteFiles, 'updates' | 'versions'>,
  rounds: readonly RoundRecord[],
): Promise<SearchRecord> {
  const scale = await ringScale(out);
  const patterns = updates.flatMap(({ site, round, values }): Pattern[] => [
    { name: `${site}'s update of round ${round}, float32`, words: floatWords(values), slack: 0 },
    { name: `${site}'s update of round ${round}, fixed point`, words: ringWords(values, scale), slack: 1 },
  ]);
  const search = new PatternSearch(patterns);
  const dir = snapshotsDir(out);
  const files = filesIn(dir);
  const matches: string[] = [];
  let bytes = 0;
  for (const file of files) {
    const content = readFileSync(file);
    bytes += content.length;
    const match = search.find(content);
    if (match !== undefined) matches.push(`${match.name}, value ${match.word}, at byte ${match.offset} of ${relative(dir, file)}`);
  }
  return {
    updates: updates.length,
    windows: search.windows,
    files: files.length,
    bytes,
    snapshots: readdirSync(dir).length,
    matches,
    control: isPlantedFound(search, patterns, files),
    meanError: meanError(updates, versions, rounds),
  };
}

/**
 * Whether the first and the last pattern are found after one window of each is planted in the
 * largest file.
 */
function isPlantedFound(search: PatternSearch, patterns: readonly Pattern[], files: readonly string[]): boolean {
  const contents = files.map((file) => readFileSync(file)).sort((a, b) => b.length - a.length);
  const [largest] = contents;
  if (largest === undefined || patterns.length === 0) return false;
  return [patterns[0]!, patterns.at(-1)!].every((pattern) => {
    const [at] = windowsOf(pattern);
    if (at === undefined) return false;
    const planted = new Uint8Array(largest);
    const some = pattern.words.slice(at, at + WINDOW).map((word) => word + pattern.slack);
    planted.set(new Uint8Array(some.buffer), Math.floor(planted.length / 2) | 1);
    return search.find(planted)?.name === pattern.name;
  });
}

/** With all sites in: mean update against the version's step. They differ by rounding only. */
function meanError(updates: readonly SiteUpdate[], versions: ReadonlyMap<number, Float32Array>, rounds: readonly RoundRecord[]): number {
  let largest = 0;
  let compared = 0;
  for (const { round, version, participants } of rounds) {
    const own = updates.filter((update) => update.round === round && participants.includes(update.site));
    const after = versions.get(version);
    const before = own[0] === undefined ? undefined : versions.get(own[0].version);
    if (own.length !== participants.length || after === undefined || before === undefined) continue;
    compared += 1;
    for (let i = 0; i < after.length; i++) {
      const mean = own.reduce((sum, { values }) => sum + values[i]!, 0) / own.length;
      largest = Math.max(largest, Math.abs(mean - (after[i]! - before[i]!)));
    }
  }
  if (compared === 0) throw new CutlayerError('INTERNAL', 'no round whose updates are all known');
  return largest;
}

/** Integers per unit of the ring, from the manifest that a site has pinned. */
async function ringScale(out: string): Promise<number> {
  const { manifest } = (await readMember(join(siteDir(out, siteNames[0]), 'state'))).open;
  const arithmetic = roundArithmetic(manifest, 'train', { cohort: siteNames.length, clipNorm: null });
  if (arithmetic.kind === 'fixed') return scaleOf(arithmetic.fixedPoint);
  throw new CutlayerError('INTERNAL', `expected a federation with secure aggregation in fixed point, got ${arithmetic.kind}`);
}

function filesIn(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
