/** The demo's model behind a gateway of this process, its notes, and adapters trained on some. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Adapter } from '../../clients/typescript/adapters/adapter.js';
import { createAdapter } from '../../clients/typescript/adapters/registry.js';
import { type OpenedAudit, openAudit } from '../../clients/typescript/audit/audit.js';
import type { Measure } from '../../clients/typescript/audit/metrics.js';
import { type Connection, connect } from '../../clients/typescript/connection/connect.js';
import { type Example, loadExamples } from '../../clients/typescript/data/examples.js';
import { epochBatches } from '../../clients/typescript/data/order.js';
import { noDefences } from '../../clients/typescript/defences/defences.js';
import { evaluate } from '../../clients/typescript/inference/evaluate.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { TrainingClient } from '../../clients/typescript/training/training-client.js';
import { pack } from '../../src/compiler/pack/pack.js';
import { packageRoot } from '../../src/files/package-root.js';
import { packedOnce } from '../../test/support/packed-fixture.js';
import { startTestGateway } from '../../test/support/test-gateway.js';

const STEPS = 100;
const BATCH = 16;
const SEED = 0;

/** A client of the demo's model. */
export interface DemoModel {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  /** Records of a file of the demo. */
  examples(file: string): Promise<readonly Example[]>;
  /** Trains an adapter, 100 steps of 16. */
  trained(method: string, examples: readonly Example[]): Promise<Adapter>;
  /** Share of exact answers on the demo's test notes. */
  exact(adapter: Adapter): Promise<number>;
  /** Sends records once, as an audit does. @param others What attackers learn from. */
  audited(adapter: Adapter, examples: readonly Example[], others?: readonly Example[]): Promise<OpenedAudit>;
  close(): Promise<void>;
}

/** @param bottom Blocks that the client holds. */
export async function openDemoModel(bottom: number): Promise<DemoModel> {
  const demo = join(packageRoot(), 'demo');
  const { backboneDir, bundleDir } = await packedOnce(`bench-privacy-${bottom}`, (outDir) =>
    pack({ checkpointDir: join(demo, 'backbone/checkpoint'), outDir, bottom, top: 0 }),
  );
  const bundle = await ClientBundle.open(bundleDir);
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-privacy-'));
  // Masks of noise are more directions of a text than a vendor allows, unless it says so.
  const protection = join(dir, 'protection.yaml');
  await writeFile(protection, 'default:\n  directions-per-input: off\n');
  const gateway = await startTestGateway({ backboneDir, start: { protection } });
  const connection = await connect({ address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() });
  let audits = 0;
  const examples = (file: string) => loadExamples(join(demo, file), bundle.tokenizer, { maxLength: 128 });
  return {
    ...{ bundle, connection, examples },
    async trained(method, records) {
      const keyValues = () => Promise.reject(new Error('no keys and values are asked for'));
      const adapter = await createAdapter({ bundle, keyValues }, method, { virtualTokens: 16, seed: SEED });
      const client = new TrainingClient(bundle, connection, adapter, {
        schedule: (step) => Math.min((step + 1) / 10, (STEPS - step) / (STEPS - 10)),
      });
      const lengths = records.map(({ tokenIds }) => tokenIds.length);
      const order = { batchSize: BATCH, maxTokensPerBatch: 1 << 16, seed: SEED, shuffle: true };
      for (let epoch = 0; client.step < STEPS; epoch++)
        for (const batch of epochBatches(lengths, epoch, order)) {
          if (client.step === STEPS) break;
          await client.forwardBackward(batch.map((at) => records[at]!));
          await client.optimStep();
        }
      return adapter;
    },
    async exact(adapter) {
      const { model } = new TrainingClient(bundle, connection, adapter);
      return (await evaluate(model, adapter, await examples('data/test.jsonl'))).exactMatch;
    },
    async audited(adapter, records, others = []) {
      const own = join(dir, `audit-${audits++}`);
      await mkdir(own);
      return openAudit({
        ...{ bundle, connection, answered: true, adapter, fresh: false, defences: noDefences, twin: noDefences },
        ...{ examples: records, others, planted: 0, seed: SEED, dir: own },
      });
    },
    async close() {
      connection.close();
      await gateway.close();
      await bundle.close();
      await rm(dir, { recursive: true });
    },
  };
}

/** A figure's interval. */
export const interval = ({ low, high }: Measure): string => `(${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
