/** Bounds of the protection in a tenant's row, as calls meet them at gateways of one database. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metadata } from '@grpc/grpc-js';
import { CutlayerError } from '../../../src/errors.js';
import type { OwnPolicyChange } from '../../../src/gateway/protection/own-policy.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';
import { bearer, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const ROWS = 4;

for (const engine of storeEngines)
  describe(`bounds in a tenant's row on ${engine.name}`, () => {
    let dir: string;
    let place: StorePlace;
    const shared = engine.name === 'PostgreSQL';
    let gateways: TestGateway[] = [];
    let calls: readonly SplitCalls[];
    let metadata: Metadata;
    let steps = 0;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'cutlayer-tenant-row-'));
      place = engine.place();
      const protection = join(dir, 'policies.yaml');
      await writeFile(protection, 'default:\n  rows-per-day: 1000\n  near-inputs: off\ntenants:\n  acme:\n    rows-per-day: 12\n');
      const start = { database: place.target, keysDir: dir, protection, insecure: true };
      gateways = [await startTestGateway({ start })];
      // A file of SQLite has one gateway. Each has a file of policies of its own, here none.
      if (shared) gateways.push(await startTestGateway({ start: { ...start, protection: undefined } }));
      calls = gateways.map((gateway) => splitCalls(gateway.connect()));
      metadata = await token('acme');
      await calls[0]!.getModel(metadata);
    });
    after(async () => {
      for (const gateway of gateways) await gateway.close();
      await place.remove();
      await rm(dir, { recursive: true, force: true });
    });

    const token = async (tenant: string): Promise<Metadata> => {
      const request = { tenant, scopes: ['model:read', 'train', 'infer'], ttlSeconds: 3600 } as const;
      return bearer(await issueToken(await KeyRing.open(dir), await openIdentity(dir), request, Date.now()));
    };
    const change = async (protection: OwnPolicyChange | null): Promise<void> => {
      const { directory } = gateways[0]!.gateway.tenants;
      await directory.changed(await directory.store.bound('acme', { protection }));
    };
    const bound = async (at: number) => (await calls[at]!.getModel(metadata)).protection!.rowsPerDay;
    const forward = async (at: number): Promise<string> => {
      const hiddenStates = encodeTensor(f32([1, ROWS, 8], new Float32Array(ROWS * 8).fill(0.5)), 'f32');
      const backboneDigest = gateways[at]!.gateway.backboneDigest;
      const request = { stepId: `s${steps++}`, backboneDigest, hiddenStates, lengths: [ROWS], positions: [], training: true };
      return calls[at]!.forward(request, metadata).then(
        () => 'answered',
        (caught: unknown) => {
          const { code, details } = CutlayerError.from(caught);
          return `${code} ${details.policy}, seen ${details.seen}, allowed ${details.allowed}`;
        },
      );
    };

    it("come before the file's at the next call, and are in the model card", async () => {
      assert.equal(await bound(0), 12);
      assert.equal(await forward(0), 'answered');
      await change({ rowsPerDay: 6 });
      assert.equal(await bound(0), 6);
      assert.equal(await forward(0), 'PROTECTION_REFUSED rows-per-day, seen 8, allowed 6');
    });

    if (shared)
      it('hold at another gateway of the database after its next look', async () => {
        await gateways[1]!.gateway.tenants.directory.look();
        assert.equal(await bound(1), 6);
        assert.match(await forward(1), /^PROTECTION_REFUSED rows-per-day, seen \d+, allowed 6$/);
      });

    it("leave the file's when they are cleared", async () => {
      await change({ rowsPerDay: null });
      assert.equal(await bound(0), 12);
      assert.equal(await forward(0), 'answered');
    });

    it('can take a bound away, and leave other tenants theirs', async () => {
      await change({ rowsPerDay: 'off', nearInputs: 3 });
      assert.equal(await bound(0), 0);
      for (let call = 0; call < 4; call++) assert.equal(await forward(0), 'answered');
      const { protection } = await calls[0]!.getModel(await token('bolt'));
      assert.deepEqual([protection!.rowsPerDay, protection!.nearInputs], [1000, 0]);
    });
  });
