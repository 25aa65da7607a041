/**
 * Layouts of a service's requests: names, numbers, types and nesting from the proto, lengths and
 * counts from a table of bounds. They are made once, when the service is put together.
 */
import type { MessageTypeDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { CutlayerError } from '../../errors.js';
import type { FieldLayout, MessageLayout } from './message-layout.js';
import { loadProto } from './proto.js';

/** The largest value of a field: bytes of a text or of bytes, and values of a list. */
interface FieldBounds {
  readonly maxBytes?: number;
  readonly maxCount?: number;
}

/** By message and field. Every field of bytes and every list has a row; a text may have one. */
export type Bounds = Readonly<Record<string, Readonly<Record<string, FieldBounds>>>>;

/** Bound of a text without a row. Handlers allow 64 characters; their own error is clearer. */
const MAX_TEXT_BYTES = 1024;

/** The methods of a generated definition, without its index signature. */
export type MethodName<Definition> = keyof { [M in keyof Definition as string extends M ? never : M]: true } & string;

/** The part of a google.protobuf.FieldDescriptorProto that is read here. */
interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  /** Of a message: its name within the package. */
  readonly typeName: string;
}

/** The part of a google.protobuf.DescriptorProto that is read here. */
interface MessageDescriptor {
  readonly name: string;
  readonly field: readonly FieldDescriptor[];
}

/**
 * Request layouts by method.
 * @param file path below `proto/`
 * @param service full name
 * @throws CutlayerError INTERNAL for a field whose bound is missing, or of a type that no request
 *   has had before
 */
export function requestLayouts<Definition>(
  file: string,
  service: string,
  bounds: Bounds,
): Readonly<Record<MethodName<Definition>, MessageLayout>> {
  const definitions = loadProto(file);
  const packageName = service.slice(0, service.lastIndexOf('.'));
  const layouts = new Map<string, MessageLayout>();

  /** Each message has one layout, whichever fields hold it. */
  function layoutOf(definition: MessageTypeDefinition<object, object>): MessageLayout {
    // proto-loader turns the descriptor into a plain object with these fields.
    const { name, field } = definition.type as MessageDescriptor;
    const made = layouts.get(name) ?? Object.fromEntries(field.map((one) => [one.number, fieldLayout(name, one)]));
    layouts.set(name, made);
    return made;
  }

  function fieldLayout(message: string, { name, label, type, typeName }: FieldDescriptor): FieldLayout {
    const { maxBytes, maxCount } = bounds[message]?.[name] ?? {};
    const bound = (value: number | undefined): number => {
      if (value !== undefined) return value;
      throw new CutlayerError('INTERNAL', `${message}.${name}: expected a bound for a ${label} ${type}, got none`);
    };
    // The name of a message type is one of the package's.
    const nested = () => layoutOf(definitions[`${packageName}.${typeName}`] as MessageTypeDefinition<object, object>);
    if (label === 'LABEL_REPEATED') {
      const count = bound(maxCount);
      if (type === 'TYPE_UINT32') return { name, kind: 'uint32s', maxCount: count };
      if (type === 'TYPE_STRING') return { name, kind: 'strings', maxCount: count, maxBytes: maxBytes ?? MAX_TEXT_BYTES };
      if (type === 'TYPE_MESSAGE') return { name, kind: 'messages', maxCount: count, layout: nested() };
    } else {
      if (type === 'TYPE_UINT32') return { name, kind: 'uint32' };
      if (type === 'TYPE_BOOL' || type === 'TYPE_ENUM') return { name, kind: 'varint' };
      if (type === 'TYPE_STRING') return { name, kind: 'string', maxBytes: maxBytes ?? MAX_TEXT_BYTES };
      if (type === 'TYPE_BYTES') return { name, kind: 'bytes', maxBytes: bound(maxBytes) };
      if (type === 'TYPE_MESSAGE') return { name, kind: 'message', layout: nested() };
    }
    throw new CutlayerError('INTERNAL', `${message}.${name}: expected a type that a request may have, got ${label} ${type}`);
  }

  const methods = definitions[service] as ServiceDefinition; // the file's own service
  const found = Object.entries(methods).map(([method, { requestType }]) => [method, layoutOf(requestType)]);
  // The generated definition has the service's methods, and no others.
  return Object.fromEntries(found) as Record<MethodName<Definition>, MessageLayout>;
}
