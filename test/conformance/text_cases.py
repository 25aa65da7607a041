"""What transformers makes of conversations: small tokenizers of every kind x chat templates x conversations, as ids and as what an assistant wrote.

Ids are written as digests, so that the grid stays small: the first 8 hex digits of the SHA-256 of the ids joined by commas. The learned tokens of a template
with `{% generation %}` are transformers' own assistant mask. Those of the others are the tokens of the characters that TURNS finds in the text, by the
offsets of the Rust tokenizers.
"""

import copy
import hashlib
import json
import re
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Regex
from transformers import AutoTokenizer

from value_cases import write_value_cases

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot|>", "<turn>", "<end>", "[INST]", "[/INST]", "<|user|>", "<|assistant|>", "<|end|>"]
CORPUS = [
    "The pump in hall three lost pressure. user assistant system tool",
    "Severity: high  low\n\nAnswer: none of these parts failed\n",
    "How are you today? I am fine, thanks. 4711 caf\u00e9",
]
LLAMA3_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def added(content: str, index: int, **flags) -> dict:
    return {"id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}


def sentencepiece_base() -> dict:
    """Byte fallback, as Llama 2, Mistral, Phi-3 and Gemma."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained = trainers.BpeTrainer(vocab_size=len(SPECIAL) + 256 + 150, special_tokens=[*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trained)
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [added(token, index) for index, token in enumerate(SPECIAL)]
    document["decoder"] = json.loads(decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]).__getstate__())
    document["post_processor"] = json.loads(processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]).__getstate__())
    return document


def bytes_base() -> dict:
    """Byte level, as GPT-2, Llama 3 and Qwen."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=len(SPECIAL) + 256 + 120, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False))
    document = json.loads(tokenizer.to_str())
    document["decoder"] = json.loads(decoders.ByteLevel().__getstate__())
    return document


def unigram_base() -> dict:
    pieces = sorted({word for text in CORPUS for word in re.findall(r"\w+|[^\w\s]", text)})
    letters = sorted({letter for text in CORPUS for letter in text if letter not in " é"} | {"▁"})
    vocab = [(token, 0.0) for token in SPECIAL] + [("▁" + piece, -5.0 - at / 50) for at, piece in enumerate(pieces)] + [(piece, -8.0 - at / 50) for at, piece in enumerate(pieces) if len(piece) > 1]
    vocab += [(letter, -12.0 - at / 100) for at, letter in enumerate(letters)]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=0, byte_fallback=False))
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [added(token, index) for index, token in enumerate(SPECIAL)]
    document["pre_tokenizer"] = json.loads(pre_tokenizers.Metaspace(prepend_scheme="always").__getstate__())
    document["decoder"] = json.loads(decoders.Metaspace().__getstate__())
    document["post_processor"] = None
    return document


def metaspace(scheme: str, split: bool) -> dict:
    return {"normalizer": None, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}}


def split_row(pattern: dict, behavior: str = "Isolated") -> dict:
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}


def byte_row(**flags) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **flags}


PLAIN_SPLIT = {"type": "Sequence", "pretokenizers": [split_row({"Regex": LLAMA3_SPLIT}), byte_row(use_regex=False)]}
FLAGGED = [
    {"content": "pump", "single_word": True, "special": False, "normalized": False},
    {"content": "<|end|>", "lstrip": True, "rstrip": True},
    {"content": "hall", "special": False, "normalized": True},
    {"content": "<|im_end|>", "rstrip": True},
]
# Name: base and what of its document is other. Of `added_tokens` the rows are changed, by content.
TOKENIZERS = {
    "prepend": ("sentencepiece", {}),
    "metaspace-first": ("sentencepiece", metaspace("first", False)),
    "metaspace-first-split": ("sentencepiece", metaspace("first", True)),
    "metaspace-always": ("sentencepiece", metaspace("always", True)),
    "metaspace-never": ("sentencepiece", metaspace("never", True)),
    "gemma": ("sentencepiece", {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": split_row({"String": " "}, "MergedWithPrevious")}),
    "unigram": ("unigram", {}),
    "byte-level": ("bytes", {}),
    "byte-level-prefix": ("bytes", {"pre_tokenizer": byte_row(add_prefix_space=True)}),
    "llama-3": ("bytes", {"pre_tokenizer": PLAIN_SPLIT, "model": {"ignore_merges": True}}),
    "qwen": ("bytes", {"normalizer": {"type": "NFC"}, "pre_tokenizer": PLAIN_SPLIT}),
    "digits": ("bytes", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, split_row({"String": "o"}, "MergedWithNext"), split_row({"String": "a"}, "Contiguous"), byte_row()]}}),
    "added": ("bytes", {"added_tokens": FLAGGED}),
    "added-prepend": ("sentencepiece", {"added_tokens": FLAGGED}),
    # Classes that build their own parts, whatever tokenizer.json says.
    "LlamaTokenizer": ("sentencepiece", {}, {"tokenizer_class": "LlamaTokenizerFast"}),
    "LlamaTokenizer-legacy": ("sentencepiece", {}, {"tokenizer_class": "LlamaTokenizer", "legacy": True}),
    "LlamaTokenizer-no-prefix": ("sentencepiece", {}, {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False}),
    "GPT2Tokenizer-prefix": ("bytes", {}, {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}),
    "Qwen2Tokenizer": ("bytes", {}, {"tokenizer_class": "Qwen2TokenizerFast"}),
    "GemmaTokenizer": ("sentencepiece", {}, {"tokenizer_class": "GemmaTokenizer"}),
    "fast-no-prefix": ("bytes", {}, {"add_prefix_space": True}),
    "more-added": ("bytes", {}, {"eos_token": "high", "additional_special_tokens": ["pump", "<more>"]}),
}
BASES = {"sentencepiece": sentencepiece_base, "bytes": bytes_base, "unigram": unigram_base}
CONFIG = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}

CHATML = (
    "{%- for m in messages -%}{{- '<|im_start|>' + m.role + '\n' + (m.content or '') -}}{%- for c in m.tool_calls or [] -%}{{- '\n' + c.function | tojson -}}{%- endfor -%}"
    "{{- '<|im_end|>\n' -}}{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
TEMPLATES = {
    "chatml": CHATML,
    "llama-2": (
        "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system = false %}{% endif %}"
        "{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
        "{% if loop.index0 == 0 and system %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
        "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    "llama-3": (
        "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|im_start|>' + message['role'] + '<|im_end|>\n\n'+ message['content'] | trim + '<|eot|>' %}"
        "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_end|>\n\n' }}{% endif %}"
    ),
    "mistral": (
        "{%- if messages[0].role == 'system' -%}{%- set system = messages[0].content -%}{%- set rest = messages[1:] -%}{%- else -%}{%- set rest = messages -%}{%- endif -%}\n{{- bos_token }}\n"
        "{%- for message in rest %}\n    {%- if message.role == 'user' %}\n        {%- if loop.last and system is defined %}\n            {{- '[INST]' + system + '\\n\\n' + message.content + '[/INST]' }}\n        {%- else %}\n"
        "            {{- '[INST]' + message.content + '[/INST]' }}\n        {%- endif %}\n    {%- elif message.role == 'assistant' and message.tool_calls %}\n        {{- '[CALLS]' + message.tool_calls | map(attribute='function') | list | tojson + eos_token }}\n"
        "    {%- elif message.role == 'assistant' %}\n        {{- message.content + eos_token }}\n    {%- else %}\n        {{- '[OUT]' + message.content }}\n    {%- endif %}\n{%- endfor %}\n"
    ),
    "phi-3": "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "qwen-3": (
        "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n    {%- for tool in tools %}\n        {{- tool | tojson }}\n    {%- endfor %}\n    {{- '<|im_end|>\\n' }}\n{%- endif %}\n"
        "{%- set ns = namespace(last=-1) -%}{%- for m in messages[::-1] -%}{%- set index = (messages | length - 1) - loop.index0 -%}{%- if ns.last < 0 and m.role == 'user' -%}{%- set ns.last = index -%}{%- endif -%}{%- endfor -%}\n"
        "{%- for m in messages %}\n    {%- set content = m.content if m.content is string else '' %}\n    {%- if m.role == 'assistant' %}\n        {%- set thoughts = m.reasoning_content if m.reasoning_content is string else '' %}\n"
        "        {%- if loop.index0 > ns.last and (loop.last or thoughts) %}\n            {{- '<|im_start|>' + m.role + '\\n<think>\\n' + thoughts.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}\n        {%- else %}\n"
        "            {{- '<|im_start|>' + m.role + '\\n' + content }}\n        {%- endif %}\n        {%- for call in m.tool_calls or [] %}\n            {{- '\\n<call>\\n' + call.function.name + ' ' + call.function.arguments | tojson + '\\n</call>' }}\n        {%- endfor %}\n"
        "    {%- else %}\n        {{- '<|im_start|>' + m.role + '\\n' + content }}\n    {%- endif %}\n    {{- '<|im_end|>\\n' }}\n{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}\n"
    ),
    "gemma": (
        "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
        "{{ '<turn>' + role + '\n' + message['content'] | trim + '<end>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<turn>model\n'}}{% endif %}"
    ),
    "zephyr": (
        "{% for message in messages %}\r\n{% if message['role'] == 'assistant' %}\r\n{{ '<|assistant|>\n' + message['content'] + eos_token }}\r\n{% else %}\r\n{{ '<|user|>\n' + message['content'] + eos_token }}\r\n{% endif %}\r\n"
        "{% if loop.last and add_generation_prompt %}\r\n{{ '<|assistant|>' }}\r\n{% endif %}\r\n{% endfor %}"
    ),
    "deepseek": "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] + eos_token }}{% else %}{{ '<|user|>' + m.content + '<|assistant|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<think>\n' }}{% endif %}",
    "generation": (
        "{%- for m in messages -%}{{- '<|im_start|>' + m.role + '\n' -}}{%- if m.role == 'assistant' -%}{% generation %}{{- (m.content or '') + '<|im_end|>' -}}{% endgeneration %}{%- else -%}{{- m.content + '<|im_end|>' -}}{%- endif -%}{{- '\n' -}}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
    ),
    "generation-lines": (
        "{% for m in messages %}\n{% if m.role == 'assistant' %}\n    {% generation %}\n{{ m.content }}\n    {% endgeneration %}\n{% else %}\n{{ m.role + ': ' + m.content }}\n{% endif %}\n{% endfor %}\n"
    ),
    "headings": "{% for m in messages %}{{ '#' + ('Answer' if m.role == 'assistant' else 'Question') + ':\n' + m.content + '\n\n' }}{% endfor %}{% if add_generation_prompt %}{{ '#Answer:\n' }}{% endif %}",
}
# What the assistant writes, as a group of a pattern; without a row the template marks it by itself.
TURNS = {
    "chatml": r"<\|im_start\|>assistant\n(.*?<\|im_end\|>\n)",
    "llama-2": r"\[/INST\]( .*? </s>)",
    "llama-3": r"<\|im_start\|>assistant<\|im_end\|>\n\n(.*?<\|eot\|>)",
    "mistral": r"(?:\[/INST\]|\[OUT\]low|(?<=^<s>)(?!\[))(.*?</s>)",
    "phi-3": r"<\|assistant\|>\n(.*?<\|end\|>\n(?:</s>$)?)",
    "qwen-3": r"<\|im_start\|>assistant\n(.*?<\|im_end\|>\n)",
    "gemma": r"<turn>model\n(.*?<end>\n)",
    "zephyr": r"<\|assistant\|>\n(.*?</s>\n?)",
    "deepseek": r"(?:<\|assistant\|>|(?<=^<s>))((?!<\|user\|>).*?</s>)",
    "headings": r"#Answer:\n(.*?\n\n)(?=#|\Z)",
}


def turn(role: str, content, **others) -> dict:
    return {"role": role, "content": content, **others}


CALL = {"type": "function", "function": {"name": "part", "arguments": {"hall": 3, "name": "pump \"é\""}}}
CONVERSATIONS = {
    "one": {"messages": [turn("user", "Hello"), turn("assistant", "fine")]},
    "turns": {"messages": [turn("system", "Be short."), turn("user", "How are you today?"), turn("assistant", "fine, thanks"), turn("user", "  Which part failed? "), turn("assistant", " The pump  in hall 3")]},
    "assistant-first": {"messages": [turn("assistant", "Hello"), turn("user", "high or low?"), turn("assistant", "high")]},
    "tools": {
        "messages": [turn("user", "Which part?"), turn("assistant", None, tool_calls=[CALL]), turn("tool", "low"), turn("assistant", "low", reasoning_content="The pump\n")],
        "tools": [{"type": "function", "function": {"name": "part", "description": "a part", "parameters": {}}}],
    },
    "empty": {"messages": [turn("user", ""), turn("assistant", "none"), turn("user", "pumps pump, pump"), turn("assistant", "")]},
    "unicode": {"messages": [turn("user", "caf\u00e9 e\u0301 \u6771\u4eac \U0001f680 \u00a0x"), turn("assistant", "\U0001f680 na\u00efve e\u0301 \u4eac")]},
    "lines": {"messages": [turn("user", "a\r\nb\n\n c\t"), turn("assistant", "\n\n x\r\n\r\ny  <|end|> z \n")]},
}
PAIRS = [["Severity:", " high"], ["Severity:", "high"], ["Question\n", "Answer"], ["", "none"], ["The pu", "mp in hall"], ["caf", "e\u0301 fine"], ["Answer: ", "none <|end|> "], ["\U0001f680", "\U0001f680 x"], ["\n", "\U0001f680"], ["x\ufeff", "<|end|>\u0085\ufeffy"]]


def digest(values) -> str:
    return hashlib.sha256(",".join(map(str, values)).encode()).hexdigest()[:8]


def patched(base: dict, patch: dict) -> dict:
    document = copy.deepcopy(base)
    for key, value in patch.items():
        if key == "model":
            document["model"].update(value)
        elif key == "added_tokens":
            vocab = document["model"]["vocab"]
            for row in value:
                index = next((token["id"] for token in document["added_tokens"] if token["content"] == row["content"]), None)
                known = [token for token in document["added_tokens"] if token["content"] != row["content"]]
                taken = [*vocab.values(), *(token["id"] for token in known)]
                document["added_tokens"] = sorted([*known, added(index=max(taken) + 1 if index is None else index, **row)], key=lambda token: token["id"])
        else:
            document[key] = value
    return document


def span_tokens(encoding, spans) -> list[int]:
    """1 for each token that holds a character of a span."""
    return [int(any(start < span_end and end > span_start for span_start, span_end in spans)) for start, end in encoding.offsets]


def make_text_fixtures(directory: Path) -> None:
    """Writes the tokenizers' bases, cases.json and values.json."""
    directory.mkdir(parents=True, exist_ok=True)
    write_value_cases(directory)
    bases = {name: make() for name, make in BASES.items()}
    for name, document in bases.items():
        (directory / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    with tempfile.TemporaryDirectory() as temporary:
        loaded = {}
        for name, (base, patch, *config) in TOKENIZERS.items():
            place = Path(temporary) / name
            place.mkdir()
            (place / "tokenizer.json").write_text(json.dumps(patched(bases[base], patch)))
            (place / "tokenizer_config.json").write_text(json.dumps({**CONFIG, **(config[0] if config else {})}))
            loaded[name] = AutoTokenizer.from_pretrained(place)
        chats = [chat for template in TEMPLATES for conversation in CONVERSATIONS for chat in [make_chat(loaded, template, conversation)] if chat is not None]
        pairs = {name: [make_pair(tokenizer, *pair) for pair in PAIRS] for name, tokenizer in loaded.items()}
    tokenizers = {name: {"base": base, "tokenizer": {key: patched(bases[base], patch)[key] for key in patch if key != "model"}, "model": patch.get("model", {}), "config": config[0] if config else {}} for name, (base, patch, *config) in TOKENIZERS.items()}
    document = {"config": CONFIG, "tokenizers": tokenizers, "templates": TEMPLATES, "conversations": CONVERSATIONS, "pairs": PAIRS, "chats": chats, "pairIds": pairs}
    rows = ",\n".join(f" {json.dumps(key)}: {lines(value)}" for key, value in document.items())
    (directory / "cases.json").write_text("{\n" + rows + "\n}\n")


def lines(value) -> str:
    """A row of the document a line."""
    dump = lambda item: json.dumps(item, ensure_ascii=False)
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"  {dump(item)}" for item in value) + "\n ]"
    return "{\n" + ",\n".join(f"  {dump(key)}: {dump(item)}" for key, item in value.items()) + "\n }"


def make_chat(loaded: dict, template: str, conversation: str) -> dict | None:
    """A rendering, and for each tokenizer the digests of its ids and of its learned tokens; None where the template refuses."""
    messages, others = CONVERSATIONS[conversation]["messages"], {key: value for key, value in CONVERSATIONS[conversation].items() if key != "messages"}
    source = TEMPLATES[template]
    first = next(iter(loaded.values()))
    try:
        text = first.apply_chat_template(messages, chat_template=source, tokenize=False, **others)
    except Exception:
        return None
    if "None" in text:
        return None  # Python's word for a missing content; refused here
    chat = {"template": template, "conversation": conversation, "text": text, "digests": []}
    for tokenizer in loaded.values():
        ids = tokenizer.apply_chat_template(messages, chat_template=source, return_dict=False, **others)
        if template in TURNS:
            encoding = tokenizer._tokenizer.encode(text, add_special_tokens=False)
            mask = span_tokens(encoding, [match.span(1) for match in re.finditer(TURNS[template], text, re.S)])
        else:
            answer = tokenizer.apply_chat_template(messages, chat_template=source, return_dict=True, return_assistant_tokens_mask=True, **others)
            mask = answer["assistant_masks"]
        assert len(mask) == len(ids)
        chat["digests"].append(f"{digest(ids)} {digest(at for at, learned in enumerate(mask) if learned)}")
    return chat


def make_pair(tokenizer, prompt: str, completion: str) -> list:
    """Ids of the joint text, and the first token that holds a character of the completion."""
    encoding = tokenizer._tokenizer.encode(prompt + completion, add_special_tokens=False)
    first = next((at for at, (_, end) in enumerate(encoding.offsets) if end > len(prompt)), len(encoding.ids))
    return [encoding.ids, first]


if __name__ == "__main__":
    make_text_fixtures(Path(__file__).resolve().parents[1] / "fixtures" / "text")
