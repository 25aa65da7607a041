/** docs/serving.md: what becomes of each field of a request, from the tables that requests are read by. */
import type { FieldRow, FieldTable } from '../../clients/typescript/serving/fields/field.js';
import { fieldTables } from '../../clients/typescript/serving/fields/field-tables.js';
import { withMarked } from './marked.js';

/** The text of docs/serving.md. */
export const servingDocument = (): string => withMarked('docs/serving.md', 'fields', Object.entries(fieldTables).flatMap(fieldRows));

function fieldRows([path, table]: readonly [string, FieldTable]): string[] {
  const rows = Object.entries(table).map(([name, row]) => `| \`${name}\` | ${treatmentOf(row)} | ${row.says.replaceAll('|', '\\|')} |`);
  return ['', `### ${path}`, '', '| field | treatment | |', '| --- | --- | --- |', ...rows];
}

const treatmentOf = (row: FieldRow): string =>
  row.treatment === 'honoured' && row.extension === true ? 'honoured (an extension)' : row.treatment;
