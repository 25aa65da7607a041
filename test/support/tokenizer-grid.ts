/** Every kind of tokenizer of test/conformance/text_cases.py, as recorded in test/fixtures/text. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenizerSetup } from '../../clients/typescript/data/tokenizer-program.js';
import { packageRoot } from '../../src/files/package-root.js';

/** A JSON file of the fixture. */
export function textFixture<T>(file: string): T {
  return JSON.parse(readFileSync(join(packageRoot(), 'test/fixtures/text', file), 'utf8')) as T;
}

interface Grid {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizers: Readonly<
    Record<string, { readonly base: string; readonly tokenizer: object; readonly model: object; readonly config: object }>
  >;
}

const grid = textFixture<Grid>('cases.json');

export const tokenizerNames: readonly string[] = Object.keys(grid.tokenizers);

/** A tokenizer by name. */
export function tokenizerOf(name: string, chatTemplate?: string): TokenizerSetup {
  const { base, tokenizer, model, config } = grid.tokenizers[name]!;
  const document = textFixture<{ readonly model: object }>(`${base}.json`);
  return {
    tokenizerJson: { ...document, ...tokenizer, model: { ...document.model, ...model } },
    config: { ...grid.config, ...config },
    chatTemplate,
  };
}
