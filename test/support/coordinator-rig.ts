/** A coordinator over a real store on virtual time, with scripted members, for tests of rounds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Coordinator, openCoordinator } from '../../src/coordinator/coordinator.js';
import type { FederationReport } from '../../src/coordinator/coordinator-api.js';
import { openLatestStates } from '../../src/coordinator/latest-states.js';
import { type CoordinatorLog, silentLog } from '../../src/coordinator/rounds/federation-context.js';
import { type Database, openDatabase } from '../../src/coordinator/tables/database.js';
import { type Broadcast, type ChainHead, openBroadcast } from '../../src/protocol/federation/chain.js';
import { type ChainState, follow, untold } from '../../src/protocol/federation/chain-rules.js';
import type { Task } from '../../src/protocol/federation/federation-api.js';
import type { FounderAction } from '../../src/protocol/federation/founder-order.js';
import { type OpenManifest, parametersDigest, signManifest } from '../../src/protocol/federation/manifest.js';
import { type FederationSettingsInput, federationSettingsSchema } from '../../src/protocol/federation/settings.js';
import { type IdentityKey, identityFromSeed } from '../../src/protocol/secagg/signature.js';
import { seededBytes } from '../../src/protocol/secagg/stream.js';
import { giveOrder } from './founder-orders.js';
import { type PayloadOf, RoundMember } from './round-member.js';
import { VirtualTime } from './virtual-time.js';

const identity = (number: number): IdentityKey => identityFromSeed(new Uint8Array(32).fill(number));

/** Signs the broadcasts of every rig. */
export const coordinatorKey = identity(250);
/** Signs the manifest and the orders of every rig. */
export const founderKey = identity(251);

/** The names of so many members: a, b, c, … */
export const memberNames = (count: number): string[] => Array.from({ length: count }, (_, at) => `member-${String(at).padStart(3, '0')}`);

/** A signed manifest of `members` members with a [dimension] adapter that starts at zero. */
export function testManifest(settings: Omit<FederationSettingsInput, 'name'>, members = 3, dimension = 8): OpenManifest {
  return signManifest(
    {
      formatVersion: 1,
      createdAt: '2026-01-01T00:00:00.000Z',
      founderKey: Buffer.from(founderKey.publicKey).toString('hex'),
      coordinatorKey: Buffer.from(coordinatorKey.publicKey).toString('hex'),
      backboneDigest: '0'.repeat(64),
      settings: federationSettingsSchema.parse({ name: 'test', ...settings }),
      parameters: [{ name: 'prompt', shape: [dimension] }],
      initialDigest: parametersDigest(new Float32Array(dimension)),
      members: memberNames(members).map((name, at) => ({ name, publicKey: Buffer.from(identity(at + 1).publicKey).toString('hex') })),
    },
    founderKey.privateKey,
  );
}

/**
 * A payload that identifies its member: value i of member m is (m + 1) · (i + 1) / 64 in every
 * train round. Metrics: the candidate is better.
 */
export const plainPayload =
  (manifest: OpenManifest, at: number): PayloadOf =>
  (purpose) =>
    purpose === 'evaluate'
      ? Float32Array.from([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.75, 0.75, 0.25, 0.75, 0.75])
      : Float32Array.from({ length: manifest.manifest.parameters[0]!.shape[0]! }, (_, i) => ((at + 1) * (i + 1)) / 64);

/** What a rig is made of. */
export interface RigOptions {
  readonly manifest: OpenManifest;
  readonly path?: string;
  /** The store, where it is no file at `path`. */
  readonly target?: string | undefined;
  readonly time?: VirtualTime;
  readonly onWrite?: (name: string) => void;
  readonly log?: CoordinatorLog;
  readonly payloadOf?: (manifest: OpenManifest, at: number) => PayloadOf;
}

/** See the module's header. */
export class CoordinatorRig {
  readonly manifest: OpenManifest;
  readonly time: VirtualTime;
  readonly path: string;
  readonly target: string;
  readonly members: readonly RoundMember[];
  onWrite: ((name: string) => void) | undefined;
  readonly log: CoordinatorLog;
  /** A second file of latest states. */
  latestFile: string | undefined;
  database!: Database;
  coordinator!: Coordinator;
  #opened = 0;

  private constructor({ manifest, path, target, time, onWrite, log = silentLog, payloadOf = plainPayload }: RigOptions) {
    this.manifest = manifest;
    this.time = time ?? new VirtualTime();
    this.path = path ?? join(mkdtempSync(join(tmpdir(), 'cutlayer-rounds-')), 'store.db');
    this.target = target ?? this.path;
    this.onWrite = onWrite;
    this.log = log;
    this.members = manifest.manifest.members.map(
      ({ name }, at) => new RoundMember(manifest, name, identity(at + 1), payloadOf(manifest, at), 10 * (at + 1)),
    );
  }

  /** Opens the store and the coordinator; creates and starts the federation. */
  static async start(options: RigOptions): Promise<CoordinatorRig> {
    const rig = new CoordinatorRig(options);
    await rig.open();
    await rig.found();
    return rig;
  }

  /** Without creating anything. */
  static bare(options: RigOptions): CoordinatorRig {
    return new CoordinatorRig(options);
  }

  get id(): string {
    return this.manifest.id;
  }

  async open(): Promise<void> {
    this.database = await openDatabase(this.target, { onWrite: (name) => this.onWrite?.(name) });
    await this.openCoordinator();
  }

  /** On the store that is open. */
  async openCoordinator(): Promise<void> {
    const { now, schedule } = this.time;
    this.#opened += 1;
    const random = seededBytes(new Uint8Array(32).fill(this.#opened));
    const latest = openLatestStates(`${this.path}.latest`, this.latestFile);
    const { database, log } = this;
    this.coordinator = await openCoordinator({ database, latest, signingKey: coordinatorKey, now, schedule, random, log });
  }

  /** Creates and starts the federation; again, nothing happens. */
  async found(): Promise<void> {
    const length = this.manifest.manifest.parameters[0]!.shape[0]!;
    await this.coordinator.create(this.manifest, new Float32Array(length));
    const [report] = await this.coordinator.status(this.id);
    if (report!.state === 'created') await this.order({ kind: 'start' });
  }

  /** What has been broadcast, each checked by the members' rules. */
  async told(): Promise<{ readonly broadcasts: readonly Broadcast[]; readonly state: ChainState }> {
    const { manifest, id } = this.manifest;
    let head: ChainHead | null = null;
    let state = untold;
    const broadcasts: Broadcast[] = [];
    for (const signed of await this.coordinator.reader(id).broadcasts(0)) {
      const opened: ReturnType<typeof openBroadcast> = openBroadcast(signed, {
        federation: id,
        coordinatorKey: coordinatorKey.publicKey,
        head,
      });
      head = opened.head;
      state = follow(state, opened.broadcast, manifest);
      broadcasts.push(opened.broadcast);
    }
    return { broadcasts, state };
  }

  /** Gives an order of the founder. */
  order(action: FounderAction): Promise<FederationReport> {
    return giveOrder(this.coordinator, this.id, action, founderKey);
  }

  /** Lets go without a word, as a killed process does; what is not committed is lost. */
  async crash(): Promise<void> {
    this.onWrite = undefined;
    await this.coordinator.close();
    await this.database.close();
  }

  async reopen(): Promise<void> {
    await this.crash();
    await this.open();
  }

  async close(): Promise<void> {
    await this.crash();
    rmSync(join(this.path, '..'), { recursive: true, force: true });
  }

  api(member: string) {
    return this.coordinator.member(this.id, member);
  }

  async report(): Promise<FederationReport> {
    const [report] = await this.coordinator.status(this.id);
    return report!;
  }

  /** One task of each of these members, in their order. */
  async stepAll(members: readonly RoundMember[] = this.members): Promise<Task[]> {
    const tasks: Task[] = [];
    for (const member of members) tasks.push(await member.step(this.api(member.name)));
    return tasks;
  }

  /** Plays until `done`; when no member has a task, time moves to the next timer. */
  async play(
    done: (report: FederationReport) => boolean = ({ state }) => state === 'finished',
    members = this.members,
  ): Promise<FederationReport> {
    for (let turn = 0; turn < 2000; turn++) {
      const report = await this.report();
      if (done(report)) return report;
      await this.stepAll(members);
      await nextTurn();
      await this.moveTime(report);
    }
    throw new Error(`the federation has not come to the expected end: ${JSON.stringify(await this.report())}`);
  }

  /** Moves time to the next timer if nothing has happened since a report, and no release is made. */
  async moveTime(since: FederationReport): Promise<void> {
    const now = await this.report();
    const still = (report: FederationReport) => JSON.stringify({ ...report, round: { ...report.round, remainingMs: 0 } });
    if (still(now) === still(since) && now.round?.remainingMs !== 0) this.time.advanceToNext();
  }

  /** The parameters of a version. */
  version(number: number): Promise<Float32Array> {
    return this.coordinator.reader(this.id).version(number);
  }
}
