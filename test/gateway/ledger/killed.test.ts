/**
 * kill -9 of a gateway at each write of a charge: its client starts again with the next process,
 * and every piece of work has been counted once. So have the rows of a day that a policy bounds.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials, type Metadata } from '@grpc/grpc-js';
import type { BackboneArtifact } from '../../../src/artifacts/store.js';
import { CutlayerError } from '../../../src/errors.js';
import { openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { TenantStore } from '../../../src/gateway/tenants/tenant-store.js';
import { loadDecodeService } from '../../../src/protocol/wire/decode-service.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { openDecodeStream } from '../../support/decode-stream.js';
import { depth, thorough } from '../../support/exhaustive.js';
import { storeEngines } from '../../support/store-engines.js';
import { bearer, splitCalls } from '../../support/test-gateway.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const program = fileURLToPath(new URL('../../support/charged-gateway-process.js', import.meta.url));
const rows = (...shape: number[]) => {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
  return encodeTensor(f32(shape, values), 'f32');
};
/** Before and after the key, before and after the sum, before and after the commit. */
const writes = [0, 1, 2, 3, 4, 5] as const;
/** Work, with the writes of charges that come before its own. */
const kinds = { forward: 0, backward: 6, decode: 0 } as const;
type Kind = keyof typeof kinds;

/** A gateway's process, and what its client does with it. */
interface Life {
  readonly child: ChildProcess;
  readonly address: string;
  readonly digest: string;
}

for (const engine of storeEngines)
  describe(`a gateway's ledger on ${engine.name}, killed`, () => {
    let stateDir: string;
    let backbone: BackboneArtifact;
    let life: Life;
    let metadata: Metadata;
    const place = engine.place();
    before(async () => {
      stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-charged-'));
      backbone = await tinyBackbone({ hiddenSize: 8, numLayers: 2 });
      await begin();
      const request = { tenant: 'acme', scopes: ['train', 'infer'], ttlSeconds: 3600 } as const;
      metadata = bearer(await issueToken(await KeyRing.open(stateDir), await openIdentity(stateDir), request, Date.now()));
    });
    after(async () => {
      life.child.kill('SIGKILL');
      for (const dir of [stateDir, backbone.dir]) await rm(dir, { recursive: true, force: true });
      await place.remove();
    });

    async function begin(): Promise<void> {
      const child = fork(program, [backbone.dir, stateDir, place.target]);
      const [ready] = (await once(child, 'message')) as [Omit<Life, 'child'>];
      life = { child, ...ready };
    }

    async function die(): Promise<void> {
      if (life.child.signalCode !== null) return;
      const gone = once(life.child, 'exit');
      life.child.kill('SIGKILL');
      await gone;
    }

    /** A client's work from its start, as often as it must be done. */
    async function work(kind: Kind, id: string): Promise<void> {
      const { address, digest } = life;
      if (kind === 'decode') {
        const client = new (loadDecodeService())(address, credentials.createInsecure());
        const stream = openDecodeStream(client, metadata);
        try {
          await stream.ask({ open: { sessionId: id, backboneDigest: digest, maxRows: 16 } });
          await stream.ask({ append: { from: 0, rows: rows(3, 8) } });
          await stream.end();
        } finally {
          client.close();
        }
        return;
      }
      const client = new (loadSplitService())(address, credentials.createInsecure());
      try {
        const calls = splitCalls(client);
        const step = { stepId: id, backboneDigest: digest, hiddenStates: rows(1, 4, 8), lengths: [4], training: true };
        await calls.forward(step, metadata);
        if (kind === 'backward') await calls.backward({ stepId: id, cotangent: rows(4, 8), wantHiddenStates: true }, metadata);
      } finally {
        client.close();
      }
    }

    async function diesIn(kind: Kind, write: number): Promise<void> {
      const { child } = life;
      child.send(kinds[kind] + write);
      await once(child, 'message');
      const gone = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      const id = `${kind}-${write}`;
      await assert.rejects(work(kind, id), (error) => error instanceof CutlayerError && error.code === 'UNAVAILABLE', id);
      assert.equal((await gone)[1], 'SIGKILL', id);
      await begin();
      await work(kind, id);
      await work(kind, id);
    }

    const all = (Object.keys(kinds) as Kind[]).flatMap((kind) => writes.map((write) => [kind, write] as const));
    it('counts each piece of work once, at whatever write it died', async function () {
      this.timeout(240_000);
      const points = depth(all, [['backward', 5] as const]);
      for (const [kind, write] of points) await diesIn(kind, write);
      await die();
      const of = (kind: Kind): number => points.filter((point) => point[0] === kind).length;
      const database = await openGatewayDatabase(place.target);
      const sums = await database.transaction(({ usage }) =>
        usage.sums({ from: 0, to: Number.MAX_SAFE_INTEGER, periodMs: 1e15, limit: 9 }),
      );
      await database.close();
      const { forward, backward, decoded, cached, calls } = sums[0]!;
      assert.deepEqual(
        { forward, backward, decoded: decoded + cached, calls },
        {
          forward: 4 * (of('forward') + of('backward')),
          backward: 4 * of('backward'),
          decoded: 3 * of('decode'),
          calls: points.length + of('backward'),
        },
      );
    });

    thorough('goes on with the rows that a tenant was answered on that day', async function () {
      this.timeout(120_000);
      await die();
      const database = await openGatewayDatabase(place.target);
      // A block of this bound is one row, so that none is lost with the process.
      const store = new TenantStore(database, Date.now);
      await store.register('acme');
      await store.bound('acme', { protection: { rowsPerDay: 4 } });
      await database.close();
      await begin();
      await work('forward', 'day-1');
      await die();
      await begin();
      await assert.rejects(work('forward', 'day-2'), (error) => {
        const { code, details } = error as CutlayerError;
        assert.deepEqual([code, details.policy, details.seen, details.allowed], ['PROTECTION_REFUSED', 'rows-per-day', '8', '4']);
        return true;
      });
    });
  });
