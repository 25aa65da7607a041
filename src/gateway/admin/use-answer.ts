/** What `GET /v1/admin/use` answers, as a schema. The page of `/admin` reads the same. */
import { z } from 'zod';
import { limitNames } from '../tenants/limits.js';

const amount = z.number().min(0);

/** A limit of a tenant, and what it uses of it now. */
const usedSchema = z.strictObject({
  name: z.enum(limitNames as [string, ...string[]]),
  used: amount.nullable().describe('null: not counted, as there is no limit'),
  max: amount.nullable().describe('null: no limit of its own'),
  resetMs: amount.nullable().describe('until a rate begins anew'),
});

/** A tenant and what it uses. */
const tenantUseSchema = z.strictObject({
  name: z.string(),
  status: z.enum(['active', 'suspended', 'deleted']),
  limits: z.array(usedSchema),
  today: z
    .strictObject({
      forward: amount,
      backward: amount,
      decoded: amount,
      cached: amount,
      bytesIn: amount,
      bytesOut: amount,
      calls: amount,
      cost: z.string().nullable(),
    })
    .describe('charged since midnight UTC'),
});

/** A page of tenants. */
export const useSchema = z.strictObject({
  at: z.number().describe('milliseconds since 1970'),
  currency: z.string().nullable(),
  tenants: z.array(tenantUseSchema),
  total: z.int().describe('tenants that the filter leaves'),
  next: z.string().nullable().describe('the parameter after of the next page'),
});

/** {@link useSchema} as a type. */
export type UseAnswer = z.output<typeof useSchema>;

/** One of its tenants. */
export type TenantUse = UseAnswer['tenants'][number];
