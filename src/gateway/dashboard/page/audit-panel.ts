/** The panel of the audit log: its newest entries, alarms first to see. */
import type { AuditAnswer, ShownEntry } from '../../admin/audit-answer.js';
import { read } from './api.js';
import { element, replace, say, some, table } from './elements.js';
import { bytes, count, time, words } from './format.js';

const MOST = '50';
const sizes: readonly string[] = ['bytesIn', 'bytesOut', 'bytes'];
/** Fields that have a column of their own, and digests, which are for the log itself. */
const placed: readonly string[] = ['tenant', 'by', 'action', 'method', 'decision', 'code', 'policy', 'signature', 'publicKey'];
/** Digits of an id by which it is found in the log. */
const ID_SHOWN = 8;

/** Reads and shows entries of the kind that is chosen. @throws AskError */
export async function showAudit(kind: string): Promise<void> {
  const { on, kept, entries } = await read<AuditAnswer>('/audit', { limit: MOST, ...(kind !== '' && { kind }) });
  const held = `Held here: ${count(kept.alarms)} alarms, ${count(kept.changes)} changes, ${count(kept.calls)} calls; at most 500 of each.`;
  say('audit-note', on ? `${held} The log itself has all of them, in a chain: cutlayer gateway audit verify checks it.` : '');
  const place = some('audit-table');
  if (!on) return replace(place, element('p', { class: 'note' }, 'This gateway keeps no audit log: it was started with --audit none.'));
  if (entries.length === 0) return replace(place, element('p', { class: 'note' }, 'No entries of this kind.'));
  const columns = [{ title: 'Time' }, { title: 'Entry' }, { title: 'Tenant' }, { title: 'What' }, { title: 'Details' }];
  replace(place, table('Entries of the audit log', columns, entries.map(rowOf)));
}

function detail(name: string, value: string | number | boolean): string {
  if (sizes.includes(name) && typeof value === 'number')
    return `${bytes(value)} ${name === 'bytesIn' ? 'in' : name === 'bytesOut' ? 'out' : ''}`.trim();
  if (name === 'ms') return `${value} ms`;
  if (name === 'rows') return `${value} rows`;
  const isId = typeof value === 'string' && value.length > 24 && /^[\w-]+$/.test(value);
  return `${words(name)} ${isId ? `${value.slice(0, ID_SHOWN)}…` : value}`;
}

function rowOf({ sequence, time: at, event, fields }: ShownEntry) {
  const { tenant, by, action, method, decision, code, policy } = fields;
  const what = [action, method, policy, decision, code].filter((value) => value !== undefined).map(String);
  const details = Object.entries(fields)
    .filter(([name]) => !placed.includes(name))
    .map(([name, value]) => detail(name, value));
  const failing = event === 'alarm' || event === 'interrupted';
  return {
    key: String(sequence),
    cells: [
      time(Date.parse(at)),
      element('span', {}, element('span', { class: failing ? 'state alarm' : 'state' }, event), ` ${sequence}`),
      [tenant, by]
        .filter((value) => value !== undefined)
        .map(String)
        .join(', by ') || '–',
      what.join(', ') || '–',
      element('small', {}, details.join(', ') || '–'),
    ],
  };
}
