/**
 * A cohort, the same for all its members: the signed advertisements by name, their hash, the graph
 * drawn from the hash, and the thresholds. The hash goes into every key, signature and ciphertext
 * after stage 1. Participants that were shown different cohorts therefore cannot complete one
 * round.
 */
import { CutlayerError } from '../../errors.js';
import { drawNeighbours, graphShape } from './graph.js';
import type { KeyContext } from './key-schedule.js';
import type { Advertisement } from './messages.js';
import { KEY_BYTES } from './raw-keys.js';
import { fewestSurvivorsOf, type SecAggRound, thresholdOf } from './settings.js';
import { seededBytes } from './stream.js';
import { type TranscriptField, transcriptDigest } from './transcript.js';

/** The cohort of one round; immutable. */
export class Cohort implements KeyContext {
  readonly round: SecAggRound;
  /** Sorted by UTF-16 code units. */
  readonly names: readonly string[];
  /** sha256 over the round's parameters and all advertisements, signatures included. */
  readonly digest: Uint8Array;
  /** How many have to confirm one list of survivors, and to reveal their shares. */
  readonly threshold: number;
  /** How many have to be in the sum. */
  readonly fewestSurvivors: number;
  /** How many shares open a secret; equal to {@link threshold} in a complete graph. */
  readonly holderThreshold: number;
  readonly #advertisements: ReadonlyMap<string, Advertisement>;
  readonly #neighbours: ReadonlyMap<string, readonly string[]>;

  private constructor(round: SecAggRound, advertisements: readonly Advertisement[]) {
    this.round = round;
    this.names = advertisements.map(({ participant }) => participant);
    this.#advertisements = new Map(advertisements.map((advertisement) => [advertisement.participant, advertisement]));
    this.digest = cohortDigest(round, advertisements);
    this.threshold = thresholdOf(round, this.names.length);
    this.fewestSurvivors = fewestSurvivorsOf(round, this.names.length);
    const shape = graphShape(this.names.length, this.threshold, round.graph);
    this.holderThreshold = shape.holderThreshold;
    const drawn = drawNeighbours(this.names.length, shape.degree, seededBytes(this.digest));
    this.#neighbours = new Map(this.names.map((name, place) => [name, drawn[place]!.map((other) => this.names[other]!)]));
  }

  /**
   * Forms a cohort of advertisements in any order. Checks names, lengths and repetitions;
   * signatures are checked against a roster, by `verifyAdvertisement`.
   * @throws CutlayerError SECAGG_REFUSED for too few or too many, a name or key that comes twice, a
   *   field of a wrong length
   */
  static form(round: SecAggRound, advertisements: readonly Advertisement[]): Cohort {
    const { minCohort, maxCohort } = round;
    if (advertisements.length < minCohort || advertisements.length > maxCohort)
      throw refused(`cohort: expected ${minCohort} to ${maxCohort} participants, got ${advertisements.length}`);
    const names = new Set<string>();
    const keys = new Set<string>();
    for (const advertisement of advertisements) {
      requireKeys(advertisement);
      if (names.has(advertisement.participant)) throw refused(`cohort: ${advertisement.participant} comes twice`);
      names.add(advertisement.participant);
      for (const key of [advertisement.encryptionKey, advertisement.maskKey]) {
        const hex = Buffer.from(key).toString('hex');
        if (keys.has(hex)) throw refused(`cohort: a key of ${advertisement.participant} comes twice`);
        keys.add(hex);
      }
    }
    return new Cohort(round, advertisements.toSorted(byParticipant));
  }

  has(name: string): boolean {
    return this.#advertisements.has(name);
  }

  /** @throws CutlayerError SECAGG_REFUSED for a name outside the cohort */
  advertisementOf(name: string): Advertisement {
    const advertisement = this.#advertisements.get(name);
    if (advertisement === undefined) throw refused(`${name} is not in the cohort`);
    return advertisement;
  }

  /** Those with whom `name` shares masks and secrets: sorted, without itself. */
  neighboursOf(name: string): readonly string[] {
    this.advertisementOf(name);
    return this.#neighbours.get(name)!;
  }

  /** Holders of shares of `name`'s secrets, itself included; sorted. Place i has x = i + 1. */
  holdersOf(name: string): readonly string[] {
    return [...this.neighboursOf(name), name].sort();
  }
}

/** @throws CutlayerError SECAGG_REFUSED when a field has a wrong length */
export function requireKeys({ participant, encryptionKey, maskKey, selfMaskCommitment, context }: Advertisement): void {
  const fields = { encryptionKey, maskKey, selfMaskCommitment, context };
  if (participant.length === 0) throw refused('an advertisement without a name');
  for (const [field, bytes] of Object.entries(fields))
    if (bytes.length !== KEY_BYTES)
      throw refused(`advertisement of ${participant}: ${field}: expected ${KEY_BYTES} bytes, got ${bytes.length}`);
}

/** A refusal; the message names the rule. */
export function refused(rule: string): CutlayerError {
  return new CutlayerError('SECAGG_REFUSED', `secure aggregation refused: ${rule}`);
}

function cohortDigest(round: SecAggRound, advertisements: readonly Advertisement[]): Uint8Array {
  const { federation, bits, length, threshold, minSurvivors, minCohort, maxCohort, graph } = round;
  const fractions = [threshold, graph.colluding, graph.dropout].map(String);
  const parameters = [
    federation,
    round.round,
    bits,
    length,
    minSurvivors,
    minCohort,
    maxCohort,
    graph.completeUpTo,
    graph.sigma,
    ...fractions,
  ];
  const fields: TranscriptField[] = [...parameters, advertisements.length];
  for (const { participant, encryptionKey, maskKey, selfMaskCommitment, context, signature } of advertisements)
    fields.push(participant, encryptionKey, maskKey, selfMaskCommitment, context, signature);
  return transcriptDigest('cutlayer secagg cohort v1', ...fields);
}

function byParticipant(a: Advertisement, b: Advertisement): number {
  return a.participant < b.participant ? -1 : 1;
}
