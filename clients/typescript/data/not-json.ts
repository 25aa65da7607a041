/** What a line is that was expected to be JSON. Its own text is in no message. */

/** What such lines are, by how they begin, and what to do. */
const kinds: readonly (readonly [pattern: RegExp, says: string])[] = [
  [/^\ufeff/, 'begins with a byte order mark, as the first line of a file does; take it away where files were joined'],
  [/^\s*[{[]\s*'/, 'has single quotes, as Python prints; write it by json.dumps'],
  [/^\s*(?:None|True|False|NaN)\b/, 'is a value of Python; write it by json.dumps'],
  [/^\s*[{[\]}"]/, ''],
  [/^[^,\t]*\t/, 'looks like cells between tabs; separate them by commas and name the file .csv'],
  [/^[^,]*,/, 'looks like CSV; name the file .csv'],
  [/^---|^[\w-]+:(?: |$)/, 'looks like YAML; write one JSON object per line'],
];

/** @param cause The error of the parser, which says where. */
export function notJson(line: string, cause: unknown): string {
  const said = kinds.find(([pattern]) => pattern.test(line))?.[1] ?? '';
  const reason = cause instanceof Error ? cause.message : '';
  const position = /position (\d+)/.exec(reason)?.[1];
  const place = /end of JSON input|Unterminated/.test(reason)
    ? `it ends early, after ${line.length} characters`
    : `at character ${Number(position ?? 0) + 1} of ${line.length}`;
  return `not JSON (${place})${said === '' ? '' : `: it ${said}`}; expected one object per line`;
}
