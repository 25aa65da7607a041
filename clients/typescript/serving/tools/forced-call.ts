/** Holds an answer to one call of a tool: `tool_choice` that is `required` or names a function. */
import { plainNumbers, shownJson } from '../../data/exact-numbers.js';
import type { Constraint } from '../../inference/grammar/constraint.js';
import { badField } from '../http/problem.js';
import type { ToolForm } from './tool-form.js';

/** A tool as checked: a function with a name. */
type Tool = Readonly<Record<string, unknown>>;

/** The name of a forced function; `required`: any. */
export function forcedName(choice: unknown): string {
  if (choice === 'required') return choice;
  const {
    type,
    name,
    function: own,
  } = (choice ?? {}) as { readonly type?: unknown; readonly name?: unknown; readonly function?: { readonly name?: unknown } };
  const named = own?.name ?? name;
  if (type === 'function' && typeof named === 'string') return named;
  throw badField('tool_choice', 'expected "auto", "none", "required" or a function by its name');
}

/**
 * The call as the checkpoint writes it, with arguments that fit the function's parameters.
 * @throws CutlayerError INVALID_ARGUMENT: no such function, or parameters with references
 */
export function forcedCall(tools: readonly Tool[], choice: unknown, form: ToolForm): Constraint {
  const name = forcedName(choice);
  const functions = tools.map((tool) => tool.function as { readonly name: string; readonly parameters?: object | null });
  const called = choice === 'required' ? functions : functions.filter((one) => one.name === name);
  if (called.length === 0) throw badField('tool_choice', 'expected one of the names of tools');
  const key = form === 'tagged' ? 'arguments' : 'parameters';
  const anyOf = called.map(({ name: own, parameters }) => {
    if (shownJson(parameters ?? {})?.includes('"$ref":'))
      throw badField('tools', 'parameters with $ref cannot be enforced in a forced call; write the schema out');
    const given = plainNumbers(parameters ?? { type: 'object' });
    return { type: 'object', properties: { name: { const: own }, [key]: given }, required: ['name', key], additionalProperties: false };
  });
  const around = form === 'tagged' ? { before: '<tool_call>\n', after: '\n</tool_call>' } : {};
  return { kind: 'schema', schema: { anyOf }, ...around };
}
