/** What `improve` says of what happens. */
import type { ImprovementEvent } from '../../improvement/improvement.js';

/** A line for people. */
export function improvementLine(event: ImprovementEvent): string {
  switch (event.type) {
    case 'run': {
      const what = `${event.fresh} new and ${event.rehearsed} earlier examples, from version ${event.parent}`;
      return event.resumed ? `run ${event.run}: goes on with ${what}` : `run ${event.run}: trains on ${what}`;
    }
    case 'abandoned':
      return `run ${event.run}: given up: ${event.reason}`;
    case 'unread':
      return `note: ${event.examples} stored examples are left out: ${event.reason}`;
    case 'judged':
      return event.promote
        ? `version ${event.version}: promoted over version ${event.rival}: ${event.reasons.join('; ')}`
        : `version ${event.version}: kept away, version ${event.rival} stays: ${event.reasons.join('; ')}`;
  }
}
