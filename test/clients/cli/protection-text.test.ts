import assert from 'node:assert/strict';
import { protectionText } from '../../../clients/typescript/cli/check/protection-text.js';
import { answeredText } from '../../../clients/typescript/cli/train/charged-text.js';
import { servedProtection } from '../../../clients/typescript/connection/served-protection.js';
import { standardPolicy } from '../../../src/gateway/protection/policy.js';
import { protectionOf } from '../../../src/gateway/split/get-model.js';
import type { Protection__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/Protection.js';

/** As it comes out of a model card. */
const served = (bounds: Partial<ReturnType<typeof standardPolicy>>) =>
  servedProtection(protectionOf({ ...standardPolicy(768), ...bounds }) as Protection__Output);

describe("a vendor's protection, as a client says it", () => {
  it('names the bounds that there are', () => {
    const text = protectionText(served({ rowsPerDay: 5_000_000, maxRowNorm: 12 }));
    assert.match(text, /^5,000,000 rows answered in a day \(UTC\); texts of at least 2 tokens/);
    assert.match(text, /; 64 directions .*; 128 near inputs in a day; rows at most 12 long$/);
    assert.doesNotMatch(protectionText(served({})), /rows answered/);
    assert.equal(protectionText(servedProtection(null)), 'the vendor states no bound');
  });

  it('says whether a run fits into a day', () => {
    assert.match(answeredText(1000, undefined), /no bound of a day$/);
    assert.match(answeredText(1000, 4000), /1,000 rows answered, 25 % of the 4,000 of a day \(UTC\): the run fits$/);
    assert.match(answeredText(9000, 4000), /the run needs 3 days; train less, or ask the vendor for a higher bound$/);
  });
});
