/**
 * The chat templates of a checkpoint, which may have several by name, and which of them a
 * conversation gets: as transformers chooses.
 * @see transformers, tokenization_utils_base.py, get_chat_template
 */

import { CutlayerError } from '../../../src/errors.js';
import { ChatTemplate, type TokenTexts } from './chat-template.js';
import { shownJson } from './exact-numbers.js';
import type { Conversation } from './messages.js';

/** A template, or several by name. */
export type TemplateSources = string | Readonly<Record<string, string>>;

/** The directory of a checkpoint that holds templates beside `chat_template.jinja`. */
export const TEMPLATE_DIRECTORY = 'additional_chat_templates';

export class NamedTemplates {
  readonly #templates: ReadonlyMap<string, ChatTemplate>;
  readonly #chosen: string | undefined;

  /**
   * @param files Of files of their own, which count before those of the configuration.
   * @param configured `chat_template` of `tokenizer_config.json`: a text, or a list with names.
   * @param chosen The name of the template that conversations get which name none.
   * @throws CutlayerError INVALID_ARTIFACT, INVALID_OPTION for an unknown name
   */
  constructor(files: TemplateSources | undefined, configured: unknown, tokens: TokenTexts, chosen?: string) {
    const sources = files === undefined ? sourcesOf(configured) : typeof files === 'string' ? { default: files } : files;
    this.#templates = new Map(Object.entries(sources).map(([name, source]) => [name, new ChatTemplate(source, tokens)]));
    this.#chosen = chosen;
    if (chosen === undefined || this.#templates.has(chosen)) return;
    const there = this.#templates.size === 0 ? 'the checkpoint has no chat template' : `expected one of ${this.#names()}`;
    throw new CutlayerError('INVALID_OPTION', `--chat-template (chatTemplate): ${there}, got ${JSON.stringify(chosen.slice(0, 80))}`);
  }

  /**
   * The template `chat_template_kwargs.chat_template` by its name; else the chosen one; else
   * `tool_use` where there are tools; else the default.
   * @throws CutlayerError INVALID_DATA naming those that there are
   */
  of({ tools, chat_template_kwargs: others }: Pick<Conversation, 'tools' | 'chat_template_kwargs'>): ChatTemplate {
    if (this.#templates.size === 0)
      throw new CutlayerError(
        'INVALID_DATA',
        'the checkpoint has no chat template, so {messages} records cannot be used; write {prompt, completion} or {text} records',
      );
    const asked = others?.chat_template;
    const name = asked ?? this.#chosen ?? (tools !== undefined && this.#templates.has('tool_use') ? 'tool_use' : 'default');
    const found = typeof name === 'string' ? this.#templates.get(name) : undefined;
    if (found !== undefined) return found;
    const names = this.#names();
    throw new CutlayerError(
      'INVALID_DATA',
      asked === undefined
        ? `the checkpoint has several chat templates and no default; name one of ${names} with --chat-template, or as chat_template in chat_template_kwargs`
        : `chat_template_kwargs.chat_template: expected one of ${names}, got ${shownJson(asked)?.slice(0, 80) ?? 'nothing'}`,
    );
  }

  #names(): string {
    return [...this.#templates.keys()].sort().join(', ');
  }
}

function sourcesOf(configured: unknown): Readonly<Record<string, string>> {
  if (typeof configured === 'string') return { default: configured };
  if (!Array.isArray(configured)) return {};
  const rows = configured as readonly ({ readonly name?: unknown; readonly template?: unknown } | null)[];
  const named = rows.flatMap((row) =>
    typeof row?.name === 'string' && typeof row.template === 'string' ? [[row.name, row.template] as const] : [],
  );
  return Object.fromEntries(named);
}
