/** What `serve` prints when it answers: where, which models, what crosses, and what to try. */
import { exposure, exposureAt } from '../../../../src/artifacts/exposure.js';
import type { ModelCard } from '../../serving/model/text-model.js';

/** A port that answers. */
export interface Ready {
  readonly url: string;
  readonly models: readonly ModelCard[];
  readonly keyFile: string | undefined;
  /** Blocks that the client holds below the backbone. */
  readonly bottom: number;
}

/** @param json One line of JSON instead. */
export function readyLines({ url, models, keyFile, bottom }: Ready, json: boolean): readonly string[] {
  const names = models.map(({ id }) => id);
  const note = `${exposure} ${exposureAt(bottom)}`;
  if (json) return [JSON.stringify({ url: `${url}/v1`, models: names, keyFile: keyFile ?? null, note })];
  const model = names.at(-1)!;
  const key = keyFile === undefined ? '' : ` -H "Authorization: Bearer $(cat ${keyFile})"`;
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
  return [
    `serving ${names.join(', ')} at ${url}/v1; playground: ${url}/`,
    keyFile === undefined ? 'no API key is needed: every program on this machine may ask' : `API key: in ${keyFile}`,
    `note: ${note}`,
    'try:',
    `  curl ${url}/v1/chat/completions${key} -H "Content-Type: application/json" -d '${body}'`,
    `  new OpenAI({ baseURL: '${url}/v1', apiKey })   or   OPENAI_BASE_URL=${url}/v1`,
  ];
}
