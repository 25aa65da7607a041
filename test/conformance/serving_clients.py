"""Drives `cutlayer client serve` with OpenAI's and Anthropic's own Python clients.

    python serving_clients.py URL MODEL        the key is in CUTLAYER_KEY
"""

import math
import os
import sys

import anthropic
import openai

url, model = sys.argv[1:]
key = os.environ["CUTLAYER_KEY"]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
messages = [{"role": "user", "content": "The pump lost pressure."}]


def chat():
    settings = dict(model=model, messages=messages, max_tokens=12, temperature=0)
    answer = client.chat.completions.create(**settings, logprobs=True, top_logprobs=2)
    text = answer.choices[0].message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert all(len(token.top_logprobs) == 2 for token in answer.choices[0].logprobs.content)
    chunks = list(client.chat.completions.create(**settings, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == text
    assert chunks[-1].usage == answer.usage
    with client.chat.completions.stream(**settings) as stream:
        assert stream.get_final_completion().choices[0].message.content == text
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False}
    format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    held = client.chat.completions.create(model=model, messages=messages, max_tokens=40, seed=1, response_format=format)
    assert held.choices[0].message.content.lstrip().startswith("{"), held


def completions():
    answer = client.completions.create(model=model, prompt="The pump", max_tokens=4, temperature=0, logprobs=2, echo=True)
    scores = answer.choices[0].logprobs
    assert scores.token_logprobs[0] is None and all(math.isfinite(score) for score in scores.token_logprobs[1:])
    assert len(scores.tokens) == len(scores.token_logprobs) == len(scores.top_logprobs) == len(scores.text_offset)
    chunks = client.completions.create(model=model, prompt="The pump", max_tokens=4, temperature=0, stream=True)
    assert answer.choices[0].text.endswith("The pump" + "".join(chunk.choices[0].text for chunk in chunks))


def embeddings():
    (first, second) = client.embeddings.create(model=model, input=["The pump", "A note"]).data
    assert abs(sum(value * value for value in first.embedding) - 1) < 1e-4
    assert len(first.embedding) == len(second.embedding) > 1
    plain = client.embeddings.create(model=model, input="The pump", encoding_format="float").data[0]
    assert max(abs(a - b) for a, b in zip(plain.embedding, first.embedding)) < 1e-5


def responses():
    answer = client.responses.create(model=model, input="Which part?", instructions="Be short.", max_output_tokens=8)
    assert answer.status in ("completed", "incomplete") and answer.usage.output_tokens <= 8
    after = client.responses.create(model=model, input="And now?", previous_response_id=answer.id, max_output_tokens=4)
    assert after.previous_response_id == answer.id and after.usage.input_tokens > answer.usage.input_tokens
    assert client.responses.retrieve(answer.id).output_text == answer.output_text
    with client.responses.stream(model=model, input="Which part?", max_output_tokens=8, temperature=0) as stream:
        kinds = [event.type for event in stream]
    assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete"), kinds


def models():
    assert model in [one.id for one in client.models.list()]
    assert client.models.retrieve(model).id == model


def errors():
    for ask, kind in [
        (lambda: client.chat.completions.create(model="none", messages=messages), openai.NotFoundError),
        (lambda: client.chat.completions.create(model=model, messages=messages, n=99), openai.BadRequestError),
        (lambda: openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0).models.list(), openai.AuthenticationError),
    ]:
        try:
            ask()
        except kind:
            continue
        raise AssertionError(f"expected {kind.__name__}")


def claude():
    claude = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
    settings = dict(model=model, messages=messages, max_tokens=12, extra_body={"temperature": 0})
    answer = claude.messages.create(**settings, system="Be short.")
    assert answer.stop_reason in ("end_turn", "max_tokens") and answer.usage.output_tokens <= 12
    with claude.messages.stream(**settings, system=[{"type": "text", "text": "Be short."}]) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "".join(block.text for block in final.content) == "".join(block.text for block in answer.content)
    assert (final.stop_reason, final.usage) == (answer.stop_reason, answer.usage), (final, answer)
    try:
        claude.messages.create(**settings, thinking={"type": "enabled", "budget_tokens": 1024})
        raise AssertionError("expected BadRequestError")
    except anthropic.BadRequestError as error:
        assert error.body["error"]["type"] == "invalid_request_error"


for check in (models, chat, completions, embeddings, responses, errors, claude):
    check()
    print(f"{check.__name__}: right", flush=True)
