/** `--json-schema`, `--regex` and `--choice`: what a generated text is held to. */
import { optional, path, text, texts } from '../../../../src/options/option.js';

export const constraintOptions = {
  jsonSchema: optional(path('file', 'the text is JSON that this JSON schema accepts; it stays in this process')),
  regex: optional(text('regex', 'this regular expression (JavaScript) matches the whole text')),
  choice: optional(texts('text', 'the text is one of these; may be repeated')),
};

export interface ConstraintFlags {
  readonly jsonSchema?: string | undefined;
  readonly regex?: string | undefined;
  readonly choice?: readonly string[] | undefined;
}
