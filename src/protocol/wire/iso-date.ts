/** A day of the calendar as ISO 8601 writes it, `2027-03-01`; undefined for anything else. */
export function isoDate(given: unknown): string | undefined {
  if (typeof given !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(given)) return undefined;
  const day = new Date(`${given}T00:00:00Z`);
  // Date moves 30 February on to March, or refuses it.
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(given) ? given : undefined;
}
