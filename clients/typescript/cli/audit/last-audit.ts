/** The last audit of each model, of which later runs say what it found. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { parseJson } from '../../../../src/files/json-text.js';
import type { AuditReport } from '../../audit/audit.js';
import { defenceText, type RecordedDefence } from '../../defences/defence.js';
import { homeDir } from '../profile/home-dir.js';

const schema = z.object({
  formatVersion: z.literal(1),
  /** `2027-03-01` */
  day: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
  suite: z.number(),
  wire: z.string(),
  records: z.number(),
  answered: z.boolean(),
  /** Each as text, with its settings. */
  defences: z.array(z.string()),
  /** The best attacker's result for each metric, a share from 0 to 1. */
  figures: z.array(z.object({ metric: z.string(), value: z.number(), by: z.string() })),
});

/** What is kept of an audit. */
export type LastAudit = z.infer<typeof schema>;

const fileOf = (backboneDigest: string): string => join(homeDir(), 'audits', `${backboneDigest}.json`);

/** Keeps an audit in place of the model's earlier one. @param now Milliseconds since 1970 */
export async function keepAudit({ backboneDigest, suite, wire, records, answered, defences, attackers }: AuditReport, now: number) {
  const best = new Map<string, LastAudit['figures'][number]>();
  for (const { id, measures } of attackers)
    for (const { metric, value } of measures) if (value > (best.get(metric)?.value ?? -1)) best.set(metric, { metric, value, by: id });
  const kept: LastAudit = {
    ...{ formatVersion: 1, day: new Date(now).toISOString().slice(0, 10), suite, wire, answered },
    ...{ records: records.own + records.planted, defences: defenceTexts(defences), figures: [...best.values()] },
  };
  const file = fileOf(backboneDigest);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
}

/** The model's last audit; undefined where none is kept, or what is kept is none. */
export async function lastAudit(backboneDigest: string): Promise<LastAudit | undefined> {
  try {
    return schema.parse(parseJson(await readFile(fileOf(backboneDigest), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Defences as they are kept and compared. */
export const defenceTexts = (all: readonly RecordedDefence[]): string[] => all.map(defenceText);
