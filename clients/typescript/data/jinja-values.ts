/**
 * Values in templates, as Python has them: how they are written as text and as JSON, and when two
 * are equal. The package writes them as JavaScript does: `true`, `[1, "a"]`, and 1 for 1.0.
 */
import { Environment, Interpreter } from '@huggingface/jinja';
import { plainNumbers, pythonFloat } from './exact-numbers.js';

/** A value of the package's interpreter. */
export interface JinjaValue {
  readonly type: string;
  value: unknown;
  toString(): string;
  /** What Python calls a list that is a dictionary's own. */
  view?: string;
  /** True for a pair of a dictionary, a list of the package, which Python has as a tuple. */
  isTuple?: boolean;
}

type MakeValue = new (value: unknown) => JinjaValue;

/** The package's classes, which it does not export. */
const classes = {
  string: classOf(''),
  integer: classOf(0),
  float: classOf(0.5),
  boolean: classOf(true),
  array: classOf([]),
  object: classOf({}),
  none: classOf(null),
};

function classOf(value: unknown): MakeValue {
  return new Environment().set('value', value).constructor as MakeValue;
}

let corrected = false;

/** Corrects the package's values, once a thread. */
export function correctValues(): void {
  if (corrected) return;
  corrected = true;
  const { float, boolean, array, object, none } = classes;
  for (const { prototype } of [float, boolean, array, object, none]) {
    prototype.toString = function (this: JinjaValue) {
      return textOf(this);
    };
  }
  // The package's types have these methods private, or with its own values.
  const environment = Environment.prototype as unknown as { set(name: string, value: unknown): JinjaValue };
  const set = environment.set;
  environment.set = function (name, value) {
    const made = set.call(this, name, holdsExact(value) ? plainNumbers(value) : value);
    restoreExact(made, value);
    return made;
  };
  correctViews();
  correctMembers();
  correctOperators();
  correctFilters();
}

interface Expression {
  readonly type: string;
  readonly value?: unknown;
  readonly callee?: Expression;
  readonly args?: readonly Expression[];
}

interface Binary {
  readonly left: Expression;
  readonly right: Expression;
  readonly operator: { readonly value: string };
}

interface Member {
  readonly object: Expression & { readonly property?: Expression };
}

interface Operators {
  evaluate(node: Expression, environment: object): JinjaValue;
  evaluateBinaryExpression(node: Binary, environment: object): JinjaValue;
  evaluateMemberExpression(node: Member, environment: object): JinjaValue;
  evaluateArguments(args: readonly Expression[], environment: object): readonly [readonly JinjaValue[], ReadonlyMap<string, JinjaValue>];
  applyFilter(operand: JinjaValue, filter: Expression, environment: object): JinjaValue;
}

const interpreter = Interpreter.prototype as unknown as Operators;

/** As Python: what a dictionary gives are views, and its items are tuples. */
function correctViews(): void {
  const prototype = classes.object.prototype as unknown as Record<'items' | 'keys' | 'values', (this: JinjaValue) => JinjaValue>;
  for (const name of ['items', 'keys', 'values'] as const) {
    const original = prototype[name];
    prototype[name] = function () {
      const listed = original.call(this);
      if (name === 'items') asTuples(listed);
      listed.view = `dict_${name}`;
      return listed;
    };
  }
}

/** Pairs of a list as tuples, which differ from lists in how they are written and compared. */
function asTuples(listed: JinjaValue): void {
  for (const pair of itemsOf(listed)) pair.isTuple = true;
}

/** As Python: what is undefined has no attributes. */
function correctMembers(): void {
  const original = interpreter.evaluateMemberExpression;
  interpreter.evaluateMemberExpression = function (node, environment) {
    const found = original.call(this, node, environment);
    if (found.type !== 'UndefinedValue' || this.evaluate(node.object, environment).type !== 'UndefinedValue') return found;
    const name = node.object.property?.value ?? node.object.value;
    throw new Error(`it reads an attribute of ${typeof name === 'string' ? name : 'a value'}, which is undefined`);
  };
}

function correctOperators(): void {
  const { string, integer, float, boolean } = classes;
  const original = interpreter.evaluateBinaryExpression;
  interpreter.evaluateBinaryExpression = function (node, environment) {
    const { value: operator } = node.operator;
    if (!['~', '==', '!=', '%', '+'].includes(operator)) return original.call(this, node, environment);
    const [left, right] = [this.evaluate(node.left, environment), this.evaluate(node.right, environment)];
    if (operator === '~') return new string(textOf(left) + textOf(right));
    if (operator === '+') return sumOf(left, right);
    if (operator !== '%') return new boolean(isEqual(left, right) === (operator === '=='));
    const [a, b] = [left.value, right.value];
    if (typeof a !== 'number' || typeof b !== 'number') throw unknownOperator('%', left, right);
    if (b === 0) throw new Error('modulo by zero');
    return new (left instanceof float || right instanceof float ? float : integer)(a - Math.floor(a / b) * b);
  };
}

/** As Python: texts are added to texts alone, where the package makes a text of any value. */
function sumOf(left: JinjaValue, right: JinjaValue): JinjaValue {
  const { string, integer, float, array } = classes;
  const [a, b] = [left.value, right.value];
  if (left instanceof string && right instanceof string) return new string(`${String(a)}${String(b)}`);
  if (left instanceof array && right instanceof array) return new array([...itemsOf(left), ...itemsOf(right)]);
  const isWhole = left instanceof integer && right instanceof integer;
  if (isWhole && (typeof a === 'bigint' || typeof b === 'bigint'))
    return new integer(BigInt(a as number | bigint) + BigInt(b as number | bigint));
  if (typeof a === 'number' && typeof b === 'number') return new (isWhole ? integer : float)(a + b);
  throw unknownOperator('+', left, right);
}

function unknownOperator(operator: string, left: JinjaValue, right: JinjaValue): Error {
  const name = ({ type }: JinjaValue): string => type.replace('Value', '').toLowerCase();
  return new Error(`Python has no ${operator} between ${name(left)} and ${name(right)}`);
}

function correctFilters(): void {
  const { string, integer, array } = classes;
  const original = interpreter.applyFilter;
  interpreter.applyFilter = function (operand, filter, environment) {
    switch (String(filter.type === 'CallExpression' ? filter.callee?.value : filter.value)) {
      case 'tojson': {
        const [args, named] = this.evaluateArguments(filter.args ?? [], environment);
        const option = (name: string, at: number): unknown => plainOf(named.get(name) ?? args[at]);
        const [indent, separators] = [option('indent', 1), option('separators', 2)];
        return new string(
          jsonOf(operand, {
            ascii: option('ensure_ascii', 0) === true,
            sorted: option('sort_keys', 3) === true,
            indent: typeof indent === 'number' ? ' '.repeat(Math.min(64, Math.max(0, indent))) : undefined,
            separators: Array.isArray(separators) && separators.length === 2 ? [String(separators[0]), String(separators[1])] : undefined,
          }),
        );
      }
      case 'list':
        // A list of a dictionary's view is none itself.
        return operand.view === undefined ? original.call(this, operand, filter, environment) : new array([...itemsOf(operand)]);
      case 'items':
      case 'dictsort': {
        const listed = original.call(this, operand, filter, environment);
        asTuples(listed);
        return listed.view === undefined ? listed : new array([...itemsOf(listed)]);
      }
      case 'string':
        return new string(textOf(operand));
      case 'length':
      case 'count':
        if (!(operand instanceof string)) return original.call(this, operand, filter, environment);
        return new integer(Array.from(String(operand.value)).length);
      case 'join': {
        const texts =
          operand instanceof array ? new array((operand.value as JinjaValue[]).map((item) => new string(textOf(item)))) : operand;
        return original.call(this, texts, filter, environment);
      }
      default:
        return original.call(this, operand, filter, environment);
    }
  };
}

function holdsExact(value: unknown): boolean {
  if (typeof value === 'bigint' || value instanceof Number) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsExact);
}

/** Puts numbers that JavaScript would write otherwise where plain ones were set. */
function restoreExact(made: JinjaValue, raw: unknown): void {
  if (typeof raw !== 'object' || raw === null || !holdsExact(raw)) return;
  for (const [key, item] of Object.entries(raw)) {
    const exact =
      typeof item === 'bigint' ? new classes.integer(item) : item instanceof Number ? new classes.float(Number(item)) : undefined;
    const place = made.value as Map<string, JinjaValue> | JinjaValue[];
    const current = Array.isArray(place) ? place[Number(key)]! : place.get(key)!;
    if (exact === undefined) restoreExact(current, item);
    else if (Array.isArray(place)) place[Number(key)] = exact;
    else place.set(key, exact);
  }
}

/** Python's `str`. */
export function textOf(value: JinjaValue): string {
  switch (value.type) {
    case 'StringValue':
      return String(value.value);
    case 'UndefinedValue':
      return '';
    default:
      return representation(value);
  }
}

const typeOf = ({ type, isTuple }: JinjaValue): string => (isTuple === true ? 'TupleValue' : type);

/** Python's `repr`. */
function representation(value: JinjaValue): string {
  switch (typeOf(value)) {
    case 'StringValue':
      return quoted(String(value.value));
    case 'IntegerValue':
      return String(value.value);
    case 'FloatValue':
      return pythonFloat(Number(value.value));
    case 'BooleanValue':
      return value.value === true ? 'True' : 'False';
    case 'NullValue':
      return 'None';
    case 'UndefinedValue':
      return 'Undefined';
    case 'ArrayValue': {
      const listed = `[${itemsOf(value).map(representation).join(', ')}]`;
      return value.view === undefined ? listed : `${value.view}(${listed})`;
    }
    case 'TupleValue': {
      const items = itemsOf(value);
      return `(${items.map(representation).join(', ')}${items.length === 1 ? ',' : ''})`;
    }
    case 'ObjectValue':
      return `{${entriesOf(value)
        .map(([key, item]) => `${quoted(key)}: ${representation(item)}`)
        .join(', ')}}`;
    default:
      throw new Error(`a value of type ${value.type} has no text`);
  }
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A text in quotes: double ones where it holds single ones alone. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\\\n\r\t'"]|(?! )[\p{C}\p{Z}]/gu, (character) => {
    if (character === "'" || character === '"') return character === quote ? `\\${character}` : character;
    const code = character.codePointAt(0)!;
    const hex = (letter: string, digits: number) => `\\${letter}${code.toString(16).padStart(digits, '0')}`;
    return escapes[character] ?? (code < 0x100 ? hex('x', 2) : code < 0x10000 ? hex('u', 4) : hex('U', 8));
  });
  return quote + body + quote;
}

interface JsonOptions {
  readonly ascii: boolean;
  readonly sorted: boolean;
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string] | undefined;
}

/** Python's `json.dumps`. @throws Error for what is no JSON */
function jsonOf(value: JinjaValue, options: JsonOptions, depth = 1): string {
  const { indent, separators, sorted, ascii } = options;
  const [comma, colon] = separators ?? [indent === undefined ? ', ' : ',', ': '];
  const listed = (open: string, parts: readonly string[], close: string): string => {
    if (parts.length === 0) return open + close;
    if (indent === undefined) return open + parts.join(comma) + close;
    const line = `\n${indent.repeat(depth)}`;
    return `${open}${line}${parts.join(comma + line)}\n${indent.repeat(depth - 1)}${close}`;
  };
  const text = (plain: string): string => {
    const json = JSON.stringify(plain);
    return ascii ? json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`) : json;
  };
  switch (value.type) {
    case 'StringValue':
      return text(String(value.value));
    case 'IntegerValue':
      return String(value.value);
    case 'FloatValue':
      return jsonFloat(Number(value.value));
    case 'BooleanValue':
      return String(value.value);
    case 'NullValue':
      return 'null';
    case 'ArrayValue':
    case 'TupleValue':
      if (value.view !== undefined) throw new Error(`${value.view} is no JSON; a list of it is`);
      return listed(
        '[',
        itemsOf(value).map((item) => jsonOf(item, options, depth + 1)),
        ']',
      );
    case 'ObjectValue': {
      const entries = [...entriesOf(value)];
      if (sorted) entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      return listed(
        '{',
        entries.map(([key, item]) => text(key) + colon + jsonOf(item, options, depth + 1)),
        '}',
      );
    }
    default:
      throw new Error(value.type === 'UndefinedValue' ? 'an undefined value is no JSON' : `a value of type ${value.type} is no JSON`);
  }
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? pythonFloat(value) : value < 0 ? '-Infinity' : 'Infinity';
}

function isEqual(left: JinjaValue, right: JinjaValue): boolean {
  const [a, b] = [left.value, right.value];
  if (Array.isArray(a) && Array.isArray(b))
    return typeOf(left) === typeOf(right) && a.length === b.length && a.every((item: JinjaValue, at) => isEqual(item, b[at] as JinjaValue));
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && entriesOf(left).every(([key, item]) => b.has(key) && isEqual(item, b.get(key) as JinjaValue));
  if (left.type === 'NullValue' || left.type === 'UndefinedValue') return left.type === right.type;
  if (typeof a === 'bigint' || typeof b === 'bigint') return typeof a === typeof b && a === b;
  return isNumber(a) && isNumber(b) ? Number(a) === Number(b) : a === b;
}

const isNumber = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean';

function plainOf(value: JinjaValue | undefined): unknown {
  return Array.isArray(value?.value) ? itemsOf(value).map((item) => item.value) : value?.value;
}

// The package's arrays hold values, and its objects are maps of them.
const itemsOf = ({ value }: JinjaValue): readonly JinjaValue[] => value as readonly JinjaValue[];
const entriesOf = ({ value }: JinjaValue): readonly (readonly [string, JinjaValue])[] => [...(value as ReadonlyMap<string, JinjaValue>)];
