/** docs/protocol.md: the table of errors, from the code's own; what stands around it is written by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { type ErrorCode, errorTable } from '../../src/errors.js';
import { packageRoot } from '../../src/files/package-root.js';

const [BEGIN, END] = ['<!-- errors: written by `npm run generate:docs` -->', '<!-- errors end -->'];

/** The document's text. */
export function protocolDocument(): string {
  const text = readFileSync(join(packageRoot(), 'docs/protocol.md'), 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error('docs/protocol.md: expected the two marks around the table of errors');
  return `${text.slice(0, from)}${BEGIN}\n${errorRows().join('\n')}\n${text.slice(to)}`;
}

function errorRows(): string[] {
  const codes = Object.keys(errorTable) as ErrorCode[];
  const rows = codes.map((code) => {
    const { grpc, http, retry } = errorTable[code];
    return `| \`${code}\` | ${status[grpc]} | ${http} | ${retry} |`;
  });
  return ['| code | gRPC status | HTTP status | retry |', '| --- | --- | --- | --- |', ...rows];
}
