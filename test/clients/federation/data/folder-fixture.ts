/** A data folder and a state directory for tests, with the tokenizer of a fixture. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TextTokenizer } from '../../../../clients/typescript/data/text-tokenizer.js';
import { DataFolder, type DataFolderOptions } from '../../../../clients/typescript/federation/data/data-folder.js';
import type { DataEvent } from '../../../../clients/typescript/federation/data/local-data.js';
import { MemberStore } from '../../../../clients/typescript/federation/member-store.js';
import { packageRoot } from '../../../../src/files/package-root.js';

/** The tokenizer of llama-tiny. */
export async function tinyTokenizer(): Promise<TextTokenizer> {
  const json: object = JSON.parse(await readFile(join(packageRoot(), 'test/fixtures/llama-tiny/tokenizer.json'), 'utf8'));
  return new TextTokenizer(json, {}, { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] });
}

/** A record that a number tells from others. */
export function record(n: number): { readonly prompt: string; readonly completion: string } {
  return { prompt: `Which pump is number ${n}?`, completion: ` pump ${n}` };
}

/** Records of numbers from `from` to below `to`, as lines. */
export function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, at) => `${JSON.stringify(record(from + at))}\n`).join('');
}

/** Directories of one test. */
export class FolderFixture {
  readonly root: string;
  readonly directory: string;
  readonly stateDir: string;
  readonly events: DataEvent[] = [];
  readonly #open: DataFolder[] = [];
  #state: MemberStore | undefined;
  readonly #tokenizer: TextTokenizer;

  private constructor(root: string, tokenizer: TextTokenizer) {
    this.root = root;
    this.directory = join(root, 'data');
    this.stateDir = join(root, 'state');
    this.#tokenizer = tokenizer;
  }

  static async make(): Promise<FolderFixture> {
    const fixture = new FolderFixture(await mkdtemp(join(tmpdir(), 'cutlayer-folder-')), await tinyTokenizer());
    await mkdir(fixture.directory);
    return fixture;
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, content: string | Uint8Array): Promise<void> {
    return writeFile(this.file(name), content);
  }

  async open(options: Partial<DataFolderOptions> = {}): Promise<DataFolder> {
    this.#state ??= await MemberStore.open(this.stateDir);
    const folder = await DataFolder.open({
      directory: this.directory,
      state: this.#state,
      tokenizer: this.#tokenizer,
      examples: { maxLength: 64 },
      heldOutShare: 0,
      splitKey: new Uint8Array(32).fill(7),
      onEvent: (event) => this.events.push(event),
      ...options,
    });
    this.#open.push(folder);
    return folder;
  }

  async close(): Promise<void> {
    for (const folder of this.#open) await folder.close().catch(() => undefined);
    await this.#state?.close();
    await rm(this.root, { recursive: true, force: true });
  }
}
