/**
 * The end of the demo: the trained adapter behind the local endpoint, asked by OpenAI's own client.
 */
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { startServing } from './processes.js';

/** A request to the endpoint and its answer. */
export interface ServedAnswer {
  readonly request: { readonly model: string; readonly prompt: string; readonly max_tokens: number; readonly temperature: number };
  readonly answer: string;
  /** Of the answer, its prompt's time included. */
  readonly tokensPerSecond: number;
}

/** The name under which the adapter is served. */
const MODEL = 'demo';

/**
 * Starts `cutlayer client serve`, asks for one completion, and ends it.
 * @param connection Flags of bundle, gateway and token.
 */
export async function servedAnswer(
  connection: readonly string[],
  adapterDir: string,
  keyFile: string,
  prompt: string,
): Promise<ServedAnswer> {
  const serving = await startServing([...connection, '--adapter', `${MODEL}=${adapterDir}`, '--key-file', keyFile, '--port', '0']);
  try {
    const openai = new OpenAI({ baseURL: serving.ready.url, apiKey: readFileSync(keyFile, 'utf8').trim() });
    const request = { model: MODEL, prompt, max_tokens: 32, temperature: 0 };
    const begin = performance.now();
    const { choices, usage } = await openai.completions.create(request);
    const seconds = (performance.now() - begin) / 1000;
    return { request, answer: choices[0]!.text, tokensPerSecond: (usage?.completion_tokens ?? 0) / seconds };
  } finally {
    await serving.stop();
  }
}
