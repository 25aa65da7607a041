/** The panel of the load: a card for each bounded thing, with its bar. */
import type { LoadNow } from '../../admin/load-answer.js';
import { element, meter, replace, say, some } from './elements.js';
import { bytes, count, percent, shareOf } from './format.js';

interface Card {
  readonly title: string;
  readonly value: string;
  readonly note: string;
  /** Of what there may be at most; undefined: it has no bound. */
  readonly share?: number;
}

const plural = (value: number, one: string, more = `${one}s`): string => `${count(value)} ${value === 1 ? one : more}`;

function cards(now: LoadNow): readonly Card[] {
  const memory = now.callBytes + now.workBytes + now.keptBytes;
  const decode = now.decodeBytes + now.decodeCacheBytes;
  return [
    {
      title: 'Calls in flight',
      value: plural(now.inFlightCalls, 'call'),
      note: `of ${count(now.maxInFlight)}; ${plural(now.openStreams, 'stream')} beside them`,
      share: shareOf(now.inFlightCalls, now.maxInFlight),
    },
    {
      title: 'Queue',
      value: plural(now.queued, 'job'),
      note: `of ${count(now.queueLimit)} wait; ${count(now.running)} of ${plural(now.workers, 'worker')} at work`,
      share: shareOf(now.queued, now.queueLimit),
    },
    {
      title: 'Memory',
      value: bytes(memory),
      note: `of ${bytes(now.memoryLimitBytes)}: calls ${bytes(now.callBytes)}, running ${bytes(now.workBytes)}, kept steps ${bytes(now.keptBytes)}`,
      share: shareOf(memory, now.memoryLimitBytes),
    },
    { title: 'Steps', value: plural(now.keptSteps, 'step'), note: `kept between forward and backward, in ${bytes(now.keptBytes)}` },
    {
      title: 'Decode sessions',
      value: plural(now.decodeSessions, 'session'),
      note:
        now.decodeLimitBytes === 0
          ? 'this gateway does not decode'
          : `${bytes(decode)} of ${bytes(now.decodeLimitBytes)}; ${count(now.decodeWaiting)} wait for a turn`,
      ...(now.decodeLimitBytes > 0 && { share: shareOf(decode, now.decodeLimitBytes) }),
    },
    {
      title: 'Connections',
      value: plural(now.connections, 'connection'),
      note: `of ${count(now.maxConnections)}`,
      share: shareOf(now.connections, now.maxConnections),
    },
    {
      title: 'Protection',
      value: plural(now.protectionAlarms, 'alarm'),
      note: `and ${plural(now.protectionRefused, 'refused call')} since the start`,
    },
  ];
}

/** Shows the state of this moment. */
export function showLoad(now: LoadNow): void {
  say('title', now.model);
  const state = now.auditFailing ? 'the audit log cannot be written: calls are refused' : now.status;
  say('state', state);
  some('state').dataset.state = now.auditFailing ? 'failing' : now.status;
  replace(
    some('load-cards'),
    ...cards(now).map(({ title, value, note, share }) =>
      element(
        'div',
        { class: 'card' },
        element('h3', {}, title),
        element('b', {}, value),
        ...(share === undefined ? [] : [meter(title, share, `${percent(share)} of the limit`)]),
        element('small', {}, note),
      ),
    ),
  );
}
