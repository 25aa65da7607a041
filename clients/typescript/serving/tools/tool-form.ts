/** The form in which a checkpoint writes tool calls, told from its chat template. */
import { CutlayerError } from '../../../../src/errors.js';

/**
 * `tagged`: `<tool_call>{"name", "arguments"}</tool_call>`, of Hermes and Qwen. `object`: the whole
 * answer is `{"name", "parameters"}`, of Llama 3.1.
 */
export type ToolForm = 'tagged' | 'object';

/** Marks of other forms, with their names. */
const otherForms: readonly (readonly [mark: string, name: string])[] = [
  ['<function=', 'function tags in XML (Qwen3-Coder)'],
  ['[TOOL_CALLS]', '[TOOL_CALLS] (Mistral)'],
  ['<|channel|>', 'channels (Harmony)'],
  ['<｜tool▁calls▁begin｜>', 'tool_calls_begin (DeepSeek)'],
  ['<|tool_call|>', '<|tool_call|> (Phi, Granite)'],
  ['functools[', 'functools lists'],
  ['<arg_key>', 'arg_key tags (GLM)'],
];

/** @param template The source of the chat template. @throws CutlayerError UNIMPLEMENTED */
export function toolFormOf(template: string): ToolForm {
  const other = otherForms.find(([mark]) => template.includes(mark));
  if (other !== undefined) throw refusal(`the checkpoint writes tool calls as ${other[1]}`);
  if (template.includes('<tool_call>')) return 'tagged';
  if (/"name":[^\n]{0,80}"parameters":/.test(template) || template.includes('<|python_tag|>')) return 'object';
  throw refusal("the checkpoint's chat template does not say how tool calls are written");
}

function refusal(why: string): CutlayerError {
  return new CutlayerError('INVALID_ARGUMENT', `tools: ${why}; <tool_call> tags and the JSON of Llama 3.1 are read back`, {
    details: { param: 'tools', code: 'unsupported_parameter' },
  });
}
