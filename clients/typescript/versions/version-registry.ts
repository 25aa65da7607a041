/**
 * The registry of versions: what became of each. For a member of a federation the events are the
 * broadcasts of its verified chain, for `client improve` the lines of its own journal.
 */
import type { VersionMetrics } from '../../../src/protocol/federation/chain.js';
import { worsening } from './worsening.js';

/** A version's metrics on all held-out examples, and on the earlier ones. */
export interface VersionSlices {
  readonly current: VersionMetrics;
  readonly earlier: VersionMetrics;
}

/** What happens to versions; a broadcast of a federation is one. */
export type VersionEvent =
  | { readonly kind: 'begin'; readonly digest: string; readonly at: number }
  | {
      readonly kind: 'aggregate';
      readonly version: number;
      readonly parent: number;
      readonly round: number;
      readonly digest: string;
      readonly participants: readonly string[];
      readonly at: number;
    }
  | {
      readonly kind: 'promote' | 'reject';
      readonly version: number;
      /** Null: not measured. */
      readonly candidate: VersionSlices | null;
      readonly promoted: VersionSlices | null;
    }
  | { readonly kind: 'rollback'; readonly version: number; readonly from: number }
  | { readonly kind: 'finish' };

/** What became of a version. */
export type VersionStatus = 'candidate' | 'promoted' | 'rejected' | 'superseded' | 'rolledBack';

/** A version and its history. */
export interface VersionView {
  readonly version: number;
  /** Version that it was trained from; null: it is the first. */
  readonly parent: number | null;
  readonly status: VersionStatus;
  /** Round that it came of; null for the first. */
  readonly round: number | null;
  /** sha256 of its parameters, hex. */
  readonly digest: string;
  /** Whose updates are in it. */
  readonly participants: readonly string[];
  /**
   * The cohort's last means on all held-out examples and on the earlier ones; null: never measured.
   * Held-out data grows, so compare versions by the two below.
   */
  readonly current: VersionMetrics | null;
  readonly earlier: VersionMetrics | null;
  /** What it gained over its rival on all held-out examples; positive: better; null: not judged. */
  readonly gain: VersionMetrics | null;
  /** What it forgot: the same on the earlier examples, positive where it is worse. */
  readonly forgetting: VersionMetrics | null;
  /** Milliseconds since 1970 of its broadcast. */
  readonly at: number;
}

/** Every version, rising. @param events From the first; those of a chain are verified. */
export function versionsOf(events: readonly VersionEvent[]): readonly VersionView[] {
  const versions = new Map<number, VersionView>();
  let promoted = 0;
  const set = (version: number, change: Partial<VersionView>): void => {
    const before = versions.get(version);
    if (before !== undefined) versions.set(version, { ...before, ...change });
  };
  const first = { parent: null, round: null, participants: [], current: null, earlier: null, gain: null, forgetting: null } as const;
  for (const event of events) {
    switch (event.kind) {
      case 'begin':
        versions.set(0, { ...first, version: 0, status: 'promoted', digest: event.digest, at: event.at });
        break;
      case 'aggregate': {
        const { version, parent, round, digest, participants, at } = event;
        versions.set(version, { ...first, version, parent, round, digest, participants, at, status: 'candidate' });
        break;
      }
      case 'promote':
      case 'reject': {
        const { version, candidate, promoted: compared } = event;
        if (compared !== null) set(promoted, { current: compared.current, earlier: compared.earlier });
        if (candidate !== null && compared !== null) {
          set(version, {
            ...candidate,
            gain: worsening(candidate.current, compared.current),
            forgetting: worsening(compared.earlier, candidate.earlier),
          });
        }
        set(version, { status: event.kind === 'promote' ? 'promoted' : 'rejected' });
        if (event.kind === 'reject') break;
        if (promoted !== version) set(promoted, { status: 'superseded' });
        promoted = version;
        break;
      }
      case 'rollback': {
        const { version, from } = event;
        for (const view of versions.values()) {
          if (view.version === from || (view.version > version && view.status === 'superseded'))
            set(view.version, { status: 'rolledBack' });
        }
        set(version, { status: 'promoted' });
        promoted = version;
        break;
      }
      case 'finish':
        break;
    }
  }
  return [...versions.values()].sort((a, b) => a.version - b.version);
}

/** The line of a version: itself, what it was trained from, and so on to the first. */
export function lineageOf(versions: readonly VersionView[], version: number): readonly number[] {
  const parents = new Map(versions.map((view) => [view.version, view.parent]));
  const line: number[] = [];
  for (let at: number | null | undefined = version; at !== null && at !== undefined && parents.has(at); at = parents.get(at)) line.push(at);
  return line;
}
