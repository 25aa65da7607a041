/**
 * Versions of Node whose HTTP/2 has a published fault. At the end of a stream under back-pressure,
 * one connection can get a part of the answer of another. Node 22.23.5 and 24.22.3 have the
 * correction; Node 20 gets none.
 */

/** What a server runs on. */
export interface NodeFault {
  /** As `v20.20.0`. */
  readonly version: string;
  readonly unpatched: boolean;
}

/** First patched version of each release line that has one; later lines begin patched. */
const patched: Readonly<Record<number, readonly [minor: number, patch: number]>> = { 22: [23, 5], 24: [22, 3] };
const LAST_UNPATCHED_LINE = 24;

/** Whether a version has the fault. @param version As `process.version` */
export function nodeFault(version = process.version): NodeFault {
  const [major = 0, minor = 0, patch = 0] = version.replace(/^v/, '').split(/[.-]/).map(Number);
  const first = patched[major];
  const isPatched = first === undefined ? major > LAST_UNPATCHED_LINE : minor > first[0] || (minor === first[0] && patch >= first[1]);
  return { version, unpatched: !isPatched };
}

/** What the log says of it. */
export const nodeFaultWarning = ({ version }: NodeFault): string =>
  `NODE ${version} HAS A PUBLISHED HTTP/2 FAULT: one connection may get a part of the answer of another; run 22.23.5, 24.22.3 or later`;
