/** Findings as lines for a terminal. */
import { columns } from '../text-layout.js';
import type { Finding } from './finding.js';

const marks: Readonly<Record<Finding['state'], string>> = { ok: 'ok', fail: 'FAIL', skipped: '-' };

/** A line for each. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  return columns(findings.map(({ name, state, says }) => [marks[state], name, says]));
}
