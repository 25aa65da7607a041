/**
 * Records in the usual dialects of others, as records of ours: Alpaca, ShareGPT, conversations
 * under another name, and TRL's conversational prompt and completion.
 */
import { shownJson } from './exact-numbers.js';
import { invalid } from './record-values.js';

type Fields = Readonly<Record<string, unknown>>;

/** A record of ours, and the dialect that it was written in. */
export interface PlainRecord {
  readonly fields: Fields;
  /** Undefined for our own. */
  readonly dialect?: string;
}

/** Of Stanford Alpaca: with and without an input. */
const ALPACA_WITH_INPUT =
  'Below is an instruction that describes a task, paired with an input that provides further context. ' +
  'Write a response that appropriately completes the request.';
const ALPACA = 'Below is an instruction that describes a task. Write a response that appropriately completes the request.';

/** ShareGPT's names of roles. */
const shareGptRoles: Readonly<Record<string, string>> = {
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  assistant: 'assistant',
  model: 'assistant',
  system: 'system',
  tool: 'tool',
  observation: 'tool',
};

const ownKeys = ['messages', 'text', 'prompt', 'completion'];

/** @throws CutlayerError INVALID_DATA (a role of ShareGPT that it does not know, preferences) */
export function plainRecord(fields: Fields, where: string): PlainRecord {
  if (Array.isArray(fields.prompt) && Array.isArray(fields.completion)) return trl(fields);
  if (ownKeys.some((key) => fields[key] !== undefined && key !== 'prompt')) return { fields };
  if (Array.isArray(fields.conversations) && fields.prompt === undefined) return conversations(fields, where);
  if (typeof fields.instruction === 'string' && typeof fields.output === 'string' && fields.prompt === undefined) return alpaca(fields);
  if (fields.chosen !== undefined && fields.rejected !== undefined)
    throw invalid(where, 'a preference record (chosen, rejected), which training does not read; write what was chosen as the completion');
  return { fields };
}

function alpaca({ instruction, input, output, ...others }: Fields): PlainRecord {
  const given = typeof input === 'string' && input.trim() !== '';
  const head = given
    ? `${ALPACA_WITH_INPUT}\n\n### Instruction:\n${instruction}\n\n### Input:\n${input}`
    : `${ALPACA}\n\n### Instruction:\n${instruction}`;
  return {
    fields: { ...others, prompt: `${head}\n\n### Response:\n`, completion: output },
    dialect: 'Alpaca (instruction, input, output)',
  };
}

/** Loss lies on the completion: the assistant's turns of the prompt have weight 0. */
function trl({ prompt, completion, ...others }: Fields): PlainRecord {
  const before = (prompt as readonly unknown[]).map((message) =>
    (message as Fields | null)?.role === 'assistant' ? { ...(message as Fields), weight: 0 } : message,
  );
  return {
    fields: { ...others, messages: [...before, ...(completion as readonly unknown[])] },
    dialect: "TRL's conversational prompt and completion",
  };
}

function conversations({ conversations: turns, system, ...others }: Fields, where: string): PlainRecord {
  const list = turns as readonly unknown[];
  const first = typeof system === 'string' && system !== '' ? [{ role: 'system', content: system }] : [];
  const ofShareGpt = list.some((turn) => (turn as Fields | null)?.from !== undefined);
  if (!ofShareGpt) return { fields: { ...others, messages: [...first, ...list] }, dialect: 'messages under the name conversations' };
  const messages = list.map((turn, at) => {
    const { from, value, ...rest } = (turn ?? {}) as Fields;
    const role = typeof from === 'string' && Object.hasOwn(shareGptRoles, from) ? shareGptRoles[from] : undefined;
    if (role === undefined)
      throw invalid(
        where,
        `conversations[${at}].from: expected one of ${Object.keys(shareGptRoles).join(', ')}, got ${shownJson(from) ?? 'nothing'}`,
      );
    return { ...rest, role, content: value };
  });
  return { fields: { ...others, messages: [...first, ...messages] }, dialect: 'ShareGPT (conversations of from and value)' };
}
