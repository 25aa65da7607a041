/** docs/client.md: what becomes of each keyword of JSON schema, from the table that schemas are read by. */
import { type KeywordRow, keywordTable } from '../../clients/typescript/inference/grammar/schema/keyword-table.js';
import { withMarked } from './marked.js';

/** The text of docs/client.md. */
export const constraintDocument = (): string =>
  withMarked('docs/client.md', 'keywords', ['| keyword | treatment | |', '| --- | --- | --- |', ...rows()]);

/** A row for each; those that say the same stand together. */
function rows(): readonly string[] {
  const together = new Map<string, string[]>();
  for (const [name, { treatment, says }] of Object.entries<KeywordRow>(keywordTable)) {
    const said = `${treatment === 'annotation' ? 'without effect' : treatment} | ${says}`;
    together.set(said, [...(together.get(said) ?? []), `\`${name}\``]);
  }
  return [...together].map(([said, names]) => `| ${names.join(', ')} | ${said} |`);
}
