/** Compiled grammars, kept for the next text of the same tokenizer and constraint. */
import { CutlayerError } from '../../../../src/errors.js';
import type { TextTokenizer } from '../../data/text-tokenizer.js';
import type { Constraint } from './constraint.js';
import { DEFAULT_GRAMMAR_LIMITS, type GrammarLimits, GrammarThread } from './grammar-thread.js';

/** Grammars of a tokenizer that are kept, and that may be in use. */
const KEPT = 4;
const MOST = 32;

interface Entry {
  readonly thread: Promise<GrammarThread>;
  /** Texts that use it, and those that wait for it. */
  users: number;
}

const caches = new WeakMap<TextTokenizer, Map<string, Entry>>();

/** A grammar in use. */
export interface GrammarLease {
  readonly thread: GrammarThread;
  /** It is no longer used. */
  release(): void;
}

/**
 * The compiled grammar of a constraint; it is compiled once.
 * @throws CutlayerError INVALID_ARGUMENT (naming keyword and JSON pointer), LIMIT_EXCEEDED,
 *   QUEUE_FULL, INVALID_ARTIFACT (a tokenizer whose tokens have no exact text)
 */
export async function leaseGrammar(
  tokenizer: TextTokenizer,
  constraint: Constraint,
  stopTokenIds: ReadonlySet<number>,
  limits: GrammarLimits = DEFAULT_GRAMMAR_LIMITS,
): Promise<GrammarLease> {
  const cache = caches.get(tokenizer) ?? new Map<string, Entry>();
  caches.set(tokenizer, cache);
  const key = JSON.stringify([constraint, [...stopTokenIds].sort((a, b) => a - b)]);
  const entry = cache.get(key) ?? newEntry(tokenizer, constraint, stopTokenIds, limits, () => trim(cache, 0));
  // The latest used is the last.
  cache.delete(key);
  cache.set(key, entry);
  const inUse = [...cache.values()].filter(({ users }) => users > 0).length;
  if (entry.users === 0 && inUse >= MOST) {
    cache.delete(key);
    void entry.thread.then(
      (thread) => thread.close(),
      () => undefined,
    );
    throw new CutlayerError('QUEUE_FULL', `constraint: expected at most ${MOST} different ones at once; try again later`);
  }
  entry.users++;
  const release = (): void => {
    entry.users--;
    void trim(cache);
  };
  try {
    const thread = await entry.thread;
    if (!thread.ended) return { thread, release: once(release) };
  } catch (error) {
    cache.delete(key);
    release();
    throw error;
  }
  // Its thread has ended: another one is started.
  cache.delete(key);
  release();
  return leaseGrammar(tokenizer, constraint, stopTokenIds, limits);
}

function newEntry(
  tokenizer: TextTokenizer,
  constraint: Constraint,
  stopTokenIds: ReadonlySet<number>,
  limits: GrammarLimits,
  makeRoom: () => Promise<unknown>,
): Entry {
  const setup = { constraint, tokens: tokenizer.tokenBytes, vocabSize: tokenizer.vocabSize, stopTokenIds: [...stopTokenIds] };
  return { thread: GrammarThread.start(setup, limits, makeRoom), users: 0 };
}

/** Closes the grammars that were used least lately, beyond those that are kept. */
async function trim(cache: Map<string, Entry>, kept = KEPT): Promise<void> {
  const idle = [...cache].filter(([, { users }]) => users === 0);
  const closing = idle.slice(0, Math.max(0, cache.size - kept)).map(([key, { thread }]) => {
    cache.delete(key);
    return thread.then(
      (one) => one.close(),
      () => undefined,
    );
  });
  await Promise.all(closing);
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
