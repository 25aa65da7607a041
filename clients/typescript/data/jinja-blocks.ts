/**
 * What a block of a template writes, as Jinja has it. The package loses what an iteration wrote
 * before `continue` or `break`, and writes nothing for none, where Jinja writes None.
 */
import { Interpreter } from '@huggingface/jinja';

interface Value {
  readonly type: string;
  value: unknown;
  toString(): string;
}

interface Statement {
  readonly type: string;
}

/** The package's interpreter, with the method that is corrected. */
interface Blocks {
  evaluate(statement: Statement, environment: object): Value;
  evaluateBlock(statements: readonly Statement[], environment: object): Value;
}

/** Statements that write nothing by themselves, or have their text as their value. */
const silent: ReadonlySet<string> = new Set([
  'Set',
  'Macro',
  'Comment',
  'Break',
  'Continue',
  'If',
  'For',
  'CallStatement',
  'FilterStatement',
]);

/** What was written when a loop was left, and how. */
interface Left {
  readonly kind: string;
  written: string;
}

const bodies = new WeakSet<object>();
const left = new WeakMap<object, Left>();
/** Scopes of loops that were ended: the package goes on with the items that are left. */
const ended = new WeakSet<object>();
let corrected = false;

/** Corrects the package's interpreter, once a thread. */
export function correctBlocks(): void {
  if (corrected) return;
  corrected = true;
  // The method is private in the package's types alone.
  const blocks = Interpreter.prototype as unknown as Blocks;
  const original = blocks.evaluateBlock;
  blocks.evaluateBlock = function (this: Blocks, statements, environment) {
    const block = original.call(this, [], environment);
    const isBody = bodies.has(statements);
    if (isBody && ended.has(environment)) return block;
    let text = '';
    for (const statement of statements) {
      try {
        const value = this.evaluate(statement, environment);
        if (value.type === 'NullValue') text += silent.has(statement.type) ? '' : 'None';
        else if (value.type !== 'UndefinedValue') text += value.toString();
      } catch (caught) {
        const leaving = leavingOf(caught, statement);
        if (leaving === undefined) throw caught;
        leaving.written = text + leaving.written;
        if (!isBody) throw caught;
        if (leaving.kind === 'Break') ended.add(environment);
        block.value = leaving.written;
        return block;
      }
    }
    block.value = text;
    return block;
  };
}

/** Names the bodies of loops in a program, so that they are known when they run. */
export function nameLoops(node: unknown): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, body } = node as { readonly type?: string; readonly body?: object };
  if (type === 'For' && body !== undefined) bodies.add(body);
  for (const child of Object.values(node)) nameLoops(child);
}

function leavingOf(caught: unknown, { type }: Statement): Left | undefined {
  if (typeof caught !== 'object' || caught === null) return undefined;
  const known = left.get(caught);
  if (known !== undefined || (type !== 'Break' && type !== 'Continue')) return known;
  const leaving: Left = { kind: type, written: '' };
  left.set(caught, leaving);
  return leaving;
}
