/** `POST /v1/embeddings`. @see https://platform.openai.com/docs/api-reference/embeddings */
import { promptsOf } from './completions/prompts.js';
import type { Endpoint } from './endpoint.js';
import { embeddingFields } from './fields/embedding-fields.js';
import { readFields, required } from './fields/field.js';
import { badField } from './http/problem.js';

export const embeddings: Endpoint = async (context, { body, response, signal, place }) => {
  const values = readFields(embeddingFields, body, 'embeddings');
  const model = await context.models.find(required(values.model, 'model'));
  const sequences = promptsOf(required(values.input, 'input'), model, 'input');
  for (const [at, { length }] of sequences.entries()) {
    if (length >= 1 && length <= model.maxLength) continue;
    throw length === 0
      ? badField(`input[${at}]`, 'expected at least one token, got none')
      : badField(
          `input[${at}]`,
          `${length} tokens, ${length - model.maxLength} more than the ${model.maxLength} that the model has positions for`,
          'context_length_exceeded',
        );
  }
  await place.turn(signal);
  const vectors = await model.embed(sequences, values.pooling ?? 'mean', { task: values.task, signal });
  const promptTokens = sequences.reduce((sum, { length }) => sum + length, 0);
  context.metrics.countTokens({ model: model.card.id, promptTokens, completionTokens: 0 });
  const shown = values.encoding_format === 'base64' ? base64Of : (vector: Float32Array) => [...vector];
  response.json({
    object: 'list',
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: shown(vector) })),
    model: model.card.id,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  });
};

/** Little-endian float32. */
function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, at) => {
    bytes.writeFloatLE(value, at * 4);
  });
  return bytes.toString('base64');
}
