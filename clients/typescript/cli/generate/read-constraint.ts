/** From the options of a constraint to the constraint, checked. */
import { readFile } from 'node:fs/promises';
import { CutlayerError } from '../../../../src/errors.js';
import { parseJson } from '../../../../src/files/json-text.js';
import { type Constraint, constraintGrammar } from '../../inference/grammar/constraint.js';
import type { ConstraintFlags } from './constraint-option.js';

/**
 * Reads and checks it before a model is opened.
 * @throws CutlayerError INVALID_OPTION (two of them), NOT_FOUND, INVALID_ARGUMENT naming keyword
 *   and JSON pointer, LIMIT_EXCEEDED
 */
export async function readConstraint({ jsonSchema, regex, choice }: ConstraintFlags): Promise<Constraint | undefined> {
  const given = Object.entries({ '--json-schema': jsonSchema, '--regex': regex, '--choice': choice }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1)
    throw new CutlayerError('INVALID_OPTION', `${given[1]![0]}: ${given[0]![0]} is given too; a text is held to one of them`);
  const constraint = await constraintOf({ jsonSchema, regex, choice });
  if (constraint !== undefined) constraintGrammar(constraint);
  return constraint;
}

async function constraintOf({ jsonSchema, regex, choice }: ConstraintFlags): Promise<Constraint | undefined> {
  if (jsonSchema !== undefined) return { kind: 'schema', schema: await readSchema(jsonSchema) };
  if (regex !== undefined) return { kind: 'regex', pattern: regex };
  return choice === undefined ? undefined : { kind: 'choice', choices: choice };
}

async function readSchema(file: string): Promise<unknown> {
  const read = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--json-schema: ${file} cannot be read`, { cause });
  });
  try {
    return parseJson(read);
  } catch (cause) {
    throw new CutlayerError('INVALID_DATA', `--json-schema: ${file}: expected JSON`, { cause });
  }
}
