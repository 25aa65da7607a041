/** What `GET /v1/admin/audit` answers, as a schema. The page of `/admin` reads the same. */
import { z } from 'zod';

/** What an entry is to a reader; the order is that of the page. */
export const shownKinds = ['alarms', 'changes', 'calls'] as const;

/** The newest entries. */
export const auditSchema = z.strictObject({
  on: z.boolean().describe('false: this server keeps no audit log'),
  kept: z
    .strictObject({ alarms: z.int(), changes: z.int(), calls: z.int() })
    .describe('entries that this process holds, at most 500 of each kind'),
  entries: z.array(
    z.strictObject({
      sequence: z.int(),
      time: z.string(),
      event: z.string(),
      fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    }),
  ),
});

/** {@link auditSchema} as a type. */
export type AuditAnswer = z.output<typeof auditSchema>;

/** One of its entries. */
export type ShownEntry = AuditAnswer['entries'][number];
