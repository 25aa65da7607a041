/** Masked cotangents hide no label from a vendor who looks; where they seem to, this test fails. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labelsBySpan, rebuiltCotangents, spansAlike } from '../../../bench/privacy/attacks.js';
import { type MaskedRun, runMasked } from '../../../bench/privacy/masked-steps.js';
import { combined, masked, noiseLike } from '../../../bench/privacy/masks.js';
import { auc } from '../../../clients/typescript/audit/roc.js';
import { type Connection, connect } from '../../../clients/typescript/connection/connect.js';
import { type Example, loadExamples } from '../../../clients/typescript/data/examples.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { l2Norm } from '../../../src/tensor/l2-norm.js';
import { seeded } from '../../../src/tensor/random.js';
import { thorough } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';
import { writeNotes } from '../../support/training-data.js';

describe('masked cotangents', () => {
  let bundle: ClientBundle;
  let gateway: TestGateway;
  let connection: Connection;
  let examples: readonly Example[];
  before(async () => {
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    gateway = await startTestGateway({ backboneDir });
    connection = await connect({ address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() });
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-masks-'));
    writeNotes(join(dir, 'notes.jsonl'), 16, 1);
    examples = await loadExamples(join(dir, 'notes.jsonl'), bundle.tokenizer, { maxLength: 56 });
    await rm(dir, { recursive: true });
  });
  after(async () => {
    connection.close();
    await gateway.close();
    await bundle.close();
  });

  const run = (setting: Pick<MaskedRun, 'decoys' | 'optimizer' | 'sent'>): MaskedRun => ({
    ...{ bundle, connection, examples, batch: 2, steps: 3, virtualTokens: 8, learningRate: 0.01, seed: 0, ...setting },
  });

  it('sum up to the own one by the secret coefficients, and none of them is near it', () => {
    const random = seeded(1);
    const own = Float32Array.from({ length: 64 }, () => random.normal());
    const { sent, coefficients } = masked(own, [noiseLike(own, 32, random), noiseLike(own, 32, random)], random);
    const rest = combined([combined(sent, coefficients), own], [1, -1]);
    assert.ok(l2Norm([rest]) < 1e-4 * l2Norm([own]));
    assert.equal(sent.length, 3);
    for (const one of sent) assert.ok(l2Norm([combined([one, own], [1, -1])]) > 0.1 * l2Norm([own]));
  });

  thorough('of noise have the label of each row in the span of what was sent', async () => {
    const given = run({ decoys: 'noise', optimizer: 'sgd', sent: 3 });
    const { records } = await runMasked(given);
    assert.equal((await labelsBySpan(given, records, (at) => records[at]!.sent)).value, 1);
    // Without the head: spans of rows with one label meet, and those of noise do not.
    assert.ok(auc(spansAlike(given, records)) > 0.9);
    const random = seeded(2);
    const noise = records.map((one) => ({ ...one, sent: one.sent.map((sent) => noiseLike(sent, bundle.dims.hiddenSize, random)) }));
    assert.ok(Math.abs(auc(spansAlike(given, noise)) - 0.5) < 0.1);
  });

  for (const [optimizer, always] of [
    ['adamw', it],
    ['sgd', thorough],
  ] as const)
    always(`of decoy labels are told by the next prompt of ${optimizer}, and not by one that says nothing`, async () => {
      const given = run({ decoys: 'labels', optimizer, sent: 3 });
      const seen = await runMasked(given);
      const { records, steps } = seen;
      const inSpan = (cotangents: (at: number) => readonly Float32Array[]) => labelsBySpan(given, records, cotangents);
      assert.ok((await inSpan((at) => records[at]!.sent)).value < 0.8);
      const rebuilt = rebuiltCotangents(given, seen);
      assert.equal((await inSpan((at) => [rebuilt[at]!])).value, 1);
      const blind = rebuiltCotangents(given, { ...seen, steps: steps.map((step) => ({ ...step, after: step.after.slice().reverse() })) });
      assert.ok((await inSpan((at) => [blind[at]!])).value < 0.8);
    });
});
