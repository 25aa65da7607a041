"""Makes test/fixtures/multimodal: tiny models that also read images, and the logits that transformers gives for texts alone.

    python test/conformance/multimodal.py [--out test/fixtures/multimodal]
"""

import argparse
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import Gemma3Config, Mistral3Config, Qwen2_5_VLConfig, Qwen3VLConfig

TEXT = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
VISION = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
QWEN_VISION = {"hidden_size": 8, "intermediate_size": 8, "depth": 1, "num_heads": 2, "out_hidden_size": 16, "patch_size": 4}
SECTIONS = {"mrope_section": [1, 1, 2]}


def configs() -> dict[str, transformers.PreTrainedConfig]:
    """By model_type."""
    gemma = {**TEXT, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8}
    windows = {**TEXT, "model_type": "mistral", "sliding_window": 4}
    sections = {**TEXT, "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0, **SECTIONS}}
    interleaved = {**TEXT, "tie_word_embeddings": True}
    interleaved["rope_parameters"] = {"rope_type": "default", "rope_theta": 5000.0, "mrope_interleaved": True, **SECTIONS}
    deep = {**QWEN_VISION, "deepstack_visual_indexes": [0], "num_position_embeddings": 16}
    return {
        "gemma3": Gemma3Config(text_config=gemma, vision_config=VISION, mm_tokens_per_image=4),
        "mistral3": Mistral3Config(
            text_config=windows, vision_config={**VISION, "model_type": "pixtral", "head_dim": 4}, tie_word_embeddings=False
        ),
        "qwen2_5_vl": Qwen2_5_VLConfig(text_config=sections, vision_config=QWEN_VISION),
        "qwen3_vl": Qwen3VLConfig(text_config=interleaved, vision_config=deep, tie_word_embeddings=True),
    }


def make_multimodal(out: Path) -> None:
    """A directory a model: config.json, model.safetensors, and expected.safetensors with tokenIds [2, 9] and logits [2, 9, 50]."""
    for seed, (name, config) in enumerate(configs().items()):
        torch.manual_seed(700 + seed)
        model = transformers.AutoModelForImageTextToText.from_config(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))  # norms away from 1 and 0
        directory = out / name
        model.save_pretrained(directory)
        (directory / "generation_config.json").unlink(missing_ok=True)
        ids = torch.randint(3, TEXT["vocab_size"], (2, 9))
        with torch.no_grad():
            logits = model(input_ids=ids).logits
        save_file({"tokenIds": ids.int(), "logits": logits.contiguous()}, directory / "expected.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "fixtures" / "multimodal")
    torch.set_num_threads(1)
    make_multimodal(parser.parse_args().out)


if __name__ == "__main__":
    main()
