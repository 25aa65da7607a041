/**
 * Generation through a link of 40 ms round trip, with drafts and without. Texts of an untrained
 * model: a regular expression makes one repeat itself, and in another, which is drawn, no run of
 * tokens comes again. The demo's trained model answers a note by the reply that its prompt has.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { connect, continueAll, DraftModel, RemoteModel, SplitModel } from '../clients/typescript/index.js';
import { ClientBundle } from '../clients/typescript/model/client-bundle.js';
import { pack } from '../src/compiler/pack/pack.js';
import { packageRoot } from '../src/files/package-root.js';
import { startDelayProxy } from '../test/support/delay-proxy.js';
import { type PackedFixture, packedFixture, packedOnce } from '../test/support/packed-fixture.js';
import { startTestGateway } from '../test/support/test-gateway.js';
import { median } from './paired.js';
import type { Report } from './report.js';

const ROUND_TRIP_MS = 40;
/** With the prompt, all that the untrained model has positions for. */
const TOKENS = 40;
/** Notes with their replies in a prompt of the trained model. */
const NOTES = 4;
const longest = { maxNewTokens: TOKENS, minTokens: TOKENS };

const texts = {
  'that repeats itself': { temperature: 0, constraint: { kind: 'regex', pattern: '(no; ){40}' }, ...longest },
  'of the most probable tokens': { temperature: 0, ...longest },
  'without runs that come again': { temperature: 4, topK: 0x7fffffff, ...longest },
} as const;
/** It ends where the model ends it. */
const extracted = { 'that the prompt has': { temperature: 0, maxNewTokens: TOKENS } } as const;

/** The ids of a round's prompt. */
type PromptOf = (bundle: ClientBundle, round: number) => readonly number[];

/** Medians of `rounds` texts in turns, with drafts and without. */
export async function benchDrafts(report: Report, rounds: number): Promise<void> {
  await benchModel(report, rounds, await packedFixture('llama-tiny'), texts, ({ vocabSize }, round) =>
    Array.from({ length: 24 }, (_, at) => (7 * at + 13 * round) % vocabSize),
  );
  const checkpointDir = join(packageRoot(), 'demo/backbone/checkpoint');
  const trained = await packedOnce('bench-trained', (outDir) => pack({ checkpointDir, outDir, bottom: 0, top: 0 }));
  const lines = (await readFile(join(packageRoot(), 'demo/data/reply-train.jsonl'), 'utf8')).split('\n', (rounds + 1) * NOTES);
  const rows = lines.map((line) => JSON.parse(line) as { readonly prompt: string; readonly completion: string });
  await benchModel(report, rounds, trained, extracted, ({ tokenizer }, round) => {
    const answered = rows.slice(round * NOTES, (round + 1) * NOTES);
    const text = answered.map(({ prompt, completion }) => `${prompt}${completion}</s>`).join('');
    return tokenizer.encode(`${text}${answered[round % NOTES]!.prompt}`);
  });
}

async function benchModel(
  report: Report,
  rounds: number,
  { backboneDir, bundleDir }: PackedFixture,
  settingsOf: Readonly<Record<string, object>>,
  promptOf: PromptOf,
): Promise<void> {
  const gateway = await startTestGateway({ backboneDir, start: { insecure: true } });
  const proxy = await startDelayProxy(Number(gateway.gateway.listen.split(':').at(-1)), ROUND_TRIP_MS / 2);
  const bundle = await ClientBundle.open(bundleDir);
  const connection = await connect({ address: `127.0.0.1:${proxy.port}`, token: await gateway.token(), insecure: true });
  const model = new SplitModel(bundle, new RemoteModel(connection));
  // The model itself, in this process.
  const drafter = await DraftModel.open(dirname(bundleDir), bundle);
  const withDrafter = new SplitModel(bundle, new RemoteModel(connection), drafter);
  /** Milliseconds of a token, the prompt's step left out. */
  const perToken = async (settings: object, seed: number, draftTokens: number, by = model): Promise<number> => {
    const prompt = { ids: promptOf(bundle, seed), options: { seed, ...settings } };
    let [began, tokens] = [0, 0];
    for await (const { token } of continueAll(by, undefined, [prompt], { draftTokens })) {
      if (token !== undefined && tokens++ === 0) began = performance.now();
    }
    return (performance.now() - began) / (tokens - 1);
  };
  try {
    for (const [what, settings] of Object.entries(settingsOf)) {
      await perToken(settings, 0, 0);
      const times: { plain: number[]; drafted: number[]; modelled: number[] } = { plain: [], drafted: [], modelled: [] };
      for (let round = 1; round <= rounds; round++) {
        times.plain.push(await perToken(settings, round, 0));
        times.drafted.push(await perToken(settings, round, 16));
        times.modelled.push(await perToken(settings, round, 16, withDrafter));
      }
      const plain = median(times.plain);
      for (const [by, drafted] of [
        ['', median(times.drafted)],
        [', by the model itself', median(times.modelled)],
      ] as const)
        report.add(`drafts: a text ${what}${by}, ${ROUND_TRIP_MS} ms round trip`, drafted, 'ms a token', {
          baseline: `${plain.toFixed(1)} ms without drafts`,
          ratio: plain / drafted,
        });
    }
  } finally {
    connection.close();
    await drafter.close();
    await bundle.close();
    await proxy.close();
    await gateway.close();
  }
}
