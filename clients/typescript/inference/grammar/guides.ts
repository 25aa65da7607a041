/** The guides of several texts that are continued side by side. */
import type { TextTokenizer } from '../../data/text-tokenizer.js';
import type { Constraint } from './constraint.js';
import { Guide } from './guide.js';

/** What a text is held to, and where it may end besides the checkpoint's stop tokens. */
export interface Guided {
  readonly constraint?: Constraint | undefined;
  readonly stopTokenIds?: readonly number[] | undefined;
}

export class Guides {
  readonly #guides: readonly (Guide | undefined)[];

  private constructor(guides: readonly (Guide | undefined)[]) {
    this.#guides = guides;
  }

  /** @throws CutlayerError as `Guide.start`; none is left open then */
  static async start(bundle: { readonly tokenizer: TextTokenizer }, texts: readonly { readonly options: Guided }[]): Promise<Guides> {
    const started = await Promise.allSettled(
      texts.map(async ({ options: { constraint, stopTokenIds } }) =>
        constraint === undefined ? undefined : Guide.start(bundle.tokenizer, constraint, stopTokenIds),
      ),
    );
    const guides = new Guides(started.map((one) => (one.status === 'fulfilled' ? one.value : undefined)));
    const failed = started.find((one) => one.status === 'rejected');
    if (failed === undefined) return guides;
    guides.close();
    throw failed.reason;
  }

  /** The guide of a text; undefined where it is free. */
  of(index: number): Guide | undefined {
    return this.#guides[index];
  }

  /** Waits for the masks of some texts. @throws CutlayerError LIMIT_EXCEEDED, INTERNAL */
  async ready(group: readonly number[]): Promise<void> {
    await Promise.all(group.map((index) => this.#guides[index]?.ready()));
  }

  /** All texts have ended, or were given up. */
  close(): void {
    for (const guide of this.#guides) guide?.close();
  }
}
