/**
 * Generation through a link of 40 ms round trip, with drafts and without. A regular
 * expression makes one text repeat itself. In the other, which is drawn, no run of tokens comes
 * again.
 */
import { dirname } from 'node:path';
import { connect, continueAll, DraftModel, RemoteModel, SplitModel } from '../clients/typescript/index.js';
import { ClientBundle } from '../clients/typescript/model/client-bundle.js';
import { startDelayProxy } from '../test/support/delay-proxy.js';
import { packedFixture } from '../test/support/packed-fixture.js';
import { startTestGateway } from '../test/support/test-gateway.js';
import { median } from './paired.js';
import type { Report } from './report.js';

const ROUND_TRIP_MS = 40;
/** With the prompt, all that the model has positions for. */
const TOKENS = 40;
const texts = {
  'that repeats itself': { temperature: 0, constraint: { kind: 'regex', pattern: '(no; ){40}' } },
  'of the most probable tokens': { temperature: 0 },
  'without runs that come again': { temperature: 4, topK: 0x7fffffff },
} as const;

/** Medians of `rounds` texts in turns, with drafts and without. */
export async function benchDrafts(report: Report, rounds: number): Promise<void> {
  const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
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
    const ids = Array.from({ length: 24 }, (_, at) => (7 * at + 13 * seed) % bundle.vocabSize);
    const options = { maxNewTokens: TOKENS, minTokens: TOKENS, seed, ...settings };
    let [began, tokens] = [0, 0];
    for await (const { token } of continueAll(by, undefined, [{ ids, options }], { draftTokens })) {
      if (token !== undefined && tokens++ === 0) began = performance.now();
    }
    return (performance.now() - began) / (tokens - 1);
  };
  try {
    for (const [what, settings] of Object.entries(texts)) {
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
