/** The route of the load: this moment, and the history. */
import { z } from 'zod';
import { loadSchema, spanNames } from './load-answer.js';
import { spans } from './load-history.js';
import type { LoadMonitor, ReadNow } from './load-monitor.js';
import { type ApiRoute, apiRoute } from './route.js';

/** @param now milliseconds since 1970 */
export function loadRoute({ history }: Pick<LoadMonitor, 'history'>, read: ReadNow, now: () => number): ApiRoute {
  return apiRoute({
    ...{ method: 'get', path: '/v1/admin/load', operation: 'showLoad', summary: 'Shows the load now, and over the last hour or day' },
    ...{ scopes: ['admin'], status: 200, errors: [] },
    query: z.strictObject({
      span: z.enum(spanNames).default('hour').describe('hour: points of 5 s; day: points of 5 min'),
      after: z.coerce.number().min(0).default(0).describe('points after this time alone, milliseconds since 1970'),
    }),
    answer: loadSchema,
    async run({ query: { span, after } }) {
      const { times, series } = history.after(span, after);
      const { stepMs } = spans[span];
      const columns = Object.fromEntries(Object.entries(series).map(([name, values]) => [name, values.map(shortened)]));
      return {
        at: now(),
        now: read(),
        history: {
          span,
          stepMs,
          from: history.from(span),
          times: [...times],
          series: columns as z.input<typeof loadSchema>['history']['series'],
        }, // one of each name
      };
    },
  });
}

/** Four digits are more than a chart shows. */
const shortened = (value: number): number => Number(value.toPrecision(4));
