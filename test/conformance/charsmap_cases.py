"""What the Rust tokenizers make of texts with sentencepiece's own map of characters (nmt_nfkc), alone and in tokenizers as T5 and XLM-R have. Needs sentencepiece,
which no other comparison needs:
    python test/conformance/charsmap_cases.py
"""

import gzip
import io
import json
import random
from pathlib import Path

import sentencepiece
from tokenizers import Regex, Tokenizer, normalizers

from text_cases import unigram_base

TEXTS = [
    "\uff28\uff45\uff4c\uff4c\uff4f\u3000\uff57\uff4f\uff52\uff4c\uff44\uff5e", "\ufb01ne \ufb02ow \ufb00\u0301 \uff21\u0301 \u00bd\u0301", "e\u0301 a\u0308\u0301 \u1e9b\u0323 caf\u00e9", "a\0b\x01c\x7fd\te\nf\r\ng\rh",
    "z\u200bw\u200cx\u200dy\ufeffv\u00adu", "\u00a0\u2003\u3000x", "\u00bd \u00b2 \u2122 \u2103 \u3314 \ufdfa", "\u30ab\u3099 \uff76\uff9e \ud55c\u1112\u1161\u11ab", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea e\u20e3 1\ufe0f\u20e3",
    "\u0e33 \u0e40\u0e33 \u0915\u094d\u0937\u093f", "\u2025\u2026 \uff3f \u30fc ~\uff5e\u301c", "\ufffd \u2581 x", "\x85\u2028\u2029\u202f", "\u0344 \u0f73 \u0958", "The pump in hall three lost pressure.", "a\u0315\u0300\u05aeb", "\U0001d11e\U0001d15e \U0002f800", "", " high  low\n",
]  # fmt: skip
RANGES = [(0x20, 0x250), (0x300, 0x370), (0x1E00, 0x2100), (0x2460, 0x2500), (0x3000, 0x3100), (0xAC00, 0xAC80), (0x1100, 0x1200), (0xFB00, 0xFB50), (0xFF00, 0xFFEF), (0x900, 0x980), (0xFE00, 0xFE20), (0x1F1E6, 0x1F200), (0x1F3FB, 0x1F400), (0x600, 0x6FF), (0xE00, 0xE80)]


def fields(message: bytes):
    """The fields of a message of protobuf."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        size = varint() if key & 7 == 2 else 4
        yield key >> 3, message[at : at + size]
        at += size


def charsmap() -> bytes:
    """The map of the normalizer that sentencepiece trains with by default."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["the pump in hall three"] * 40), model_writer=model, vocab_size=20, hard_vocab_limit=False)
    specification = next(value for field, value in fields(model.getvalue()) if field == 3)
    return dict(fields(specification))[2]


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    precompiled = charsmap()
    (directory / "nmt_nfkc.gz").write_bytes(gzip.compress(precompiled, 9, mtime=0))
    alone = normalizers.Precompiled(precompiled)
    draw = random.Random(7)
    pool = [chr(code) for first, end in RANGES for code in range(first, end)]
    drawn = ["".join(draw.choices(pool, k=draw.randint(1, 12))) for _ in range(600)]
    texts = [*TEXTS, *drawn, "".join(drawn)]
    ids = {}
    for name, normalizer in {"t5": alone, "xlm-roberta": normalizers.Sequence([alone, normalizers.Replace(Regex(" {2,}"), " ")])}.items():
        tokenizer = Tokenizer.from_str(json.dumps(unigram_base()))
        tokenizer.normalizer = normalizer
        ids[name] = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    cases = {"normalized": [[text, alone.normalize_str(text)] for text in texts], "texts": TEXTS, "ids": ids}
    (directory / "charsmap.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[1] / "fixtures" / "charsmap")
