"""Tiny random checkpoints in Hugging Face's layout: config.json by hand, weights from a fixed seed.

Every checkpoint exercises one corner of the real formats:
- gpt2-tiny            Conv1D weights, learned positions, gelu_new, tied head, names with the "transformer." prefix;
- llama-tiny           v4 config dialect (rope_theta, rope_scaling), tied head, 4 heads over 2 KV heads, a real tokenizer;
- llama3-tiny          v5 dialect (rope_parameters, llama3 scaling), untied, attention_bias, mlp_bias, head_dim != d / heads, 1 KV head;
- llama31-bf16-sharded v4 dialect with llama3 rope_scaling, bfloat16, three shards behind model.safetensors.index.json;
- gpt2-f16-hub         the hub's GPT-2 layout: float16, no name prefix, the causal-mask buffers that old checkpoints carry;
- the others           see families.py.

16-bit checkpoints: references are computed from the rounded weights, upcast to float32.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from families import FAMILIES
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

GPT2 = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "attn_pdrop": 0.0,
    "bos_token_id": 96,
    "embd_pdrop": 0.0,
    "eos_token_id": 96,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "n_ctx": 64,
    "n_embd": 32,
    "n_head": 4,
    "n_inner": None,
    "n_layer": 4,
    "n_positions": 64,
    "resid_pdrop": 0.0,
    "vocab_size": 97,
}

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "hidden_act": "silu",
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "mlp_bias": False,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "use_cache": True,
}

# The original context is short enough that all three branches of the llama3 rule (keep, blend, divide) meet these wavelengths.
LLAMA3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

CHECKPOINTS = {
    "gpt2-tiny": {"seed": 11, "config": {**GPT2, "torch_dtype": "float32", "transformers_version": "4.40.0"}},
    "llama-tiny": {
        "seed": 12,
        "config": {
            **LLAMA,
            "pad_token_id": 2,
            "rope_scaling": None,
            "rope_theta": 10000.0,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
            "transformers_version": "4.44.0",
            "vocab_size": 320,
        },
    },
    "llama3-tiny": {
        "seed": 13,
        "config": {
            **LLAMA,
            "attention_bias": True,
            "dtype": "float32",
            "eos_token_id": [1, 3],
            "head_dim": 12,
            "max_position_embeddings": 128,
            "mlp_bias": True,
            "num_key_value_heads": 1,
            "rms_norm_eps": 1e-06,
            "rope_parameters": {"rope_theta": 10000.0, **LLAMA3_SCALING},
            "tie_word_embeddings": False,
            "transformers_version": "5.18.0",
            "vocab_size": 101,
        },
    },
    "llama31-bf16-sharded": {
        "seed": 14,
        "dtype": torch.bfloat16,
        "shards": 3,
        "config": {
            **LLAMA,
            "max_position_embeddings": 128,
            "rope_scaling": LLAMA3_SCALING,
            "rope_theta": 500000.0,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.43.0",
            "vocab_size": 101,
        },
    },
    "gpt2-f16-hub": {
        "seed": 15,
        "dtype": torch.float16,
        "hub_layout": True,
        "config": {**GPT2, "n_layer": 3, "torch_dtype": "float16", "transformers_version": "4.10.0"},
    },
    **FAMILIES,
}


def random_weights(config_dir: Path, seed: int, embedding: float = 0.4) -> dict[str, torch.Tensor]:
    """Weights large enough that logits, gradients and every bias matter; tied heads are left out, as save_pretrained does."""
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config_dir))
    norm_center = 0 if model.config.model_type.startswith("gemma") else 1  # Gemma's norms multiply by 1 + weight
    rng = np.random.default_rng(seed)
    weights = {}
    for name, parameter in sorted(model.named_parameters()):
        noise = rng.standard_normal(tuple(parameter.shape))
        is_norm = any(part in name for part in ("ln_", "norm"))
        if is_norm and name.endswith("weight"):
            value = norm_center + 0.2 * noise
        elif name.endswith("bias"):
            value = 0.2 * noise
        elif any(part in name for part in ("wte", "wpe", "embed_tokens")):
            value = embedding * noise
        else:
            value = 0.22 * noise
        weights[name] = torch.from_numpy(value.astype(np.float32))
    return weights


def hub_gpt2_layout(weights: dict[str, torch.Tensor], config: dict) -> dict[str, torch.Tensor]:
    """Names without "transformer." plus the attn.bias masks, as in the original GPT-2 repositories."""
    renamed = {name.removeprefix("transformer."): value for name, value in weights.items()}
    size = config["n_positions"]
    for layer in range(config["n_layer"]):
        renamed[f"h.{layer}.attn.bias"] = torch.tril(torch.ones(size, size)).view(1, 1, size, size)
    return renamed


def write_shards(directory: Path, weights: dict[str, torch.Tensor], shards: int) -> None:
    """model-0000i-of-0000n.safetensors and the index; a layer's tensors may lie in different shards."""
    names = sorted(weights)
    weight_map, total = {}, 0
    for shard in range(shards):
        part = names[shard::shards]
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        save_file({name: weights[name].contiguous() for name in part}, directory / file, metadata={"format": "pt"})
        weight_map.update({name: file for name in part})
        total += sum(weights[name].numel() * weights[name].element_size() for name in part)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def write_version_5_config(directory: Path) -> None:
    """config-v5.json: what transformers 5 makes of a version 4 config.json when it loads and saves it."""
    with tempfile.TemporaryDirectory() as temporary:
        AutoConfig.from_pretrained(directory).save_pretrained(temporary)
        shutil.copy(Path(temporary) / "config.json", directory / "config-v5.json")


def write_version_4_config(directory: Path, config: dict) -> None:
    """config-v4.json: the same model in version 4's dialect, which is made sure of by loading both."""
    (directory / "config-v4.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copy(directory / "config-v4.json", Path(temporary) / "config.json")
        loaded, expected = AutoConfig.from_pretrained(temporary).to_dict(), AutoConfig.from_pretrained(directory).to_dict()
    for key, value in expected.items():
        if key.startswith("_") or key == "transformers_version":
            continue
        if key == "rope_parameters":  # transformers keeps `type` beside `rope_type`
            loaded[key].pop("type", None)
        assert loaded[key] == value, f"{directory.name}: {key} is {loaded[key]} in version 4's dialect, {value} in version 5's"


def make_checkpoint(directory: Path, name: str, seed: int | None = None) -> None:
    """Writes config.json, in the other dialect too where there is one, and the weights, drawn from `seed` or the recipe's own."""
    recipe = CHECKPOINTS[name]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(recipe["config"], indent=2, sort_keys=True) + "\n")
    if name in FAMILIES and "torch_dtype" in recipe["config"]:
        write_version_5_config(directory)
    if "version4" in recipe:
        write_version_4_config(directory, recipe["version4"])
    weights = random_weights(directory, recipe["seed"] if seed is None else seed, recipe.get("embedding", 0.4))
    if recipe.get("hub_layout"):
        weights = hub_gpt2_layout(weights, recipe["config"])
    if "dtype" in recipe:
        weights = {key: value.to(recipe["dtype"]) for key, value in weights.items()}
    if "shards" in recipe:
        write_shards(directory, weights, recipe["shards"])
    else:
        save_file({key: value.contiguous() for key, value in weights.items()}, directory / "model.safetensors", metadata={"format": "pt"})
