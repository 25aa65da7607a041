"""Makes test/fixtures/methods: what PEFT's own modules compute, for methods that make a prompt or a prefix out of other parameters.

    python test/conformance/prompt_methods.py [--out test/fixtures/methods]

`encoders.safetensors` holds for each case the module's parameters (`<case>.<name in the state dict>`), a cotangent of its output, the output and
the parameters' cotangents (`<case>.<name>.cotangent`), all computed in float64 from float32 parameters. A prefix is [layers, 2, P, kvHeads, headDim],
`<case>.flat` is the same in PEFT's layout. Widths and numbers of virtual tokens are such that no two axes agree, and that more virtual
tokens go through the LSTM than its graph takes in one run.

`key-values.safetensors` holds for each checkpoint of test/fixtures a text's `tokenIds` and its `keyValues` in PEFT's layout
[P, layers * 2 * kvHeads * headDim]: transformers' past_key_values as PEFT's own initialisation of a prefix takes them.
"""

import argparse
from pathlib import Path

import torch
from make_fixtures import write_tensors
from peft import MultitaskPromptTuningConfig, PrefixTuningConfig, PromptEncoderConfig
from peft.tuners.cartridge.utils import prompt_embeddings_from_past_key_values
from peft.tuners.multitask_prompt_tuning.model import MultitaskPromptEmbedding
from peft.tuners.p_tuning.model import PromptEncoder
from peft.tuners.prefix_tuning.model import PrefixEncoder
from references import load_model, precise_attention

HIDDEN_SIZE = 12
VIRTUAL_TOKENS = 11
LAYERS, KV_HEADS, HEAD_DIM = 3, 2, 4
# Plain ones, then norms of queries and keys, fused projections, a scaled embedding, two ropes.
KEY_VALUE_CHECKPOINTS = ("gpt2-tiny", "llama-tiny", "llama3-tiny", "qwen3-tiny", "olmo2-tiny", "phi3-tiny", "granite-tiny", "gemma3_text-tiny")

common = {"task_type": "CAUSAL_LM", "num_virtual_tokens": VIRTUAL_TOKENS, "num_transformer_submodules": 1, "num_layers": LAYERS}
prompt = {**common, "token_dim": HIDDEN_SIZE}


def p_tuning(kind: str, width: int, layers: int = 2) -> PromptEncoder:
    return PromptEncoder(
        PromptEncoderConfig(**prompt, encoder_reparameterization_type=kind, encoder_hidden_size=width, encoder_num_layers=layers)
    )


def prefix_projection() -> PrefixEncoder:
    return PrefixEncoder(PrefixTuningConfig(**common, token_dim=KV_HEADS * HEAD_DIM, prefix_projection=True, encoder_hidden_size=7))


def multitask() -> MultitaskPromptEmbedding:
    config = MultitaskPromptTuningConfig(**prompt, num_tasks=3, num_ranks=2)
    module = MultitaskPromptEmbedding(config, torch.nn.Embedding(4, HIDDEN_SIZE))
    for factor in (module.prefix_task_cols, module.prefix_task_rows):
        torch.nn.init.normal_(factor, mean=0.5)
    return module


CASES = {
    "mlp": lambda: p_tuning("MLP", 10),
    "lstm": lambda: p_tuning("LSTM", 5),
    "lstm1": lambda: p_tuning("LSTM", 6, layers=1),
    "projection": prefix_projection,
    "multitask": multitask,
}


def run(module: torch.nn.Module, case: str) -> dict[str, torch.Tensor]:
    parameters = {name: value.detach().clone() for name, value in module.named_parameters()}
    module = module.double()
    indices = torch.arange(VIRTUAL_TOKENS).unsqueeze(0)
    output = module(indices, torch.tensor([1])) if case == "multitask" else module(indices)
    output = output[0]
    flat = output
    if case == "projection":
        output = output.view(VIRTUAL_TOKENS, LAYERS, 2, KV_HEADS, HEAD_DIM).permute(1, 2, 0, 3, 4)
    cotangent = torch.randn(output.shape)
    output.backward(cotangent.double())
    tensors = {**parameters, "output": output.detach().float(), "outputCotangent": cotangent}
    if case == "projection":
        tensors["flat"] = flat.detach().float()
    for name, value in module.named_parameters():
        tensors[f"{name}.cotangent"] = value.grad.float()
    return {f"{case}.{name}": value for name, value in tensors.items()}


def key_values(directory: Path, name: str) -> dict[str, torch.Tensor]:
    model = load_model(directory / name, torch.float64, precise_attention(directory / name))
    # A cache of a sliding window forgets what no later token sees; a prefix holds every token.
    tokens = min(7, (getattr(model.config, "sliding_window", None) or 8) - 1)
    token_ids = torch.randint(0, model.config.vocab_size, (1, tokens))
    with torch.no_grad():
        cache = model(input_ids=token_ids, use_cache=True).past_key_values
    legacy = [(layer.keys, layer.values) for layer in cache.layers]
    flat = prompt_embeddings_from_past_key_values(legacy, num_virtual_tokens=token_ids.shape[1])
    return {f"{name}.tokenIds": token_ids[0], f"{name}.keyValues": flat.float()}


def make_prompt_references(fixtures: Path, out: Path) -> None:
    """Both files, from PEFT's modules and the checkpoints below `fixtures`."""
    encoders = {}
    for seed, (case, make) in enumerate(CASES.items()):
        torch.manual_seed(seed + 40)
        encoders |= run(make(), case)
    write_tensors(out / "encoders.safetensors", encoders)
    texts = {}
    for seed, name in enumerate(KEY_VALUE_CHECKPOINTS):
        torch.manual_seed(seed + 60)
        texts |= key_values(fixtures, name)
    write_tensors(out / "key-values.safetensors", texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    fixtures = Path(__file__).resolve().parents[1] / "fixtures"
    parser.add_argument("--out", type=Path, default=fixtures / "methods")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    make_prompt_references(fixtures, arguments.out)


if __name__ == "__main__":
    main()
