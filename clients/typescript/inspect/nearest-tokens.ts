/**
 * The vocabulary's tokens nearest to a soft prompt's virtual tokens, by cosine. A learned prompt
 * need not be near any token; its starting point often still is.
 */
import { f32, type Tensor } from '../../../src/tensor/tensor.js';

/** A token with its cosine to a virtual token. */
export interface NearToken {
  readonly tokenId: number;
  readonly cosine: number;
}

/** Where the vocabulary's rows come from. */
interface Vocabulary {
  readonly vocabSize: number;
  embed(tokenIds: readonly number[]): Promise<Tensor<'float32'>>;
}

/** Tokens whose rows are held at a time. */
const CHUNK = 4096;

/** For each row of `prompt` [P, d] the `count` nearest tokens, nearest first. */
export async function nearestTokens(
  vocabulary: Vocabulary,
  prompt: Tensor<'float32'>,
  count: number,
): Promise<readonly (readonly NearToken[])[]> {
  const [rows, width] = prompt.shape as [number, number];
  const unit = f32(prompt.shape, prompt.data.slice());
  normalizeRows(unit.data, width);
  const found: NearToken[][] = Array.from({ length: rows }, () => []);
  for (let first = 0; first < vocabulary.vocabSize; first += CHUNK) {
    const size = Math.min(CHUNK, vocabulary.vocabSize - first);
    const { data } = await vocabulary.embed(Array.from({ length: size }, (_, i) => first + i));
    const chunk = data.slice();
    normalizeRows(chunk, width);
    for (let row = 0; row < rows; row++) {
      const best = found[row]!;
      for (let token = 0; token < size; token++) {
        let cosine = 0;
        for (let i = 0; i < width; i++) cosine += unit.data[row * width + i]! * chunk[token * width + i]!;
        if (best.length === count && cosine <= best[count - 1]!.cosine) continue;
        best.push({ tokenId: first + token, cosine });
        best.sort((a, b) => b.cosine - a.cosine || a.tokenId - b.tokenId);
        best.length = Math.min(best.length, count);
      }
    }
  }
  return found;
}

/** A row of zeros stays zero. */
function normalizeRows(data: Float32Array, width: number): void {
  for (let at = 0; at < data.length; at += width) {
    let square = 0;
    for (let i = at; i < at + width; i++) square += data[i]! * data[i]!;
    const factor = square === 0 ? 0 : 1 / Math.sqrt(square);
    for (let i = at; i < at + width; i++) data[i] = data[i]! * factor;
  }
}
