"""Gradients of the weights of blocks that a client may train, from transformers' own model in float64: `weight-gradients.safetensors` of a family's fixture.

For each case of reference.safetensors (none, softPrompt, prefix) the gradients of <logits, logitsCotangent> with respect to every weight of the
first and the last block. A gradient G [a, b] is stored as its products with two fixed vectors, `<case>.<weight>.right` = G v [a] and
`<case>.<weight>.left` = u G [b], u[i] = cos(i + 1), v[j] = cos(0.7 (j + 1)); a vector's as it is (`<case>.<weight>`).
"""

from pathlib import Path

import torch
from references import load_model, precise_attention, run_case, wide_softmax
from safetensors.torch import load_file


def block_gradients(directory: Path) -> dict[str, torch.Tensor]:
    """Gradients of the first and the last block's weights, contracted."""
    stored = load_file(directory / "reference.safetensors")
    batch = {key: stored[key] for key in ("tokenIds", "lengths", "labels", "inputsEmbeds")}
    batch["attentionMask"] = (torch.arange(batch["tokenIds"].shape[1])[None, :] < batch["lengths"][:, None]).long()
    found = {}
    for case in ("none", "softPrompt", "prefix"):
        model = load_model(directory, torch.float64, precise_attention(directory))
        last = model.config.num_hidden_layers - 1
        trained = {name: p for name, p in model.named_parameters() if ".0." in name or f".{last}." in name}
        for parameter in trained.values():
            parameter.requires_grad_(True)
        with wide_softmax():
            run_case(model, case, batch, None if case == "none" else stored[case], stored[f"{case}.logitsCotangent"])
        for name, parameter in trained.items():
            gradient = parameter.grad
            assert gradient.abs().max() > 0, f"{name} has no gradient"
            if gradient.dim() == 1:
                found[f"{case}.{name}"] = gradient
                continue
            rows, columns = (torch.arange(1, size + 1, dtype=torch.float64) for size in gradient.shape)
            found[f"{case}.{name}.right"] = gradient @ torch.cos(0.7 * columns)
            found[f"{case}.{name}.left"] = torch.cos(rows) @ gradient
    return found
