"""Holds fixtures to their purpose: each setting that one is there for must change transformers' own logits when it is changed, by far more than a tolerance.

Without this a window that no batch crosses, or a softcap that no score reaches, would let an implementation pass that leaves it out.
"""

import json
import tempfile
from pathlib import Path

import torch
from references import load_model, max_relative_error, prompt_scale

LEAST = 1e-3


def changed_logits(directory: Path, changes: dict, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits of the reference batch, on real rows, with keys of the config replaced."""
    with tempfile.TemporaryDirectory() as temporary:
        for file in directory.glob("model*"):
            (Path(temporary) / file.name).symlink_to(file.resolve())
        config = json.loads((directory / "config.json").read_text()) | changes
        (Path(temporary) / "config.json").write_text(json.dumps(config))
        model = load_model(Path(temporary), torch.float32, "eager")
    lengths = tensors["lengths"]
    mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
    with torch.no_grad():
        return model(inputs_embeds=tensors["inputsEmbeds"] / prompt_scale(model.config), attention_mask=mask.long()).logits[mask]


def check_sensitivity(directory: Path, feels: list[dict], tensors: dict[str, torch.Tensor]) -> None:
    """`feels` lists changes of the config; each must show in the logits of the case without adapter."""
    for changes in feels:
        change = max_relative_error(changed_logits(directory, changes, tensors), tensors["none.logits"])
        assert change > LEAST, f"{directory.name}: {changes} changes the logits by {change:.2g} only"
