/** What `GET /v1/admin/load` answers, as a schema. The page of `/admin` reads the same. */
import { z } from 'zod';

/** The series that are kept, each with what a point of it is. */
export const seriesTexts = {
  forward: 'rows of forwards, per second',
  backward: 'rows of vjps, per second',
  decoded: 'rows of decode sessions, per second',
  answered: 'calls and streams that ended well, per second',
  refused: 'calls and streams that ended otherwise, per second',
  bytesIn: 'bytes of requests of ended calls, per second',
  bytesOut: 'bytes of their answers, per second',
  inFlight: 'calls and streams in flight',
  queued: 'jobs that wait for a worker',
  memoryBytes: 'bytes of calls, running jobs and kept steps',
  decodeSessions: 'decode sessions',
} as const;

/** A key of {@link seriesTexts}. */
export type SeriesName = keyof typeof seriesTexts;

/** The names, in their order. */
export const seriesNames = Object.keys(seriesTexts) as readonly SeriesName[];

/** The spans of time that are kept. */
export const spanNames = ['hour', 'day'] as const;

/** One of {@link spanNames}. */
export type SpanName = (typeof spanNames)[number];

const amount = z.number().min(0);

/** The state of a gateway now. */
const nowSchema = z.strictObject({
  status: z.enum(['serving', 'draining']),
  model: z.string(),
  inFlightCalls: amount,
  maxInFlight: amount,
  openStreams: amount,
  connections: amount,
  maxConnections: amount,
  queued: amount,
  queueLimit: amount,
  running: amount,
  workers: amount,
  keptSteps: amount,
  callBytes: amount,
  workBytes: amount,
  keptBytes: amount.describe('residuals and inputs of kept steps'),
  memoryLimitBytes: amount,
  decodeSessions: amount,
  decodeWaiting: amount,
  decodeBytes: amount.describe('keys and values of sessions'),
  decodeCacheBytes: amount,
  decodeLimitBytes: amount,
  protectionRefused: amount,
  protectionAlarms: amount,
  auditFailing: z.boolean(),
});

/** The answer. */
export const loadSchema = z.strictObject({
  at: z.number().describe('milliseconds since 1970'),
  now: nowSchema,
  history: z.strictObject({
    span: z.enum(spanNames),
    stepMs: z.int(),
    /** Of the first point that is kept. */
    from: z.number().nullable().describe('the oldest point that is kept'),
    times: z.array(z.number()).describe('ends of the steps, milliseconds since 1970'),
    series: z.strictObject(
      Object.fromEntries(seriesNames.map((name) => [name, z.array(amount).describe(seriesTexts[name])])) as Record<
        SeriesName,
        z.ZodArray<typeof amount>
      >,
    ),
  }),
});

/** {@link loadSchema} as a type. */
export type LoadAnswer = z.output<typeof loadSchema>;

/** The part of it that is of this moment. */
export type LoadNow = z.output<typeof nowSchema>;
