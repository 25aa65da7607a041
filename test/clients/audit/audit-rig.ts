/** What attackers are tried on: a tiny model's records behind a real gateway, or a trace that says nothing of them. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Adapter } from '../../../clients/typescript/adapters/adapter.js';
import { createAdapter } from '../../../clients/typescript/adapters/registry.js';
import type { VendorView } from '../../../clients/typescript/audit/attacker.js';
import { type AuditOptions, type AuditReport, audit, type OpenedAudit, openAudit } from '../../../clients/typescript/audit/audit.js';
import { offlineConnection } from '../../../clients/typescript/audit/offline-connection.js';
import type { SeenRecord } from '../../../clients/typescript/audit/seen.js';
import { connect } from '../../../clients/typescript/connection/connect.js';
import { type Example, loadExamples } from '../../../clients/typescript/data/examples.js';
import { noDefences } from '../../../clients/typescript/defences/defences.js';
import { evaluate } from '../../../clients/typescript/inference/evaluate.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../../clients/typescript/model/split-model.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import { normalTensor, seeded } from '../../../src/tensor/random.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { type PackedFixture, packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway } from '../../support/test-gateway.js';
import { writeNotes } from '../../support/training-data.js';

/** What a test asks for otherwise. */
export type RigOptions = Partial<AuditOptions> & {
  readonly wire?: WireDType;
  /** Comes before all: the adapter may be trained. */
  readonly prepare?: (options: AuditOptions) => Promise<void>;
};

/** A model to audit. */
export interface AuditRig {
  readonly dir: string;
  readonly bundle: ClientBundle;
  readonly examples: readonly Example[];
  /** A fresh adapter, as all audits have one together. */
  prompt(): Promise<Adapter>;
  /** Audits a few notes; without a gateway nothing is sent. @param name of the audit's directory */
  run(name: string, options?: RigOptions): Promise<AuditReport>;
  /** The same up to the suite. */
  open(name: string, options?: RigOptions): Promise<OpenedAudit>;
  /** Share of the labels that the model with the adapter gives itself. */
  accuracy(): Promise<number>;
  close(): Promise<void>;
}

/** @param online Whether there is a gateway. */
export async function auditRig(
  fixture: string,
  cut: { readonly bottom?: number; readonly top?: number },
  online: boolean,
): Promise<AuditRig> {
  return auditRigOf(await packedFixture(fixture, cut), online, examplesOf);
}

/** The same of any model. @param read The first 32 examples are audited; attackers learn from the others. */
export async function auditRigOf(
  { backboneDir, bundleDir }: PackedFixture,
  online: boolean,
  read: (bundle: ClientBundle, file: string) => Promise<readonly Example[]>,
): Promise<AuditRig> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-audit-'));
  const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
  const gateway = online ? await startTestGateway({ backboneDir }) : undefined;
  const all = await read(bundle, join(dir, 'notes.jsonl'));
  const [examples, others] = [all.slice(0, 32), all.slice(32)];
  const keyValues = () => Promise.reject(new Error('no keys and values are asked for'));
  const prompt = () => createAdapter({ bundle, keyValues }, 'prompt-tuning', { virtualTokens: 4, seed: 3 });
  const adapter = await prompt();
  const within = async <Result>(name: string, given: RigOptions, work: (options: AuditOptions) => Promise<Result>): Promise<Result> => {
    const { wire = 'f32', prepare, ...options } = given;
    const reach = gateway && { address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token(), wireDtype: wire };
    const connection = reach === undefined ? offlineConnection(bundle, wire) : await connect(reach);
    try {
      const usual = {
        ...{ defences: noDefences, twin: noDefences },
        bundle,
        connection,
        answered: online,
        adapter,
        fresh: true,
        examples,
        others,
        planted: 2,
        seed: 0,
        dir: join(dir, name),
      };
      await mkdir(usual.dir, { recursive: true });
      const all = { ...usual, ...options };
      await prepare?.(all);
      return await work(all);
    } finally {
      connection.close();
    }
  };
  return {
    dir,
    bundle,
    examples,
    prompt,
    run: (name, options = {}) => within(name, options, audit),
    open: (name, options = {}) => within(name, options, openAudit),
    accuracy: () =>
      within('accuracy', {}, async ({ connection }) => {
        const model = new SplitModel(bundle, new RemoteModel(connection));
        return (await evaluate(model, adapter, examples)).accuracy;
      }),
    async close() {
      await bundle.close();
      await gateway?.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Notes, or random tokens for a model without a tokenizer. */
async function examplesOf(bundle: ClientBundle, file: string): Promise<readonly Example[]> {
  if (bundle.manifest.tokenizerFiles.length > 0) {
    writeNotes(file, 4, 1);
    return loadExamples(file, bundle.tokenizer, { maxLength: 56 });
  }
  const length = Math.min(12, bundle.manifest.dims.maxPositions - 4);
  return randomExamples(4, { length, vocabSize: bundle.vocabSize, seed: 5 });
}

/** Examples of random tokens, of which those from the seventh on are labels. */
export function randomExamples(
  count: number,
  { length, vocabSize, seed }: { readonly length: number; readonly vocabSize: number; readonly seed: number },
): readonly Example[] {
  const random = seeded(seed);
  return Array.from({ length: count }, (_, at) => ({
    tokenIds: Int32Array.from({ length }, () => random.integer(vocabSize)),
    labelMask: new Uint8Array(length).fill(1, 6),
    ...{ promptLength: 6, source: `random:${at}` },
  }));
}

/** The same shapes with random values: nothing in them has to do with the records. */
export function scrambled(view: VendorView, seed: number): VendorView {
  const candidates = view.candidates.map((one, at) => ({
    ...one,
    seen: async () => noised(await one.seen(), seeded(seed, 1000 + at)),
    bare: async () => noised(await one.bare(), seeded(seed, 2000 + at)),
  }));
  return { ...view, candidates, record: async (index) => noised(await view.record(index), seeded(seed, index)) };
}

function noised(seen: SeenRecord, random: ReturnType<typeof seeded>): SeenRecord {
  const noise = ({ shape, data }: Tensor<'float32'>) => {
    const spread = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    return normalTensor(random, shape, 0, spread);
  };
  const names = ['rows', 'prompt', 'outputs', 'cotangents', 'promptCotangent'] as const;
  const values = names.flatMap((name) => (seen[name] === undefined ? [] : [[name, noise(seen[name])] as const]));
  return { ...seen, ...(Object.fromEntries(values) as Partial<SeenRecord>) };
}
