/**
 * `--num-beams` and what goes with it; options that draw, draft or hold a text have no part in it.
 */
import { integerBetween, number, type OptionRow, type OptionTable, parsed, withDefault } from '../../../../src/options/option.js';
import { MOST_BEAMS } from '../../inference/beams/beam-search.js';

/** Given in files as booleans too. */
const stopping: Readonly<Record<string, boolean | 'never'>> = { true: true, false: false, never: 'never' };

const ofBeams = <T, G>(row: OptionRow<T, G>): OptionRow<T, G> => ({
  ...row,
  idle: ({ numBeams }) => (Number(numBeams) > 1 ? undefined : 'only beam search reads it; set --num-beams above 1'),
});

export const beamOptions = {
  numBeams: withDefault(integerBetween(1, MOST_BEAMS, 'n', 'beam search with n texts side by side, each in a decode session; 1: none'), 1),
  numReturnSequences: ofBeams(withDefault(integerBetween(1, MOST_BEAMS, 'n', 'print the n best texts of the beams, as JSON lines'), 1)),
  lengthPenalty: ofBeams(withDefault(number('p', 'a beam scores its log probability / length^p', 'expected a number', Number.isFinite), 1)),
  earlyStopping: ofBeams(
    withDefault(
      parsed<boolean | 'never', boolean | 'never'>(
        'when',
        'true: end with as many ended beams as --num-beams; false: when a better one is unlikely; never: when none can be better',
        'expected true, false or never',
        (given) => stopping[String(given)],
      ),
      false,
    ),
  ),
};

/** What beam search does not do, by option. */
const excluded: Readonly<Record<string, string>> = {
  temperature: 'draws no token',
  topK: 'draws no token',
  topP: 'draws no token',
  minP: 'draws no token',
  typicalP: 'draws no token',
  seed: 'draws no token',
  draftTokens: 'drafts no tokens',
  draftModel: 'drafts no tokens',
  stop: 'ends at stop tokens alone',
  jsonSchema: 'holds no text to a form',
  regex: 'holds no text to a form',
  choice: 'holds no text to a form',
};

/** Refuses rows beside `--num-beams` that it would leave without effect. */
export function withoutBeams<const Table extends OptionTable>(table: Table): Table {
  const rows = Object.entries(table).map(([name, row]) => {
    const why = excluded[name];
    const idle: OptionRow['idle'] = ({ numBeams }) => (Number(numBeams) > 1 ? `beam search ${why}; set --num-beams 1` : undefined);
    return [name, why === undefined ? row : { ...row, idle }] as const;
  });
  // Only a field that every row may have is added.
  return Object.fromEntries(rows) as unknown as Table;
}
