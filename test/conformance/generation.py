"""Makes test/fixtures/generation/cases.json: tokens that transformers generates, and what its processors leave of logits.

    python test/conformance/generation.py [--out test/fixtures/generation]
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
CONFIGS = [{}, {"repetition_penalty": 1.3}, {"no_repeat_ngram_size": 2}, {"repetition_penalty": 0.8, "no_repeat_ngram_size": 3}]
# Beams, length penalty, early stopping, tokens, ranks after the prompt of the tokens that end a text, further settings.
BEAMS = [
    (2, 1.0, False, 8, (), {}),
    (4, 1.0, False, 12, (3,), {}),
    (3, 1.0, True, 12, (1, 5), {}),
    (4, 0.0, "never", 10, (2,), {}),
    (4, 2.0, "never", 10, (0, 4), {}),
    (3, -1.0, False, 10, (1, 2, 3), {}),
    (4, 2.0, False, 12, (0,), {"min_new_tokens": 3}),
    (3, 1.0, False, 12, (4,), {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2}),
    (8, 0.7, True, 6, (0, 1, 2, 3), {}),
]
# Temperature, top-k, top-p, min-p, typical p; in transformers' order.
WARPED = [
    (1.0, 0, 1.0, 0.0, 1.0),
    (0.7, 3, 1.0, 0.0, 1.0),
    (1.0, 0, 0.75, 0.0, 1.0),
    (2.0, 5, 0.6, 0.0, 1.0),
    (0.3, 2, 0.99, 0.0, 1.0),
    (1.0, 0, 1.0, 0.25, 1.0),
    (1.5, 0, 0.9, 0.4, 1.0),
    (1.0, 0, 1.0, 0.0, 0.3),
    (1.0, 0, 1.0, 0.0, 0.8),
    (0.8, 6, 0.95, 0.05, 0.6),
]


def generated(name: str) -> list[dict]:
    """Greedy tokens after prompts of random tokens, under each config; no token ends the text."""
    model = AutoModelForCausalLM.from_pretrained(FIXTURES / name, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(900)
    cases = []
    for config in CONFIGS:
        prompt = torch.randint(3, model.config.vocab_size, (1, 7), generator=generator)
        settings = GenerationConfig(max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0, **config)
        with torch.no_grad():
            ids = model.generate(prompt, generation_config=settings)
        cases.append({"model": name, "config": config, "prompt": prompt[0].tolist(), "ids": ids[0, prompt.shape[1] :].tolist()})
    return cases


def searched(name: str) -> list[dict]:
    """Beams with their scores, where tokens of the vocabulary's common ones end texts."""
    model = AutoModelForCausalLM.from_pretrained(FIXTURES / name, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(901)
    cases = []
    for beams, penalty, early, new_tokens, stops, more in BEAMS:
        prompt = torch.randint(3, model.config.vocab_size, (1, 7), generator=generator)
        first = model(prompt).logits[0, -1].argsort(descending=True)
        ends = [model.config.eos_token_id, *(int(first[rank]) for rank in stops)]
        config = {"num_beams": beams, "num_return_sequences": beams, "length_penalty": penalty, "early_stopping": early}
        settings = GenerationConfig(
            max_new_tokens=new_tokens, do_sample=False, eos_token_id=ends, pad_token_id=0, return_dict_in_generate=True, output_scores=True, **config, **more
        )
        with torch.no_grad():
            found = model.generate(prompt, generation_config=settings)
        texts = []
        for ids, indices, score in zip(found.sequences.tolist(), found.beam_indices.tolist(), found.sequences_scores.tolist()):
            length = sum(index >= 0 for index in indices)
            texts.append({"ids": ids[prompt.shape[1] : prompt.shape[1] + length], "score": round(score, 6)})
        options = {"numBeams": beams, "lengthPenalty": penalty, "earlyStopping": early, "maxNewTokens": new_tokens}
        names = {"repetition_penalty": "repetitionPenalty", "no_repeat_ngram_size": "noRepeatNgramSize", "min_new_tokens": "minTokens"}
        options |= {names[key]: value for key, value in more.items()}
        cases.append({"options": options, "stops": ends[1:], "prompt": prompt[0].tolist(), "texts": texts})
    return cases


def warped() -> list[dict]:
    """Probabilities of 8 tokens, two of them equal, after the warpers."""
    logits = torch.tensor([[1.0, 0.2, 2.5, -1.0, 0.2, 1.7, -3.0, 0.9]])
    cases = []
    for temperature, top_k, top_p, min_p, typical_p in WARPED:
        scores = TemperatureLogitsWarper(temperature)(None, logits)
        scores = scores if top_k == 0 else TopKLogitsWarper(top_k)(None, scores)
        scores = scores if top_p == 1 else TopPLogitsWarper(top_p)(None, scores)
        scores = scores if min_p == 0 else MinPLogitsWarper(min_p)(None, scores)
        scores = scores if typical_p == 1 else TypicalLogitsWarper(typical_p)(None, scores)
        probabilities = [round(value, 7) for value in scores.softmax(-1)[0].tolist()]
        settings = {"temperature": temperature, "topK": top_k, "topP": top_p, "minP": min_p, "typicalP": typical_p}
        cases.append({**settings, "probabilities": probabilities})
    return [{"logits": [round(value, 3) for value in logits[0].tolist()], "cases": cases}]


def make_generation(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    document = {"greedy": generated("llama-tiny"), "beams": searched("llama-tiny"), "drawn": warped()[0]}
    (out / "cases.json").write_text(json.dumps(document) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FIXTURES / "generation")
    torch.set_num_threads(1)
    make_generation(parser.parse_args().out)


if __name__ == "__main__":
    main()
