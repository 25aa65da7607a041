/** A version is promoted, and another rolled back to, while the endpoint answers: no request is lost, and later ones get it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Improvement, rollBack } from '../../../clients/typescript/improvement/improvement.js';
import type { TrainingTask } from '../../../clients/typescript/improvement/trainer.js';
import { type Adapter, type ClientBundle, generate, SoftPrompt } from '../../../clients/typescript/index.js';
import { thorough } from '../../support/exhaustive.js';
import { type ServingRig, startServingRig } from '../../support/serving-rig.js';
import { FakeTrainer } from '../improvement/fake-trainer.js';

/** Its adapters are real ones: the first, and what training gives. */
class RealAdapters extends FakeTrainer {
  readonly #first: Adapter;
  readonly #trained: Adapter;

  constructor(first: Adapter, trained: Adapter) {
    super();
    this.#first = first;
    this.#trained = trained;
  }

  override async first(dir: string): Promise<void> {
    await this.#first.save(dir);
    await super.first(dir);
  }

  override async train(task: TrainingTask): Promise<string | undefined> {
    await this.#trained.save(join(task.runDir, 'adapter'));
    return super.train(task);
  }
}

/** An answer, and how many changes had been made when its request began and when it ended. */
interface Answer {
  readonly text: string;
  readonly began: number;
  readonly ended: number;
}

describe('a promotion while the endpoint answers', () => {
  let dir: string;
  let rig: ServingRig | undefined;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-promotion-'));
  });
  after(async () => {
    await rig?.close();
    await rm(dir, { recursive: true, force: true });
  });

  thorough('loses no request: each gets the version of its time, later ones the promoted one, also after a way back', async () => {
    rig = await startServingRig({ serving: { adapters: [], folder: dir } });
    const { openai, bundle, model } = rig;
    const adapter = (seed: number) => SoftPrompt.create(bundle as ClientBundle, 4, { init: 'SAMPLE_VOCAB', seed });
    const versions = [await adapter(3), await adapter(9)] as const;
    const prompt = 'The pump';
    const expected = await Promise.all(
      versions.map(async (own) => {
        let text = '';
        for await (const piece of generate(model, own, prompt, { maxNewTokens: 6 })) text += piece;
        return text;
      }),
    );
    assert.notEqual(expected[0], expected[1]);

    const state = join(dir, 'tickets');
    const rule = { heldOutShare: 0.5, minRating: 4, everyMs: undefined, minNew: 1 };
    const bounds = { maxExamples: 100, rehearsal: 0, maxForgetting: 1, seed: 1, now: () => 7 };
    const improvement = await Improvement.open({ dir: state, trainer: new RealAdapters(...versions), ...rule, ...bounds });
    let changes = 0;
    let asking = true;
    const answers: Answer[] = [];
    const settings = { model: 'tickets', prompt, temperature: 0, max_tokens: 6 };
    const asks = [
      async () => (await openai.completions.create(settings)).choices[0]!.text,
      async () => {
        let text = '';
        for await (const { choices } of await openai.completions.create({ ...settings, stream: true })) text += choices[0]?.text ?? '';
        return text;
      },
    ];
    const streams = asks.map(async (ask) => {
      while (asking) {
        const began = changes;
        answers.push({ text: await ask(), began, ended: changes });
      }
    });
    /** Goes on when so many more requests have been answered. */
    const answered = async (more: number) => {
      const enough = answers.length + more;
      while (answers.length < enough) await Promise.race([setImmediate(), ...streams.map((stream) => stream.then(() => setImmediate()))]);
    };
    try {
      await answered(6);
      const lines = Array.from({ length: 30 }, (_, n) => JSON.stringify({ prompt: `note ${n}`, completion: 'pump' }));
      await improvement.admit(lines);
      assert.equal((await improvement.run(new AbortController().signal))?.promote, true);
      changes = 1;
      await answered(6);
      await improvement.close();
      assert.equal(await rollBack(state, 0, () => 8), 1);
      changes = 2;
      await answered(6);
    } finally {
      asking = false;
      await Promise.all(streams);
    }
    const version = [0, 1, 0];
    for (const { text, began, ended } of answers) {
      // Between two changes one version alone is right; a request that one fell into may have either.
      if (began === ended && began > 0) assert.equal(text, expected[version[began]!]);
      assert.ok(expected.includes(text), text);
    }
    assert.equal(answers[0]!.text, expected[0]);
    assert.deepEqual([...new Set(answers.map(({ began }) => began))], [0, 1, 2]);
  });
});
