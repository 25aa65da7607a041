/** Reads Markdown as its reader does: sentences without code, tables and markup, each with its place. */

/** A sentence of a document. */
export interface Sentence {
  /** Line of its first word, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Words that make a reader stop. */
export const unclear = /\b(whoever|whomever|how-manieth|for whom|nobody|spells? out|spelled out|whatever else|anybody)\b/i;

/** Words of a sentence; a code span or a number is one word. */
export function wordsOf(sentence: string): number {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** The document's lines without fenced code, comments, tables and lists of names; those are blank, so that line numbers hold. */
export function proseLines(markdown: string): string[] {
  let fenced = false;
  const blank = markdown.replace(/<!--[\s\S]*?-->/g, (comment) => comment.replace(/[^\n]/g, ''));
  return blank.split('\n').map((line) => {
    const fence = /^\s*```/.test(line);
    if (fence) fenced = !fenced;
    return fence || fenced || /^\s*\|/.test(line) || /^(\s*`[^`]+`)+$/.test(line) ? '' : line;
  });
}

/** The sentences of the prose; a heading, a list item and a paragraph each end one. */
export function sentencesOf(markdown: string): Sentence[] {
  const sentences: Sentence[] = [];
  let block: { line: number; text: string }[] = [];
  const flush = (): void => {
    let open: { line: number; text: string } | undefined;
    for (const { line, text } of block) {
      for (const part of text.split(/(?<=[.!?][*")\]]*)\s+(?=[A-Z0-9`*"([])/)) {
        open = open === undefined ? { line, text: part } : { line: open.line, text: `${open.text} ${part}` };
        if (!/[.!?][*")\]]*$|:$/.test(part) || /\b(e\.g|i\.e|et al|vs|sec)\.$/.test(part)) continue;
        sentences.push(open);
        open = undefined;
      }
    }
    if (open !== undefined) sentences.push(open);
    block = [];
  };
  proseLines(markdown).forEach((raw, index) => {
    if (raw.trim() === '' || /^\s*(#|[-*] |\d+\. )/.test(raw)) flush();
    const text = raw
      .replace(/^\s*(#+|[-*] |\d+\. )\s*/, '')
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/`[^`]*`/g, 'Code')
      .replace(/\*\*?/g, '')
      .trim();
    if (text !== '') block.push({ line: index + 1, text });
    if (/^\s*#/.test(raw)) flush();
  });
  flush();
  return sentences;
}
