/**
 * Placeholders in the place of entities, before a text is tokenized, and the entities put back into
 * what is generated. The same entity has the same placeholder throughout a record.
 */
import { CutlayerError } from '../../../src/errors.js';
import { defenceClaims } from './claims.js';
import type { Defence } from './defence.js';
import { type EntityKind, entityKindNames, entityKinds } from './entities.js';

/** What to look for. */
export interface RedactionOptions {
  readonly kinds: readonly EntityKind[];
  /** Found as whole words, in any case. */
  readonly words?: readonly string[];
}

/** The placeholders of one record. */
export interface Redaction {
  /** A text with placeholders; those of texts before it stay. */
  redact(text: string): string;
  /** A whole text with its entities. */
  restore(text: string): string;
  /** Restores a text that comes in pieces; one that is cut within a placeholder is held back. */
  restoring(): { push(piece: string): string; finish(): string };
}

export interface Redactor extends Defence {
  /** Begins a record. */
  begin(): Redaction;
}

const PLACEHOLDER = /\[(?:EMAIL|IBAN|CARD|IP|DATE|PHONE|NUMBER|NAME)_\d{1,6}\]/g;
/** The beginning of a placeholder at the end of a text. */
const BEGUN = /\[(?:[A-Z]{0,6}|[A-Z]{2,6}_\d{0,6})$/;

/** @throws CutlayerError INVALID_ARGUMENT without a kind or a word */
export function redactor({ kinds, words = [] }: RedactionOptions): Redactor {
  if (kinds.length === 0 && words.length === 0)
    throw new CutlayerError('INVALID_ARGUMENT', 'redact: expected kinds of entities, or words; got neither');
  const listed = [...words].sort((a, b) => b.length - a.length).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const names = listed.length === 0 ? undefined : new RegExp(`(?<![\\p{L}\\p{N}])(?:${listed.join('|')})(?![\\p{L}\\p{N}])`, 'giu');
  const chosen = entityKindNames.filter((name) => kinds.includes(name));
  return {
    name: 'redact',
    settings: { kinds: chosen, words: words.length },
    claim: defenceClaims.redact,
    begin() {
      const entityOf = new Map<string, string>();
      const placeholderOf = new Map<string, string>();
      const counts = new Map<string, number>();
      const replaced = (label: string, found: string): string => {
        const known = placeholderOf.get(`${label} ${found}`);
        if (known !== undefined) return known;
        let placeholder: string;
        do {
          counts.set(label, (counts.get(label) ?? 0) + 1);
          placeholder = `[${label}_${counts.get(label)}]`;
          // A text may hold such a placeholder of its own.
        } while (entityOf.has(placeholder));
        entityOf.set(placeholder, found);
        placeholderOf.set(`${label} ${found}`, placeholder);
        return placeholder;
      };
      const redact = (text: string): string => {
        for (const [own] of text.matchAll(PLACEHOLDER)) if (!entityOf.has(own)) entityOf.set(own, own);
        // Placeholders are no place to look for entities.
        const outside = (from: string, pattern: RegExp, write: (found: string) => string) => {
          let [out, at] = ['', 0];
          for (const match of from.matchAll(PLACEHOLDER)) {
            out += from.slice(at, match.index).replace(pattern, write) + match[0];
            at = match.index + match[0].length;
          }
          return out + from.slice(at).replace(pattern, write);
        };
        let result = text;
        if (names !== undefined) result = outside(result, names, (found) => replaced('NAME', found));
        for (const name of chosen) {
          const {
            label,
            pattern,
            right = () => true,
          }: { label: string; pattern: RegExp; right?: (found: string) => boolean } = entityKinds[name];
          result = outside(result, pattern, (found) => (right(found) ? replaced(label, found) : found));
        }
        return result;
      };
      const restore = (text: string): string => text.replace(PLACEHOLDER, (placeholder) => entityOf.get(placeholder) ?? placeholder);
      return {
        redact,
        restore,
        restoring() {
          let held = '';
          return {
            push(piece) {
              const text = held + piece;
              const from = BEGUN.exec(text)?.index ?? text.length;
              held = text.slice(from);
              return restore(text.slice(0, from));
            },
            finish() {
              const rest = restore(held);
              held = '';
              return rest;
            },
          };
        },
      };
    },
  };
}
