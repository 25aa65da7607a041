"""Reference values of one checkpoint: logits, gradients, losses and hidden states at block boundaries, from transformers.

Truth is a float64 run of transformers' own model (stored as float32). Two of its modules compute in float32 whatever the
model's dtype: RMS norm and eager attention's softmax; the float64 run therefore widens the norm (see `rms_norm_float64`) and uses
sdpa attention, which stays in float64. Rotary angles remain transformers' float32 ones. The plain float32 run with
eager attention is compared with it, and its largest deviation is recorded in reference.json.

Rows are flat, as in proto/cutlayer/v1/split.proto: with a soft prompt of P vectors, rows 0..P-1 are the prompt's and P + b*S + s is token s
of sequence b; without one (also with a prefix) token s of sequence b is row b*S + s. Only real rows are stored, in
increasing order, and `<case>.positions` names them. transformers computes the prompt's rows once per sequence of the batch; they are
equal for all sequences, so they are stored once, and their cotangent is fed once and comes back summed over the batch.
"""

import types
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, DynamicCache

LENGTHS = [9, 5, 2]
SEQUENCE = 9
NUM_VIRTUAL_TOKENS = 5
IGNORED = -100


def max_relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The measure used everywhere: max|a - b| / max|b|."""
    scale = expected.abs().max().item()
    difference = (actual.double() - expected.double()).abs().max().item()
    return difference / scale if scale > 0 else difference


def rms_norm_float64(module: torch.nn.Module, hidden_states: torch.Tensor) -> torch.Tensor:
    """transformers' RMS norm without its cast to float32."""
    variance = hidden_states.pow(2).mean(-1, keepdim=True)
    return module.weight * (hidden_states * torch.rsqrt(variance + module.variance_epsilon))


def load_model(directory: Path, dtype: torch.dtype, attention: str):
    """The checkpoint, frozen and in evaluation mode; 16-bit weights are upcast exactly."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation=attention).to(dtype)
    if dtype == torch.float64:
        for module in model.modules():
            if type(module).__name__.endswith("RMSNorm"):
                module.forward = types.MethodType(rms_norm_float64, module)
    return model.eval().requires_grad_(False)


def dims_of(config) -> dict:
    """The dimensions that shape adapters and rows, under Cutlayer's names."""
    heads = config.num_attention_heads
    return {
        "hiddenSize": config.hidden_size,
        "numLayers": config.num_hidden_layers,
        "numHeads": heads,
        "numKvHeads": getattr(config, "num_key_value_heads", None) or heads,
        "headDim": getattr(config, "head_dim", None) or config.hidden_size // heads,
        "vocabSize": config.vocab_size,
        "maxPositions": config.max_position_embeddings,
    }


def prefix_from_peft(raw: torch.Tensor, dims: dict) -> torch.Tensor:
    """PEFT's [P, layers*2*kvHeads*headDim] as [layers, 2, P, kvHeads, headDim]."""
    return raw.view(raw.shape[0], dims["numLayers"], 2, dims["numKvHeads"], dims["headDim"]).permute(1, 2, 0, 3, 4)


def random_batch(rng: np.random.Generator, vocab_size: int) -> dict[str, torch.Tensor]:
    """A right-padded batch; labels skip the first tokens of sequence 0 and include the first token of the others."""
    token_ids = torch.from_numpy(rng.integers(4, vocab_size - 1, (len(LENGTHS), SEQUENCE)))
    lengths = torch.tensor(LENGTHS)
    mask = torch.arange(SEQUENCE)[None, :] < lengths[:, None]
    token_ids = torch.where(mask, token_ids, 2)
    labels = torch.where(mask, token_ids, IGNORED)
    labels[0, :4] = IGNORED
    return {"tokenIds": token_ids, "lengths": lengths, "labels": labels, "attentionMask": mask.long()}


class Boundaries:
    """Records the residual stream entering blocks 0, 1 and L-1 and leaving block L-1 (as index L), with gradients kept."""

    def __init__(self, model):
        base = model.transformer if hasattr(model, "transformer") else model.model
        self.blocks = base.h if hasattr(base, "h") else base.layers
        last = len(self.blocks)
        self.states: dict[int, torch.Tensor] = {}
        self.handles = [
            self.blocks[index].register_forward_pre_hook(self._entering(index), with_kwargs=True) for index in (0, 1, last - 1)
        ]
        self.handles.append(self.blocks[last - 1].register_forward_hook(self._leaving(last)))

    def _keep(self, index: int, state: torch.Tensor) -> None:
        if state.requires_grad:
            state.retain_grad()
        self.states[index] = state

    def _entering(self, index: int):
        return lambda module, args, kwargs: self._keep(index, args[0] if args else kwargs["hidden_states"])

    def _leaving(self, index: int):
        return lambda module, args, output: self._keep(index, output[0] if isinstance(output, tuple) else output)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def flat_rows(values: torch.Tensor, virtual: int, mask: torch.Tensor, reduce_virtual: str) -> torch.Tensor:
    """[B, P + S, x] as [P + real rows, x]; the prompt's rows are taken once or summed over the batch."""
    head = values[:, :virtual]
    head = head.sum(0) if reduce_virtual == "sum" else head[0]
    return torch.cat([head, values[:, virtual:][mask]])


def run_case(model, case: str, batch: dict, adapter: torch.Tensor | None, cotangent: torch.Tensor) -> dict[str, torch.Tensor]:
    """One forward and its gradients: of <logits, cotangent> and of the cross-entropy loss."""
    dtype, size = model.dtype, batch["tokenIds"].shape[0]
    mask = batch["attentionMask"].bool()
    dims = dims_of(model.config)
    virtual = NUM_VIRTUAL_TOKENS if case != "none" else 0
    virtual_rows = virtual if case == "softPrompt" else 0
    embeds = model.get_input_embeddings()(batch["tokenIds"]).detach().requires_grad_(True)
    adapter = adapter.to(dtype).requires_grad_(True) if adapter is not None else None
    attention_mask = torch.cat([torch.ones(size, virtual, dtype=torch.long), batch["attentionMask"]], dim=1)
    inputs, cache, labels = embeds, None, batch["labels"]
    if case == "softPrompt":
        inputs = torch.cat([adapter.expand(size, -1, -1), embeds], dim=1)
        labels = torch.cat([torch.full((size, virtual), IGNORED), labels], dim=1)
    if case == "prefix":
        # [layers, 2, P, kvHeads, headDim] -> per layer [B, kvHeads, P, headDim]
        cache = DynamicCache([tuple(kv.transpose(0, 1).expand(size, -1, -1, -1) for kv in layer) for layer in adapter])
    boundaries = Boundaries(model)
    logits = model(inputs_embeds=inputs, attention_mask=attention_mask, past_key_values=cache, use_cache=cache is not None).logits
    boundaries.remove()
    rows = flat_rows(logits, virtual_rows, mask, "first")
    loss = cross_entropy(logits[:, :-1].reshape(-1, dims["vocabSize"]), labels[:, 1:].reshape(-1), ignore_index=IGNORED)
    wrt = [embeds] + ([adapter] if adapter is not None else [])
    loss_gradients = torch.autograd.grad(loss, wrt, retain_graph=True)
    for state in boundaries.states.values():
        state.grad = None  # retained gradients also gather those of the loss
    (rows * cotangent.to(dtype)).sum().backward()
    text_rows = torch.arange(size * SEQUENCE).view(size, SEQUENCE)[mask] + virtual_rows
    result = {
        "positions": torch.cat([torch.arange(virtual_rows), text_rows]),
        "logits": rows,
        "logitsCotangent": cotangent,
        "inputsEmbedsCotangent": embeds.grad,
        "loss": loss,
        "lossInputsEmbedsCotangent": loss_gradients[0],
    }
    if adapter is not None:
        result[f"{case}Cotangent"] = adapter.grad
        result[f"loss{case[0].upper()}{case[1:]}Cotangent"] = loss_gradients[1]
    for index, state in boundaries.states.items():
        result[f"hidden.{index}"] = flat_rows(state, virtual_rows, mask, "first")
        result[f"hiddenCotangent.{index}"] = flat_rows(state.grad, virtual_rows, mask, "sum")
    padding = torch.cat([embeds.grad[~mask], loss_gradients[0][~mask]])
    assert padding.abs().max() == 0, "padded rows must receive no gradient"
    return {key: value.detach() for key, value in result.items()}


def make_references(directory: Path, seed: int) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors of reference.safetensors and the document of reference.json."""
    precise = load_model(directory, torch.float64, "sdpa")
    plain = load_model(directory, torch.float32, "eager")
    dims = dims_of(plain.config)
    rng = np.random.default_rng(seed)
    batch = random_batch(rng, dims["vocabSize"])
    peft_size = dims["numLayers"] * 2 * dims["numKvHeads"] * dims["headDim"]
    soft_prompt = torch.from_numpy(rng.standard_normal((NUM_VIRTUAL_TOKENS, dims["hiddenSize"])).astype(np.float32)) * 0.5
    prefix_peft = torch.from_numpy(rng.standard_normal((NUM_VIRTUAL_TOKENS, peft_size)).astype(np.float32)) * 0.7
    adapters = {"none": None, "softPrompt": soft_prompt, "prefix": prefix_from_peft(prefix_peft, dims).contiguous()}
    tensors = {key: batch[key] for key in ("tokenIds", "lengths", "labels")}
    tensors |= {"inputsEmbeds": plain.get_input_embeddings()(batch["tokenIds"]).detach(), "softPrompt": soft_prompt}
    tensors |= {"prefix": adapters["prefix"], "prefixPeft": prefix_peft}
    cases = {}
    for case, adapter in adapters.items():
        rows = sum(LENGTHS) + (NUM_VIRTUAL_TOKENS if case == "softPrompt" else 0)
        cotangent = torch.from_numpy(rng.standard_normal((rows, dims["vocabSize"])).astype(np.float32))
        truth = run_case(precise, case, batch, adapter, cotangent)
        float32 = run_case(plain, case, batch, adapter, cotangent)
        deviation = max(max_relative_error(float32[key], truth[key]) for key in truth)
        assert deviation < 2e-5, f"{case}: float32 deviates by {deviation}"
        cases[case] = {
            "numVirtualTokens": 0 if case == "none" else NUM_VIRTUAL_TOKENS,
            "loss": truth["loss"].item(),
            "boundaries": sorted(int(key.split(".")[1]) for key in truth if key.startswith("hidden.")),
            "float32Deviation": float(f"{deviation:.3g}"),
            "tensors": sorted(f"{case}.{key}" for key in truth),
        }
        tensors |= {f"{case}.{key}": value if value.dtype == torch.int64 else value.float() for key, value in truth.items()}
    document = {"dims": dims, "batch": {key: batch[key].tolist() for key in ("tokenIds", "lengths", "labels")}, "cases": cases}
    return tensors, document
