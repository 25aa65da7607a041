/** Tools of `/v1/messages` in the form that the chat code has them. */
import { shownJson } from '../../data/exact-numbers.js';
import { badField } from '../http/problem.js';

type Fields = Readonly<Record<string, unknown>>;

/** Keys of a tool; the last two are hints. */
const toolKeys: ReadonlySet<string> = new Set([
  'type',
  'name',
  'description',
  'input_schema',
  'strict',
  'cache_control',
  'eager_input_streaming',
]);

/**
 * @param held The choice leaves no call whose arguments are free: `strict` is kept, or idle.
 * @throws CutlayerError INVALID_ARGUMENT naming the tool
 */
export function functionsOf(tools: readonly Fields[] | undefined, held: boolean): readonly Fields[] {
  return (tools ?? []).map((tool, at) => {
    const { type, name, description, input_schema: parameters } = tool;
    const where = `tools[${at}]`;
    if (type != null && type !== 'custom')
      throw badField(`${where}.type`, `not supported here: ${shownJson(type)?.slice(0, 60)} is a tool of a server; no tool runs here`);
    if (tool.strict != null && typeof tool.strict !== 'boolean') throw badField(`${where}.strict`, 'expected true or false');
    if (tool.strict === true && !held)
      throw badField(
        `${where}.strict`,
        'not supported here beside tool_choice "auto"; "any" and "tool" hold the arguments to input_schema',
      );
    const other = Object.keys(tool).find((key) => tool[key] != null && tool[key] !== false && !toolKeys.has(key));
    if (other !== undefined) throw badField(`${where}.${other.slice(0, 60)}`, `not supported here; expected ${[...toolKeys].join(', ')}`);
    if (typeof name !== 'string' || name === '') throw badField(`${where}.name`, 'expected a name');
    if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
      throw badField(`${where}.input_schema`, 'expected a JSON schema');
    return { type: 'function', function: { name, ...(description != null && { description }), parameters } };
  });
}

/** The choice in OpenAI's words, and whether the answer ends after its first call. */
export interface ToolChoice {
  readonly choice: unknown;
  readonly parallelCalls: boolean;
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function toolChoiceOf(given: Fields | undefined): ToolChoice {
  if (given === undefined) return { choice: undefined, parallelCalls: true };
  const { type, name, disable_parallel_tool_use: single = false, ...others } = given;
  const [other] = Object.keys(others);
  if (other !== undefined) throw badField(`tool_choice.${other.slice(0, 60)}`, 'not a field of a choice');
  if (typeof single !== 'boolean') throw badField('tool_choice.disable_parallel_tool_use', 'expected true or false');
  const parallelCalls = !single;
  if (type === 'auto' || type === 'none') return { choice: type, parallelCalls };
  if (type === 'any') return { choice: 'required', parallelCalls };
  if (type === 'tool' && typeof name === 'string') return { choice: { type: 'function', function: { name } }, parallelCalls };
  throw badField('tool_choice', 'expected {"type": "auto"}, "none", "any", or "tool" with a name');
}
