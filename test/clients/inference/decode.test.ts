/**
 * Generation over decode sessions: the tokens of whole sequences, whatever happens to streams and sessions on the way. Most tests have a
 * decoder that runs whole sequences itself, so that a test may look into it; the last ones have the backbone's own.
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
import { depth, every, thorough } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { maxRelativeError } from '../../support/packed-model.js';
import { startTapProxy, type TapProxy } from '../../support/tap-proxy.js';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../../support/test-gateway.js';
import { type WholeSequenceSource, wholeSequenceDecoder } from '../../support/whole-sequence-decoder.js';

const PROMPTS = ['The pump lost pressure', 'A valve', 'The report says that the third sensor'];

type Cut = Parameters<typeof packedFixture>[1];

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
    { cut = {}, options = {}, own = false }: { cut?: Cut; options?: TestGatewayOptions['start']; own?: boolean } = {},
  ): Promise<[SplitModel, SplitModel]> {
    const { backboneDir, bundleDir } = await packedFixture(fixture, cut);
    const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    closing.push(() => bundle.close());
    decoder = wholeSequenceDecoder();
    gateway = await startTestGateway({
      backboneDir,
      // A turn of decoding has a worker's place, and the test's decoder needs another.
      start: { workers: own ? 1 : 2, insecure: !own, ...options },
      ...(!own && { decoder: decoder.source }),
    });
    const plain = await startTestGateway({ backboneDir, start: { insecure: true, decodeMemory: 0 } });
    closing.push(
      () => gateway.close(),
      () => plain.close(),
    );
    tap = await startTapProxy(gateway.gateway.listen);
    closing.push(() => tap.close());
    const models = await Promise.all(
      [
        { address: tap.address, token: await gateway.token(), ...(own ? { ca: gateway.ca.toString() } : { insecure: true }) },
        { address: plain.gateway.listen, token: await plain.token(), insecure: true },
      ].map(async (options) => {
        const connection: Connection = await connect({ ...options, retry: { initialDelayMs: 1, maxDelayMs: 20 } });
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
    { prompts = PROMPTS, n = 1, onPiece = (): unknown => undefined, draftTokens = 16 } = {},
  ): Promise<readonly (readonly number[])[]> {
    const { tokenizer } = model.bundle;
    const asked = prompts.flatMap((text) =>
      Array.from({ length: n }, (_, number) => ({ ids: [...tokenizer.leading, ...tokenizer.encode(text)], options, number })),
    );
    const ids = asked.map((): number[] => []);
    for await (const { index, token } of continueAll(model, adapter, asked, { draftTokens })) {
      if (token !== undefined) ids[index]!.push(token.id);
      onPiece();
    }
    return ids;
  }
  const greedy: Settings = { maxNewTokens: 8, temperature: 0 };
  const seeded: Settings = { maxNewTokens: 8, temperature: 1, seed: 5 };
  const metrics = async (): Promise<string> => (await fetch(`http://${gateway.gateway.admin}/metrics`)).text();
  const idle = async (): Promise<void> => {
    while (decoder.lanes.size > 0) await delay(2);
  };

  for (const own of depth([false, true], [true])) {
    it(`gives the tokens of whole sequences, bare and with adapters (${own ? "the backbone's decoder" : "the test's decoder"})`, async () => {
      const [model, plain] = await start('llama-tiny', { own });
      const { bundle } = model;
      const adapters: readonly (Adapter | undefined)[] = every(2, [
        undefined,
        Prefix.create(bundle, 4, { seed: 1 }),
        await SoftPrompt.create(bundle, 4, { init: 'TEXT', text: 'The pump lost pressure' }),
        await createAdapter({ bundle }, 'lora', { targets: ['lm_head'] }),
        await createAdapter({ bundle }, 'trainable-tokens', { tokens: ['p', 'v'] }),
      ]);
      for (const adapter of adapters) {
        decoder.runs.length = 0;
        assert.deepEqual(await texts(model, adapter, greedy), await texts(plain, adapter, greedy));
        assert.deepEqual(await texts(model, adapter, seeded, { n: 2 }), await texts(plain, adapter, seeded, { n: 2 }));
        if (!own) assert.ok(decoder.runs.length > 20, 'it was decoded');
        await idle();
      }
      assert.match(await metrics(), /cutlayer_decode_limit_bytes 1073741824/);
      if (!own) return;
      assert.match(await metrics(), /cutlayer_rows_total\{method="Decode",tenant="acme"\} [1-9]/);
      while (!(await metrics()).includes('cutlayer_decode_sessions 0')) await delay(5);
    });
  }

  thorough('computes each token once, a prompt of several continuations once, and steps all of them together', async () => {
    const [model] = await start('llama-tiny');
    await texts(model, undefined, { ...seeded, maxNewTokens: 6 }, { prompts: PROMPTS.slice(0, 1), n: 4, draftTokens: 0 });
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
    const [model, plain] = await start('llama-tiny', { cut: { bottom: 1, top: 1 } });
    const lora = await createAdapter({ bundle: model.bundle }, 'lora', {});
    for (const adapter of [undefined, lora]) assert.deepEqual(await texts(model, adapter, greedy), await texts(plain, adapter, greedy));
    assert.equal(decoder.runs.length, 0);
  });

  thorough('goes on with whole sequences when the gateway has too little memory for a session', async () => {
    const [model, plain] = await start('llama-tiny', { options: { decodeMemory: '2KiB' } });
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

  thorough('goes on when its streams break, again and again', async () => {
    const [model, plain] = await start('llama-tiny');
    let pieces = 0;
    const onPiece = (): void => {
      if (++pieces % 7 === 0) tap.sever();
    };
    const options = { ...greedy, maxNewTokens: 20 };
    assert.deepEqual(await texts(model, undefined, options, { onPiece, draftTokens: 0 }), await texts(plain, undefined, options));
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

  const logits: readonly (readonly [fixture: string, own: boolean])[] = [
    ['gpt2-tiny', false],
    ['gemma3_text-tiny', true],
    ['qwen3-tiny', true],
    ['gpt2-tiny', true],
  ];
  for (const [fixture, own] of depth(logits, logits.slice(-1))) {
    it(`gives the logits of ${fixture} at every length, after rollbacks and in forks (${own ? "the backbone's decoder" : "the test's decoder"})`, async () => {
      const [model, plain] = await start(fixture, { own });
      const ids = Array.from({ length: 20 }, (_, n) => (n * 37 + 11) % model.bundle.vocabSize);
      const adapters = [
        undefined,
        await SoftPrompt.create(model.bundle, 3, { init: 'RANDOM', seed: 1 }),
        Prefix.create(model.bundle, 3, { seed: 1 }),
      ];
      for (const adapter of adapters) {
        const parts = (await adapter?.parts()) ?? {};
        const whole = (tokens: readonly number[]) =>
          plain.nextLogits(makeBatch([{ tokenIds: Int32Array.from(tokens), labelMask: new Uint8Array(tokens.length) }]), parts);
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
