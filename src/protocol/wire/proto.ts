/** Loads the package's protos with the options that the generated types were made for. */
import { join } from 'node:path';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { packageRoot } from '../../files/package-root.js';

const loaded = new Map<string, PackageDefinition>();

/** What files below `proto/` and their imports define, by full name; loaded once. */
export function loadProto(...files: readonly string[]): PackageDefinition {
  const key = files.join(' ');
  const before = loaded.get(key);
  if (before !== undefined) return before;
  const definition = loadSync([...files], {
    includeDirs: [join(packageRoot(), 'proto')],
    longs: Number,
    enums: String,
    keepCase: false,
    defaults: true,
    oneofs: true,
  });
  loaded.set(key, definition);
  return definition;
}

/** A message type. @param name full name, to which `Sent` and `Received` belong */
export function loadMessageType<Sent extends object, Received>(file: string, name: string): MessageTypeDefinition<Sent, Received> {
  return loadProto(file)[name] as unknown as MessageTypeDefinition<Sent, Received>;
}
