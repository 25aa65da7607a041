"""Trains the demo backbone from scratch on the generated text and writes a Hugging Face checkpoint.

    python demo/backbone/train.py [--state FILE] [--out demo/backbone/checkpoint]

Needs torch, transformers, tokenizers. Loss is on the answers only (with the closing </s>). Two phases: mostly tags until
those are right, then more replies and summaries, whose copied names come late. In each the learning rate warms up,
stays, and falls linearly to zero. Documents are a function of (seed, step), so a run that is interrupted and continued
with --state sees the same data.
"""

import argparse
import json
import os
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

import generate
from muon import Muon
from profiles import HELD_OUT_PROFILES

BOS, EOS, PAD, UNKNOWN_LABEL = 0, 1, 2, -100
VOCABULARY = 1536
WARMUP = 60


@dataclass(frozen=True)
class Phase:
    """`peak` scales the learning rates; `decay` is the last part of the steps over which they fall to zero."""

    steps: int
    weights: tuple
    peak: float
    decay: float


PHASES = (Phase(1400, generate.TASK_WEIGHTS, peak=1.0, decay=0.4),
          Phase(700, generate.GENERATION_TASK_WEIGHTS, peak=0.6, decay=0.6))
STEPS = sum(phase.steps for phase in PHASES)


def phase_at(step):
    """The phase of a step and the factor on its learning rates."""
    for phase in PHASES:
        if step < phase.steps:
            return phase, phase.peak * min(1, (step + 1) / WARMUP, (phase.steps - step) / (phase.decay * phase.steps))
        step -= phase.steps
    raise ValueError("step is beyond the last phase")


CHAT_TEMPLATE = (  # a chat in the document form: the system message is the profile line, the user's the note
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'Note: ' + message['content'] + '\\nReply:' }}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}")


def train_tokenizer(seed):
    """Byte-level BPE over 4,000 generated documents."""
    rng = random.Random(f"tokenizer {seed}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=["<s>", "</s>", "<pad>"],
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)

    def texts():
        for _ in range(4000):
            profile, rows = generate.make_document(rng)
            yield profile + "".join(f"{prompt}{answer}\n" for prompt, answer in rows)

    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def make_model(tokenizer, seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=192, intermediate_size=448, num_hidden_layers=4, num_attention_heads=6,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=512, rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, initializer_range=0.03)
    assert tokenizer.get_vocab_size() == VOCABULARY
    return LlamaForCausalLM(config)


def encode_documents(tokenizer, documents):
    """Documents -> [(ids, labels)], each part tokenized on its own, as a client tokenizes prompt and completion."""
    parts = [part for profile, rows in documents for part in (profile, *(text for row in rows for text in row))]
    encoded = iter([encoding.ids for encoding in tokenizer.encode_batch(parts, add_special_tokens=False)])
    result = []
    for _, rows in documents:
        ids = [BOS, *next(encoded)]
        labels = [UNKNOWN_LABEL] * len(ids)
        for _ in rows:
            prompt, completion = next(encoded), [*next(encoded), EOS]
            ids += prompt + completion
            labels += [UNKNOWN_LABEL] * len(prompt) + completion
        result.append((ids, labels))
    return result


def collate(examples):
    """Right-pads; returns ids [B, S] and labels [B, S]."""
    width = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([ids + [PAD] * (width - len(ids)) for ids, _ in examples])
    labels = torch.tensor([labels + [UNKNOWN_LABEL] * (width - len(labels)) for _, labels in examples])
    return ids, labels


def answer_loss(model, ids, labels):
    """Mean cross-entropy of the answer tokens; the head runs on those rows only."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    rows = targets != UNKNOWN_LABEL
    return F.cross_entropy(model.lm_head(hidden[rows]), targets[rows])


class Batches:
    """Batch of a step, a function of (seed, step): four steps share a pool of documents, dealt by length."""

    def __init__(self, tokenizer, seed, size):
        self.tokenizer, self.seed, self.size = tokenizer, seed, size
        self.pool, self.batches = None, []

    def at(self, step):
        pool, index = divmod(step, 4)
        if pool != self.pool:
            rng = random.Random(f"documents {self.seed} {pool}")
            weights = phase_at(step)[0].weights
            documents = [generate.make_document(rng, weights=weights) for _ in range(4 * self.size)]
            examples = encode_documents(self.tokenizer, documents)
            examples.sort(key=lambda example: len(example[0]))
            self.batches = [examples[start:start + self.size] for start in range(0, len(examples), self.size)]
            rng.shuffle(self.batches)
            self.pool = pool
        return collate(self.batches[index])


@torch.no_grad()
def exact_match(model, tokenizer, profiles, sites, count=128, with_profile=True, tasks=("Tags",), seed=7):
    """Teacher-forced greedy exact match of the answer to a single note: equal to free greedy decoding."""
    rng = random.Random(f"evaluation {seed}")
    documents = [generate.make_document(rng, profiles, sites, pairs=1, tasks=tasks) for _ in range(count)]
    if not with_profile:
        documents = [("", rows) for _, rows in documents]
    hits = 0
    for start in range(0, count, 64):
        ids, labels = collate(encode_documents(tokenizer, documents[start:start + 64]))
        predicted = model(input_ids=ids[:, :-1]).logits.argmax(-1)
        hits += ((predicted == labels[:, 1:]) | (labels[:, 1:] == UNKNOWN_LABEL)).all(1).sum().item()
    return hits / count


def write_checkpoint(model, tokenizer, directory, dtype=torch.bfloat16):
    """Writes the Hugging Face directory under a temporary name and swaps it in."""
    directory = Path(directory).resolve()
    temporary = directory.with_name(f".{directory.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    copy = LlamaForCausalLM(model.config).to(dtype)
    copy.load_state_dict({name: value.to(dtype) for name, value in model.state_dict().items()})
    copy.save_pretrained(temporary)
    (temporary / "model.safetensors").chmod(0o644)
    tokenizer.save(str(temporary / "tokenizer.json"))
    (temporary / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
        "add_bos_token": False, "add_eos_token": False, "clean_up_tokenization_spaces": False, "model_max_length": 512,
        "chat_template": CHAT_TEMPLATE}, indent=2) + "\n")
    previous = directory.with_name(f".{directory.name}.old")
    shutil.rmtree(previous, ignore_errors=True)
    if directory.exists():
        os.replace(directory, previous)
    os.replace(temporary, directory)
    shutil.rmtree(previous, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--muon-lr", type=float, default=0.02, help="for the matrices of the blocks")
    parser.add_argument("--adam-lr", type=float, default=3e-3, help="for embedding, head and norms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--state", help="file to keep the training state in, and to continue from")
    parser.add_argument("--out", default=str(Path(__file__).resolve().parent / "checkpoint"))
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    tokenizer = train_tokenizer(args.seed)
    model = make_model(tokenizer, args.seed)
    matrices = [parameter for name, parameter in model.named_parameters() if "layers" in name and parameter.dim() == 2]
    others = [parameter for name, parameter in model.named_parameters() if "layers" not in name or parameter.dim() < 2]
    optimizers = [Muon(matrices, lr=args.muon_lr, weight_decay=0.01),
                  torch.optim.AdamW(others, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.01)]
    full_rates = (args.muon_lr, args.adam_lr)
    first = 0
    if args.state and Path(args.state).exists():
        state = torch.load(args.state)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        first = state["step"]
    print(f"parameters {sum(p.numel() for p in model.parameters()):,}  from step {first}", flush=True)

    batches = Batches(tokenizer, args.seed, args.batch)
    started, losses = time.time(), []
    for step in range(first, STEPS):
        factor = phase_at(step)[1]
        ids, labels = batches.at(step)
        loss = answer_loss(model, ids, labels)
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer, rate in zip(optimizers, full_rates):
            optimizer.param_groups[0]["lr"] = rate * factor
            optimizer.step()
        losses.append(loss.item())
        done = step + 1
        if done % 20 == 0:
            print(f"step {done}  loss {sum(losses) / len(losses):.4f}  tokens {ids.numel()}  rate x{factor:.3f}  "
                  f"{(time.time() - started) / (done - first):.3f} s/step", flush=True)
            losses.clear()
        if done % 200 == 0 or done == STEPS:
            model.eval()
            scores = {
                "trained profiles": exact_match(model, tokenizer, generate.TRAINING_PROFILES, generate.TRAINING_SITES),
                "held-out profiles and sites": exact_match(model, tokenizer, HELD_OUT_PROFILES, generate.CLIENT_SITES),
                "no profile": exact_match(model, tokenizer, HELD_OUT_PROFILES, generate.CLIENT_SITES, with_profile=False),
                "replies": exact_match(model, tokenizer, HELD_OUT_PROFILES, generate.CLIENT_SITES, tasks=("Reply",)),
            }
            model.train()
            print(f"step {done}  exact match: {json.dumps(scores)}", flush=True)
            if args.state:
                torch.save({"model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                            "step": done}, args.state + ".tmp")
                os.replace(args.state + ".tmp", args.state)
            write_checkpoint(model, tokenizer, args.out)


if __name__ == "__main__":
    main()
