/** What is exported is what the pinned chain has broadcast, whatever the coordinator sends. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportVersion } from '../../../src/commands/coordinator/export-version.js';
import type { FounderConnection } from '../../../src/commands/coordinator/founder-connection.js';
import {
  type BroadcastContent,
  broadcastHash,
  type ChainHead,
  type SignedBroadcast,
  signBroadcast,
} from '../../../src/protocol/federation/chain.js';
import { parametersDigest, signManifest } from '../../../src/protocol/federation/manifest.js';
import { identityFromSeed } from '../../../src/protocol/secagg/signature.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { anyOrder } from '../../support/founder-orders.js';

const identity = (fill: number) => identityFromSeed(new Uint8Array(32).fill(fill));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const [founder, coordinator, impostor] = [identity(1), identity(2), identity(3)];

const first = Float32Array.of(1, 2, 3, 4, 5, 6);
const second = Float32Array.of(6, 5, 4, 3, 2, 1);

const open = signManifest(
  {
    formatVersion: 1,
    createdAt: '2026-05-01T12:00:00.000Z',
    founderKey: hex(founder.publicKey),
    coordinatorKey: hex(coordinator.publicKey),
    backboneDigest: 'ab'.repeat(32),
    settings: { name: 'test', evaluation: null },
    parameters: [
      { name: 'a', shape: [2, 2] },
      { name: 'b', shape: [2] },
    ],
    initialDigest: parametersDigest(first),
    members: [4, 5, 6].map((fill) => ({ name: `m${fill}`, publicKey: hex(identity(fill).publicKey) })),
  },
  founder.privateKey,
);

/** The chain of a federation whose version 1 came of round 1 and was promoted. */
function chain(signer = coordinator): SignedBroadcast[] {
  const contents: BroadcastContent[] = [
    { kind: 'begin', version: 0, digest: parametersDigest(first) },
    {
      kind: 'aggregate',
      round: 1,
      version: 1,
      parent: 0,
      digest: parametersDigest(second),
      participants: ['m4', 'm5', 'm6'],
      weight: 3,
      clipNorm: null,
      privacy: null,
    },
    { kind: 'promote', version: 1, round: null, promoted: null, candidate: null, participants: [], privacy: null },
  ];
  let head: ChainHead | null = null;
  return contents.map((content, at) => {
    const next = signBroadcast(open.id, head, content, at, signer.privateKey);
    head = next.head;
    return next.signed;
  });
}

/** The same, rolled back by the coordinator alone. */
function rolledBack(): SignedBroadcast[] {
  const before = chain();
  const head = { seq: 2, hash: broadcastHash(before[2]!.bytes) };
  const content = { kind: 'rollback', version: 0, from: 1, order: { ...anyOrder, chainHead: head.hash } } as const;
  return [...before, signBroadcast(open.id, head, content, 3, coordinator.privateKey).signed];
}

interface Served {
  readonly manifest?: { readonly bytes: Uint8Array; readonly signature: Uint8Array };
  readonly chain?: readonly SignedBroadcast[];
  readonly parameters?: Float32Array;
}

/** A connection to a coordinator that serves this, two broadcasts at a time. */
function connectionTo({ manifest = open, chain: broadcasts = chain(), parameters = second }: Served): FounderConnection {
  const answers = {
    GetFederation: () => ({ manifest }),
    GetBroadcasts: ({ from }: { from: number }) => ({ broadcasts: broadcasts.slice(from, from + 2) }),
    GetVersion: ({ version }: { version: number }) => {
      const values = version === 0 ? first : parameters;
      return { parameters: { scales: Buffer.alloc(0), ...encodeTensor(f32([values.length], values), 'f32') } };
    },
  };
  // The part of a connection that an export uses.
  return { call: async (method: keyof typeof answers, request: never) => answers[method](request) } as unknown as FounderConnection;
}

describe('an exported version', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-export-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('is the promoted one unless another is named, with its tensors under their names', async () => {
    const out = join(dir, 'promoted');
    const exported = await exportVersion(connectionTo({}), { federation: open.id, out });
    assert.deepEqual(exported, { version: 1, digest: parametersDigest(second), out, adapter: undefined });
    const { tensors } = await readTensors(join(out, 'parameters.safetensors'));
    assert.deepEqual(
      [...tensors].map(([name, { shape, data }]) => [name, shape, [...data]]),
      [
        ['a', [2, 2], [6, 5, 4, 3]],
        ['b', [2], [2, 1]],
      ],
    );
    const zero = await exportVersion(connectionTo({}), { federation: open.id, version: 0, out: join(dir, 'zero') });
    assert.equal(zero.digest, parametersDigest(first));
  });

  const broadcasts = chain();
  const forged = chain(impostor);
  const lies: readonly [string, Served, string, RegExp][] = [
    ['other parameters than were broadcast', { parameters: first }, 'DIGEST_MISMATCH', /version 1: expected the broadcast digest/],
    ['fewer parameters', { parameters: second.slice(1) }, 'INVALID_SHAPE', /version 1: expected \[6\], got \[5\]/],
    ['a chain that somebody else has signed', { chain: forged }, 'BROADCAST_REJECTED', /broadcast 0: its signature/],
    [
      'a chain that goes on under another signature',
      { chain: [broadcasts[0]!, forged[1]!] },
      'BROADCAST_REJECTED',
      /broadcast 1: its signature/,
    ],
    [
      'a chain with a way back that its founder has not signed',
      { chain: rolledBack() },
      'BROADCAST_REJECTED',
      /broadcast 3: its rollback is not/,
    ],
    [
      'a chain with a broadcast left out',
      { chain: [broadcasts[0]!, broadcasts[2]!] },
      'BROADCAST_REJECTED',
      /broadcast 1: expected number 1, got 2/,
    ],
    ['a chain without its beginning', { chain: broadcasts.slice(1) }, 'BROADCAST_REJECTED', /broadcast 0: expected number 0/],
    [
      'a chain that has not come to the version',
      { chain: broadcasts.slice(0, 1) },
      'NOT_FOUND',
      /version 1: the federation has broadcast no/,
    ],
    ['no chain', { chain: [] }, 'NOT_FOUND', /version 1: the federation has broadcast no such version/],
    [
      'another manifest',
      { manifest: signManifest({ ...open.manifest, createdAt: '2026-05-02T12:00:00.000Z' }, founder.privateKey) },
      'MANIFEST_REJECTED',
      /expected the one with id/,
    ],
    [
      'a manifest that another has signed',
      { manifest: { ...open, signature: new Uint8Array(64) } },
      'MANIFEST_REJECTED',
      /not of its founder/,
    ],
  ];
  for (const [what, served, code, message] of lies) {
    it(`is not written when the coordinator sends ${what}`, async () => {
      const before = await readdir(dir);
      const request = { federation: open.id, version: 1, out: join(dir, 'lie') };
      await assert.rejects(exportVersion(connectionTo(served), request), { code, message });
      assert.deepEqual(await readdir(dir), before);
    });
  }
});
