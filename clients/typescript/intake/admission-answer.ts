/** What the sender of examples is told of them. */
import type { Admission } from './admission.js';

/** Problems in one answer. */
const MAX_PROBLEMS = 100;

/** An answer with its HTTP status: 201 when one is new, 200 when all were there, else 400. */
export function answerTo(admissions: readonly Admission[]) {
  const count = (outcome: Admission) => admissions.filter((admission) => admission === outcome).length;
  const problems = admissions.flatMap((admission, index) => (typeof admission === 'string' ? [] : [{ index, reason: admission.reason }]));
  const [accepted, duplicates] = [count('accepted'), count('duplicate')];
  const body = { accepted, duplicates, rejected: problems.length, problems: problems.slice(0, MAX_PROBLEMS) };
  return { status: accepted > 0 ? 201 : duplicates > 0 ? 200 : 400, body };
}
