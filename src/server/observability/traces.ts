/**
 * Spans of calls and of their work, by the API of OpenTelemetry alone. Without an SDK that the
 * operator loads, they cost nothing and go nowhere.
 * @see https://www.w3.org/TR/trace-context/ (the header traceparent)
 */
import { type Attributes, type Context, context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { CutlayerError } from '../../errors.js';

/** The header of a caller's span. */
export const TRACEPARENT_HEADER = 'traceparent';

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const tracer = () => trace.getTracer('cutlayer');

/** The context of a caller's span; that of none for a header of another form. */
export function callerContext(traceparent: string | undefined): Context {
  const match = FORM.exec(traceparent ?? '');
  if (match === null) return ROOT_CONTEXT;
  const [, version, traceId = '', spanId = '', flags = ''] = match;
  if (version === 'ff' || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true });
}

/** Runs a call in a span of its own, which ends with it. @throws what `run` throws */
export async function inCallSpan<T>(
  method: string,
  { traceparent, request }: { readonly traceparent: string | undefined; readonly request: string },
  run: (span: Span) => Promise<T>,
): Promise<T> {
  const caller = callerContext(traceparent);
  const attributes = { 'rpc.system': 'grpc', 'rpc.method': method, 'cutlayer.request': request };
  const span = tracer().startSpan(method, { kind: SpanKind.SERVER, attributes }, caller);
  try {
    return await context.with(trace.setSpan(caller, span), () => run(span));
  } catch (caught) {
    const { code } = CutlayerError.from(caught);
    span.setAttribute('cutlayer.code', code).setStatus({ code: SpanStatusCode.ERROR, message: code });
    throw caught;
  } finally {
    span.end();
  }
}

/** A span of work that has ended, inside the call's. @param from, to milliseconds since 1970 */
export function workSpan(name: string, from: number, to: number, attributes: Attributes): void {
  tracer()
    .startSpan(name, { startTime: new Date(from), attributes }, context.active())
    .end(new Date(to));
}
