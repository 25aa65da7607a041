/** Histograms, the dashboard's queries, and spans, of one gateway that trains and decodes nothing. */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, type ContextManager, context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { packageRoot } from '../../src/files/package-root.js';
import { encodeTensor } from '../../src/protocol/wire/tensor-codec.js';
import { MAX_TENANT_LABELS, TenantLabels } from '../../src/server/observability/tenant-labels.js';
import { callerContext } from '../../src/server/observability/traces.js';
import { f32 } from '../../src/tensor/tensor.js';
import { bearer, splitCalls, startTestGateway, type TestGateway } from '../support/test-gateway.js';

/** Carries the context over awaits, as the SDK for Node does. */
class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active = (): Context => this.#storage.getStore() ?? ROOT_CONTEXT;
  with: ContextManager['with'] = (of, run, self, ...args) => this.#storage.run(of, () => run.call(self!, ...args));
  bind: ContextManager['bind'] = (_, target) => target;
  enable = (): this => this;
  disable = (): this => this;
}

const TRACE = 'a'.repeat(32);
const CALLER = 'b'.repeat(16);

describe('the work of a gateway', () => {
  const exporter = new InMemorySpanExporter();
  let running: TestGateway;
  let metrics: string;
  before(async () => {
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    context.setGlobalContextManager(new Contexts());
    running = await startTestGateway();
    const calls = splitCalls(running.connect());
    const metadata = bearer(await running.token());
    metadata.set('traceparent', `00-${TRACE}-${CALLER}-01`);
    const backboneDigest = running.gateway.backboneDigest;
    const rows = (count: number) => encodeTensor(f32([count, 8], new Float32Array(count * 8).fill(0.1)), 'f32');
    const hiddenStates = encodeTensor(f32([1, 4, 8], new Float32Array(32).fill(0.1)), 'f32');
    const request = {
      stepId: 's',
      backboneDigest,
      hiddenStates,
      lengths: [4],
      softPrompt: rows(2),
      positions: [0, 1, 2, 3],
      training: true,
    };
    await calls.forward(request, metadata);
    await calls.backward({ stepId: 's', cotangent: rows(4) }, metadata);
    metrics = await (await fetch(`http://${running.gateway.admin}/metrics`)).text();
  });
  after(async () => {
    await running.close();
    trace.disable();
    context.disable();
  });

  it('is in histograms: waiting, computing, sizes, the wire; and its residuals are counted', () => {
    for (const line of [
      'cutlayer_queue_seconds_count{tenant="acme"} 2',
      'cutlayer_compute_seconds_count{op="forward",tenant="acme"} 1',
      'cutlayer_compute_seconds_count{op="vjp",tenant="acme"} 1',
      'cutlayer_transfer_seconds_count{method="Forward",direction="receive"} 1',
      'cutlayer_transfer_seconds_count{method="Forward",direction="send"} 1',
      'cutlayer_residual_hits 1',
      'cutlayer_recomputes 0',
    ])
      assert.ok(
        metrics.includes(`${line}\n`),
        `${line} in\n${metrics.match(/^cutlayer_\w*(seconds_count|hits|recomputes).*$/gm)?.join('\n')}`,
      );
  });

  it('is what the dashboard asks for: every metric of a query is there', () => {
    const file = join(packageRoot(), 'docs', 'grafana', 'cutlayer-gateway.json');
    const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { panels: { targets: { expr: string }[] }[] };
    const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const asked = new Set(queries.flatMap((expr) => expr.match(/\bcutlayer_\w+/g) ?? []));
    const types = [...metrics.matchAll(/^# TYPE (\S+) (\w+)$/gm)].flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`] : [name],
    );
    // A gateway with an audit log has these too: server.test.ts reads one.
    const audit = ['cutlayer_audit_failing', 'cutlayer_audit_waiting', 'cutlayer_audit_entries'];
    assert.ok(asked.size > 20);
    assert.deepEqual(
      [...asked].filter((name) => !types.includes(name) && !audit.includes(name)),
      [],
    );
  });

  it('has spans of call, queue and compute, in the trace of the caller', () => {
    const spans = exporter.getFinishedSpans();
    const forward = spans.find(({ name }) => name === 'Forward')!;
    assert.equal(forward.spanContext().traceId, TRACE);
    assert.equal(forward.parentSpanContext?.spanId, CALLER);
    assert.equal(forward.attributes['cutlayer.tenant'], 'acme');
    assert.equal(forward.status.code, SpanStatusCode.UNSET);
    const inner = spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === forward.spanContext().spanId);
    assert.deepEqual(inner.map(({ name }) => name).sort(), ['compute', 'queue']);
    assert.equal(inner.find(({ name }) => name === 'compute')?.attributes['cutlayer.op'], 'forward');
    assert.doesNotMatch(JSON.stringify(spans.map(({ attributes }) => attributes)), /Bearer|eyJ/);
  });

  it('takes a caller without a right traceparent for one without', () => {
    for (const header of [
      undefined,
      '',
      'x',
      `ff-${TRACE}-${CALLER}-01`,
      `00-${'0'.repeat(32)}-${CALLER}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
    ])
      assert.equal(trace.getSpanContext(callerContext(header)), undefined, header);
  });

  it('has labels of a bounded number of tenants', () => {
    const labels = new TenantLabels();
    const given = new Set(Array.from({ length: 1000 }, (_, n) => labels.of(`t${n}`)));
    assert.equal(given.size, MAX_TENANT_LABELS + 1);
    assert.equal(labels.of('t0'), 't0');
    assert.equal(labels.of('t999'), '(other)');
    assert.equal(labels.of(''), '');
  });
});
