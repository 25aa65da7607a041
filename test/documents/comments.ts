/** Reads the comments of a source as its reader does: paragraphs and tags of the comments that have lines of their own. */

/** A paragraph, list item or tag of a comment. */
export interface CommentText {
  /** Line of the comment, from 1. */
  readonly line: number;
  readonly text: string;
}

const OPENING = /^\s*\/\*\*?/;
const OWN_LINE = /^\s*(\/\*\*?|\*|\/\/) ?/;
const NEW_PARAGRAPH = /^(@\w+|[-*] |\d+\. )/;

/** The lines that are comments, as [line from 1, whole line]; lines inside template literals are none. */
export function commentLines(source: string): (readonly [number, string])[] {
  const found: (readonly [number, string])[] = [];
  let template = false;
  let block = false;
  source.split('\n').forEach((line, index) => {
    const own = block || (!template && (OPENING.test(line) || /^\s*\/\//.test(line)));
    if (own) {
      found.push([index + 1, line]);
      if (block || OPENING.test(line)) block = !line.includes('*/');
    } else if (((line.match(/(?<!\\)`/g) ?? []).length & 1) === 1) template = !template;
  });
  return found;
}

/** The paragraphs of the comments; drawings, tables and formulas, which are indented, are none. */
export function commentTexts(source: string): CommentText[] {
  const texts: CommentText[] = [];
  let open: { line: number; text: string } | undefined;
  let last = 0;
  for (const [line, whole] of commentLines(source)) {
    const text = whole.replace(OWN_LINE, '').replace(/\s*\*\/\s*$/, '');
    const starts = line !== last + 1 || OPENING.test(whole) || NEW_PARAGRAPH.test(text);
    last = line;
    if (text.trim() === '' || /^(\s{3,}|\s*\||biome-ignore)/.test(text)) open = undefined;
    else if (open !== undefined && !starts) open.text += ` ${text.trim()}`;
    else {
      open = { line, text: text.trim() };
      texts.push(open);
    }
  }
  return texts;
}
