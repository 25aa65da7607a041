/** What `GET /v1/admin/federations` answers, as a schema. The page of `/admin` reads the same. */
import { z } from 'zod';

const count = z.number().nullable();

/** What a coordinator's metrics say of its federations. */
export const federationsSchema = z.strictObject({
  coordinator: z.string().nullable().describe('address of --coordinator; null: none is named'),
  page: z.string().nullable().describe('the page of federations that the coordinator itself serves'),
  answers: z.boolean().describe('whether its metrics could be read'),
  reason: z.string().nullable().describe('why not'),
  federations: z.array(
    z.strictObject({
      id: z.string(),
      running: z.boolean(),
      round: count.describe('null: between rounds'),
      cohort: count,
      released: count,
      aborted: count,
      promoted: count.describe('the version in use'),
      loss: count.describe('nats, held out'),
      epsilon: count.describe('per client; null: no differential privacy'),
      maxEpsilon: count,
    }),
  ),
});

/** {@link federationsSchema} as a type. */
export type FederationsAnswer = z.output<typeof federationsSchema>;

/** One of its federations. */
export type ShownFederation = FederationsAnswer['federations'][number];
