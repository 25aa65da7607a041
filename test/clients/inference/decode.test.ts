/**
 * Generation over decode sessions: the tokens of whole sequences, whatever happens to streams and
 * sessions on the way. Most tests have a decoder that runs whole sequences itself, so that a test
 * may look into it; the last ones have the backbone's own.
 */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { unlabelledBatch } from '../../../clients/typescript/data/batch.js';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  connect,
  continueAll,
  createAdapter,
  Prefix,
  SoftPrompt,
  type StepParts,
} from '../../../clients/typescript/index.js';
import { batchLimits } from '../../../clients/typescript/inference/batch-limits.js';
import { DecodeSession } from '../../../clients/typescript/inference/decode-session.js';
import { decodeSessions, type Growing } from '../../../clients/typescript/inference/next-logits.js';
import { BlockDecoders } from '../../../clients/typescript/model/block-decoders.js';
import { RemoteModel } from '../../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../../clients/typescript/model/split-model.js';
import { loadClientBundle } from '../../../src/artifacts/store.js';
import { CutlayerError } from '../../../src/errors.js';
import { concatRows } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { depth, every, thorough } from '../../support/exhaustive.js';
import { withoutDecodeGraphs } from '../../support/old-bundle.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { maxRelativeError } from '../../support/packed-model.js';
import { startTapProxy, type TapProxy } from '../../support/tap-proxy.js';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../../support/test-gateway.js';
import { type WholeSequenceSource, wholeSequenceDecoder } from '../../support/whole-sequence-decoder.js';

const PROMPTS = ['The pump lost pressure', 'A valve', 'The report says that the third sensor'];

/**
 * Families with learned positions, windows, two ropes, norms after blocks, caps, a rope that
 * switches.
 */
const heldCuts = (
  [
    ['gpt2-tiny', 1, 0],
    ['llama-tiny', 0, 1],
    ['mistral-tiny', 1, 1],
    ['gemma3_text-tiny', 1, 1],
    ['qwen3-tiny', 0, 2],
    ['phi3-longrope-tiny', 1, 1],
    ['gemma2-tiny', 1, 0],
    ['olmo2-tiny', 0, 1],
    ['gpt2-tiny', 0, 1],
    ['granite-tiny', 2, 1],
    ['mistral-tiny', 0, 1],
  ] as const
).map(([fixture, bottom, top]) => [fixture, true, { bottom, top }] as const);

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
    {
      cut = {},
      options = {},
      own = false,
      bundleDir,
    }: { cut?: Cut; options?: TestGatewayOptions['start']; own?: boolean; bundleDir?: string } = {},
  ): Promise<[SplitModel, SplitModel]> {
    const packed = await packedFixture(fixture, cut);
    const { backboneDir } = packed;
    const bundle = await ClientBundle.open(bundleDir ?? packed.bundleDir, { threads: 1 });
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
      const adapters: readonly (Adapter | undefined)[] = every(4, [
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

  it('gives the same rows from those that the gateway kept of an earlier prompt, to the same tenant alone', async () => {
    // A message has 64 rows, so that the first one wants none.
    const [model] = await start('llama3-tiny', { own: true, options: { maxTokens: 64 } });
    const ids = Array.from({ length: 80 }, (_, at) => (7 * at + 3) % model.bundle.vocabSize);
    const rowsAfter = async (of: SplitModel) => {
      const session = await DecodeSession.open(of, {}, { maxTokens: ids.length + 1 });
      const rows = [await session.append(ids), await session.append([5])];
      session.close();
      return rows;
    };
    const hits = async (): Promise<string> => /cutlayer_decode_cache_hits (\d+)/.exec(await metrics())![1]!;
    const computed = await rowsAfter(model);
    const token = await gateway.token({ tenant: 'other' });
    const connection = await connect({ address: tap.address, token, ca: gateway.ca.toString() });
    closing.push(() => connection.close());
    assert.deepEqual(await rowsAfter(new SplitModel(model.bundle, new RemoteModel(connection))), computed);
    assert.equal(await hits(), '0');
    assert.deepEqual(await rowsAfter(model), computed);
    assert.equal(await hits(), '1');
    assert.match(await metrics(), /cutlayer_decode_cached_rows 64/);
  });

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

  it('gives the tokens of whole sequences where the client holds blocks, trained ones too, after losses on both sides', async () => {
    const [model, plain] = await start('llama-tiny', { cut: { bottom: 1, top: 1 } });
    const { bundle } = model;
    const prompts = depth(PROMPTS, PROMPTS.slice(0, 2));
    const all: readonly (Adapter | undefined)[] = [
      await moved(await createAdapter({ bundle }, 'lora', {})),
      undefined,
      Prefix.create(bundle, 4, { seed: 1 }),
      await moved(await createAdapter({ bundle }, 'full', { targets: ['q_proj'] })),
      await SoftPrompt.create(bundle, 4, { init: 'TEXT', text: 'The pump lost pressure' }),
    ];
    const adapters = depth(all, all.slice(0, 1));
    for (const adapter of adapters) {
      decoder.runs.length = 0;
      decoder.onRun = (run) => {
        if (run % 7 === 6) throw new CutlayerError('WORKER_CRASHED', 'worker: gone');
      };
      assert.deepEqual(await texts(model, adapter, seeded, { n: 2, prompts }), await texts(plain, adapter, seeded, { n: 2, prompts }));
      assert.ok(decoder.runs.length > 5, 'it was decoded');
      const parts = (await adapter?.parts()) ?? {};
      const check = logitsCheck(model, plain, parts);
      const session = await DecodeSession.open(model, parts, { maxTokens: 20 });
      const loseAll = (): void => {
        decoder.onRun = () => {
          decoder.onRun = () => undefined;
          throw new CutlayerError('WORKER_CRASHED', 'worker: gone');
        };
      };
      await check(session, [5, 6, 7, 8, 9]);
      session.rollback(2);
      await check(session, [10, 11]);
      const fork = await session.fork();
      loseAll();
      await check(session, [12]);
      await check(fork, [13, 14]);
      loseAll();
      await check(fork, [15]);
      fork.close();
      session.close();
    }
    await idle();
    const lost = await bundle.decoders.decoder('top', 'frozen');
    const { append } = lost;
    let calls = 0;
    lost.append = (...call) =>
      ++calls === 6 ? Promise.reject(new CutlayerError('WORKER_CRASHED', 'worker: gone')) : append.apply(lost, call);
    assert.deepEqual(await texts(model, undefined, greedy), await texts(plain, undefined, greedy));
    assert.ok(calls > 6);
    const session = await DecodeSession.open(model, {}, { maxTokens: 20 });
    const check = logitsCheck(model, plain, {});
    lost.append = append;
    await check(session, [5, 6, 7]);
    lost.append = () => Promise.reject(new CutlayerError('OUT_OF_MEMORY', 'no memory'));
    await assert.rejects(session.append([8, 9]), { code: 'OUT_OF_MEMORY' });
    lost.append = append;
    await check(session, [10]);
    session.close();
    await idle();
  });

  thorough('sends whole sequences, and says how to change that, where a bundle that holds blocks has no graphs for decoding', async () => {
    const { bundleDir } = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    const old = await withoutDecodeGraphs(bundleDir);
    closing.push(() => rm(old, { recursive: true }));
    const [model, plain] = await start('llama-tiny', { cut: { bottom: 1, top: 1 }, bundleDir: old });
    assert.deepEqual(await texts(model, undefined, greedy), await texts(plain, undefined, greedy));
    assert.equal(decoder.runs.length, 0);
    assert.match(DecodeSession.note(model) ?? '', /whole sequence.*packs the checkpoint again/);
    assert.equal(DecodeSession.note(plain), undefined, 'the gateway does not decode either');
  });

  it('starts no thread for the blocks of a bundle that is closed', async () => {
    const { bundleDir } = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    const decoders = new BlockDecoders(await loadClientBundle(bundleDir), 1);
    const opening = decoders.decoder('top', 'frozen');
    await decoders.close();
    await assert.rejects((await opening).allocate(8), { code: 'UNAVAILABLE' });
    await assert.rejects(decoders.decoder('bottom', 'frozen'), { code: 'UNAVAILABLE' });
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

  it('computes the rows of a text once more where its rope switches, and drafts to there', async () => {
    const [model, plain] = await start('phi3-longrope-tiny', { own: true });
    const { counters, card } = model.remote.connection;
    const ids = Array.from({ length: 14 }, (_, n) => (n * 37 + 11) % model.bundle.vocabSize);
    const rowBytes = 4 * card.dims.hiddenSize;
    /**
     * Grows two texts, whose drafts are right; the logits that each step gave, and the rows sent.
     */
    const grown = async (from: number) => {
      const source = decodeSessions({ model, parts: {}, limits: batchLimits(model, undefined, {}) });
      const counts: number[] = [];
      const before = counters.bytesUp;
      for (let length = from; length < ids.length; length += counts.at(-1)!) {
        const drafted = { ids: ids.slice(0, length), draft: ids.slice(length, length + 2), maxTokens: 14 };
        const [rows, other] = await source.next(growing.map((text) => Object.assign(text, drafted)));
        assert.deepEqual(other, rows);
        for (const [at, row] of rows!.entries()) {
          const whole = await plain.nextLogits(unlabelledBatch([ids.slice(0, length + at)]), {});
          assert.ok(maxRelativeError(f32([1, row.length], row), whole) < 1e-5, `after ${length + at} tokens`);
        }
        counts.push(rows!.length);
      }
      source.close();
      return { counts, rows: (counters.bytesUp - before) / rowBytes };
    };
    const growing: Growing[] = [0, 1].map(() => ({ ids: [], draft: [], maxTokens: 14 }));
    assert.deepEqual([card.maxDecodeRows, card.maxLongDecodeRows], [8, 64]);
    // The prompt once, then per text one step to the switch, all rows beyond it, and steps.
    assert.deepEqual(await grown(6), { counts: [1, 2, 3, 3], rows: 6 + 2 * (2 + 11 + 3) });
    assert.deepEqual(await grown(10), { counts: [1, 3], rows: 10 + 2 * 3 });
    // A gateway whose backbone has been packed before: whole sequences from the switch on.
    Object.assign(card, { maxLongDecodeRows: 0 });
    assert.deepEqual((await grown(6)).counts, [1, 2, 1, 1, 1, 1, 1]);
  });

  const logits: readonly (readonly [fixture: string, own: boolean, cut?: Cut])[] = [
    ['gpt2-tiny', false],
    ['gemma3_text-tiny', true],
    ['qwen3-tiny', true],
    ['gpt2-tiny', false, { bottom: 1, top: 1 }],
    ...every(5, heldCuts),
    ['gpt2-tiny', true],
  ];
  for (const [fixture, own, cut = {}] of depth(logits, logits.slice(-1))) {
    const blocks = cut.bottom || cut.top ? `, cut at ${cut.bottom ?? 0} and ${cut.top ?? 0},` : '';
    it(`gives the logits of ${fixture}${blocks} at every length, after rollbacks and in forks (${own ? "the backbone's decoder" : "the test's decoder"})`, async () => {
      const [model, plain] = await start(fixture, { own, cut });
      const { bundle } = model;
      const ids = Array.from({ length: 60 }, (_, n) => (n * 37 + 11) % bundle.vocabSize);
      const adapters = [
        undefined,
        await SoftPrompt.create(bundle, 3, { init: 'RANDOM', seed: 1 }),
        Prefix.create(bundle, 3, { seed: 1 }),
        ...(blocks === '' ? [] : [await moved(await createAdapter({ bundle }, 'full', {}))]),
      ];
      // A rope that switches has its whole sequences in two batches each time, and switches in few.
      const switches = model.remote.connection.card.maxLongDecodeRows > 0;
      const longest = Math.min(depth(40, switches ? 20 : 40), DecodeSession.longest(model, {})) - 3;
      for (const adapter of adapters) {
        const parts = (await adapter?.parts()) ?? {};
        const session = await DecodeSession.open(model, parts, { maxTokens: longest });
        const check = logitsCheck(model, plain, parts);
        const first = Math.min(9, longest - 2);
        await check(session, ids.slice(0, first));
        for (const id of ids.slice(first, first + 2)) await check(session, [id]);
        session.rollback(first - 2);
        await check(session, ids.slice(12, 13));
        const fork = await session.fork();
        await check(fork, ids.slice(13, 15));
        await check(session, ids.slice(15, 15 + longest - first + 1));
        await check(fork, ids.slice(20, 21));
        fork.close();
        session.close();
      }
      await idle();
    });
  }
});

/**
 * Appends tokens to a session, and compares the logits after each with those of whole sequences.
 */
function logitsCheck(model: SplitModel, plain: SplitModel, parts: StepParts) {
  return async (session: DecodeSession, tokens: readonly number[]): Promise<void> => {
    const before = session.ids.length;
    const logits = await model.bundle.logits(await session.append(tokens, tokens.length), parts);
    const sequences = tokens.map((_, row) => session.ids.slice(0, before + row + 1));
    // A rope that switches looks at the longest sequence of a batch.
    const short = model.remote.connection.card.maxDecodeRows - (parts.softPrompt?.shape[0] ?? parts.prefix?.shape[2] ?? 0);
    const batches = [sequences.filter(({ length }) => length <= short), sequences.filter(({ length }) => length > short)];
    const wholes: Tensor<'float32'>[] = [];
    for (const batch of batches) if (batch.length > 0) wholes.push(await plain.nextLogits(unlabelledBatch(batch), parts));
    assert.ok(maxRelativeError(logits, concatRows(wholes)) < 1e-5);
  };
}

/** An adapter whose parameters are no longer those that it begins with. */
async function moved(adapter: Adapter): Promise<Adapter> {
  for (const { value } of adapter.parameters) for (let at = 0; at < value.data.length; at++) value.data[at]! += 0.05 * Math.sin(at);
  return adapter;
}
