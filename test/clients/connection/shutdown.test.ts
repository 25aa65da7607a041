import assert from 'node:assert/strict';
import { parseServedModel } from '../../../clients/typescript/connection/served-model.js';
import { shutdownOf } from '../../../clients/typescript/connection/shutdown.js';
import type { GetModelResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/GetModelResponse.js';

describe('the end of a backbone', () => {
  const on = (day: string) => shutdownOf({ shutdownDate: '2027-03-01' }, Date.parse(day));
  const advice = /; get the client bundle of the vendor's next model, and move adapters to it with cutlayer client migrate$/;

  it('is told with its days, and with what to do from 90 days before it', () => {
    assert.equal(shutdownOf({ shutdownDate: undefined }, 0), undefined);
    const far = { says: 'the vendor stops serving this backbone on 2027-03-01, 90 days from now', soon: false };
    assert.deepEqual(on('2026-12-01'), far);
    assert.match(on('2026-12-02')?.says ?? '', /on 2027-03-01, 89 days from now; get/);
    assert.match(on('2027-02-28T23:59:59Z')?.says ?? '', /on 2027-03-01, 1 day from now; get/);
    assert.match(on('2027-03-01')?.says ?? '', /^the vendor no longer serves this backbone since 2027-03-01, by its model card;/);
    for (const day of ['2026-12-02', '2027-02-28', '2027-03-01', '2028-01-01']) {
      assert.equal(on(day)?.soon, true);
      assert.match(on(day)?.says ?? '', advice);
    }
  });

  it('is no text of a gateway that is no date: it would be shown on a terminal', () => {
    // The fields that the parser reads before the date.
    const card = {
      dims: {},
      cut: {},
      limits: {},
      wireDtypes: [],
      adapters: [],
      prices: null,
      protection: null,
    } as unknown as GetModelResponse__Output;
    assert.equal(parseServedModel({ ...card, shutdownDate: '' }).shutdownDate, undefined);
    assert.equal(parseServedModel({ ...card, shutdownDate: '2027-03-01' }).shutdownDate, '2027-03-01');
    for (const shutdownDate of ['\u001b[2J', '2027-13-01', '2027-02-29', 'soon'])
      assert.throws(() => parseServedModel({ ...card, shutdownDate }), {
        code: 'INVALID_ARGUMENT',
        message: /^shutdown_date of the model card: /,
      });
  });
});
