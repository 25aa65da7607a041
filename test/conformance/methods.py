"""Thirty training steps of the real PEFT library for every method that it shares with Cutlayer, and the adapters that PEFT saves.

    python test/conformance/methods.py [--out test/fixtures/peft] [--only FAMILY ...]

test/fixtures/peft/<family>/batches.json holds the batches of the family, <case>/ of each case:
- curve.json: Cutlayer's method and settings, the optimizer, the loss before each update and the gradient's norm;
- curve.safetensors: `initial.<parameter>` (absent where training starts from the checkpoint), `final.<parameter>` (absent for full training), and
  `logits`: PEFT's, of the saved adapter loaded again, for the real rows of batch 1 in order (classification: one row per sequence);
- adapter_config.json, adapter_model.safetensors: the trained adapter as PEFT saves it (not for full training).

A prefix is [layers, 2, P, kvHeads, headDim] in curve.safetensors and flat in PEFT's file. `method_cases.py` says what each method computes, and
`check_conventions` holds PEFT to that. Everything runs in evaluation mode (no dropout), in float32 with eager attention; the same curve with sdpa
must agree to 2e-5 (not gemma2's: sdpa leaves out its softcap of attention).
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
from curves import OPTIMIZER, random_batches
from method_cases import CASES, LABELS, TASKS, TOKEN_IDS, Case, Wrapped, attention_targets, by_hand, classifier, cuts_of, forward, wrap
from peft import PeftModel
from references import IGNORED, dims_of, load_model, max_relative_error, prefix_from_peft
from safetensors.torch import load_file

STEPS = 30
LOGITS_BATCH = 1
FAMILIES = list(dict.fromkeys(family for case in CASES for family in case.families))


def family_batches(family: str, vocab_size: int) -> dict[str, list[dict]]:
    """Batches with labels on tokens (with a task for each sequence, and with trained tokens in them), and batches of one length with a class each."""
    rng = np.random.default_rng(4000 + FAMILIES.index(family))
    tokens = random_batches(rng, vocab_size)
    for batch in tokens:
        batch["taskIds"] = torch.from_numpy(rng.integers(0, TASKS, len(batch["lengths"])))
        # Every other real token becomes one of the trained ones, as input and, where it is one, as label.
        at = torch.zeros_like(batch["tokenIds"], dtype=torch.bool)
        at[:, 1::2] = batch["attentionMask"][:, 1::2].bool()
        chosen = torch.from_numpy(rng.choice(TOKEN_IDS, tuple(at.shape)))
        batch["tokenIds"] = torch.where(at, chosen, batch["tokenIds"])
        batch["labels"] = torch.where(at & (batch["labels"] != IGNORED), chosen, batch["labels"])
    classes = []
    for size, length in ((3, 7), (2, 4), (3, 5), (4, 6)):
        ids = torch.from_numpy(rng.integers(4, vocab_size - 1, (size, length)))
        labels = torch.from_numpy(rng.integers(0, LABELS, size))
        classes.append({"tokenIds": ids, "lengths": torch.full((size,), length), "labels": labels, "attentionMask": torch.ones_like(ids)})
    return {"tokens": tokens, "classes": classes}


def initial_values(case: Case, wrapped: Wrapped) -> dict[str, torch.Tensor]:
    """Random values large enough that each parameter matters; nothing for what starts from the checkpoint."""
    if case.method in ("full", "trainable-tokens"):
        return {}
    rng = np.random.default_rng(5000 + [other.name for other in CASES].index(case.name))
    values = {}
    for name, parameter in wrapped.parameters.items():
        noise = torch.from_numpy(rng.standard_normal(tuple(parameter.shape)).astype(np.float32))
        spread = {"embedding.weight": 0.4, "prefix_task_cols": 0.7, "prefix_task_rows": 0.7, "score.weight": 0.3}.get(name)
        values[name] = noise * (spread or (0.1 if name.endswith("bias") or "lora" in name else 0.3))
    return values


def with_values(wrapped: Wrapped, values: dict[str, torch.Tensor]) -> Wrapped:
    with torch.no_grad():
        for name, value in values.items():
            wrapped.parameters[name].copy_(value)
    return wrapped


def train(case: Case, directory: Path, values: dict, batches: list[dict], attention: str = "eager") -> tuple[dict, Wrapped]:
    """Runs the curve; losses are those before each update, norms those of all parameters together."""
    wrapped = with_values(wrap(case, directory, attention), values)
    parameters = list(wrapped.parameters.values())
    settings = {"lr": case.learning_rate, "betas": (OPTIMIZER["beta1"], OPTIMIZER["beta2"]), "eps": case.epsilon}
    optimizer = torch.optim.AdamW(parameters, **settings, weight_decay=OPTIMIZER["weightDecay"])
    curve = {"losses": [], "gradientNorms": []}
    for step in range(STEPS):
        loss = forward(case, wrapped.model, batches[step % len(batches)]).loss
        optimizer.zero_grad()
        loss.backward()
        curve["losses"].append(loss.item())
        curve["gradientNorms"].append(torch.stack([p.grad.norm() for p in parameters]).norm().item())
        optimizer.step()
    return curve, wrapped


def check_conventions(case: Case, directory: Path, wrapped: Wrapped, batch: dict) -> None:
    """PEFT's logits equal those computed without it."""
    parameters = {name: value.detach() for name, value in wrapped.parameters.items()}
    with torch.no_grad():
        ours, theirs = by_hand(case, directory, parameters, batch), peft_logits(case, wrapped.model, batch)
    error = max_relative_error(theirs, ours if case.classes else ours[batch["attentionMask"].bool()])
    assert error < 1e-5, f"{case.name}: logits differ from those by hand by {error}"


def peft_logits(case: Case, model, batch: dict) -> torch.Tensor:
    """[real rows, V] or [B, labels]."""
    with torch.no_grad():
        logits = forward(case, model, {**batch, "labels": None}).logits
    return logits if case.classes else logits[:, -batch["tokenIds"].shape[1] :][batch["attentionMask"].bool()]


def settle_order(config: Path) -> None:
    """PEFT writes a set of target modules in whatever order it comes."""
    document = json.loads(config.read_text())
    if isinstance(document.get("target_modules"), list):
        document["target_modules"].sort()
        config.write_text(json.dumps(document, indent=2, sort_keys=True))


def load_saved(directory: Path, saved: Path):
    """The bare checkpoint with an adapter, as a user of PEFT loads it; `saved` may be a file of whole weights, which full training saves."""
    classes = saved.is_dir() and json.loads((saved / "adapter_config.json").read_text())["task_type"] == "SEQ_CLS"
    base = classifier(directory, "eager") if classes else load_model(directory, torch.float32, "eager")
    if saved.is_dir():
        return PeftModel.from_pretrained(base, saved).eval()
    unknown = set(base.load_state_dict(load_file(saved), strict=False).unexpected_keys)
    assert not unknown, f"full training saved weights that the model does not have: {unknown}"
    return base


def make_case(case: Case, directory: Path, out: Path, batches: list[dict]) -> None:
    """One case's directory."""
    from make_fixtures import write_json, write_tensors

    out.mkdir(parents=True, exist_ok=True)
    values = initial_values(case, wrap(case, directory))
    check_conventions(case, directory, with_values(wrap(case, directory), values), batches[0])
    curve, wrapped = train(case, directory, values, batches)
    if getattr(wrapped.model.config, "attn_logit_softcapping", None) is None:
        again = np.array(train(case, directory, values, batches, "sdpa")[0]["losses"])
        deviation = np.max(np.abs(again - curve["losses"]) / curve["losses"])
        assert deviation < 2e-5, f"{case.name}: sdpa deviates by {deviation}"
    # The same batch, a round of batches before the end and at the end of training.
    assert curve["losses"][-4] < curve["losses"][LOGITS_BATCH + 1], f"{case.name}: training does not lower the loss: {curve['losses']}"
    dims = dims_of(wrapped.model.config)

    def shaped(name: str, value: torch.Tensor) -> torch.Tensor:
        return prefix_from_peft(value, dims) if case.name == "prefix-tuning" else value

    tensors = {f"initial.{name}": shaped(name, value) for name, value in values.items()}
    batch = batches[LOGITS_BATCH]
    if case.method == "full":
        tensors["logits"] = peft_logits(case, wrapped.model, batch)
    else:
        tensors |= {f"final.{name}": shaped(name, value.detach()) for name, value in wrapped.parameters.items()}
        wrapped.model.save_pretrained(out, save_embedding_layers=False)
        (out / "README.md").unlink(missing_ok=True)
        settle_order(out / "adapter_config.json")
        tensors["logits"] = peft_logits(case, load_saved(directory, out), batch)
        error = max_relative_error(tensors["logits"], peft_logits(case, wrapped.model, batch))
        assert error < 1e-6, f"{case.name}: the saved adapter gives other logits, by {error}"
    write_tensors(out / "curve.safetensors", tensors)
    settings = dict(case.settings)
    if case.tasks:
        settings["tasks"] = [f"task-{index}" for index in range(TASKS)]
    if case.classes:
        settings["labels"] = [f"label-{index}" for index in range(LABELS)]
    if settings.get("targets") == ["attention"]:
        settings["targets"] = attention_targets(directory)
    optimizer = {**OPTIMIZER, "learningRate": case.learning_rate, "epsilon": case.epsilon}
    document = {"method": case.method, "settings": settings, "batches": "classes" if case.classes else "tokens", "optimizer": optimizer}
    cuts = [{"bottom": bottom, "top": top} for bottom, top in cuts_of(case, directory.name)]
    write_json(out / "curve.json", {**document, "cuts": cuts, **curve})


def cases_of(family: str) -> list[Case]:
    return [case for case in CASES if family in case.families]


def make_methods(directory: Path, out: Path) -> None:
    """Every case of one family, whose checkpoint is `directory`."""
    from make_fixtures import write_json

    batches = family_batches(directory.name, dims_of(load_model(directory, torch.float32, "eager").config)["vocabSize"])
    out.mkdir(parents=True, exist_ok=True)
    listed = {kind: [{key: value.tolist() for key, value in batch.items() if key != "attentionMask"} for batch in batches[kind]] for kind in batches}
    write_json(out / "batches.json", {"logitsBatch": LOGITS_BATCH, **listed})
    for case in cases_of(directory.name):
        make_case(case, directory, out / case.name, batches["classes" if case.classes else "tokens"])


def main() -> None:
    fixtures = Path(__file__).resolve().parents[1] / "fixtures"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=fixtures / "peft")
    parser.add_argument("--only", nargs="*", choices=FAMILIES, default=FAMILIES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for family in arguments.only:
        make_methods(fixtures / family, arguments.out / family)
        print(f"made peft/{family}")


if __name__ == "__main__":
    main()
