/** Tries the text of a packed bundle, before it is kept: ids, special tokens, and what to tell. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TextEncoding, type TokenizerJson } from '../../../clients/typescript/data/text-encoding.js';
import { TextTokenizer } from '../../../clients/typescript/data/text-tokenizer.js';
import type { ClientBundleManifest } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';

/** Texts in which tokenizers differ: blanks, line ends, digits, letters beyond ASCII. */
const TEXTS = [
  'Hello, world! 1234',
  ' two  blanks\n\tand a tab\r\n',
  'na\u00efve \u6771\u4eac \u{1f680} e\u0301',
  'user: a\n\nassistant: b',
];

/**
 * @returns What the vendor should know: a sentence each
 * @throws CutlayerError UNSUPPORTED_CHECKPOINT (ids beyond the embedding), INVALID_ARTIFACT
 */
export async function tryText(dir: string, manifest: ClientBundleManifest): Promise<readonly string[]> {
  if (!manifest.tokenizerFiles.includes('tokenizer.json')) return [];
  const tokenizer = await TextTokenizer.load(dir, manifest);
  try {
    const { highest, notes } = tokenizer.facts;
    if (highest.id >= manifest.vocabSize) {
      throw new CutlayerError(
        'UNSUPPORTED_CHECKPOINT',
        `tokenizer: the token ${JSON.stringify(highest.token)} has the id ${highest.id}, but the embedding has ${manifest.vocabSize} rows; ` +
          'add rows with model.resize_token_embeddings(len(tokenizer)) and save it, or take the token out of the tokenizer files',
      );
    }
    const own = new TextEncoding(parseJson(await readFile(join(dir, 'tokenizer.json'), 'utf8')) as TokenizerJson, {});
    const other = TEXTS.find((text) => own.encode(text).ids.join() !== tokenizer.encode(text).join());
    return [
      ...notes,
      ...(tokenizer.eosNote === undefined ? [] : [tokenizer.eosNote]),
      ...(other === undefined
        ? []
        : [
            `clients read ${JSON.stringify(other)} as the ids ${tokenizer.encode(other).join(' ')}, as transformers 5 does with tokenizer_config.json; ` +
              `tokenizer.json by itself gives ${own.encode(other).ids.join(' ')}`,
          ]),
    ];
  } finally {
    await tokenizer.close();
  }
}
