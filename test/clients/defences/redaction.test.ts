/** Redaction: what is found, one placeholder for each entity, and entities back in answers. */
import assert from 'node:assert/strict';
import { changedTexts, parseRecord } from '../../../clients/typescript/data/records.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { type EntityKind, entityKindNames } from '../../../clients/typescript/defences/entities.js';
import { redactor } from '../../../clients/typescript/defences/redaction.js';

const all = () => redactor({ kinds: entityKindNames, words: ['Ada Lovelace', 'Ada', 'C++'] }).begin();

/** Kind, a text, and the text redacted by that kind alone. */
const found: readonly (readonly [EntityKind, string, string])[] = [
  ['emails', 'Write to ada.l+x@mail.example.org, please.', 'Write to [EMAIL_1], please.'],
  ['emails', 'a@b is none', 'a@b is none'],
  ['ibans', 'IBAN DE89 3704 0044 0532 0130 00.', 'IBAN [IBAN_1].'],
  ['ibans', 'GB82WEST12345698765432 and GB83WEST12345698765432', '[IBAN_1] and GB83WEST12345698765432'],
  ['cards', 'card 4111 1111 1111 1111, not 4111 1111 1111 1112', 'card [CARD_1], not 4111 1111 1111 1112'],
  ['ips', 'from 10.0.0.255 or fe80::1ff:fe23:4567:890a, not 10.0.0.256', 'from [IP_1] or [IP_2], not 10.0.0.256'],
  ['dates', 'on 2024-02-29 and 1.12.1999', 'on [DATE_1] and [DATE_2]'],
  ['phones', 'call +49 (30) 1234-5678 or 0301234567', 'call [PHONE_1] or [PHONE_2]'],
  ['numbers', 'case 12345, room 1234', 'case [NUMBER_1], room 1234'],
];

describe('redaction', () => {
  for (const [kind, text, redacted] of found)
    it(`finds ${kind} in: ${text}`, () => {
      const redaction = redactor({ kinds: [kind] }).begin();
      assert.equal(redaction.redact(text), redacted);
      assert.equal(redaction.restore(redacted), text);
      // Another kind alone leaves the text as it is: what is not asked for is sent.
      assert.equal(
        redactor({ kinds: [], words: ['nowhere'] })
          .begin()
          .redact(text),
        text,
      );
    });

  it('finds listed words whole and in any case, the longest first, and no other names', () => {
    const redaction = all();
    const text = 'ada lovelace met Ada and Adam, who wrote C++; Grace did not.';
    assert.equal(redaction.redact(text), '[NAME_1] met [NAME_2] and Adam, who wrote [NAME_3]; Grace did not.');
  });

  it('gives an entity the same placeholder in all texts of a record, and begins anew with another record', () => {
    const one = all();
    assert.equal(one.redact('a@x.org, b@x.org, a@x.org'), '[EMAIL_1], [EMAIL_2], [EMAIL_1]');
    assert.equal(one.redact('b@x.org at 10.0.0.1'), '[EMAIL_2] at [IP_1]');
    assert.equal(all().redact('b@x.org'), '[EMAIL_1]');
  });

  it('leaves placeholders that a text has of itself as they are', () => {
    const redaction = all();
    const text = 'as [EMAIL_1] says: c@x.org';
    assert.equal(redaction.redact(text), 'as [EMAIL_1] says: [EMAIL_2]');
    assert.equal(redaction.restore('[EMAIL_1] [EMAIL_2] [EMAIL_3]'), '[EMAIL_1] c@x.org [EMAIL_3]');
  });

  it('restores a text however it is cut', () => {
    const redaction = all();
    const text = redaction.redact('Mail a@x.org [now] or 10.0.0.1.');
    for (let size = 1; size <= text.length; size++) {
      const restoring = redaction.restoring();
      let out = '';
      for (let at = 0; at < text.length; at += size) out += restoring.push(text.slice(at, at + size));
      assert.equal(out + restoring.finish(), 'Mail a@x.org [now] or 10.0.0.1.');
    }
    const cut = redaction.restoring();
    assert.equal(cut.push('see [EMAIL_') + cut.finish(), 'see [EMAIL_');
  });

  it('knows a prompt by its ids, and only where it is on', () => {
    const encode = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0));
    const on = new Defences([], undefined, redactor({ kinds: ['emails'] }));
    const ids = on.promptIds('Mail a@x.org', encode);
    assert.equal(String.fromCharCode(...ids), 'Mail [EMAIL_1]');
    assert.equal(on.restoring(ids)!.push('To [EMAIL_1].'), 'To a@x.org.');
    assert.equal(on.restoring([...ids]), undefined);
    const off = new Defences();
    assert.equal(String.fromCharCode(...off.promptIds('Mail a@x.org', encode)), 'Mail a@x.org');
    assert.equal(off.restoring(ids), undefined);
  });

  it('changes the texts of records of every form, and neither roles nor labels', () => {
    const changed = (line: object) => changedTexts(parseRecord(JSON.stringify(line), 'test:1'), all().redact);
    assert.deepEqual(changed({ prompt: 'a@x.org', completion: ' ok a@x.org' }), {
      form: 'completion',
      prompt: '[EMAIL_1]',
      completion: ' ok [EMAIL_1]',
    });
    assert.deepEqual(changed({ text: 'a@x.org', label: 'a@x.org' }), { form: 'text', text: '[EMAIL_1]', label: 'a@x.org' });
    const { messages } = changed({
      messages: [
        { role: 'user', content: 'b@x.org' },
        { role: 'assistant', content: 'b@x.org?' },
      ],
    }) as {
      messages: unknown;
    };
    assert.deepEqual(messages, [
      { role: 'user', content: '[EMAIL_1]' },
      { role: 'assistant', content: '[EMAIL_1]?' },
    ]);
  });

  it('refuses to look for nothing', () => {
    assert.throws(() => redactor({ kinds: [] }), { code: 'INVALID_ARGUMENT', message: /kinds of entities, or words/ });
  });
});
