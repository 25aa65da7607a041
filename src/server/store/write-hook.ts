/** A hook around writes, for tests that stop a process at each of them. */

/** Called around each write, with a name like `before insert messages`, `after commit`. */
export type WriteHook = (name: string) => void;

/** `insert messages` and the like; null for a read. */
export function nameOfWrite(sql: string): string | null {
  const match = /^(insert|update|delete|create|alter|drop)\b[^"]*"([^"]+)"/.exec(sql);
  return match === null ? null : `${match[1]} ${match[2]}`;
}
