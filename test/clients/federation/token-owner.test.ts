import assert from 'node:assert/strict';
import { requireTokenOf } from '../../../clients/typescript/federation/token-owner.js';

describe("a participant's token for the coordinator", () => {
  const token = (claims: unknown): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.AAAA`;

  it("is refused when it was issued to another member than the identity's", () => {
    assert.throws(() => requireTokenOf('west', token({ tenant: 'north' })), {
      code: 'NOT_A_MEMBER',
      message:
        "the token for the coordinator was issued to north, and --identity is west's on the roster; pass the token and the identity of one member",
    });
  });

  it("is taken when it is the member's own, and left to the coordinator when it cannot be read", () => {
    requireTokenOf('north', token({ tenant: 'north' }));
    for (const opaque of ['opaque', 'a.b.c', token(null), token({ tenant: 7 }), token({ tenant: 'x\u001b[2J' })])
      requireTokenOf('north', opaque);
  });
});
