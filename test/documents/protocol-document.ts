/** docs/protocol.md: the table of errors, from the code's own. */
import { status } from '@grpc/grpc-js';
import { type ErrorCode, errorTable } from '../../src/errors.js';
import { withMarked } from './marked.js';

/** The document's text. */
export function protocolDocument(): string {
  return withMarked('docs/protocol.md', 'errors', errorRows());
}

function errorRows(): string[] {
  const codes = Object.keys(errorTable) as ErrorCode[];
  const rows = codes.map((code) => {
    const { grpc, http, retry } = errorTable[code];
    return `| \`${code}\` | ${status[grpc]} | ${http} | ${retry} |`;
  });
  return ['| code | gRPC status | HTTP status | retry |', '| --- | --- | --- | --- |', ...rows];
}
