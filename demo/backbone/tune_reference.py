"""Proof in plain torch that a soft prompt steers the checkpoint to the client's unspoken house style.

    python demo/backbone/tune_reference.py [--prefix reply-] [--seeds 3]

Same recipe as the product: P virtual tokens before prompt + completion + </s>, started from sampled vocabulary rows,
loss on the completion, AdamW, right-padded batches; the checkpoint's 16-bit weights are computed with in float32. Prints
loss and exact match (greedy decoding) on the test rows before and after.
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent


def load_rows(tokenizer, path):
    """[(prompt ids, completion ids with </s>)]."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False)
    return [(encode(row["prompt"]), [*encode(row["completion"]), tokenizer.eos_token_id]) for row in rows]


def run(model, prompt, rows):
    """Logits that predict the completions, flat, and their targets, flat, and the row each belongs to."""
    width = max(len(a) + len(b) for a, b in rows)
    virtual = 0 if prompt is None else prompt.size(0)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    at, targets, owners = [], [], []
    for index, (a, b) in enumerate(rows):
        ids[index, :len(a) + len(b)] = torch.tensor(a + b)
        at += [index * (virtual + width) + virtual + len(a) - 1 + offset for offset in range(len(b))]
        targets += b
        owners += [index] * len(b)
    embeds = model.model.embed_tokens(ids)  # [B, S, d]
    if prompt is not None:
        embeds = torch.cat([prompt.expand(len(rows), -1, -1), embeds], 1)  # [B, P + S, d]
    hidden = model.model(inputs_embeds=embeds, use_cache=False).last_hidden_state.flatten(0, 1)
    return model.lm_head(hidden[at]), torch.tensor(targets), torch.tensor(owners)


@torch.no_grad()
def evaluate(model, prompt, rows):
    """Mean loss a completion token, and exact match: all argmaxes right, which is what greedy decoding gives."""
    loss = tokens = hits = 0
    for start in range(0, len(rows), 50):
        part = rows[start:start + 50]
        logits, targets, owners = run(model, prompt, part)
        loss += F.cross_entropy(logits, targets, reduction="sum").item()
        tokens += len(targets)
        wrong = set(owners[logits.argmax(-1) != targets].tolist())
        hits += len(part) - len(wrong)
    return loss / tokens, hits / len(rows)


def train_prompt(model, tokenizer, rows, seed, args):
    generator = torch.Generator().manual_seed(seed)
    shuffler = random.Random(seed)
    table = model.model.embed_tokens.weight
    prompt = table[torch.randint(table.size(0), (args.virtual,), generator=generator)].clone().requires_grad_()
    optimizer = torch.optim.AdamW([prompt], lr=args.lr, weight_decay=args.weight_decay)
    order = []
    for step in range(args.steps):
        rate = args.lr * min(1, (step + 1) / args.warmup)
        if args.schedule == "linear":
            rate *= 1 - max(0, step - args.warmup) / (args.steps - args.warmup)
        optimizer.param_groups[0]["lr"] = rate
        if len(order) < args.batch:
            order = shuffler.sample(range(len(rows)), len(rows))
        batch, order = [rows[index] for index in order[:args.batch]], order[args.batch:]
        logits, targets, _ = run(model, prompt, batch)
        loss = F.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([prompt], args.clip)
        optimizer.step()
        if args.verbose and (step + 1) % 20 == 0:
            print(f"  step {step + 1} loss {loss.item():.4f}", flush=True)
    return prompt.detach()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default=str(HERE / "checkpoint"))
    parser.add_argument("--data", default=str(HERE.parent / "data"))
    parser.add_argument("--prefix", default="", help="'reply-' for the generation task")
    parser.add_argument("--virtual", type=int, default=16)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--schedule", default="linear", choices=("linear", "constant"))
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint, dtype=torch.float32).eval().requires_grad_(False)
    splits = {split: load_rows(tokenizer, Path(args.data) / f"{args.prefix}{split}.jsonl") for split in ("train", "validation", "test")}
    print(f"tokens a row: {sum(len(a) + len(b) for a, b in splits['train']) / len(splits['train']):.1f}, "
          f"completion {max(len(b) for split in splits.values() for _, b in split)} at most")
    print("before: loss %.4f, exact match %.3f" % evaluate(model, None, splits["test"]))
    for seed in range(args.seeds):
        started = time.time()
        prompt = train_prompt(model, tokenizer, splits["train"], seed, args)
        loss, accuracy = evaluate(model, prompt, splits["test"])
        print(f"seed {seed}: after {args.steps} steps loss {loss:.4f}, exact match {accuracy:.3f}  ({time.time() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
