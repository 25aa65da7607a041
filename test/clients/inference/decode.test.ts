/**
 * Generation over decode sessions: the tokens of whole sequences, whatever happens to streams and sessions on the way. The gateway's
 * decoder here runs whole sequences itself, so what is tested is all that lies above it.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { makeBatch } from '../../../clients/typescript/data/batch.js';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  connect,
  continueAll,
  createAdapter,
  Prefix,
  SoftPrompt,
} from '../../../clients/typescript/index.js';
import { DecodeSession } from '../../../clients/typescript/inference/decode-session.js';
import { RemoteModel } from '../../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../../clients/typescript/model/split-model.js';
import { CutlayerError } from '../../../src/errors.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { maxRelativeError } from '../../support/packed-model.js';
import { startTapProxy, type TapProxy } from '../../support/tap-proxy.js';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../../support/test-gateway.js';
import { type WholeSequenceSource, wholeSequenceDecoder } from '../../support/whole-sequence-decoder.js';

const PROMPTS = ['The pump lost pressure', 'A valve', 'The report says that the third sensor'];

describe('generation over decode sessions', () => {
  let decoder: WholeSequenceSource;
  let gateway: TestGateway;
  let tap: TapProxy;
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** A model behind a gateway that decodes, and behind one that does not. */
  async function start(
    fixture: string,
    cut = { bottom: 0, top: 0 },
    start: TestGatewayOptions['start'] = {},
  ): Promise<[SplitModel, SplitModel]> {
    const { backboneDir, bundleDir } = await packedFixture(fixture, cut);
    const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    closing.push(() => bundle.close());
    decoder = wholeSequenceDecoder();
    // A turn of decoding has a worker's place, and this decoder needs another.
    gateway = await startTestGateway({ backboneDir, start: { workers: 2, insecure: true, ...start }, decoder: decoder.source });
    const plain = await startTestGateway({ backboneDir, start: { insecure: true } });
    closing.push(
      () => gateway.close(),
      () => plain.close(),
    );
    tap = await startTapProxy(gateway.gateway.listen);
    closing.push(() => tap.close());
    const models = await Promise.all(
      [
        { address: tap.address, token: await gateway.token() },
        { address: plain.gateway.listen, token: await plain.token() },
      ].map(async (options) => {
        const connection: Connection = await connect({ ...options, insecure: true, retry: { initialDelayMs: 1, maxDelayMs: 20 } });
        closing.push(() => connection.close());
        return new SplitModel(bundle, new RemoteModel(connection));
      }),
    );
    return models as [SplitModel, SplitModel];
  }

  type Settings = NonNullable<Parameters<typeof continueAll>[2]>[number]['options'];

  /** The tokens of each prompt's continuation. */
  async function texts(
    model: SplitModel,
    adapter: Adapter | undefined,
    options: Settings,
    { prompts = PROMPTS, n = 1, onPiece = (): unknown => undefined } = {},
  ): Promise<readonly (readonly number[])[]> {
    const { tokenizer } = model.bundle;
    const asked = prompts.flatMap((text) =>
      Array.from({ length: n }, (_, number) => ({ ids: [...tokenizer.leading, ...tokenizer.encode(text)], options, number })),
    );
    const ids = asked.map((): number[] => []);
    for await (const { index, token } of continueAll(model, adapter, asked)) {
      if (token !== undefined) ids[index]!.push(token.id);
      onPiece();
    }
    return ids;
  }
  const greedy: Settings = { maxNewTokens: 12, temperature: 0 };
  const seeded: Settings = { maxNewTokens: 12, temperature: 1, seed: 5 };
  const idle = async (): Promise<void> => {
    while (decoder.lanes.size > 0) await delay(2);
  };

  it('gives the tokens of whole sequences: bare, with a soft prompt, a prefix, trained tokens and a LoRA head', async () => {
    const [model, plain] = await start('llama-tiny');
    const { bundle } = model;
    const adapters: readonly (Adapter | undefined)[] = [
      undefined,
      await SoftPrompt.create(bundle, 4, { init: 'TEXT', text: 'The pump lost pressure' }),
      Prefix.create(bundle, 4, { seed: 1 }),
      await createAdapter({ bundle }, 'trainable-tokens', { tokens: ['p', 'v'] }),
      await createAdapter({ bundle }, 'lora', { targets: ['lm_head'] }),
    ];
    for (const adapter of adapters) {
      decoder.runs.length = 0;
      assert.deepEqual(await texts(model, adapter, greedy), await texts(plain, adapter, greedy));
      assert.deepEqual(await texts(model, adapter, seeded, { n: 2 }), await texts(plain, adapter, seeded, { n: 2 }));
      assert.ok(decoder.runs.length > 20, 'it was decoded');
      await idle();
    }
  });

  it('computes each token once, a prompt of several continuations once, and steps all of them together', async () => {
    const [model] = await start('llama-tiny');
    await texts(model, undefined, { ...seeded, maxNewTokens: 6 }, { prompts: PROMPTS.slice(0, 1), n: 4 });
    const promptRows = [...model.bundle.tokenizer.leading, ...model.bundle.tokenizer.encode(PROMPTS[0]!)].length;
    assert.deepEqual(decoder.runs[0], [promptRows]);
    const steps = decoder.runs.slice(1);
    assert.ok(
      steps.every((run) => run.every((rows) => rows === 1)),
      JSON.stringify(decoder.runs),
    );
    const rows = steps.reduce((sum, run) => sum + run.length, 0);
    assert.ok(rows <= 4 * 5, `${rows} rows`);
    assert.ok(steps.length < rows, 'some ran together');
    await idle();
  });

  it('sends whole sequences where the client holds blocks, and where the gateway has no room', async () => {
    const [model, plain] = await start('llama-tiny', { bottom: 1, top: 1 });
    const lora = await createAdapter({ bundle: model.bundle }, 'lora', {});
    for (const adapter of [undefined, lora]) assert.deepEqual(await texts(model, adapter, greedy), await texts(plain, adapter, greedy));
    assert.equal(decoder.runs.length, 0);
  });

  it('goes on with whole sequences when the gateway has too little memory for a session', async () => {
    const [model, plain] = await start('llama-tiny', undefined, { decodeMemory: '2KiB' });
    assert.deepEqual(await texts(model, undefined, greedy), await texts(plain, undefined, greedy));
    assert.equal(decoder.lanes.size, 0);
  });

  it('replays sessions that the gateway has lost, exactly', async () => {
    const [model, plain] = await start('llama-tiny');
    const wanted = await texts(plain, undefined, greedy);
    decoder.onRun = (run) => {
      if (run === 7) throw new CutlayerError('WORKER_CRASHED', 'worker: gone');
    };
    const prefix = Prefix.create(model.bundle, 4, { seed: 1 });
    assert.deepEqual(await texts(model, undefined, greedy), wanted);
    decoder.onRun = (run) => {
      if (run % 9 === 8) throw new CutlayerError('WORKER_CRASHED', 'worker: gone');
    };
    assert.deepEqual(await texts(model, prefix, seeded, { n: 2 }), await texts(plain, prefix, seeded, { n: 2 }));
    await idle();
  });

  it('goes on when its streams break, again and again', async () => {
    const [model, plain] = await start('llama-tiny');
    let pieces = 0;
    const onPiece = (): void => {
      if (++pieces % 7 === 0) tap.sever();
    };
    const options = { ...greedy, maxNewTokens: 20 };
    assert.deepEqual(await texts(model, undefined, options, { onPiece }), await texts(plain, undefined, options));
    assert.ok(pieces >= 40);
    const rows = decoder.runs.flat().filter((count) => count > 1).length;
    assert.equal(rows, PROMPTS.length, 'sessions stay: no prompt is sent twice');
  });

  it('ends its sessions at once when the caller stops reading, and when its signal aborts', async () => {
    const [model] = await start('llama-tiny');
    const ids = model.bundle.tokenizer.encode(PROMPTS[0]!);
    const asked = [0, 1].map((number) => ({ ids, options: { ...seeded, maxNewTokens: 100 }, number }));
    for await (const { index } of continueAll(model, undefined, asked)) if (index === 1) break;
    await idle();
    const abort = new AbortController();
    let pieces = 0;
    await assert.rejects(async () => {
      for await (const _ of continueAll(model, undefined, asked, { signal: abort.signal })) if (++pieces === 5) abort.abort();
    });
    assert.ok(pieces <= 6);
    await idle();
    while (gateway.gateway.server.gauges().openStreams > 0) await delay(2);
  });

  for (const fixture of ['gpt2-tiny', 'gemma3_text-tiny']) {
    it(`gives the logits of ${fixture} at every length, after rollbacks and in forks, with virtual tokens too`, async () => {
      const [model] = await start(fixture);
      const ids = Array.from({ length: 20 }, (_, n) => (n * 37 + 11) % model.bundle.vocabSize);
      const adapters = [
        undefined,
        await SoftPrompt.create(model.bundle, 3, { init: 'RANDOM_UNIFORM', seed: 1 } as never).catch(() => undefined),
        Prefix.create(model.bundle, 3, { seed: 1 }),
      ];
      for (const adapter of adapters) {
        const parts = (await adapter?.parts()) ?? {};
        const whole = (tokens: readonly number[]) =>
          model.nextLogits(makeBatch([{ tokenIds: Int32Array.from(tokens), labelMask: new Uint8Array(tokens.length) }]), parts);
        const session = await DecodeSession.open(model, parts, { maxTokens: 40 });
        const check = async (of: DecodeSession, tokens: readonly number[]): Promise<void> => {
          const logits = await model.bundle.logits(await of.append(tokens), parts);
          assert.ok(maxRelativeError(logits, await whole(of.ids)) < 1e-5);
        };
        await check(session, ids.slice(0, 9));
        for (const id of ids.slice(9, 12)) await check(session, [id]);
        session.rollback(5);
        await check(session, ids.slice(12, 13));
        const fork = await session.fork();
        await check(fork, ids.slice(13, 15));
        await check(session, ids.slice(15, 18));
        fork.close();
        session.close();
      }
      await idle();
    });
  }
});
