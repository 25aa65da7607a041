"""The methods that PEFT and Cutlayer both have, as PEFT models over a tiny checkpoint; `methods.py` trains and saves them.

Every case gives the wrapped model and its trainable parameters under Cutlayer's names, which are PEFT's state-dict names: of the prompt
encoder (`embedding.weight`, `mlp_head.0.weight`, ...), `trainable_tokens_delta`, `<module>.lora_A.weight`, `score.weight`; full training of a
block, which PEFT does not have, is plain torch under the checkpoint's names. `by_hand` computes the same logits from the bare model without PEFT,
which pins down what PEFT 0.21 does:
- P-tuning: two hidden layers with ReLU; or an LSTM (gates in torch's order i, f, g, o, both directions), then two linear layers with one ReLU;
- prefix projection: Linear, tanh, Linear, whose output [P, layers*2*kvHeads*headDim] is what prefix tuning without projection trains;
- multitask: the shared prompt times, value by value, cols[task] @ rows[task];
- trainable tokens *replace* rows of the table, in a tied head too; an embedding that scales its rows (gemma2) scales these as well;
- LoRA adds alpha/r * B @ A to a weight [out, in], transposed for GPT-2's Conv1D; on a tied head it leaves the embedding as it is;
- a soft prompt joins what the embedding module gives: in gemma2 it is *not* multiplied by sqrt(hiddenSize), because the module scales its own rows;
  in granite it *is* multiplied by embedding_multiplier, because the model scales whatever comes in (Cutlayer's `promptScale`);
- classification with prompt learning pools the last column of the batch, padded or not: sequences of one batch must have one length.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import (
    LoraConfig,
    MultitaskPromptTuningConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    TaskType,
    TrainableTokensConfig,
    get_peft_model,
)
from references import dims_of, load_model, prefix_from_peft
from torch.nn.functional import embedding, linear
from transformers import AutoModelForSequenceClassification, DynamicCache

PAD = 2
VIRTUAL = 4
TASKS = 3
LABELS = 3
TOKEN_IDS = [5, 17, 40, 46]
RANK, ALPHA = 4, 6


@dataclass(frozen=True)
class Case:
    """One method with its settings, under the names of Cutlayer's `--method` and its flags."""

    name: str
    method: str
    learning_rate: float
    settings: dict
    families: tuple[str, ...]
    tasks: bool = False
    classes: bool = False
    # AdamW's. Among the many weights of whole blocks some have a gradient of rounding noise alone, which a smaller one would turn into steps of +-lr.
    epsilon: float = 1e-8
    # Cuts (bottom, top) at which a client can train it.
    cuts: tuple[tuple[int, int], ...] = ((0, 0), (1, 1))


@dataclass
class Wrapped:
    """A model to train: PEFT's where it has the method. `parameters` is what trains, by Cutlayer's name."""

    model: torch.nn.Module
    parameters: dict[str, torch.nn.Parameter] = field(default_factory=dict)


# At the harder cut alone: windows, two ropes, fused projections.
CUT = ("mistral-tiny", "gemma3_text-tiny", "phi3-tiny")
ALL = ("gemma2-tiny", "gpt2-tiny", "granite-tiny", "llama-tiny", "llama3-tiny", "qwen3-tiny", *CUT)
THREE = ("gpt2-tiny", "llama-tiny", "qwen3-tiny")
TWO = ("gpt2-tiny", "llama-tiny")
HELD = ((1, 1),)
ENCODER = {"virtualTokens": VIRTUAL, "encoderHidden": 12}
LORA = {"rank": RANK, "alpha": ALPHA}
CASES = [
    Case("prompt-tuning", "prompt-tuning", 1e-2, {"virtualTokens": VIRTUAL}, ALL),
    Case("p-tuning-mlp", "p-tuning", 5e-3, {**ENCODER, "encoder": "MLP"}, THREE),
    Case("p-tuning-lstm", "p-tuning", 5e-3, {**ENCODER, "encoder": "LSTM", "encoderHidden": 8, "encoderLayers": 2}, THREE),
    Case("prefix-tuning", "prefix-tuning", 1e-2, {"virtualTokens": VIRTUAL}, (*THREE, "gemma2-tiny", *CUT)),
    Case("prefix-projection", "prefix-tuning", 5e-3, {**ENCODER, "prefixProjection": True}, THREE),
    Case("multitask-prompt-tuning", "multitask-prompt-tuning", 1e-2, {"virtualTokens": VIRTUAL, "taskRank": 2}, TWO, tasks=True),
    Case("trainable-tokens", "trainable-tokens", 1e-2, {"tokenIds": TOKEN_IDS}, (*TWO, "llama3-tiny", "gemma2-tiny")),
    Case("lora-head", "lora", 5e-3, {**LORA, "targets": ["lm_head"]}, (*TWO, "llama3-tiny", "gemma2-tiny")),
    Case("lora-blocks", "lora", 5e-3, {**LORA, "targets": ["attention"]}, (*THREE, "llama3-tiny", "phi3-tiny"), cuts=HELD),
    Case("full", "full", 2e-3, {}, TWO, epsilon=1e-6, cuts=HELD),
    Case("classification", "prompt-tuning+classification-head", 1e-2, {"virtualTokens": VIRTUAL}, TWO, classes=True),
]


def attention_targets(directory: Path) -> list[str]:
    """Cutlayer's default targets of LoRA in blocks."""
    return {"gpt2-tiny": ["c_attn"], "phi3-tiny": ["qkv_proj"]}.get(directory.name, ["q_proj", "v_proj"])


def cuts_of(case: Case, family: str) -> tuple[tuple[int, int], ...]:
    """The cuts (bottom, top) at which a client's training is compared."""
    return HELD if family in CUT else case.cuts


def held_layers(config) -> list[int]:
    """The blocks that a client holds at the cut (1, 1)."""
    return [0, config.num_hidden_layers - 1]


def named(model, directory: Path):
    """The checkpoint's name instead of its path, which would end up in adapter_config.json."""
    model.name_or_path = directory.name
    model.config._name_or_path = directory.name
    return model


def classifier(directory: Path, attention: str):
    """The checkpoint with a classification head `score` of LABELS rows, to be set."""
    model = AutoModelForSequenceClassification.from_pretrained(
        directory, dtype=torch.float32, attn_implementation=attention, num_labels=LABELS, pad_token_id=PAD
    )
    return named(model.eval().requires_grad_(False), directory)


def peft_config(case: Case, directory: Path, config):
    """PEFT's config of a case."""
    settings = case.settings
    prompt = {"task_type": TaskType.SEQ_CLS if case.classes else TaskType.CAUSAL_LM, "num_virtual_tokens": VIRTUAL}
    match case.name:
        case "prompt-tuning" | "classification":
            return PromptTuningConfig(**prompt)
        case "p-tuning-mlp":
            return PromptEncoderConfig(**prompt, encoder_hidden_size=settings["encoderHidden"])
        case "p-tuning-lstm":
            encoder = {"encoder_hidden_size": settings["encoderHidden"], "encoder_num_layers": settings["encoderLayers"]}
            return PromptEncoderConfig(**prompt, encoder_reparameterization_type="LSTM", encoder_dropout=0.0, **encoder)
        case "prefix-tuning":
            return PrefixTuningConfig(**prompt)
        case "prefix-projection":
            return PrefixTuningConfig(**prompt, prefix_projection=True, encoder_hidden_size=settings["encoderHidden"])
        case "multitask-prompt-tuning":
            return MultitaskPromptTuningConfig(**prompt, num_tasks=TASKS, num_ranks=settings["taskRank"])
        case "trainable-tokens":
            return TrainableTokensConfig(task_type=TaskType.CAUSAL_LM, token_indices=settings["tokenIds"])
        case "lora-head":
            return LoraConfig(task_type=TaskType.CAUSAL_LM, r=RANK, lora_alpha=ALPHA, target_modules=["lm_head"])
        case "lora-blocks":
            layers = {"target_modules": attention_targets(directory), "layers_to_transform": held_layers(config)}
            return LoraConfig(task_type=TaskType.CAUSAL_LM, r=RANK, lora_alpha=ALPHA, **layers)
    raise ValueError(case.name)


def wrap(case: Case, directory: Path, attention: str = "eager") -> Wrapped:
    """A fresh model of a case in evaluation mode, so that no dropout acts; its parameters are still to be set."""
    model = classifier(directory, attention) if case.classes else named(load_model(directory, torch.float32, attention), directory)
    if case.method == "full":
        blocks = [f".{layer}." for layer in held_layers(model.config)]
        parameters = {name: p for name, p in model.named_parameters() if any(block in name for block in blocks)}
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        return Wrapped(model, parameters)
    model = get_peft_model(model, peft_config(case, directory, model.config)).eval()
    return Wrapped(model, {cutlayer_name(name): p for name, p in model.named_parameters() if p.requires_grad})


def cutlayer_name(name: str) -> str:
    """`prompt_encoder.default.embedding.weight` -> `embedding.weight`; `base_model.model.lm_head.lora_A.default.weight` -> `lm_head.lora_A.weight`."""
    if "trainable_tokens_delta" in name:
        return "trainable_tokens_delta"
    if "score.modules_to_save" in name:
        return "score.weight"
    return name.removeprefix("prompt_encoder.default.").removeprefix("base_model.model.").replace(".default", "")


def forward(case: Case, model, batch: dict):
    """Loss and logits of a batch; the text's rows last."""
    inputs = {"input_ids": batch["tokenIds"], "attention_mask": batch["attentionMask"], "labels": batch["labels"]}
    return model(**inputs, task_ids=batch["taskIds"]) if case.tasks else model(**inputs)


def encoded(case: Case, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
    """The prompt [P, d], per task [tasks, P, d], or PEFT's flat prefix that a prompt encoder's parameters come to."""
    rows = parameters["embedding.weight"]

    def layer(values: torch.Tensor, name: str) -> torch.Tensor:
        return linear(values, parameters[f"{name}.weight"], parameters[f"{name}.bias"])

    match case.name:
        case "p-tuning-mlp":
            return layer(layer(layer(rows, "mlp_head.0").relu(), "mlp_head.2").relu(), "mlp_head.4")
        case "p-tuning-lstm":
            for index in range(case.settings["encoderLayers"]):
                ways = [lstm_direction(rows, parameters, f"l{index}"), lstm_direction(rows.flip(0), parameters, f"l{index}_reverse").flip(0)]
                rows = torch.cat(ways, dim=1)
            return layer(layer(rows, "mlp_head.0").relu(), "mlp_head.2")
        case "prefix-projection":
            return layer(layer(rows, "transform.0").tanh(), "transform.2")
        case "multitask-prompt-tuning":
            return rows * (parameters["prefix_task_cols"] @ parameters["prefix_task_rows"])
    return rows


def lstm_direction(rows: torch.Tensor, parameters: dict[str, torch.Tensor], suffix: str) -> torch.Tensor:
    """One direction of one LSTM layer over rows [P, in] -> [P, hidden]."""
    weights = [parameters[f"lstm_head.{name}_{suffix}"] for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")]
    hidden = cell = torch.zeros(weights[2].shape[1])
    outputs = []
    for row in rows:
        i, f, g, o = (linear(row, *weights[:2]) + linear(hidden, *weights[2:])).chunk(4)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs)


def by_hand(case: Case, directory: Path, parameters: dict[str, torch.Tensor], batch: dict) -> torch.Tensor:
    """Logits of the text rows (of the pooled rows in classification) from transformers' model without PEFT. No padding is masked: it comes last."""
    model = classifier(directory, "eager") if case.classes else load_model(directory, torch.float32, "eager")
    size, sequence = batch["tokenIds"].shape
    if "embedding.weight" not in parameters:
        set_weights(case, model, parameters)
        return model(input_ids=batch["tokenIds"]).logits
    value = encoded(case, parameters)
    positions = torch.arange(VIRTUAL + sequence)[None, :].expand(size, -1)
    if case.method == "prefix-tuning":
        cache = DynamicCache(config=model.config)
        for index, layer in enumerate(prefix_from_peft(value, dims_of(model.config))):
            cache.update(*(kv.transpose(0, 1).expand(size, -1, -1, -1) for kv in layer), index)
        return model(input_ids=batch["tokenIds"], position_ids=positions[:, VIRTUAL:], past_key_values=cache).logits
    prompts = value[batch["taskIds"]] if case.tasks else value.expand(size, -1, -1)
    inputs = {"inputs_embeds": torch.cat([prompts, model.get_input_embeddings()(batch["tokenIds"])], dim=1), "position_ids": positions}
    if case.classes:
        return linear(model.base_model(**inputs).last_hidden_state[:, -1], parameters["score.weight"])
    return model(**inputs).logits[:, VIRTUAL:]


def set_weights(case: Case, model, parameters: dict[str, torch.Tensor]) -> None:
    """Puts trained tokens, LoRA or full weights into a bare model."""
    table = model.get_input_embeddings().weight
    with torch.no_grad():
        if case.name == "trainable-tokens":
            table[TOKEN_IDS] = parameters["trainable_tokens_delta"]
        elif case.method == "full":
            for name, value in parameters.items():
                model.get_parameter(name).copy_(value)
        else:
            for name in parameters:
                if not name.endswith(".lora_A.weight"):
                    continue
                module = model.get_submodule(name.removesuffix(".lora_A.weight"))
                update = ALPHA / RANK * parameters[name.replace("lora_A", "lora_B")] @ parameters[name]
                conv1d = type(module).__name__ == "Conv1D"
                module.weight = torch.nn.Parameter(module.weight + (update.T if conv1d else update))
