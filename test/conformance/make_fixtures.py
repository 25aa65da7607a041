"""Makes test/fixtures: tiny random checkpoints and, from transformers and PEFT, the values that Cutlayer must reproduce.

    python test/conformance/make_fixtures.py [--out test/fixtures] [--only gpt2-tiny ...]

Needs torch, transformers, peft, tokenizers and safetensors; made with the versions written into each reference.json. Everything is
seeded and runs on one thread. test/fixtures/README.md says what lies where.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from checkpoints import CHECKPOINTS, make_checkpoint
from references import make_references
from safetensors.torch import save_file


def write_json(path: Path, document: dict) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path)


def versions() -> dict[str, str]:
    return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}


def make_fixture(directory: Path, name: str) -> None:
    """One checkpoint directory with its references."""
    make_checkpoint(directory, name)
    seed = CHECKPOINTS[name]["seed"]
    tensors, document = make_references(directory, seed + 100)
    write_tensors(directory / "reference.safetensors", tensors)
    write_json(directory / "reference.json", {"name": name, "madeWith": versions(), **document})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "fixtures")
    parser.add_argument("--only", nargs="*", choices=sorted(CHECKPOINTS), default=list(CHECKPOINTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.only:
        make_fixture(arguments.out / name, name)
        print(f"made {name}")


if __name__ == "__main__":
    main()
