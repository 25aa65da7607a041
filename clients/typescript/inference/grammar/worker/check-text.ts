/** Checks a finished text by other code than the grammar's: ajv for schemas, the engine's regex. */
import { createRequire } from 'node:module';
import type { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import { CutlayerError } from '../../../../../src/errors.js';
import { parseJson } from '../../../../../src/files/json-text.js';
import type { Constraint } from '../constraint.js';
import { formats } from '../schema/formats.js';

// ajv is CommonJS: its types and its values do not meet under NodeNext.
const { Ajv2020 } = createRequire(import.meta.url)('ajv/dist/2020.js') as { readonly Ajv2020: typeof Ajv };

/** Whether a text fits. */
export type TextCheck = (text: string) => boolean;

/** @throws CutlayerError INVALID_ARGUMENT: a schema that ajv cannot read */
export function textCheck(constraint: Constraint): TextCheck {
  switch (constraint.kind) {
    case 'schema':
      return between(constraint, schemaCheck(constraint.schema));
    case 'object':
      return (text) => {
        const value = jsonOf(text);
        return typeof value === 'object' && value !== null && !Array.isArray(value);
      };
    case 'regex': {
      const whole = new RegExp(`^(?:${constraint.pattern})$`, 'u');
      return (text) => whole.test(text);
    }
    case 'choice':
      return (text) => constraint.choices.includes(text);
  }
}

/** The check of what stands between two texts. */
function between({ before = '', after = '' }: { readonly before?: string; readonly after?: string }, check: TextCheck): TextCheck {
  return (text) => text.startsWith(before) && text.endsWith(after) && check(text.slice(before.length, text.length - after.length));
}

/** Knows the schema of schemas, whose compilation takes longer than most schemas. */
let dialect: Ajv | undefined;

function schemaCheck(schema: unknown): TextCheck {
  const ajv = new Ajv2020({
    strict: false,
    logger: false,
    validateSchema: false,
    formats: Object.fromEntries(Object.entries(formats).map(([name, pattern]) => [name, new RegExp(`^(?:${pattern})$`, 'u')])),
  });
  try {
    const kept = withoutDialect(schema);
    dialect ??= new Ajv2020({ strict: false, logger: false });
    void dialect.validateSchema(kept, true); // a promise only for $async schemas, which the dialect is not
    const validate = ajv.compile(kept);
    return (text) => {
      const value = jsonOf(text);
      return value !== undefined && validate(value) === true;
    };
  } catch (cause) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      'schema: expected a JSON schema (2020-12); a keyword has a value that the schema of schemas refuses',
      {
        cause,
      },
    );
  }
}

/** Other dialects have the same keywords where none was refused. */
function withoutDialect(schema: unknown): object | boolean {
  if (typeof schema === 'boolean') return schema;
  const { $schema: _, $id: __, ...kept } = schema as Readonly<Record<string, unknown>>;
  return kept;
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
