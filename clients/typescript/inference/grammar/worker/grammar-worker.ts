/** Runs one grammar in a thread: it compiles, gives masks and checks finished texts. */
import { workerData } from 'node:worker_threads';
import { CutlayerError } from '../../../../../src/errors.js';
import { type TextCheck, textCheck } from './check-text.js';
import { compileMatcher, type Matcher } from './matcher.js';
import type { GrammarAnswer, GrammarReply, GrammarRequest, GrammarWorkerData } from './messages.js';
import { isAbort, settleMemory } from './xgrammar.js';

async function main({ port, ...setup }: GrammarWorkerData): Promise<void> {
  const reply = (message: GrammarReply): void => port.postMessage(message);
  let matcher: Matcher;
  let check: TextCheck;
  try {
    matcher = await compileMatcher(setup);
    check = textCheck(setup.constraint);
  } catch (caught) {
    return reply({ id: 0, error: asTyped(caught).toRecord() });
  }
  reply({ id: 0, answer: settleMemory() });
  port.on('message', async ({ id, request }: { readonly id: number; readonly request: GrammarRequest }) => {
    try {
      reply({ id, answer: await answerOf(request, matcher, check) });
    } catch (caught) {
      reply({ id, error: asTyped(caught).toRecord() });
    }
  });
}

async function answerOf(request: GrammarRequest, matcher: Matcher, check: TextCheck): Promise<GrammarAnswer> {
  switch (request.kind) {
    case 'begin':
      return matcher.begin(request.text);
    case 'accept':
      return matcher.accept(request.text, request.token);
    case 'end':
      matcher.end(request.text);
      return null;
    case 'check':
      return check(request.finished);
  }
}

/** The engine ends with an error of its own where its memory or the stack is full. */
function asTyped(caught: unknown): CutlayerError {
  if (caught instanceof RangeError || isAbort(caught))
    return new CutlayerError(
      'LIMIT_EXCEEDED',
      'constraint: its grammar needs more memory than it may; make the schema or the pattern smaller',
    );
  return CutlayerError.from(caught);
}

void main(workerData as GrammarWorkerData);
