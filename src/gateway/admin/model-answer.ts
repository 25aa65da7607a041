/** What `GET /v1/admin/model` answers, as a schema. The page of `/admin` reads the same. */
import { z } from 'zod';

const policySchema = z.strictObject({
  name: z.string().describe('as in the file of --protection'),
  bound: z.number().nullable().describe('null: no bound'),
  text: z.string().describe('what the bound counts'),
});

/** The backbone, as its clients are told of it. */
export const modelSchema = z.strictObject({
  name: z.string(),
  family: z.string(),
  backboneDigest: z.string(),
  dims: z.record(z.string(), z.number()),
  cut: z.strictObject({ bottom: z.int(), top: z.int() }),
  limits: z.record(z.string(), z.number()),
  adapters: z.array(z.string()),
  prefixInit: z.boolean(),
  maxDecodeRows: z.int().describe('0: there are no decode sessions'),
  maxLongDecodeRows: z.int(),
  shutdownDate: z.string().nullable(),
  prices: z.record(z.string(), z.string()).nullable().describe('with their currency'),
  protection: z.strictObject({
    standard: z.array(policySchema),
    alarmAt: z.number().describe('the share of a bound at which an alarm is raised'),
    own: z
      .array(z.strictObject({ tenant: z.string(), policies: z.array(policySchema) }))
      .describe('bounds of tenants that differ from the standard ones, of 100 tenants at most'),
  }),
});

/** {@link modelSchema} as a type. */
export type ModelAnswer = z.output<typeof modelSchema>;

/** A policy of it. */
export type ShownPolicy = ModelAnswer['protection']['standard'][number];
