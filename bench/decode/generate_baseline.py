"""Baseline of the benchmark: transformers' `generate` with torch on the CPU, driven line by line.

    python bench/decode/generate_baseline.py --checkpoint DIR [--threads T]

Prints {"ready": true, ...} once the model is loaded. Then, for each line on stdin:
    generate P N SEED   continues P random tokens by N greedy ones, prints {"tokens", "seconds"}; the prompt's pass counts in the seconds
    quit                ends (as does the end of stdin)
Float32, transformers' default attention and cache. Exit status 3: a Python package is missing.
"""

import argparse
import importlib.util
import json
import os
import sys
import time

PACKAGES = ("torch", "transformers", "safetensors")


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, help="a Hugging Face checkpoint directory")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        print(f"missing Python packages: {', '.join(missing)}", file=sys.stderr)
        return 3
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.checkpoint, dtype=torch.float32).eval()
    say({"ready": True, "torch": torch.__version__, "transformers": transformers.__version__})
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            return 0
        if len(words) != 4 or words[0] != "generate" or not all(word.isdigit() for word in words[1:]):
            say({"error": f"expected 'generate P N SEED' or 'quit', got {line.strip()!r}"})
            continue
        prompt, tokens, seed = (int(word) for word in words[1:])
        torch.manual_seed(seed)
        ids = torch.randint(0, model.config.vocab_size, (1, prompt))
        start = time.perf_counter()
        with torch.inference_mode():
            output = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens, pad_token_id=0
            )
        say({"tokens": output.shape[1] - prompt, "seconds": time.perf_counter() - start})
    return 0


if __name__ == "__main__":
    sys.exit(main())
