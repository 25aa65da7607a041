/** The texts of a service's requests, from its proto: where an id may stand. */
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { packageRoot } from '../../src/files/package-root.js';

/** Each text field as `Method.field`, nested ones with their path, and each method by its name. */
export interface RequestTexts {
  readonly methods: readonly string[];
  readonly fields: readonly string[];
}

/** Reads a proto below `proto/`. @param service full name */
export function requestTexts(file: string, service: string): RequestTexts {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(packageRoot(), 'proto', target);
  const { methodsArray } = root.loadSync(file).lookupService(service);
  const fields = methodsArray.flatMap((method) => {
    method.resolve();
    return textsOf(method.resolvedRequestType!, method.name);
  });
  return { methods: methodsArray.map(({ name }) => name), fields };
}

function textsOf(type: protobuf.Type, path: string): string[] {
  return type.fieldsArray.flatMap((field) => {
    const { resolvedType, type: kind, name } = field.resolve();
    if (resolvedType instanceof protobuf.Type) return textsOf(resolvedType, `${path}.${name}`);
    return kind === 'string' ? [`${path}.${name}`] : [];
  });
}
