/** Which graphs a gateway waits for at its start, and what becomes of a broken one that it did not wait for. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../../src/artifacts/digest.js';
import { type BackboneManifest, type SpanKind, spanKinds } from '../../../src/artifacts/manifest.js';
import type { BackboneArtifact } from '../../../src/artifacts/store.js';
import type { CutlayerError } from '../../../src/errors.js';
import { type BackboneEngine, createEngine, type EngineOptions } from '../../../src/gateway/engine/engine.js';
import { graphOrder } from '../../../src/gateway/engine/graph-order.js';
import type { AdapterInput } from '../../../src/gateway/engine/step-inputs.js';
import { createLogger, type Logger } from '../../../src/server/observability/log.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { checkInputs } from '../../support/checked-inputs.js';
import { startTestGateway } from '../../support/test-gateway.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const [hiddenSize, numLayers, P] = [8, 2, 3];

const zeros = (shape: readonly number[]): Tensor<'float32'> =>
  f32(shape, new Float32Array(shape.reduce((product, dim) => product * dim, 1)));

describe('order of opening graphs', () => {
  let artifact: BackboneArtifact;
  const open: BackboneEngine[] = [];
  const engine = async (options: Partial<EngineOptions> = {}): Promise<BackboneEngine> => {
    const opened = await createEngine({ artifact, workers: 1, threadsPerWorker: 1, ...options });
    open.push(opened);
    return opened;
  };
  const forward = async (opened: BackboneEngine, adapter: AdapterInput): Promise<readonly number[]> => {
    const inputs = { hiddenStates: zeros([1, 2, hiddenSize]), adapter, positions: BigInt64Array.of(1n) };
    const checked = checkInputs(inputs, artifact.manifest);
    return (await opened.forward({ tenant: 'acme', stepId: adapter.kind, inputs: checked, training: true })).shape;
  };
  const prompt: AdapterInput = { kind: 'softPrompt', value: zeros([P, hiddenSize]) };
  const prefix: AdapterInput = { kind: 'prefix', value: zeros([numLayers, 2, P, 2, hiddenSize / 2]) };
  /** A file that is no graph, as it was packed. */
  const breakForward = (kind: SpanKind): void => {
    const { dir, manifest } = artifact;
    const path = manifest.graphs[kind]!.forward.file;
    const bytes = Buffer.from('no graph');
    writeFileSync(join(dir, path), bytes);
    const broken = { path, bytes: bytes.length, sha256: sha256Hex(bytes) };
    const files = manifest.files.map((file) => (file.path === path ? broken : file));
    writeFileSync(join(dir, 'manifest.json'), JSON.stringify({ ...manifest, files }));
  };

  beforeEach(async () => {
    artifact = await tinyBackbone({ hiddenSize, numLayers });
  });
  afterEach(async () => {
    for (const opened of open.splice(0)) await opened.close();
  });

  it('is the forward of a soft prompt, then its vjp, then every other graph once', () => {
    const { first, later } = graphOrder(artifact.manifest);
    assert.deepEqual([first, later[0]], [['forward-softPrompt.onnx'], 'vjp-softPrompt.onnx']);
    const all = spanKinds.flatMap((kind) => [`forward-${kind}.onnx`, `infer-${kind}.onnx`, `vjp-${kind}.onnx`]);
    assert.deepEqual([...first, ...later].sort(), all.sort());
  });

  it('begins with the forward of another kind where there is none of a soft prompt', () => {
    const { none } = artifact.manifest.graphs;
    const graphs = { none } as BackboneManifest['graphs'];
    assert.deepEqual(graphOrder({ graphs }), { first: [none.forward.file], later: [none.vjp.file, none.infer.file] });
  });

  it('finds at the start that the forward of a soft prompt is broken', async () => {
    breakForward('softPrompt');
    await assert.rejects(engine(), { code: 'INVALID_ARTIFACT' });
  });

  for (const workers of [1, 2]) {
    it(`finds another broken graph later, says so once, and refuses calls of that kind alone, with ${workers} workers`, async () => {
      breakForward('prefix');
      const told: [string, CutlayerError][] = [];
      const events = new EventEmitter();
      const heard = once(events, 'told');
      const onBrokenGraph = (...given: [string, CutlayerError]): void => void events.emit('told', told.push(given));
      const opened = await engine({ workers, onBrokenGraph });
      await heard;
      for (let call = 0; call < 2 * workers; call++) {
        await assert.rejects(forward(opened, prefix), { code: 'INVALID_ARTIFACT', message: told[0]![1].message });
      }
      assert.deepEqual(await forward(opened, prompt), [1, hiddenSize]);
      await opened.close();
      assert.deepEqual(
        told.map(([graph, { code }]) => [graph, code]),
        [['forward-prefix.onnx', 'INVALID_ARTIFACT']],
      );
    });
  }

  it('waits for every graph when told to', async () => {
    breakForward('prefix');
    await assert.rejects(engine({ warm: true }), { code: 'INVALID_ARTIFACT' });
  });

  it('is followed by a gateway, whose log names a graph that it finds broken later', async () => {
    breakForward('none');
    const silent = createLogger({ level: 'silent' });
    const events = new EventEmitter();
    const said = once(events, 'said');
    const log = Object.assign(Object.create(silent) as Logger, { error: (...line: unknown[]) => events.emit('said', ...line) });
    const started = await startTestGateway({ backboneDir: artifact.dir, warm: true, log });
    const [{ graph, err }, text] = (await said) as [{ readonly graph: string; readonly err: CutlayerError }, string];
    await started.close();
    assert.deepEqual([graph, err.code], ['forward-none.onnx', 'INVALID_ARTIFACT']);
    assert.match(text, /^graph: it cannot be opened, and calls that need it are refused/);
  });
});
