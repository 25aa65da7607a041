/** docs/privacy.md: what may be claimed of each defence, from the files of the defences. */
import { choiceClaims, defenceClaims } from '../../clients/typescript/defences/claims.js';
import { withMarked } from './marked.js';

/** The text of docs/privacy.md. */
export const defencesDocument = (): string =>
  withMarked('docs/privacy.md', 'defences', [
    '| defence | what may be claimed |',
    '| --- | --- |',
    ...Object.entries(defenceClaims).map(([name, claim]) => `| \`--${name}\` | ${claim} |`),
    ...Object.entries(choiceClaims).map(([name, claim]) => `| \`${name}\` | ${claim} |`),
  ]);
