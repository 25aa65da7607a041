/** Well-formed values of a small federation: its manifest, its keys, and one message of each kind. */
import { type BroadcastContent, type SignedBroadcast, signBroadcast } from '../../src/protocol/federation/chain.js';
import type { Enlistment } from '../../src/protocol/federation/enlistment.js';
import { signOrder } from '../../src/protocol/federation/founder-order.js';
import { type Manifest, parametersDigest, signManifest } from '../../src/protocol/federation/manifest.js';
import type { Confirmation, RevealedShares, SealedShares } from '../../src/protocol/secagg/messages.js';
import { identityFromSeed } from '../../src/protocol/secagg/signature.js';

/** The member whose token sends the messages. */
export const MEMBER = 'ward-1';

const key = (byte: number) => identityFromSeed(new Uint8Array(32).fill(byte));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

/** The founder's and the coordinator's keys. */
export const founderKey = key(1);
export const coordinatorKey = key(2);

const unsigned = (settings: object): unknown => ({
  formatVersion: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
  founderKey: hex(founderKey.publicKey),
  coordinatorKey: hex(coordinatorKey.publicKey),
  backboneDigest: 'cd'.repeat(32),
  settings: { name: 'ward notes', ...settings },
  parameters: [{ name: 'prompt', shape: [2, 4] }],
  initialDigest: parametersDigest(new Float32Array(8)),
  members: [3, 4, 5, 6].map((member) => ({ name: `ward-${member - 2}`, publicKey: hex(key(member).publicKey) })),
});

/** Settings that use every part of the schema. */
export const settingsExamples: readonly object[] = [
  {},
  { secureAggregation: null, strategy: { kind: 'trimmedMean', trim: 0.25 } },
  {
    privacy: { noiseMultiplier: 1, clip: { kind: 'adaptive', initialNorm: 1 }, delta: 1e-5, maxEpsilon: 8 },
    evaluation: null,
    cohort: { sampling: { kind: 'poisson', rate: 0.5 } },
    rounds: { count: 10, trigger: { kind: 'newExamples', count: 5, members: 2 } },
    training: { schedule: 'cosine', steps: 4 },
  },
  { weights: { kind: 'examples', maxExamples: 100 }, adapter: { method: 'lora', settings: { rank: 4 } } },
];

const manifests = settingsExamples.flatMap((settings) => {
  try {
    return [signManifest(unsigned(settings), founderKey.privateKey)];
  } catch {
    return []; // a row that the schema has outgrown is left out; the others stay
  }
});

/** Manifests as values. */
export const manifestExamples: readonly Manifest[] = manifests.map(({ manifest }) => manifest);

/** One of them as it travels, and the federation's id. */
export const signed = { bytes: manifests[0]!.bytes, signature: manifests[0]!.signature };
export const federation = manifests[0]!.id;

export const enlistment: Enlistment = {
  purpose: 'train',
  chainHead: 'ef'.repeat(32),
  examples: 12,
  advertisement: {
    participant: MEMBER,
    encryptionKey: bytes(32, 1),
    maskKey: bytes(32, 2),
    selfMaskCommitment: bytes(32, 3),
    context: bytes(32, 4),
    signature: bytes(64, 5),
  },
};
export const sealed: readonly SealedShares[] = ['ward-2', 'ward-3'].map((to) => ({ from: MEMBER, to, ciphertext: bytes(80, 6) }));
export const confirmation: Confirmation = { participant: MEMBER, survivors: [MEMBER, 'ward-2', 'ward-3'], signature: bytes(64, 7) };
export const revealed: RevealedShares = {
  participant: MEMBER,
  maskKeyShares: [{ owner: 'ward-4', share: bytes(33, 8) }],
  selfMaskShares: [{ owner: 'ward-2', share: bytes(33, 9) }],
  signature: bytes(64, 10),
};

const metrics = { loss: 1.5, accuracy: 0.5, exactMatch: 0.25 };
const evaluated = { current: metrics, earlier: metrics };
const spent = { unit: 'client' as const, epsilon: 1.5, delta: 1e-5, rounds: 3, sampling: 'poisson' };
export const order = signOrder(federation, { kind: 'start' }, { number: 3, chainHead: 'ef'.repeat(32) }, founderKey.privateKey);
const contents: readonly BroadcastContent[] = [
  { kind: 'begin', version: 0, digest: 'ab'.repeat(32) },
  {
    kind: 'aggregate',
    round: 1,
    version: 1,
    parent: 0,
    digest: 'ab'.repeat(32),
    participants: [MEMBER, 'ward-2', 'ward-3'],
    weight: 3,
    clipNorm: 1,
    privacy: spent,
  },
  { kind: 'promote', version: 1, round: 2, promoted: evaluated, candidate: evaluated, participants: [MEMBER], privacy: null },
  { kind: 'rollback', version: 0, from: 1, order },
  { kind: 'finish', reason: 'enough', order, privacy: spent },
];

/** Broadcasts, each the first of its chain. */
export const broadcastExamples: readonly SignedBroadcast[] = contents.map(
  (content) => signBroadcast(federation, null, content, 1_700_000_000_000, coordinatorKey.privateKey).signed,
);
