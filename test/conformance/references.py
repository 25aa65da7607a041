"""Reference values of one checkpoint: logits, gradients, losses and hidden states at block boundaries, from transformers.

Truth is a float64 run of transformers' own model (stored as float32). Two of its modules compute in float32 whatever the
model's dtype: RMS norm and eager attention's softmax; the float64 run therefore widens the norm (see `rms_norm_float64`) and uses
sdpa attention, which stays in float64, or, where scores are softcapped and sdpa would leave the cap out, eager attention with a wide softmax (see
`wide_softmax`). Rotary angles remain transformers' float32 ones. The plain float32 run with
eager attention is compared with it, and its largest deviation is recorded in reference.json.

Inputs and soft prompts are stored, and their gradients taken, as they enter block 0. Granite multiplies whatever it is given by its
`embedding_multiplier`, so it is given these values divided by it (`promptScale` in reference.json); the Gemmas scale inside the embedding module, so
what is handed in from outside, PEFT's soft prompts too, enters as it is. A prefix goes in as PEFT's `get_prompt` puts it in (see `prefix_cache`).

A rope that changes with length makes transformers' model remember the longest batch that it has seen: each run loads the model anew. The second batch
of such a checkpoint, within the original context, has its names behind "short.".

Rows are flat, as in proto/cutlayer/v1/split.proto: with a soft prompt of P vectors, rows 0..P-1 are the prompt's and P + b*S + s is token s
of sequence b; without one (also with a prefix) token s of sequence b is row b*S + s. Only real rows are stored, in
increasing order, and `<case>.positions` names them. transformers computes the prompt's rows once per sequence of the batch; they are
equal for all sequences, so they are stored once, and their cotangent is fed once and comes back summed over the batch.
"""

import contextlib
import types
from pathlib import Path

import numpy as np
import torch
from peft import PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model
from torch.nn import functional
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

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
    """transformers' RMS norm without its cast to float32; the Gemmas' multiply by 1 + weight."""
    variance = hidden_states.pow(2).mean(-1, keepdim=True)
    gemma = type(module).__name__.startswith("Gemma")
    normed = hidden_states * torch.rsqrt(variance + (module.eps if gemma else module.variance_epsilon))
    return (1 + module.weight) * normed if gemma else module.weight * normed


@contextlib.contextmanager
def wide_softmax():
    """Softmax of float64 stays float64 although eager attention asks for float32."""
    original = functional.softmax

    def softmax(values, *args, dtype=None, **kwargs):
        return original(values, *args, dtype=None if values.dtype == torch.float64 else dtype, **kwargs)

    functional.softmax = softmax
    try:
        yield
    finally:
        functional.softmax = original


def precise_attention(directory: Path) -> str:
    """The attention that is exact in float64: sdpa, but for softcapped scores, which it does not know."""
    return "eager" if getattr(AutoConfig.from_pretrained(directory), "attn_logit_softcapping", None) else "sdpa"


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


def prompt_scale(config) -> float:
    """The factor that transformers applies, inside the model, to embeddings handed in from outside."""
    return float(getattr(config, "embedding_multiplier", 1.0))


def prefix_cache(config, layers: list[tuple[torch.Tensor, torch.Tensor]]) -> DynamicCache:
    """Keys and values [B, kvHeads, P, headDim] by layer, as PEFT's `get_prompt` hands them to the model: layers that know their window for Gemma 2 and 3,
    plain ones for all others."""
    if config.model_type not in ("gemma2", "gemma3_text"):
        return DynamicCache(layers)
    cache = DynamicCache(config=config)
    for index, (key, value) in enumerate(layers):
        cache.update(key, value, index)
    return cache


def random_batch(rng: np.random.Generator, vocab_size: int, lengths: list[int] = LENGTHS) -> dict[str, torch.Tensor]:
    """A right-padded batch; labels skip the first tokens of sequence 0 and include the first token of the others."""
    sequence = max(lengths)
    token_ids = torch.from_numpy(rng.integers(4, vocab_size - 1, (len(lengths), sequence)))
    lengths = torch.tensor(lengths)
    mask = torch.arange(sequence)[None, :] < lengths[:, None]
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
    dtype, (size, sequence) = model.dtype, batch["tokenIds"].shape
    mask = batch["attentionMask"].bool()
    dims = dims_of(model.config)
    virtual = 0 if case == "none" else adapter.shape[0] if case == "softPrompt" else adapter.shape[2]
    virtual_rows = virtual if case == "softPrompt" else 0
    embeds = batch["inputsEmbeds"].detach().to(dtype).requires_grad_(True)
    adapter = adapter.to(dtype).requires_grad_(True) if adapter is not None else None
    attention_mask = torch.cat([torch.ones(size, virtual, dtype=torch.long), batch["attentionMask"]], dim=1)
    inputs, cache, labels = embeds, None, batch["labels"]
    if case == "softPrompt":
        inputs = torch.cat([adapter.expand(size, -1, -1), embeds], dim=1)
        labels = torch.cat([torch.full((size, virtual), IGNORED), labels], dim=1)
    if case == "prefix":
        # [layers, 2, P, kvHeads, headDim] -> per layer [B, kvHeads, P, headDim]
        cache = prefix_cache(model.config, [tuple(kv.transpose(0, 1).expand(size, -1, -1, -1) for kv in layer) for layer in adapter])
    boundaries = Boundaries(model)
    given = inputs / prompt_scale(model.config)
    logits = model(inputs_embeds=given, attention_mask=attention_mask, past_key_values=cache, use_cache=cache is not None).logits
    boundaries.remove()
    rows = flat_rows(logits, virtual_rows, mask, "first")
    loss = cross_entropy(logits[:, :-1].reshape(-1, dims["vocabSize"]), labels[:, 1:].reshape(-1), ignore_index=IGNORED)
    wrt = [embeds] + ([adapter] if adapter is not None else [])
    loss_gradients = torch.autograd.grad(loss, wrt, retain_graph=True)
    for state in boundaries.states.values():
        state.grad = None  # retained gradients also gather those of the loss
    (rows * cotangent.to(dtype)).sum().backward()
    text_rows = torch.arange(size * sequence).view(size, sequence)[mask] + virtual_rows
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


def peft_logits(model, case: str, batch: dict, adapter: torch.Tensor, dims: dict) -> torch.Tensor:
    """What the PEFT library computes with an adapter, on real rows; for a soft prompt only those of the text."""
    config_class, virtual = (PromptTuningConfig, adapter.shape[0]) if case == "softPrompt" else (PrefixTuningConfig, adapter.shape[0])
    wrapped = get_peft_model(model, config_class(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=virtual)).eval()
    with torch.no_grad():
        wrapped.prompt_encoder["default"].embedding.weight.copy_(adapter)
        logits = wrapped(input_ids=batch["tokenIds"], attention_mask=batch["attentionMask"]).logits
    return logits[:, -batch["tokenIds"].shape[1] :][batch["attentionMask"].bool()]


def run_batch(directory: Path, rng: np.random.Generator, batch: dict, virtual: int, check_peft: bool) -> tuple[dict[str, torch.Tensor], dict]:
    """All three cases of one batch: their tensors and, for reference.json, what is said of each."""
    plain = load_model(directory, torch.float32, "eager")
    dims, scale = dims_of(plain.config), prompt_scale(plain.config)
    batch["inputsEmbeds"] = plain.get_input_embeddings()(batch["tokenIds"]).detach() * scale
    peft_size = dims["numLayers"] * 2 * dims["numKvHeads"] * dims["headDim"]
    soft_prompt = torch.from_numpy(rng.standard_normal((virtual, dims["hiddenSize"])).astype(np.float32)) * 0.5
    prefix_peft = torch.from_numpy(rng.standard_normal((virtual, peft_size)).astype(np.float32)) * 0.7
    adapters = {"none": None, "softPrompt": soft_prompt, "prefix": prefix_from_peft(prefix_peft, dims).contiguous()}
    tensors = {key: batch[key] for key in ("tokenIds", "lengths", "labels", "inputsEmbeds")}
    tensors |= {"softPrompt": soft_prompt, "prefix": adapters["prefix"], "prefixPeft": prefix_peft}
    cases = {}
    for case, adapter in adapters.items():
        rows = int(batch["lengths"].sum()) + (virtual if case == "softPrompt" else 0)
        cotangent = torch.from_numpy(rng.standard_normal((rows, dims["vocabSize"])).astype(np.float32))
        with wide_softmax():
            truth = run_case(load_model(directory, torch.float64, precise_attention(directory)), case, batch, adapter, cotangent)
        float32 = run_case(load_model(directory, torch.float32, "eager"), case, batch, adapter, cotangent)
        deviation = max(max_relative_error(float32[key], truth[key]) for key in truth)
        assert deviation < 2e-5, f"{case}: float32 deviates by {deviation}"
        if check_peft and case != "none":
            given = soft_prompt / scale if case == "softPrompt" else prefix_peft
            by_peft = peft_logits(load_model(directory, torch.float32, "eager"), case, batch, given, dims)
            assert max_relative_error(by_peft, truth["logits"][-by_peft.shape[0] :]) < 2e-5, f"{case}: PEFT gives other logits"
        cases[case] = {
            "numVirtualTokens": 0 if case == "none" else virtual,
            "loss": truth["loss"].item(),
            "boundaries": sorted(int(key.split(".")[1]) for key in truth if key.startswith("hidden.")),
            "float32Deviation": float(f"{deviation:.3g}"),
            "tensors": sorted(f"{case}.{key}" for key in truth),
        }
        tensors |= {f"{case}.{key}": value if value.dtype == torch.int64 else value.float() for key, value in truth.items()}
    return tensors, {"batch": {key: batch[key].tolist() for key in ("tokenIds", "lengths", "labels")}, "cases": cases}


def make_references(directory: Path, seed: int, short: dict | None = None, check_peft: bool = False) -> tuple[dict[str, torch.Tensor], dict]:
    """
    Tensors of reference.safetensors and the document of reference.json.

    `short` has the `lengths` and the number of `virtual` tokens of a second batch; `check_peft` also holds the values to PEFT's own forward.
    """
    config = AutoConfig.from_pretrained(directory)
    dims = dims_of(config)
    rng = np.random.default_rng(seed)
    tensors, document = run_batch(directory, rng, random_batch(rng, dims["vocabSize"]), NUM_VIRTUAL_TOKENS, check_peft)
    document = {"dims": dims, **document}
    if prompt_scale(config) != 1:
        document["promptScale"] = prompt_scale(config)
    if short is not None:
        batch = random_batch(rng, dims["vocabSize"], short["lengths"])
        more, document["short"] = run_batch(directory, rng, batch, short["virtual"], check_peft)
        tensors |= {f"short.{key}": value for key, value in more.items()}
    return tensors, document
