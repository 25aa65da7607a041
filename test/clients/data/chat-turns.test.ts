/** Which characters of a conversation are learned, whatever its template does. */
import assert from 'node:assert/strict';
import { ChatTemplate } from '../../../clients/typescript/data/chat-template.js';
import { renderTurns } from '../../../clients/typescript/data/chat-turns.js';
import type { ChatMessage, Conversation } from '../../../clients/typescript/data/messages.js';

const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string | null, others: object = {}): ChatMessage => ({ role: 'assistant', content, ...others });
const two = [user('one'), assistant('two'), user('three'), assistant('four')];

/** The learned parts of the text. */
function learned(template: string, conversation: Conversation | readonly ChatMessage[]): readonly string[] {
  const whole: Conversation = 'messages' in conversation ? conversation : { messages: conversation };
  const { text, spans } = renderTurns(new ChatTemplate(template, { eos_token: '</s>' }), whole);
  return spans.map(({ start, end }) => text.slice(start, end));
}

const plain =
  "{% for m in messages %}{{ '<' + m.role + '>' + m.content + '</>' }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

describe('learned turns', () => {
  it('are all turns of the assistant, each with its end', () => {
    assert.deepEqual(learned(plain, two), ['two</>', 'four</>']);
  });

  it('end with what the template adds after the last turn', () => {
    const added = plain.replace('{% endif %}', '{% else %}{{ eos_token }}{% endif %}');
    assert.deepEqual(learned(added, two), ['two</>', 'four</></s>']);
    assert.deepEqual(learned(added, [...two, user('five')]), ['two</>', 'four</>']);
  });

  it('leave out a turn of weight 0, which stays in the text', () => {
    assert.deepEqual(learned(plain, [user('one'), assistant('two', { weight: 0 }), user('three'), assistant('four', { weight: 1 })]), [
      'four</>',
    ]);
    const marked = '{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}';
    assert.deepEqual(learned(marked, [assistant('one', { weight: 0 }), assistant('two')]), ['two']);
  });

  it('are what the template marks, where it marks anything', () => {
    const marked =
      "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{%- generation -%} {{ m.content }} {%- endgeneration -%}{% else %}{{ m.content }}{% endif %}\n{% endfor %}";
    assert.deepEqual(learned(marked, two), ['two', 'four']);
  });

  it('are found where the template numbers, filters or looks ahead', () => {
    const ahead =
      "{% for m in messages %}{{ loop.index ~ '/' ~ (messages | length) ~ m.role ~ ':' ~ m.content }}{% if not loop.last %}, {% endif %}{% endfor %}";
    assert.deepEqual(learned(ahead, two), ['2/4assistant:two, ', '4/4assistant:four']);
    const rest = "{% set rest = messages[1:] %}{% for m in rest if m.role != 'system' %}{{ m.content }};{% endfor %}";
    assert.deepEqual(learned(rest, [{ role: 'system', content: 's' }, ...two]), ['two;', 'four;']);
  });

  it('begin after a generation prompt that the loop writes itself', () => {
    const inside =
      '{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if loop.last and add_generation_prompt %}<assistant>{% endif %}{% endfor %}';
    assert.deepEqual(learned(inside, two), ['two', 'four']);
  });

  it('begin after the words that a turn shares with a longer generation prompt', () => {
    const thinking = plain.replace('<assistant>{% endif', '<assistant><think>\n{% endif');
    assert.deepEqual(learned(thinking, two), ['two</>', 'four</>']);
  });

  it('hold calls of tools and what else the template writes of a turn', () => {
    const calls =
      "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}{% for c in m.tool_calls or [] %}[{{ c.function.name }}]{% endfor %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
    assert.deepEqual(learned(calls, [user('one'), assistant(null, { tool_calls: [{ function: { name: 'f' } }] })]), ['[f]']);
  });

  it('are found by fewer messages where the template does not loop over them', () => {
    const counted =
      '{% for i in range(messages | length) %}<{{ messages[i].role }}>{{ messages[i].content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}';
    assert.deepEqual(learned(counted, two), ['two', 'four']);
  });

  it('hold no mark, whatever characters the conversation has', () => {
    const text = '\u{10fffd}o1\u{10fffd}';
    assert.deepEqual(learned(plain, [user(text), assistant(text)]), [`${text}</>`]);
  });

  it('give tools and documents as none where there are none', () => {
    const asks = "{{ 'no' if tools is none and documents is none else 'some' }}{% for m in messages %}{{ m.content }}{% endfor %}";
    assert.equal(new ChatTemplate(asks, {}).render({ messages: [user('x')] }, false), 'nox');
    assert.equal(new ChatTemplate(asks, {}).render({ messages: [user('x')], tools: [{}] }, false), 'somex');
  });

  it('refuse a template that writes parts of a content as a list', () => {
    const parts: ChatMessage[] = [{ role: 'user', content: [{ type: 'text', text: 'one' }] }, assistant('two')];
    assert.throws(() => learned(plain, parts), { code: 'INVALID_DATA', message: /takes the content of a message as text, not as parts/ });
    const reads =
      '{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}';
    assert.deepEqual(learned(reads, parts), ['two']);
  });

  it('write what transformers writes before a loop goes on or ends, and for none', () => {
    const loops =
      "{% for m in messages %}{% if m.role == 'system' %}{{ 'S:' + m.content }}{% continue %}{% endif %}{{ m.role + ':' + m.content + '\\n' }}{% if loop.index == 4 %}{{ 'STOP' }}{% break %}{% endif %}{% endfor %}";
    const written = (messages: readonly ChatMessage[]) => new ChatTemplate(loops, {}).render({ messages }, false);
    assert.equal(written([{ role: 'system', content: 'Be.' }, ...two]), 'S:Be.user:one\nassistant:two\nuser:three\nSTOP');
    assert.equal(written([...two, user('five')]), 'user:one\nassistant:two\nuser:three\nassistant:four\nSTOP');
    const none = '{% for m in messages %}[{{ m.content }}{{ m.absent }}]{% set x = none %}{% if x %}{% endif %}{% endfor %}';
    assert.equal(new ChatTemplate(none, {}).render({ messages: [assistant(null)] }, false), '[None]');
  });

  it('take off the characters that a strip names', () => {
    const strips =
      "{% for m in messages %}{{ m.content.lstrip('\n') ~ '|' ~ m.content.rstrip('x') ~ '|' ~ m.content.strip('ox') }}{% endfor %}";
    assert.equal(new ChatTemplate(strips, {}).render({ messages: [user('\n  oxxo x')] }, false), '  oxxo x|\n  oxxo |\n  oxxo ');
  });
});
