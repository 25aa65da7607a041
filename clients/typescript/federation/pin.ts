/** What a member has agreed to, kept in its state: manifest and floors. Later messages must fit. */
import { CutlayerError } from '../../../src/errors.js';
import { type OpenManifest, openManifest, type SignedManifest } from '../../../src/protocol/federation/manifest.js';
import { fewestSurvivors, maxCohortOf, openingMembers } from '../../../src/protocol/federation/round-mechanism.js';
import type { MemberStore } from './member-store.js';

/** Sizes below which this member takes part in nothing. */
export interface Floors {
  /** Members of a cohort. */
  readonly minCohort: number;
  /** Members that must collude to open one member's update; 0 without secure aggregation. */
  readonly minThreshold: number;
  /** Members whose payloads are in a sum; 0 without secure aggregation. */
  readonly minSurvivors: number;
  /**
   * Members by which two consecutive sums of one purpose have to differ, unless their members are
   * the same; 0: any number.
   */
  readonly minDifference: number;
}

/** Floors that are to be raised. */
export type AskedFloors = { readonly [F in keyof Floors]?: Floors[F] | undefined };

/** The flag that raises each floor. */
const floorFlags: Readonly<Record<keyof Floors, string>> = {
  minCohort: '--min-cohort',
  minThreshold: '--min-threshold',
  minSurvivors: '--min-survivors',
  minDifference: '--min-difference',
};
const floorNames = Object.keys(floorFlags) as (keyof Floors)[]; // the record has exactly these keys

/** What this member holds on to. */
export interface Pin {
  readonly open: OpenManifest;
  /** Its name on the roster. */
  readonly member: string;
  readonly floors: Floors;
}

/** What a pin is made from, or held against. */
export interface PinRequest {
  /** Hex id that the founder has told. */
  readonly federation: string;
  /** Hex; whose roster entry this member is. */
  readonly publicKey: string;
  /** Raises the floors. */
  readonly floors?: AskedFloors | undefined;
}

/**
 * Reads this member's pin, or makes it from what the coordinator serves.
 * @param fetch Asked only when nothing is pinned yet.
 * @throws CutlayerError MANIFEST_REJECTED (another one), NOT_A_MEMBER, INVALID_OPTION (floors below
 *   the pinned ones, or out of reach)
 */
export async function pinned(state: MemberStore, request: PinRequest, fetch: () => Promise<SignedManifest>): Promise<Pin> {
  const saved = readPin(state);
  if (saved !== undefined && saved.federation !== request.federation) {
    throw new CutlayerError(
      'MANIFEST_REJECTED',
      `this state belongs to federation ${saved.federation}, not to ${request.federation}; use another --state-dir for another federation`,
    );
  }
  const open = openManifest(saved?.manifest ?? (await fetch()), request.federation);
  const member = memberOf(open, request.publicKey);
  const floors = raised(open, saved?.floors ?? defaultFloors(open), request.floors ?? {}, saved !== undefined);
  if (saved === undefined || floorNames.some((name) => floors[name] !== saved.floors[name])) {
    const { id, bytes, signature } = open;
    const values = [floors.minCohort, floors.minThreshold, floors.minSurvivors, floors.minDifference];
    state.run('INSERT OR REPLACE INTO pin VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)', id, member, bytes, signature, ...values);
  }
  return { open, member, floors };
}

/**
 * The manifest's own numbers. Above the complete graph's size a secret has fewer holders than the
 * threshold, so nothing is asked of them.
 */
export function defaultFloors({ manifest }: Pick<OpenManifest, 'manifest'>): Floors {
  const { cohort, secureAggregation } = manifest.settings;
  const complete = secureAggregation !== null && cohort.min <= Math.min(255, secureAggregation.graphAbove);
  return {
    minCohort: cohort.min,
    minThreshold: complete ? Math.min(openingMembers(manifest, cohort.min), cohort.min) : 0,
    minSurvivors: secureAggregation === null ? 0 : fewestSurvivors(manifest, cohort.min),
    minDifference: 0,
  };
}

function raised({ manifest }: OpenManifest, before: Floors, asked: AskedFloors, pinnedBefore: boolean): Floors {
  const most = maxCohortOf(manifest);
  const floors = { ...before };
  for (const name of floorNames) {
    const flag = floorFlags[name];
    floors[name] = asked[name] ?? before[name];
    if (floors[name] < before[name]) {
      const whose = pinnedBefore ? 'pinned here before' : "the manifest's own";
      throw new CutlayerError('INVALID_OPTION', `${flag} ${floors[name]}: floors are only raised, and ${before[name]} is ${whose}`);
    }
    if (floors[name] > most)
      throw new CutlayerError(
        'INVALID_OPTION',
        `${flag} ${floors[name]}: rounds of this federation have at most ${most} members, so this one would take part in none`,
      );
  }
  const hidden = manifest.settings.secureAggregation !== null;
  const useless = hidden ? undefined : floorNames.find((name) => name !== 'minCohort' && floors[name] > 0);
  if (useless !== undefined)
    throw new CutlayerError(
      'INVALID_OPTION',
      `${floorFlags[useless]}: this federation has no secure aggregation, so the coordinator sees every update; leave it out`,
    );
  return floors;
}

function memberOf({ id, manifest }: OpenManifest, publicKey: string): string {
  const found = manifest.members.find((member) => member.publicKey === publicKey);
  if (found !== undefined) return found.name;
  const roster = manifest.members.map(({ name }) => name);
  const names = `${roster.slice(0, 20).join(', ')}${roster.length > 20 ? ' …' : ''}`;
  throw new CutlayerError(
    'NOT_A_MEMBER',
    `federation ${id.slice(0, 12)} (${manifest.settings.name}): no member on its roster (${names}) has the key ${publicKey}; ` +
      'use the identity whose public key you gave to the founder',
  );
}

/** A pin as it was written. */
export interface SavedPin {
  readonly federation: string;
  readonly member: string;
  readonly manifest: SignedManifest;
  readonly floors: Floors;
}

/** Undefined where nothing is pinned. */
export function readPin(state: MemberStore): SavedPin | undefined {
  const row = state.get<Pick<SavedPin, 'federation' | 'member'> & SignedManifest & Floors>(
    'SELECT federation, member, manifest AS bytes, signature, min_cohort AS minCohort, min_threshold AS minThreshold, ' +
      'min_survivors AS minSurvivors, min_difference AS minDifference FROM pin',
  );
  if (row === undefined) return undefined;
  const { federation, member, bytes, signature, ...floors } = row;
  return { federation, member, manifest: { bytes, signature }, floors };
}
