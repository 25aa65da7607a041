/**
 * A gateway over llama-tiny, a coordinator in this process and members with data; all but the wire
 * is real.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixedData } from '../../clients/typescript/federation/data/fixed-data.js';
import { flatValues, parametersOf } from '../../clients/typescript/federation/federated-adapter.js';
import { hex } from '../../clients/typescript/federation/identity-file.js';
import { MemberStore } from '../../clients/typescript/federation/member-store.js';
import { Participant, type ParticipantOptions } from '../../clients/typescript/federation/participant.js';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  connect,
  createAdapter,
  type Example,
  toExamples,
} from '../../clients/typescript/index.js';
import { type Coordinator, openCoordinator } from '../../src/coordinator/coordinator.js';
import type { FederationReport } from '../../src/coordinator/coordinator-api.js';
import { type Database, openDatabase } from '../../src/coordinator/tables/database.js';
import type { FederationApi } from '../../src/protocol/federation/federation-api.js';
import type { FounderAction } from '../../src/protocol/federation/founder-order.js';
import { type OpenManifest, parametersDigest, signManifest } from '../../src/protocol/federation/manifest.js';
import { generateIdentity, type IdentityKey, identityFromSeed } from '../../src/protocol/secagg/signature.js';
import { giveOrder } from './founder-orders.js';
import { packedFixture } from './packed-fixture.js';
import { startTestGateway, type TestGateway } from './test-gateway.js';

/** What all federations of a test file share. */
export interface FederationRig {
  readonly gateway: TestGateway;
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  /** Removed at the end. */
  readonly dir: string;
  adapter(): Promise<Adapter>;
  /** Notes about one part, of each site another. */
  examples(site: number, count: number): readonly Example[];
  /** Founds a federation on a coordinator of its own. */
  found(settings?: Readonly<Record<string, unknown>>, members?: number): Promise<TestFederation>;
  close(): Promise<void>;
}

/** A federation. */
export interface TestFederation {
  readonly open: OpenManifest;
  readonly coordinator: Coordinator;
  readonly identities: readonly IdentityKey[];
  readonly coordinatorKey: IdentityKey;
  readonly initial: Float32Array;
  readonly founder: IdentityKey;
  api(member: number): FederationApi;
  /** Gives an order of the founder. */
  order(action: FounderAction): Promise<FederationReport>;
  /**
   * Opens a member's participant: with its site's data and memory for state, unless told otherwise.
   */
  participant(member: number, options?: Partial<ParticipantOptions>): Promise<Participant>;
  close(): Promise<void>;
}

const PARTS = ['pump', 'valve', 'sensor', 'filter', 'motor', 'pipe'];
const SIGNS = ['lost pressure', 'runs hot', 'leaks oil', 'stopped'];

/** Settings with quick rounds. */
const quick = {
  name: 'notes',
  adapter: { method: 'prompt-tuning', settings: { virtualTokens: 3, init: 'RANDOM' } },
  rounds: { count: 1, enlistSeconds: 0.2, stageSeconds: 120, gatherSeconds: 120, trainSeconds: 240 },
  training: { batchSize: 4, learningRate: 0.02 },
  evaluation: null,
};

/** Starts one. */
export async function federationRig(): Promise<FederationRig> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-federation-'));
  const packed = await packedFixture('llama-tiny');
  const gateway = await startTestGateway({ backboneDir: packed.backboneDir });
  const bundle = await ClientBundle.open(packed.bundleDir, { threads: 1 });
  const connection = await connect({ address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() });
  const adapter = () => createAdapter({ bundle }, quick.adapter.method, { virtualTokens: 3, init: 'RANDOM' });
  const federations: TestFederation[] = [];
  const examples = (site: number, count: number): readonly Example[] =>
    Array.from({ length: count }, (_, at) => {
      const part = PARTS[(site + (at % 2)) % PARTS.length]!;
      const prompt = `The ${part} ${SIGNS[at % SIGNS.length]}. Which part?`;
      return toExamples(
        { form: 'completion', prompt, completion: ` ${part}` },
        bundle.tokenizer,
        { maxLength: 60 },
        `site ${site}:${at + 1}`,
      )[0]!;
    });
  return {
    gateway,
    bundle,
    connection,
    dir,
    adapter,
    examples,
    async found(settings = {}, members = 3) {
      const coordinatorKey = generateIdentity();
      const founder = generateIdentity();
      const identities = Array.from({ length: members }, (_, at) => identityFromSeed(new Uint8Array(32).fill(at + 1)));
      const own = await adapter();
      const initial = flatValues(own);
      const open = signManifest(
        {
          formatVersion: 1,
          createdAt: '2026-01-01T00:00:00.000Z',
          founderKey: hex(founder.publicKey),
          coordinatorKey: hex(coordinatorKey.publicKey),
          backboneDigest: bundle.identity.backboneDigest,
          settings: { ...quick, ...settings },
          parameters: parametersOf(own),
          initialDigest: parametersDigest(initial),
          members: identities.map(({ publicKey }, at) => ({ name: `site${at}`, publicKey: hex(publicKey) })),
        },
        founder.privateKey,
      );
      const database: Database = await openDatabase(join(dir, `${federations.length}`, 'coordinator.db'));
      const coordinator = await openCoordinator({ database, signingKey: coordinatorKey });
      await coordinator.create(open, initial);
      const participants: Participant[] = [];
      const federation: TestFederation = {
        open,
        coordinator,
        identities,
        coordinatorKey,
        founder,
        initial,
        api: (member) => coordinator.member(open.id, `site${member}`),
        order: (action) => giveOrder(coordinator, open.id, action, founder),
        async participant(member, options = {}) {
          const participant = await Participant.open({
            api: federation.api(member),
            federation: open.id,
            identity: identities[member]!,
            bundle,
            connection,
            data: fixedData(examples(member, 8), examples(member, 4)),
            state: MemberStore.memory(),
            pollMs: 2000,
            ...options,
          });
          participants.push(participant);
          return participant;
        },
        async close() {
          for (const participant of participants) await participant.close();
          await coordinator.close();
          await database.close();
        },
      };
      federations.push(federation);
      await federation.order({ kind: 'start' });
      return federation;
    },
    async close() {
      for (const federation of federations) await federation.close();
      connection.close();
      await bundle.close();
      await gateway.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
