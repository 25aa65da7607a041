/** Rows that a gateway answered, in a file: those of one text after another, float32. */
import { type FileHandle, open } from 'node:fs/promises';
import { CutlayerError } from '../../../errors.js';

/** Rows of texts of one length. */
export class AnswersFile {
  readonly #file: FileHandle;
  readonly #textBytes: number;
  #texts: number;

  private constructor(file: FileHandle, textBytes: number, texts: number) {
    this.#file = file;
    this.#textBytes = textBytes;
    this.#texts = texts;
  }

  /**
   * Opens a file, or makes one; a text that is not whole is dropped.
   * @param textValues values of a text's rows
   */
  static async open(path: string, textValues: number): Promise<AnswersFile> {
    const file = await open(path, 'a+', 0o600).catch((cause: unknown) => {
      throw new CutlayerError('IO_ERROR', `${path}: cannot be opened for writing`, { cause });
    });
    const textBytes = 4 * textValues;
    const texts = Math.floor((await file.stat()).size / textBytes);
    await file.truncate(texts * textBytes);
    return new AnswersFile(file, textBytes, texts);
  }

  /** Texts that it holds. */
  get texts(): number {
    return this.#texts;
  }

  /** Appends rows of whole texts. @throws CutlayerError IO_ERROR */
  async append(rows: Float32Array): Promise<void> {
    try {
      await this.#file.appendFile(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
    } catch (cause) {
      throw new CutlayerError('IO_ERROR', 'audit-extraction: rows cannot be written; is the disk full?', { cause });
    }
    this.#texts += rows.byteLength / this.#textBytes;
  }

  /** The rows of a text. */
  async read(text: number): Promise<Float32Array> {
    const rows = new Float32Array(this.#textBytes / 4);
    await this.#file.read(new Uint8Array(rows.buffer), 0, this.#textBytes, text * this.#textBytes);
    return rows;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
