"""A tiny but real tokenizer for llama-tiny: byte-level BPE of 320 tokens, a BOS template and a chat template; and reference encodings."""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ["<|begin|>", "<|end|>", "<|pad|>", "<|turn|>"]

CORPUS = [
    "The pump in hall three lost pressure before noon and was shut down.",
    "Please schedule the inspection of the northern valve for Monday morning.",
    "Invoice 4711 was paid twice; the customer asks for a refund of the second amount.",
    "The new sensor reports the temperature of the boiler every ten seconds.",
    "A delivery of spare parts for the conveyor is expected on the third of June.",
    "The night shift found the door of the store room open and closed it.",
]

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|turn|>{{ message['role'] }}\n{{ message['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)

TEXTS = ["The pump lost pressure.", " leading space", "naïve café 東京 🚀", "", "a  b\n\nc\t<|end|> tail", "4711"]

CONVERSATION = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "  Which part failed? "},
    {"role": "assistant", "content": "Pump"},
]


def make_tokenizer(directory: Path, vocab_size: int) -> dict:
    """Writes tokenizer.json and tokenizer_config.json; returns tokenizer-reference.json: what the Rust tokenizers and transformers say."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A $B", special_tokens=[("<|begin|>", 0)])
    assert tokenizer.get_vocab_size() == vocab_size
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {
        "add_prefix_space": False,
        "bos_token": "<|begin|>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|end|>",
        "model_max_length": 64,
        "pad_token": "<|pad|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

    loaded = PreTrainedTokenizerFast.from_pretrained(directory)
    encodings = [
        {"text": text, "ids": loaded(text)["input_ids"], "idsWithoutSpecialTokens": loaded(text, add_special_tokens=False)["input_ids"]}
        for text in TEXTS
    ]
    for row in encodings:
        row["decoded"] = loaded.decode(row["ids"], skip_special_tokens=True)
    chats = [
        {
            "messages": CONVERSATION[:count],
            "addGenerationPrompt": prompt,
            "rendered": loaded.apply_chat_template(CONVERSATION[:count], tokenize=False, add_generation_prompt=prompt),
            "ids": loaded.apply_chat_template(CONVERSATION[:count], add_generation_prompt=prompt, return_dict=False),
        }
        for count, prompt in ((2, True), (3, False))
    ]
    return {"encodings": encodings, "chats": chats}
