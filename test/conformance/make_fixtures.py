"""Makes test/fixtures: tiny random checkpoints and, from transformers and PEFT, the values that Cutlayer must reproduce.

    python test/conformance/make_fixtures.py [--out test/fixtures] [--only gpt2-tiny ...]
    python test/conformance/make_fixtures.py --out DIR --seed-offset N     checkpoints and reference values alone, of other weights and batches

Needs torch, transformers, peft, tokenizers and safetensors; made with the versions written into each reference.json. Everything is
seeded and runs on one thread. test/fixtures/README.md says what lies where.
"""

import argparse
import json
import os
import re
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import peft
import torch
import transformers
from checkpoints import CHECKPOINTS, make_checkpoint
from curves import make_curves, save_peft_adapters
from families import FAMILIES
from references import make_references
from safetensors.torch import save_file
from sensitivity import check_sensitivity
from tokenizer import make_tokenizer
from weight_gradients import block_gradients

WITH_CURVES = ("gpt2-tiny", "llama-tiny", "llama3-tiny")
# One fixture of each kind of block; GPT-2's and Llama's blocks are those of weight_methods.py.
WITH_WEIGHT_GRADIENTS = {f"{name}-tiny" for name in "mistral qwen2 qwen3 phi3 phi3-partial gemma gemma2 gemma3_text olmo2 granite".split()}
WITH_TOKENIZER = "llama-tiny"
WITH_PEFT_ADAPTERS = "llama-tiny"


def write_json(path: Path, document: dict) -> None:
    """Indented, with lists of numbers on one line."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[-\d\s.,e]*\]", lambda numbers: re.sub(r"\s+", "", numbers[0]).replace(",", ", "), text)
    path.write_text(text + "\n")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path)


def versions() -> dict[str, str]:
    return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__, "peft": peft.__version__}


def make_reference(directory: Path, name: str, seed: int) -> dict[str, torch.Tensor]:
    """A checkpoint and its reference values."""
    recipe = CHECKPOINTS[name]
    make_checkpoint(directory, name, seed)
    tensors, document = make_references(directory, seed + 100, recipe.get("short"), check_peft=name in FAMILIES)
    write_tensors(directory / "reference.safetensors", tensors)
    write_json(directory / "reference.json", {"name": name, "madeWith": versions(), **document})
    return tensors


def make_fixture(directory: Path, name: str) -> None:
    """One checkpoint directory with everything that is computed from it."""
    seed = CHECKPOINTS[name]["seed"]
    tensors = make_reference(directory, name, seed)
    check_sensitivity(directory, CHECKPOINTS[name].get("feels", []), tensors)
    if name in WITH_WEIGHT_GRADIENTS:
        gradients = {key: value.float() for key, value in block_gradients(directory).items()}
        write_tensors(directory / "weight-gradients.safetensors", gradients)
    if name in WITH_CURVES:
        tensors, document = make_curves(directory, seed + 200)
        write_tensors(directory / "curves.safetensors", tensors)
        write_json(directory / "curves.json", {"name": name, "madeWith": versions(), **document})
    if name == WITH_PEFT_ADAPTERS:
        write_tensors(directory / "peft-logits.safetensors", save_peft_adapters(directory, tensors, document["batches"][0]))
    if name == WITH_TOKENIZER:
        reference = make_tokenizer(directory, CHECKPOINTS[name]["config"]["vocab_size"])
        write_json(directory / "tokenizer-reference.json", reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "fixtures")
    parser.add_argument("--only", nargs="*", choices=sorted(CHECKPOINTS), default=list(CHECKPOINTS))
    parser.add_argument("--seed-offset", type=int, default=0, help="added to every seed; then only checkpoints and reference values are made")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.only:
        if arguments.seed_offset == 0:
            make_fixture(arguments.out / name, name)
        else:
            make_reference(arguments.out / name, name, CHECKPOINTS[name]["seed"] + arguments.seed_offset)
        print(f"made {name}")


if __name__ == "__main__":
    main()
