"""Recipes of tiny checkpoints, one or more for each decoder family beside GPT-2 and Llama: data only.

Each has the key set of real checkpoints of its family, in transformers' version 4 dialect (`rope_theta`, `rope_scaling`, `torch_dtype`) or in version 5's
(`rope_parameters`, `layer_types`, `dtype`), and is stored as bfloat16 in two shards. Windows and original contexts are so short that nine tokens cross
them, alone and behind five virtual tokens. A recipe with `short` has a rope that changes with the length of the batch; its second batch ends exactly at
the original context.

- mistral-tiny           v4, every block slides over 4 positions (Mistral 7B v0.1);
- mistral-nowindow-tiny  v5, `sliding_window` null, head_dim apart from hidden_size / heads (Mistral 7B v0.3, NeMo);
- qwen2-tiny             v5, q/k/v biases, the upper blocks slide, tied head (Qwen2);
- qwen2-yarn-tiny        v4, yarn with its defaults, no windows (Qwen2.5);
- qwen3-tiny             v5, norms of queries and keys, own head_dim, tied head (Qwen3);
- llama-linear-tiny      v4, `type` linear; llama-dynamic-tiny: v4, `type` dynamic; llama-yarn-tiny: v5, yarn with every setting it has;
- phi3-tiny              v4, fused projections, sliding (Phi-3 mini 4k, whose config names code of its own that transformers has inside);
- phi3-longrope-tiny     v4, longrope, a window longer than any text (Phi-3.5 mini);
- phi3-partial-tiny      v5, rope on three quarters of a head, grouped queries, tied head (Phi-4 mini);
- gemma2-tiny            v4, four norms (1 + w), both softcaps, alternating windows, query_pre_attn_scalar apart from head_dim (Gemma 2);
- gemma3_text-tiny       v5, query and key norms, a rope for each layer type, the global one stretched (Gemma 3 from 4B);
- olmo2-tiny             v5, norms after the sublayers and over whole query and key projections (OLMo 2);
- granite-tiny           v4, the four multipliers (Granite 3);
- gemma-tiny             v4, (1 + w) norms, one key/value head, `hidden_act` gelu that means its tanh form (Gemma).
"""

import torch

SHORT = {"lengths": [5, 3, 1], "virtual": 3}

BASE = {
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "tie_word_embeddings": False,
    "use_cache": True,
    "vocab_size": 53,
}
V4 = {**BASE, "torch_dtype": "bfloat16", "transformers_version": "4.44.0"}
V5 = {**BASE, "dtype": "bfloat16", "transformers_version": "5.18.0"}
MISTRAL = {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}
QWEN2 = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "max_window_layers": 2}
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False, "mlp_bias": False}
PHI3 = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "attention_bias": False,
    "embd_pdrop": 0.0,
    "original_max_position_embeddings": 64,
    "pad_token_id": 2,
    "resid_pdrop": 0.0,
    "rms_norm_eps": 1e-05,
}
PHI3_CODE = {"AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}
GEMMA = {
    "attention_bias": False,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "head_dim": 12,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh",
    "pad_token_id": 0,
}


def without(config: dict, *keys: str) -> dict:
    return {key: value for key, value in config.items() if key not in keys}


FULL, SLIDING = "full_attention", "sliding_attention"

FAMILIES = {
    "mistral-tiny": {"seed": 21, "config": {**V4, **MISTRAL, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4}},
    "mistral-nowindow-tiny": {
        "seed": 22,
        "config": {
            **V5,
            **MISTRAL,
            "head_dim": 12,
            "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
            "sliding_window": None,
        },
    },
    "qwen2-tiny": {
        "seed": 23,
        "config": {
            **V5,
            **QWEN2,
            "layer_types": [FULL, FULL, SLIDING, SLIDING],
            "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
            "sliding_window": 6,
            "tie_word_embeddings": True,
            "use_sliding_window": True,
        },
    },
    "qwen2-yarn-tiny": {
        "seed": 24,
        "config": {
            **V4,
            **QWEN2,
            "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 64, "type": "yarn"},
            "rope_theta": 100.0,
            "sliding_window": 4,
            "use_sliding_window": False,
        },
    },
    "qwen3-tiny": {
        "seed": 25,
        "config": {
            **V5,
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "attention_bias": False,
            "head_dim": 12,
            "layer_types": [FULL] * 4,
            "max_window_layers": 4,
            "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
            "sliding_window": None,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
        },
    },
    "llama-linear-tiny": {
        "seed": 26,
        "config": {**V4, **LLAMA, "rope_scaling": {"factor": 4.0, "type": "linear"}, "rope_theta": 10000.0},
    },
    "llama-dynamic-tiny": {
        "seed": 27,
        "short": SHORT,
        "config": {
            **V4,
            **LLAMA,
            "max_position_embeddings": 8,
            "rope_scaling": {"factor": 2.0, "type": "dynamic"},
            "rope_theta": 10000.0,
        },
    },
    "llama-yarn-tiny": {
        "seed": 28,
        "config": {
            **V5,
            **LLAMA,
            "rope_parameters": {
                "beta_fast": 1.0,
                "beta_slow": 0.1,
                "factor": 8.0,
                "mscale": 0.7,
                "mscale_all_dim": 1.2,
                "original_max_position_embeddings": 8,
                "rope_theta": 100.0,
                "rope_type": "yarn",
                "truncate": False,
            },
        },
    },
    "phi3-tiny": {
        "seed": 29,
        "config": {**V4, **PHI3, "auto_map": PHI3_CODE, "num_key_value_heads": 4, "rope_scaling": None, "rope_theta": 10000.0, "sliding_window": 5},
    },
    "phi3-longrope-tiny": {
        "seed": 30,
        "short": SHORT,
        "config": {
            **V4,
            **PHI3,
            "auto_map": PHI3_CODE,
            "original_max_position_embeddings": 8,
            "rope_scaling": {"long_factor": [1.5, 2.25, 4.0, 7.5], "short_factor": [1.0, 1.125, 1.5, 1.75], "type": "longrope"},
            "rope_theta": 10000.0,
            "sliding_window": 262144,
        },
    },
    "phi3-partial-tiny": {
        "seed": 31,
        "short": SHORT,
        "config": {
            **V5,
            **PHI3,
            "original_max_position_embeddings": 8,
            "rope_parameters": {
                "long_factor": [1.25, 3.0, 6.5],
                "original_max_position_embeddings": 8,
                "partial_rotary_factor": 0.75,
                "rope_theta": 10000.0,
                "rope_type": "longrope",
                "short_factor": [1.0, 1.25, 1.5],
            },
            "sliding_window": 262144,
            "tie_word_embeddings": True,
        },
    },
    "gemma2-tiny": {
        "seed": 32,
        "config": {
            **V4,
            **GEMMA,
            "architectures": ["Gemma2ForCausalLM"],
            "model_type": "gemma2",
            "attn_logit_softcapping": 5.0,
            "cache_implementation": "hybrid",
            "final_logit_softcapping": 4.0,
            "query_pre_attn_scalar": 18,
            "rope_theta": 10000.0,
            "sliding_window": 4,
            "tie_word_embeddings": True,
        },
    },
    "gemma3_text-tiny": {
        "seed": 33,
        "config": {
            **without({**V5, **GEMMA}, "hidden_act"),
            "architectures": ["Gemma3ForCausalLM"],
            "model_type": "gemma3_text",
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "layer_types": [SLIDING, SLIDING, FULL, SLIDING],
            "query_pre_attn_scalar": 10,
            "rope_parameters": {
                FULL: {"factor": 8.0, "rope_theta": 1000000.0, "rope_type": "linear"},
                SLIDING: {"rope_theta": 10000.0, "rope_type": "default"},
            },
            "sliding_window": 6,
            "tie_word_embeddings": True,
            "use_bidirectional_attention": False,
        },
    },
    "olmo2-tiny": {
        "seed": 34,
        "config": {
            **V5,
            "architectures": ["Olmo2ForCausalLM"],
            "model_type": "olmo2",
            "attention_bias": False,
            "pad_token_id": 3,
            "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"},
        },
    },
    "granite-tiny": {
        "seed": 35,
        "config": {
            **V4,
            "architectures": ["GraniteForCausalLM"],
            "model_type": "granite",
            "attention_bias": False,
            "attention_multiplier": 0.25,
            "embedding_multiplier": 12.0,
            "logits_scaling": 8.0,
            "mlp_bias": False,
            "pad_token_id": 0,
            "residual_multiplier": 0.22,
            "rope_scaling": None,
            "rope_theta": 10000000.0,
            "tie_word_embeddings": True,
        },
    },
    "gemma-tiny": {
        "seed": 36,
        "config": {
            **without({**V4, **GEMMA}, "tie_word_embeddings"),
            "architectures": ["GemmaForCausalLM"],
            "model_type": "gemma",
            "hidden_act": "gelu",
            "hidden_activation": None,
            "num_key_value_heads": 1,
            "rope_scaling": None,
            "rope_theta": 10000.0,
        },
    },
}
# Changes of config.json that must show in the logits: what each fixture is there for.
DEFAULT_ROPE = {"rope_theta": 10000.0, "rope_type": "default"}
FEELS = {
    "mistral-tiny": [{"sliding_window": None}, {"sliding_window": 3}, {"sliding_window": 5}],
    "mistral-nowindow-tiny": [{"sliding_window": 8}, {"rope_parameters": DEFAULT_ROPE}],
    "qwen2-tiny": [{"layer_types": [FULL] * 4}, {"layer_types": [SLIDING] * 4}, {"sliding_window": 5}],
    "qwen2-yarn-tiny": [
        {"rope_scaling": None},
        {"rope_scaling": {"factor": 4.0, "type": "linear"}},
        {"rope_scaling": {"attention_factor": 1.0, "factor": 4.0, "original_max_position_embeddings": 64, "type": "yarn"}},
        {"use_sliding_window": True},
    ],
    "qwen3-tiny": [{"rope_parameters": DEFAULT_ROPE}],
    "llama-linear-tiny": [{"rope_scaling": None}],
    "llama-dynamic-tiny": [{"rope_scaling": None}, {"max_position_embeddings": 64}],
    "llama-yarn-tiny": [
        {"rope_parameters": {**FAMILIES["llama-yarn-tiny"]["config"]["rope_parameters"], **change}}
        for change in ({"truncate": True}, {"mscale": None}, {"beta_fast": 32.0}, {"beta_slow": 1.0}, {"original_max_position_embeddings": 64})
    ],
    "phi3-tiny": [{"sliding_window": None}, {"sliding_window": 6}],
    "phi3-longrope-tiny": [{"rope_scaling": None}, {"original_max_position_embeddings": 16}, {"max_position_embeddings": 8}],
    "phi3-partial-tiny": [{"original_max_position_embeddings": 16}],
    "gemma2-tiny": [
        {"attn_logit_softcapping": None},
        {"final_logit_softcapping": None},
        {"query_pre_attn_scalar": 12},
        {"sliding_window": 5},
        {"layer_types": [FULL, SLIDING] * 2},
    ],
    "gemma3_text-tiny": [
        {"sliding_window": 7},
        {"query_pre_attn_scalar": 12},
        {"rope_parameters": {FULL: DEFAULT_ROPE, SLIDING: DEFAULT_ROPE}},
        {"layer_types": [SLIDING, FULL, SLIDING, SLIDING]},
    ],
    "olmo2-tiny": [{"rope_parameters": DEFAULT_ROPE}],
    "granite-tiny": [{"attention_multiplier": 0.3}, {"logits_scaling": 4.0}, {"residual_multiplier": 0.25}],
    "gemma-tiny": [{"hidden_act": "silu"}],
}

# The same models in version 4's dialect, as their published checkpoints have it: keys taken away and put in.
LONGROPE = FAMILIES["phi3-partial-tiny"]["config"]["rope_parameters"]
VERSION_4 = {
    "mistral-nowindow-tiny": {"rope_theta": 1000000.0},
    "qwen2-tiny": {"rope_theta": 1000000.0},
    "qwen3-tiny": {"rope_scaling": None, "rope_theta": 1000000.0},
    "llama-yarn-tiny": {
        "rope_scaling": without(FAMILIES["llama-yarn-tiny"]["config"]["rope_parameters"], "rope_theta"),
        "rope_theta": 100.0,
    },
    "phi3-partial-tiny": {
        "auto_map": PHI3_CODE,
        "full_attn_mod": 1,
        "interpolate_factor": 1,
        "lm_head_bias": False,
        "mlp_bias": False,
        "partial_rotary_factor": 0.75,
        "rope_scaling": {"long_factor": LONGROPE["long_factor"], "short_factor": LONGROPE["short_factor"], "type": "longrope"},
        "rope_theta": 10000.0,
    },
    "gemma3_text-tiny": {
        "cache_implementation": "hybrid",
        "rope_local_base_freq": 10000.0,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "rope_theta": 1000000.0,
        "sliding_window_pattern": 3,
    },
    "olmo2-tiny": {"rope_scaling": None, "rope_theta": 500000.0},
}
for name, recipe in FAMILIES.items():
    recipe["feels"] = FEELS[name]
    if name in VERSION_4:
        config = without(recipe["config"], "rope_parameters", "layer_types", "dtype")
        recipe["version4"] = {**config, "torch_dtype": "bfloat16", "transformers_version": "4.51.0", **VERSION_4[name]}
for recipe in FAMILIES.values():
    recipe |= {"dtype": torch.bfloat16, "shards": 2}
    if recipe["config"]["model_type"] in ("gemma", "gemma2", "gemma3_text", "granite"):
        recipe["embedding"] = 0.1  # these scale their embeddings
