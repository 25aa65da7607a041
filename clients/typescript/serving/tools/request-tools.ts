/** The tools of a request: which of them the template gets, and how calls are read back. */
import { shownJson } from '../../data/exact-numbers.js';
import type { Conversation } from '../../data/messages.js';
import type { Constraint } from '../../inference/grammar/constraint.js';
import { badField } from '../http/problem.js';
import type { TextModel } from '../model/text-model.js';
import { forcedCall, forcedName } from './forced-call.js';
import { type ToolForm, toolFormOf } from './tool-form.js';

/** What a request says of tools. */
export interface ToolValues {
  readonly tools?: readonly Readonly<Record<string, unknown>>[] | undefined;
  readonly tool_choice?: unknown;
}

/** What comes of it. */
export interface RequestTools {
  /** For the template; undefined where the model is not to call. */
  readonly tools: readonly object[] | undefined;
  /** Undefined: the answer is text. */
  readonly form: ToolForm | undefined;
  /** The call that the answer has to be. */
  readonly forced: Constraint | undefined;
}

/**
 * @param others Of the template.
 * @throws CutlayerError INVALID_ARGUMENT for a choice of no tool, or a template without tools
 */
export function requestTools(
  { tools, tool_choice: choice = 'auto' }: ToolValues,
  model: TextModel,
  others: Omit<Conversation, 'messages' | 'tools'>,
): RequestTools {
  const free = choice === 'auto' || choice === 'none';
  if (!free) forcedName(choice);
  if (tools === undefined || tools.length === 0 || choice === 'none') {
    if (!free) throw badField('tool_choice', 'expected tools beside it');
    return { tools: undefined, form: undefined, forced: undefined };
  }
  const form = toolFormOf(model.templateOf({ tools, ...others }));
  return { tools, form, forced: free ? undefined : forcedCall(tools, choice, form) };
}

/**
 * @param choice Of a tool; with `auto` a call's arguments are free, so no tool may be `strict`.
 * @throws CutlayerError INVALID_ARGUMENT for a tool that is no function with a name, or strict here
 */
export function checkFunctions(tools: readonly Readonly<Record<string, unknown>>[], choice: unknown = 'auto'): void {
  for (const [at, { type, function: own }] of tools.entries()) {
    if (type !== 'function') throw badField(`tools[${at}].type`, `expected "function", got ${shownJson(type)?.slice(0, 60) ?? 'nothing'}`);
    const { name, strict } = (own ?? {}) as { readonly name?: unknown; readonly strict?: unknown };
    if (typeof name !== 'string' || name === '') throw badField(`tools[${at}].function.name`, 'expected a name');
    if (strict === true && choice === 'auto')
      throw badField(
        'tools',
        `"strict" of ${shownJson(name)?.slice(0, 60)} is not supported here beside tool_choice "auto"; "required" or a function's name hold the arguments to their schema`,
      );
  }
}
