"""Baseline of the benchmark: a local PEFT training step with torch on the CPU, driven line by line.

    python bench/peft_baseline.py --checkpoint DIR --batch B --sequence S --virtual-tokens P [--method NAME] [--layers 0,11] [--threads T]
    python bench/peft_baseline.py --checkpoint DIR --batches FILE --virtual-tokens P [--prompt FILE] [--threads T]

NAME is a row of METHODS. Methods that train blocks train those of --layers, and full training, which PEFT does not have, is plain torch.

Prints {"ready": true, ...} once the model is loaded. Then, for each line on stdin:
    step N      runs N training steps, prints {"steps", "seconds", "tokensPerSecond", "loss"} (text tokens, without padding)
    threads T   changes the number of threads (for an A B A B run in which each side gets the whole machine)
    quit        ends (as does the end of stdin)
With --steps N it runs `step N` once and ends. Float32, transformers' default attention (sdpa), random token ids, loss on every text token,
torch's AdamW on the method's parameters alone. Exit status 3: a Python package is missing.

The file of --batches is JSON: a list of batches, each a list of {"tokenIds", "promptLength"}. Tokens from promptLength on carry loss. A batch
is padded on the right to its longest example, with an attention mask. Each step takes the next batch. The soft prompt begins as the one of
--prompt, the safetensors file of a prompt-tuning adapter.
"""

import argparse
import importlib.util
import json
import os
import sys
import time

PACKAGES = ("torch", "transformers", "peft", "safetensors")


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def prompt(arguments: argparse.Namespace) -> dict:
    return {"task_type": "CAUSAL_LM", "num_virtual_tokens": arguments.virtual_tokens}


# By method, as the benchmark names it: PEFT's config.
METHODS = {
    "prompt-tuning": lambda peft, a: peft.PromptTuningConfig(**prompt(a)),
    "p-tuning": lambda peft, a: peft.PromptEncoderConfig(**prompt(a), encoder_hidden_size=a.encoder_hidden),
    "p-tuning-lstm": lambda peft, a: peft.PromptEncoderConfig(
        **prompt(a), encoder_hidden_size=a.encoder_hidden, encoder_reparameterization_type="LSTM", encoder_dropout=0.0
    ),
    "prefix-tuning": lambda peft, a: peft.PrefixTuningConfig(**prompt(a)),
    "prefix-projection": lambda peft, a: peft.PrefixTuningConfig(**prompt(a), prefix_projection=True, encoder_hidden_size=a.encoder_hidden),
    "multitask-prompt-tuning": lambda peft, a: peft.MultitaskPromptTuningConfig(**prompt(a), num_tasks=a.tasks, num_ranks=1),
    "trainable-tokens": lambda peft, a: peft.TrainableTokensConfig(task_type="CAUSAL_LM", token_indices=list(range(a.tokens))),
    "lora-head": lambda peft, a: peft.LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=["lm_head"]),
    "lora": lambda peft, a: peft.LoraConfig(
        task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=["c_attn"], layers_to_transform=a.layers, fan_in_fan_out=True
    ),
    "full": None,
    "classification-head": lambda peft, a: peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=a.virtual_tokens),
}


def padded(torch, batch: list) -> dict:
    """A batch of a file as PEFT's users collate it."""
    length = max(len(example["tokenIds"]) for example in batch)
    inputs = {
        "input_ids": torch.zeros((len(batch), length), dtype=torch.long),
        "attention_mask": torch.zeros((len(batch), length), dtype=torch.long),
        "labels": torch.full((len(batch), length), -100),
    }
    for row, example in enumerate(batch):
        ids = torch.tensor(example["tokenIds"])
        first = example["promptLength"]
        inputs["input_ids"][row, : len(ids)] = ids
        inputs["attention_mask"][row, : len(ids)] = 1
        inputs["labels"][row, first : len(ids)] = ids[first:]
    return inputs


class Baseline:
    """A PEFT trainer on a fixed random batch, or on the batches of a file in turn."""

    def __init__(self, arguments: argparse.Namespace):
        import peft
        import torch
        from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

        torch.manual_seed(arguments.seed)
        settings = {"dtype": torch.float32, "attn_implementation": arguments.attention}
        classes = arguments.method == "classification-head"
        if classes:
            model = AutoModelForSequenceClassification.from_pretrained(arguments.checkpoint, num_labels=arguments.classes, pad_token_id=0, **settings)
        else:
            model = AutoModelForCausalLM.from_pretrained(arguments.checkpoint, **settings)
        vocab_size = model.config.vocab_size
        if arguments.method == "full":
            held = [f".h.{layer}." for layer in arguments.layers]
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(any(block in name for block in held))
            self.model = model.eval()
        else:
            self.model = peft.get_peft_model(model, METHODS[arguments.method](peft, arguments)).eval()
        if arguments.prompt:
            from safetensors.torch import load_file

            rows = load_file(arguments.prompt)["prompt_embeddings"]
            self.model.prompt_encoder["default"].embedding.weight.data.copy_(rows)
        trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.torch = torch
        self.trained = sum(parameter.numel() for parameter in trainable)
        self.optimizer = torch.optim.AdamW(trainable, lr=arguments.learning_rate, weight_decay=arguments.weight_decay)
        self.taken = 0
        if arguments.batches:
            with open(arguments.batches, encoding="utf-8") as file:
                self.batches = [padded(torch, batch) for batch in json.load(file)]
            return
        size = (arguments.batch, arguments.sequence)
        token_ids = torch.randint(0, vocab_size, size)
        if arguments.method == "trainable-tokens":
            # Every other token is one of the trained ones.
            token_ids[:, ::2] = torch.randint(0, arguments.tokens, token_ids[:, ::2].shape)
        labels = torch.randint(0, arguments.classes, size[:1]) if classes else token_ids
        self.batches = [{"input_ids": token_ids, "attention_mask": torch.ones_like(token_ids), "labels": labels}]
        if arguments.method == "multitask-prompt-tuning":
            self.batches[0]["task_ids"] = torch.arange(size[0]) % arguments.tasks

    def step(self, batch: dict) -> float:
        loss = self.model(**batch).loss
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def run(self, steps: int) -> dict:
        start = time.perf_counter()
        loss = 0.0
        tokens = 0
        for _ in range(steps):
            batch = self.batches[self.taken % len(self.batches)]
            loss = self.step(batch)
            tokens += int(batch["attention_mask"].sum())
            self.taken += 1
        seconds = time.perf_counter() - start
        return {"steps": steps, "seconds": seconds, "tokensPerSecond": tokens / seconds, "loss": loss}


def serve(baseline: Baseline) -> int:
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        if words == ["quit"]:
            return 0
        valid = len(words) == 2 and words[0] in ("step", "threads") and words[1].isdigit() and int(words[1]) > 0
        if not valid:
            say({"error": f"expected 'step N', 'threads T' or 'quit', got {line.strip()!r}"})
        elif words[0] == "threads":
            baseline.torch.set_num_threads(int(words[1]))
            say({"threads": int(words[1])})
        else:
            say(baseline.run(int(words[1])))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, help="a Hugging Face checkpoint directory")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--sequence", type=int)
    parser.add_argument("--virtual-tokens", type=int, required=True)
    parser.add_argument("--batches", help="a JSON file of batches, in place of random ones")
    parser.add_argument("--prompt", help="the adapter_model.safetensors that prompt tuning begins with")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--method", choices=sorted(METHODS), default="prompt-tuning")
    parser.add_argument("--layers", type=lambda text: [int(part) for part in text.split(",")], default=[0], help="blocks that lora and full train")
    parser.add_argument("--encoder-hidden", type=int, default=768)
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--attention", choices=("sdpa", "eager"), default="sdpa")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.batches is None and None in (arguments.batch, arguments.sequence):
        parser.error("expected --batch and --sequence, or --batches")
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        print(f"missing Python packages: {', '.join(missing)}", file=sys.stderr)
        return 3
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import peft
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    baseline = Baseline(arguments)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    say({"ready": True, "trainedParameters": baseline.trained, "threads": arguments.threads, "attention": arguments.attention, **versions})
    if arguments.steps:
        say(baseline.run(arguments.steps))
        return 0
    return serve(baseline)


if __name__ == "__main__":
    sys.exit(main())
