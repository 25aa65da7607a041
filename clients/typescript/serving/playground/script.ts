/**
 * The playground's program, which the browser runs. It asks this endpoint alone, and writes text as
 * text: nothing that a model says becomes markup.
 */
export const SCRIPT = `
'use strict';
const at = (id) => document.getElementById(id);
const [log, prompt, send, stop, model, key] = ['log', 'prompt', 'send', 'stop', 'model', 'key'].map(at);
const messages = [];
let running;

key.value = sessionStorage.getItem('key') ?? '';
key.addEventListener('change', () => { sessionStorage.setItem('key', key.value.trim()); loadModels(); });
at('clear').addEventListener('click', () => { messages.length = 0; log.replaceChildren(); prompt.focus(); });
stop.addEventListener('click', () => running?.abort());
at('form').addEventListener('submit', (event) => { event.preventDefault(); ask(); });
prompt.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});

const headers = () => ({ 'content-type': 'application/json', ...(key.value && { authorization: 'Bearer ' + key.value.trim() }) });

async function failureOf(response) {
  const { error } = await response.json().catch(() => ({}));
  return new Error(error?.message ?? 'the endpoint answered ' + response.status);
}

async function loadModels() {
  try {
    const response = await fetch('/v1/models', { headers: headers() });
    if (!response.ok) throw await failureOf(response);
    const { data } = await response.json();
    model.replaceChildren(...data.map(({ id }) => new Option(id, id)));
    model.value = data.at(-1).id;
    say('');
  } catch (error) { say(error.message); }
}

function say(text) { at('figures').textContent = text; }

function addTurn(kind, text) {
  const turn = document.createElement('div');
  const name = document.createElement('b');
  const body = document.createElement('span');
  turn.className = 'turn ' + kind;
  name.textContent = kind === 'user' ? 'You' : kind === 'failure' ? 'Error' : model.value;
  body.textContent = text;
  turn.append(name, body);
  log.append(turn);
  turn.scrollIntoView({ block: 'nearest' });
  return body;
}

function settings() {
  const number = (id) => (at(id).value === '' ? undefined : Number(at(id).value));
  return { model: model.value, stream: true, stream_options: { include_usage: true }, temperature: number('temperature'), top_p: number('top_p'), max_tokens: number('max_tokens'), seed: number('seed') };
}

const bytes = (count) => count < 1e6 ? (count / 1e3).toFixed(1) + ' kB' : (count / 1e6).toFixed(1) + ' MB';
const wire = async () => (await (await fetch('/health')).json()).gateway;

async function ask() {
  const text = prompt.value;
  if (text.trim() === '' || running) return;
  running = new AbortController();
  send.disabled = true;
  stop.disabled = false;
  prompt.value = '';
  addTurn('user', text);
  const chat = at('mode').value === 'chat';
  if (chat) messages.push({ role: 'user', content: text });
  const system = at('system').value;
  const body = { ...settings(), ...(chat ? { messages: [...(system ? [{ role: 'system', content: system }] : []), ...messages] } : { prompt: text }) };
  const before = await wire().catch(() => undefined);
  const begin = performance.now();
  const shown = addTurn('assistant', '');
  let usage;
  try {
    const response = await fetch(chat ? '/v1/chat/completions' : '/v1/completions', { method: 'POST', headers: headers(), body: JSON.stringify(body), signal: running.signal });
    if (!response.ok) throw await failureOf(response);
    for await (const event of eventsOf(response)) {
      if (event.error) throw new Error(event.error.message);
      usage = event.usage ?? usage;
      const [choice] = event.choices;
      shown.textContent += choice?.delta?.content ?? choice?.text ?? '';
      shown.scrollIntoView({ block: 'end' });
    }
  } catch (error) {
    if (error.name !== 'AbortError') addTurn('failure', error.message);
    if (chat && shown.textContent === '') messages.pop();
  }
  if (shown.textContent === '') shown.parentElement.remove();
  else if (chat) messages.push({ role: 'assistant', content: shown.textContent });
  await tell(usage, (performance.now() - begin) / 1000, before);
  running = undefined;
  send.disabled = false;
  stop.disabled = true;
  prompt.focus();
}

async function* eventsOf(response) {
  let held = '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (held + value).split('\\n');
    held = lines.pop();
    for (const line of lines) if (line.startsWith('data: {')) yield JSON.parse(line.slice(6));
  }
}

async function tell(usage, seconds, before) {
  const after = await wire().catch(() => undefined);
  const sent = before && after ? after.bytesSent - before.bytesSent : undefined;
  const received = before && after ? after.bytesReceived - before.bytesReceived : undefined;
  if (usage) say(usage.completion_tokens + ' tokens, ' + (usage.completion_tokens / seconds).toFixed(1) + ' tokens/s' + (sent === undefined ? '' : ', ' + bytes(sent) + ' sent'));
  at('sent').textContent = sent === undefined ? 'unknown' : bytes(sent) + ' of numbers';
  at('received').textContent = received === undefined ? 'unknown' : bytes(received) + ' of numbers';
  at('tokens').textContent = usage ? usage.prompt_tokens + ' of prompt, ' + usage.completion_tokens + ' of answer' : 'unknown';
}

loadModels();
prompt.focus();
`;
