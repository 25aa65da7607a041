"""Compares Cutlayer's fixtures and adapters with transformers and PEFT as installed here.

    check_live.py                     makes the fixtures again in a temporary directory and compares them with the committed ones
    check_live.py --adapters LIST.json
                                      loads adapters that Cutlayer wrote with PeftModel.from_pretrained and compares logits; LIST is an array of
                                      {"title", "adapter": DIR, "checkpoint": DIR, "logits": FILE.safetensors}
    check_live.py --probe             only says whether the Python packages are there

FILE holds `tokenIds` [B,S] int64 (right-padded), `lengths` [B] int64, `taskIds` [B] int64 for a multitask prompt, and `logits` f32: [B,S,V] (padded rows ignored), [N,V] (real rows
in order), or [B,classes] of an adapter for sequence classification. DIR may also be a safetensors file of whole weights, which full training saves. Values agree when max|a - b| / max|b| <= --tolerance (1e-5). Exit status: 0 equal, 1 different, 2 bad usage, 3 a package is missing.
"""

import argparse
import importlib.util
import json
import math
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
sys.dont_write_bytecode = True

PACKAGES = ("torch", "transformers", "peft", "safetensors", "tokenizers", "numpy")
# What depends on the versions and the machine rather than on the values.
NOT_COMPARED = {"madeWith", "float32Deviation", "peft_version"}


class Comparison:
    """Collects differences; `worst` is the largest relative error met."""

    def __init__(self, tolerance: float):
        self.tolerance, self.worst, self.count, self.failures = tolerance, 0.0, 0, []

    def tensor(self, name: str, actual, expected) -> None:
        self.count += 1
        if actual.shape != expected.shape or actual.dtype != expected.dtype:
            self.failures.append(f"{name}: expected {expected.dtype} {list(expected.shape)}, got {actual.dtype} {list(actual.shape)}")
            return
        from references import max_relative_error

        error = max_relative_error(actual, expected) if expected.numel() > 0 else 0.0
        self.worst = max(self.worst, error)
        if not error <= self.tolerance:
            self.failures.append(f"{name}: relative error {error:.3g}, tolerance {self.tolerance:g}")

    def document(self, name: str, actual, expected) -> None:
        """JSON values: floats within the tolerance, everything else equal."""
        if isinstance(expected, dict) and isinstance(actual, dict):
            if actual.keys() != expected.keys():
                self.failures.append(f"{name}: keys {sorted(actual)} instead of {sorted(expected)}")
            for key in expected.keys() & actual.keys() - NOT_COMPARED:
                self.document(f"{name}.{key}", actual[key], expected[key])
        elif isinstance(expected, list) and isinstance(actual, list) and len(actual) == len(expected):
            for index, pair in enumerate(zip(actual, expected)):
                self.document(f"{name}[{index}]", *pair)
        else:
            self.count += 1
            numbers = isinstance(expected, float) and isinstance(actual, (int, float))
            if actual != expected and not (numbers and math.isclose(actual, expected, rel_tol=self.tolerance)):
                self.failures.append(f"{name}: {actual!r} instead of {expected!r}")


def compare_fixtures(committed: Path, names: list[str], comparison: Comparison) -> None:
    """Every JSON and safetensors file of a fresh run against the committed one, and no file more or less; with the methods' curves of a family, and with
    the methods' own references, and those of texts, when all checkpoints are made."""
    from checkpoints import CHECKPOINTS
    from generation import make_generation
    from make_fixtures import make_fixture
    from methods import FAMILIES, make_methods
    from multimodal import make_multimodal
    from prompt_methods import make_prompt_references
    from text_cases import make_text_fixtures
    from weight_methods import make_weight_references

    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            make_fixture(Path(temporary) / name, name)
            compare_directories(Path(temporary) / name, committed / name, name, comparison)
            if name in FAMILIES:
                fresh = Path(temporary) / "peft" / name
                make_methods(Path(temporary) / name, fresh)
                compare_directories(fresh, committed / "peft" / name, f"peft/{name}", comparison)
        if set(names) == set(CHECKPOINTS):
            fresh = Path(temporary) / "methods"
            fresh.mkdir()
            make_prompt_references(Path(temporary), fresh)
            make_weight_references(Path(temporary), fresh)
            compare_directories(fresh, committed / "methods", "methods", comparison)
            for folder, make in (("multimodal", make_multimodal), ("generation", make_generation), ("text", make_text_fixtures)):
                make(Path(temporary) / folder)
                compare_directories(Path(temporary) / folder, committed / folder, folder, comparison)


def compare_directories(fresh: Path, committed: Path, name: str, comparison: Comparison) -> None:
    from safetensors.torch import load_file

    files = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    there = {path.relative_to(committed) for path in committed.rglob("*") if path.is_file()}
    if files != there:
        comparison.failures.append(f"{name}: files differ: {sorted(map(str, files ^ there))}")
    for file in sorted(files & there):
        label = f"{name}/{file}"
        if file.suffix == ".json":
            comparison.document(label, json.loads((fresh / file).read_text()), json.loads((committed / file).read_text()))
        else:
            actual, expected = load_file(fresh / file), load_file(committed / file)
            if actual.keys() != expected.keys():
                comparison.failures.append(f"{label}: tensors differ: {sorted(actual.keys() ^ expected.keys())}")
            for key in actual.keys() & expected.keys():
                comparison.tensor(f"{label}:{key}", actual[key], expected[key])


def compare_adapter(title: str, adapter: Path, checkpoint: Path, logits: Path, comparison: Comparison) -> None:
    """PEFT's logits with an adapter directory against logits computed elsewhere."""
    import torch
    from methods import load_saved
    from safetensors.torch import load_file

    given = load_file(logits)
    token_ids, lengths = given["tokenIds"], given["lengths"]
    mask = torch.arange(token_ids.shape[1])[None, :] < lengths[:, None]
    tasks = {"task_ids": given["taskIds"]} if "taskIds" in given else {}
    with torch.no_grad():
        expected = load_saved(checkpoint, adapter)(input_ids=token_ids, attention_mask=mask.long(), **tasks).logits
    if expected.dim() == 3:
        expected = expected[:, -token_ids.shape[1] :][mask]
    actual = given["logits"][mask] if given["logits"].dim() == 3 else given["logits"]
    comparison.tensor(title, actual, expected)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--fixtures", type=Path, default=Path(__file__).resolve().parents[1] / "fixtures")
    parser.add_argument("--only", nargs="*", help="names of fixtures; all by default")
    parser.add_argument("--adapters", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    arguments = parser.parse_args()

    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        print(f"missing Python packages: {', '.join(missing)}", file=sys.stderr)
        return 3
    if arguments.probe:
        return 0

    import torch
    from checkpoints import CHECKPOINTS

    unknown = set(arguments.only or []) - CHECKPOINTS.keys()
    if unknown:
        parser.error(f"unknown fixtures {sorted(unknown)}; there are {list(CHECKPOINTS)}")
    torch.set_num_threads(1)
    comparison = Comparison(arguments.tolerance)
    if arguments.adapters:
        for item in json.loads(arguments.adapters.read_text()):
            compare_adapter(item["title"], *(Path(item[key]) for key in ("adapter", "checkpoint", "logits")), comparison)
    else:
        compare_fixtures(arguments.fixtures, arguments.only or list(CHECKPOINTS), comparison)
    for failure in comparison.failures[:50]:
        print(f"FAILED {failure}", file=sys.stderr)
    if comparison.failures:
        print(f"{len(comparison.failures)} of {comparison.count} values differ", file=sys.stderr)
        return 1
    print(f"{comparison.count} values agree, largest relative error {comparison.worst:.3g} (tolerance {comparison.tolerance:g})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
