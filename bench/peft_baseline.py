"""Baseline of the benchmark: a local PEFT prompt-tuning step with torch on the CPU, driven line by line.

    python bench/peft_baseline.py --checkpoint DIR --batch B --sequence S --virtual-tokens P [--threads T]

Prints {"ready": true, ...} once the model is loaded. Then, for each line on stdin:
    step N      runs N training steps, prints {"steps", "seconds", "tokensPerSecond", "loss"} (text tokens: batch * sequence * steps)
    threads T   changes the number of threads (for an A B A B run in which each side gets the whole machine)
    quit        ends (as does the end of stdin)
With --steps N it runs `step N` once and ends. Float32, transformers' default attention (sdpa), random token ids, loss on every text token,
torch's AdamW on the prompt alone. Exit status 3: a Python package is missing.
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


class Baseline:
    """A PEFT prompt-tuning trainer on a fixed random batch."""

    def __init__(self, checkpoint: str, batch: int, sequence: int, virtual_tokens: int, attention: str, seed: int):
        import torch
        from peft import PromptTuningConfig, TaskType, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation=attention)
        config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=virtual_tokens)
        self.torch = torch
        self.model = get_peft_model(model, config).eval()
        trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.trained = sum(parameter.numel() for parameter in trainable)
        self.optimizer = torch.optim.AdamW(trainable, lr=1e-3, weight_decay=0.01)
        self.token_ids = torch.randint(0, model.config.vocab_size, (batch, sequence))
        self.mask = torch.ones_like(self.token_ids)

    def step(self) -> float:
        loss = self.model(input_ids=self.token_ids, attention_mask=self.mask, labels=self.token_ids).loss
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def run(self, steps: int) -> dict:
        start = time.perf_counter()
        loss = 0.0
        for _ in range(steps):
            loss = self.step()
        seconds = time.perf_counter() - start
        return {"steps": steps, "seconds": seconds, "tokensPerSecond": steps * self.token_ids.numel() / seconds, "loss": loss}


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
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--sequence", type=int, required=True)
    parser.add_argument("--virtual-tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--attention", choices=("sdpa", "eager"), default="sdpa")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
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
    baseline = Baseline(
        arguments.checkpoint, arguments.batch, arguments.sequence, arguments.virtual_tokens, arguments.attention, arguments.seed
    )
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    say({"ready": True, "trainedParameters": baseline.trained, "threads": arguments.threads, "attention": arguments.attention, **versions})
    if arguments.steps:
        say(baseline.run(arguments.steps))
        return 0
    return serve(baseline)


if __name__ == "__main__":
    sys.exit(main())
