/** The coordinator: its federations over one store, whose single writer they share. */

import { CutlayerError } from '../errors.js';
import { cryptoRandom, type RandomBytes } from '../privacy/random.js';
import type { FederationApi } from '../protocol/federation/federation-api.js';
import type { FounderAction, FounderOrder } from '../protocol/federation/founder-order.js';
import { type OpenManifest, openManifest, parametersDigest, type SignedManifest, updateLength } from '../protocol/federation/manifest.js';
import { initialClipNorm, maxCohortOf, privacyEventOf, roundArithmetic } from '../protocol/federation/round-mechanism.js';
import type { IdentityKey } from '../protocol/secagg/signature.js';
import type { CoordinatorApi, FederationReader, FederationReport } from './coordinator-api.js';
import { FederationRecords } from './federation-reader.js';
import { federationReport } from './federation-report.js';
import { type LatestStates, noLatestStates } from './latest-states.js';
import { appendBroadcast } from './rounds/append-broadcast.js';
import { DurableFederation } from './rounds/durable-federation.js';
import { type CoordinatorLog, type FederationContext, processSchedule, type Schedule, silentLog } from './rounds/federation-context.js';
import { FederationMember } from './rounds/federation-member.js';
import { requireDue, requireFounder, requireSkippable } from './rounds/founder-orders.js';
import { bytesOf } from './rounds/payload-bytes.js';
import { roundPolicy } from './rounds/round-policy.js';
import { newFederation } from './rounds/round-state.js';
import { requireRollbackTarget, type VersionDetails } from './rounds/version-registry.js';
import { storedManifests } from './stored-federations.js';
import type { Database } from './tables/database.js';

/** The dependencies of a coordinator. */
export interface CoordinatorOptions {
  /** Open; its owner closes it after {@link Coordinator.close}. */
  readonly database: Database;
  /** How far federations have come, to refuse an older copy of the store. Default: not known. */
  readonly latest?: LatestStates;
  /** Signs broadcasts; manifests name its public key. */
  readonly signingKey: IdentityKey;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly schedule?: Schedule;
  readonly random?: RandomBytes;
  readonly log?: CoordinatorLog;
}

type Surroundings = Pick<FederationContext, 'database' | 'latest' | 'signingKey' | 'now' | 'schedule' | 'random' | 'log'>;

/**
 * Opens every federation of the store.
 * @throws CutlayerError STORE_CORRUPT, STORE_TOO_OLD, MANIFEST_REJECTED
 */
export async function openCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { database, signingKey, latest = noLatestStates, now = Date.now, random = cryptoRandom, log = silentLog } = options;
  const surroundings: Surroundings = { database, latest, signingKey, now, random, log, schedule: options.schedule ?? processSchedule(now) };
  const open: DurableFederation[] = [];
  for (const manifest of await storedManifests(database, latest)) {
    requireOwnKey(manifest, signingKey);
    open.push(await DurableFederation.open(contextOf(surroundings, manifest)));
  }
  return new Coordinator(surroundings, open);
}

/** See {@link openCoordinator}. */
export class Coordinator implements CoordinatorApi {
  readonly #surroundings: Surroundings;
  readonly #federations: Map<string, DurableFederation>;

  constructor(surroundings: Surroundings, federations: readonly DurableFederation[]) {
    this.#surroundings = surroundings;
    this.#federations = new Map(federations.map((federation) => [federation.context.id, federation]));
  }

  get publicKey(): Uint8Array {
    return this.#surroundings.signingKey.publicKey;
  }

  memberKey(federation: string, name: string): Uint8Array {
    const found = this.#federations.get(federation)?.context.manifest.members.find((member) => member.name === name);
    if (found !== undefined) return Buffer.from(found.publicKey, 'hex');
    // The same without such a federation: a stranger does not learn which ids there are.
    throw new CutlayerError(
      'NOT_FOUND',
      `federation ${federation}: the coordinator has none of this id with ${name} on its roster; the token's tenant has to be a member's name`,
    );
  }

  member(federation: string, name: string): FederationApi {
    const member = (): FederationMember => {
      this.memberKey(federation, name);
      return new FederationMember(this.#find(federation), name);
    };
    const open = (): FederationMember => {
      const called = member();
      this.#find(federation).seen.saw(name, this.#surroundings.now());
      return called;
    };
    return {
      // A token is enough to read it, so it is no sign of the member.
      manifest: async () => member().manifest(),
      nextTask: async (request, signal) => open().nextTask(request, signal),
      broadcasts: async (from) => open().broadcasts(from),
      version: async (version) => open().version(version),
      enlist: async (round, enlistment) => open().enlist(round, enlistment),
      shareKeys: async (round, shares) => open().shareKeys(round, shares),
      submit: async (round, payload) => open().submit(round, payload),
      confirm: async (round, confirmation) => open().confirm(round, confirmation),
      unmask: async (round, revealed) => open().unmask(round, revealed),
    };
  }

  reader(federation: string): FederationReader {
    return new FederationRecords(() => this.#find(federation));
  }

  async create(signed: SignedManifest, parameters: Float32Array): Promise<string> {
    const manifest = openManifest(signed);
    requireOwnKey(manifest, this.#surroundings.signingKey);
    requireFeasible(manifest);
    requireInitial(manifest, parameters);
    const { id } = manifest;
    const context = contextOf(this.#surroundings, manifest);
    const at = context.now();
    await context.database.transaction(async (transaction) => {
      if ((await transaction.federations.read(id)) !== undefined) return;
      const memory = newFederation(initialClipNorm(manifest.manifest));
      const { bytes, signature } = manifest;
      const { name } = manifest.manifest.settings;
      await transaction.federations.create({ id, name, manifest: bytes, signature, status: memory.status, state: memory, at });
      const digest = manifest.manifest.initialDigest;
      const details: VersionDetails = { participants: 0, current: null, earlier: null };
      const first = { federation: id, version: 0, parent: null, round: null, status: 'promoted', digest, details } as const;
      await transaction.versions.create({ ...first, parameters: bytesOf(parameters), at });
      await appendBroadcast(transaction, context, { kind: 'begin', version: 0, digest }, at);
    });
    if (!this.#federations.has(id)) {
      const opened = await DurableFederation.open(context);
      if (this.#federations.has(id)) await opened.close();
      else this.#federations.set(id, opened);
    }
    return id;
  }

  async control(federation: string, action: FounderAction, order: FounderOrder): Promise<FederationReport> {
    const found = this.#find(federation);
    requireFounder(found.context, action, order);
    await found.apply(async (transaction) => {
      if (found.memory.status === 'finished' && action.kind !== 'finish')
        throw new CutlayerError(
          'INVALID_ARGUMENT',
          `federation ${federation}: it is finished (${found.memory.reason}); create another one`,
        );
      requireDue(found, order);
      if (action.kind === 'rollback') await requireRollbackTarget(transaction, federation, action.version);
      if (action.kind === 'skip') requireSkippable(found, action);
      return action.kind === 'finish' ? { kind: 'finish', reason: 'it was ended by its founder', order } : { ...action, order };
    });
    const [report] = await this.status(federation);
    return report!; // it was found above
  }

  async status(federation?: string): Promise<readonly FederationReport[]> {
    const wanted = federation === undefined ? [...this.#federations.values()] : [this.#find(federation)];
    return Promise.all(wanted.map((each) => this.#surroundings.database.transaction((transaction) => federationReport(transaction, each))));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#federations.values()].map((federation) => federation.close()));
  }

  #find(id: string): DurableFederation {
    const found = this.#federations.get(id);
    if (found === undefined) throw new CutlayerError('NOT_FOUND', `federation ${id}: the coordinator has none of this id`);
    return found;
  }
}

function contextOf(surroundings: Surroundings, manifest: OpenManifest): FederationContext {
  return { ...surroundings, ...manifest, policy: roundPolicy(manifest.manifest) };
}

function requireOwnKey({ id, manifest }: OpenManifest, { publicKey }: IdentityKey): void {
  const own = Buffer.from(publicKey).toString('hex');
  if (manifest.coordinatorKey !== own)
    throw new CutlayerError(
      'MANIFEST_REJECTED',
      `federation ${id}: expected this coordinator's key ${own}, got ${manifest.coordinatorKey}`,
    );
}

/**
 * Refuses settings that could never release a round.
 * @throws CutlayerError INVALID_CONFIG, INVALID_ARGUMENT
 */
function requireFeasible({ manifest }: OpenManifest): void {
  const { cohort, evaluation } = manifest.settings;
  for (const size of [cohort.min, maxCohortOf(manifest)]) {
    for (const purpose of evaluation === null ? (['train'] as const) : (['train', 'evaluate'] as const)) {
      const shape = { cohort: size, clipNorm: purpose === 'train' ? initialClipNorm(manifest) : null };
      roundArithmetic(manifest, purpose, shape);
      privacyEventOf(manifest, purpose, shape);
    }
  }
}

/** @throws CutlayerError INVALID_ARGUMENT, DIGEST_MISMATCH, NON_FINITE */
function requireInitial({ manifest }: OpenManifest, parameters: Float32Array): void {
  const length = updateLength(manifest);
  if (parameters.length !== length)
    throw new CutlayerError('INVALID_ARGUMENT', `version 0: expected ${length} values, got ${parameters.length}`);
  if (!parameters.every(Number.isFinite)) throw new CutlayerError('NON_FINITE', 'version 0: expected finite values');
  const digest = parametersDigest(parameters);
  if (digest !== manifest.initialDigest)
    throw new CutlayerError('DIGEST_MISMATCH', `version 0: expected the parameters with sha256 ${manifest.initialDigest}, got ${digest}`);
}
