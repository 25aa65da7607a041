"""Makes test/fixtures/methods/weights-<checkpoint>.safetensors: gradients of the weights that a client may train, from torch in float64.

    python test/conformance/weight_methods.py [--out test/fixtures/methods]

Blocks: see weight_gradients.py.

Heads: `head.<variant>.<shape>.…` for the LM head plain, with LoRA, with trained rows of its (tied) table and with both; `shape` is `bare` or `capped` (logits times
0.25, then softcapped at 5). `head.rows` and so on are the inputs; losses are sums of weights * nll. `classifier.…` is a classification head in its place.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from make_fixtures import write_tensors
from references import load_model
from safetensors.torch import load_file
from torch.nn.functional import log_softmax
from weight_gradients import block_gradients

CHECKPOINTS = ("gpt2-tiny", "llama-tiny")
ROWS, RANK, CLASSES = 7, 3, 4
LORA_SCALE = 1.5
SHAPES = {"bare": (1.0, None), "capped": (0.25, 5.0)}
VARIANTS = {"plain": (), "lora": ("loraA", "loraB"), "tokens": ("tokenRows",), "loraTokens": ("loraA", "loraB", "tokenRows")}


def normed(model, rows: torch.Tensor) -> torch.Tensor:
    """The final norm, by transformers' own module."""
    return model.transformer.ln_f(rows) if hasattr(model, "transformer") else model.model.norm(rows)


def weighted_loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    nll = -log_softmax(logits, dim=-1)[torch.arange(len(labels)), labels]
    return (weights * nll).sum(), nll


def heads(directory: Path, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """Losses and gradients of every variant of the head, and of a classification head."""
    model = load_model(directory, torch.float64, "sdpa")
    table = model.get_output_embeddings().weight
    vocabulary, width = table.shape

    def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape).astype(np.float32) * np.float32(scale))

    ids = torch.tensor([3, 17, 40, vocabulary - 1])
    # Labels repeat, some are trained tokens; a row without weight; a row whose logits run into the cap.
    inputs = {
        "rows": normal(ROWS, width),
        "labels": torch.tensor([17, 5, 17, 5, vocabulary - 1, 60, 0]),
        "weights": torch.tensor([1.0, 0.5, 2.0, 1.0, 0.25, 0.0, 1.0]),
        "loraA": normal(RANK, width, scale=0.3),
        "loraB": normal(vocabulary, RANK, scale=0.3),
        "tokenIds": ids,
        "tokenRows": table[ids].float() + normal(len(ids), width, scale=0.2),
    }
    found = {f"head.{name}": value for name, value in inputs.items()}
    for variant, trained in VARIANTS.items():
        for shape, (logit_scale, cap) in SHAPES.items():
            wide = {name: inputs[name].double().requires_grad_(True) for name in ("rows", *trained)}
            h = normed(model, wide["rows"])
            weight = table if "tokenRows" not in wide else table.index_put((ids,), wide["tokenRows"])
            z = h @ weight.T
            if "loraA" in wide:
                z = z + LORA_SCALE * (h @ wide["loraA"].T) @ wide["loraB"].T
            z = logit_scale * z
            logits = z if cap is None else cap * torch.tanh(z / cap)
            loss, nll = weighted_loss(logits, inputs["labels"], inputs["weights"].double())
            gradients = torch.autograd.grad(loss, list(wide.values()))
            columns = torch.arange(1, vocabulary + 1, dtype=torch.float64)
            prefix = f"head.{variant}.{shape}"
            found |= {f"{prefix}.loss": loss, f"{prefix}.nll": nll, f"{prefix}.logits.right": logits @ torch.cos(0.7 * columns)}
            found |= {f"{prefix}.{name}Cotangent": gradient for name, gradient in zip(wide, gradients, strict=True)}
    score = normal(CLASSES, width, scale=0.4)
    labels = torch.tensor([0, 3, 3, 1, 2, 0, 3])
    wide = [inputs["rows"].double().requires_grad_(True), score.double().requires_grad_(True)]
    logits = normed(model, wide[0]) @ wide[1].T
    loss, nll = weighted_loss(logits, labels, inputs["weights"].double())
    rows, weight = torch.autograd.grad(loss, wide)
    found |= {"classifier.classifierWeight": score, "classifier.labels": labels, "classifier.logits": logits, "classifier.nll": nll}
    return found | {"classifier.loss": loss, "classifier.rowsCotangent": rows, "classifier.classifierWeightCotangent": weight}


def make_weight_references(fixtures: Path, out: Path) -> None:
    """Both files, from the checkpoints below `fixtures`."""
    for seed, name in enumerate(CHECKPOINTS):
        found = block_gradients(fixtures / name) | heads(fixtures / name, np.random.default_rng(6000 + seed))
        tensors = {key: value if value.dtype == torch.int64 else value.detach().float() for key, value in found.items()}
        write_tensors(out / f"weights-{name}.safetensors", tensors)


def main() -> None:
    fixtures = Path(__file__).resolve().parents[1] / "fixtures"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=fixtures / "methods")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make_weight_references(fixtures, arguments.out)


if __name__ == "__main__":
    main()
