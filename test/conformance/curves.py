"""Twenty training steps of the real PEFT library: the losses that Cutlayer's training must reproduce, and adapters that PEFT saved.

What PEFT 0.21 does with a causal language model, checked here (`check_conventions`) because the curves depend on it:
- prompt tuning puts the P vectors before the embedded tokens, so real tokens have positions P, P+1, ...; labels get P times -100 in front, so
  after the shift the first real token is predicted from the last virtual one and is trained when it has a label;
- prefix tuning passes the prefix as `past_key_values` (a DynamicCache); real tokens start at position P here too; keys are used as they are,
  that is, they stand for keys *after* rotary embedding; labels are not extended, so the first real token is never trained;
- PrefixEncoder's weight [P, layers*2*kvHeads*headDim] is viewed as (P, layer, key/value, kv head, dim);
- the attention mask gets P ones in front; with padding on the right no padded row is ever attended to by a real one;
- `get_cosine_schedule_with_warmup` gives learning rate 0 in the first step: the first two losses of that curve come from the same adapter;
- torch's AdamW decays before the update, by lr * weight_decay; clip_grad_norm_ divides by (norm + 1e-6).
"""

import numpy as np
import torch
from peft import PeftModel, PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model
from references import IGNORED, dims_of, load_model, max_relative_error, prefix_from_peft
from transformers import DynamicCache, get_cosine_schedule_with_warmup

STEPS = 20
NUM_VIRTUAL_TOKENS = 4
OPTIMIZER = {"name": "AdamW", "learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.01}
SCHEDULES = {
    "constant": {"kind": "constant", "warmupSteps": 0, "totalSteps": STEPS, "maxGradNorm": None},
    "warmupCosine": {"kind": "cosine", "warmupSteps": 5, "totalSteps": STEPS, "maxGradNorm": 0.35},
}
METHODS = {"softPrompt": PromptTuningConfig, "prefix": PrefixTuningConfig}


def random_batches(rng: np.random.Generator, vocab_size: int) -> list[dict[str, torch.Tensor]]:
    """Four right-padded batches of different shapes; loss on completions, in every third sequence on all tokens."""
    batches = []
    for lengths in ([10, 6, 8], [5, 7, 3], [9, 9, 4], [2, 11, 6]):
        lengths = torch.tensor(lengths)
        mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
        token_ids = torch.from_numpy(rng.integers(4, vocab_size - 1, tuple(mask.shape)))
        token_ids = torch.where(mask, token_ids, 2)
        completion_starts = torch.tensor([lengths[0] // 2, lengths[1] // 2, 0])
        has_loss = mask & (torch.arange(mask.shape[1])[None, :] >= completion_starts[:, None])
        labels = torch.where(has_loss, token_ids, IGNORED)
        batches.append({"tokenIds": token_ids, "lengths": lengths, "labels": labels, "attentionMask": mask.long()})
    return batches


def peft_model(directory, method: str, initial: torch.Tensor, attention: str = "eager"):
    """The checkpoint wrapped by PEFT, its one trainable tensor set to `initial`."""
    model = load_model(directory, torch.float32, attention)
    model.name_or_path = directory.name
    model.config._name_or_path = directory.name
    config = METHODS[method](task_type=TaskType.CAUSAL_LM, num_virtual_tokens=initial.shape[0])
    wrapped = get_peft_model(model, config)
    parameter = wrapped.prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        parameter.copy_(initial)
    assert [id(p) for p in wrapped.parameters() if p.requires_grad] == [id(parameter)]
    return wrapped.eval(), parameter


def forward(wrapped, batch: dict):
    return wrapped(input_ids=batch["tokenIds"], attention_mask=batch["attentionMask"], labels=batch["labels"])


def train(directory, method: str, initial: torch.Tensor, batches: list[dict], schedule: dict, attention: str = "eager") -> dict:
    """Runs the curve; losses are those of the forward pass before each update."""
    wrapped, parameter = peft_model(directory, method, initial, attention)
    optimizer = torch.optim.AdamW(
        [parameter],
        lr=OPTIMIZER["learningRate"],
        betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]),
        eps=OPTIMIZER["epsilon"],
        weight_decay=OPTIMIZER["weightDecay"],
    )
    scheduler = None
    if schedule["kind"] == "cosine":
        scheduler = get_cosine_schedule_with_warmup(optimizer, schedule["warmupSteps"], schedule["totalSteps"])
    curve = {"losses": [], "learningRates": [], "gradientNorms": []}
    for step in range(STEPS):
        loss = forward(wrapped, batches[step % len(batches)]).loss
        optimizer.zero_grad()
        loss.backward()
        limit = schedule["maxGradNorm"] or float("inf")
        norm = torch.nn.utils.clip_grad_norm_([parameter], limit) if schedule["maxGradNorm"] else parameter.grad.norm()
        curve["losses"].append(loss.item())
        curve["gradientNorms"].append(norm.item())
        curve["learningRates"].append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    curve["final"] = parameter.detach().clone()
    return curve


def check_conventions(directory, dims: dict, initials: dict[str, torch.Tensor], batch: dict) -> None:
    """PEFT equals a hand-made forward with the conventions of the module header."""
    model = load_model(directory, torch.float32, "eager")
    size, count = batch["tokenIds"].shape[0], NUM_VIRTUAL_TOKENS
    embeds = torch.cat([initials["softPrompt"].expand(size, -1, -1), model.get_input_embeddings()(batch["tokenIds"])], dim=1)
    positions = torch.arange(embeds.shape[1])[None, :].expand(size, -1)
    by_hand = model(inputs_embeds=embeds, position_ids=positions).logits
    by_peft = forward(peft_model(directory, "softPrompt", initials["softPrompt"])[0], batch)
    real = batch["attentionMask"].bool()
    assert by_peft.logits.shape[1] == embeds.shape[1]
    assert max_relative_error(by_hand[:, count:][real], by_peft.logits[:, count:][real]) < 1e-5
    labels = torch.cat([torch.full((size, count), IGNORED), batch["labels"]], dim=1)
    loss = torch.nn.functional.cross_entropy(by_hand[:, :-1].reshape(-1, dims["vocabSize"]), labels[:, 1:].reshape(-1))
    assert abs(loss.item() - by_peft.loss.item()) < 1e-5 * loss.item()

    prefix = prefix_from_peft(initials["prefix"], dims)
    cache = DynamicCache([tuple(kv.transpose(0, 1).expand(size, -1, -1, -1) for kv in layer) for layer in prefix])
    positions = torch.arange(real.shape[1])[None, :].expand(size, -1) + count
    by_hand = model(input_ids=batch["tokenIds"], position_ids=positions, past_key_values=cache).logits
    by_peft = forward(peft_model(directory, "prefix", initials["prefix"])[0], batch)
    assert by_peft.logits.shape[1] == real.shape[1]
    assert max_relative_error(by_hand[real], by_peft.logits[real]) < 1e-5
    loss = torch.nn.functional.cross_entropy(by_hand[:, :-1].reshape(-1, dims["vocabSize"]), batch["labels"][:, 1:].reshape(-1))
    assert abs(loss.item() - by_peft.loss.item()) < 1e-5 * loss.item()


def make_curves(directory, seed: int) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors of curves.safetensors and the document of curves.json."""
    dims = dims_of(load_model(directory, torch.float32, "eager").config)
    rng = np.random.default_rng(seed)
    batches = random_batches(rng, dims["vocabSize"])
    shapes = {"softPrompt": dims["hiddenSize"], "prefix": dims["numLayers"] * 2 * dims["numKvHeads"] * dims["headDim"]}
    initials = {
        method: torch.from_numpy(rng.standard_normal((NUM_VIRTUAL_TOKENS, width)).astype(np.float32)) * 0.4 for method, width in shapes.items()
    }
    check_conventions(directory, dims, initials, batches[0])
    tensors, curves = {}, []

    def keep(name: str, value: torch.Tensor, method: str) -> str:
        """A soft prompt as it is; a prefix as [layers, 2, P, kvHeads, headDim] and, under <name>Peft, in PEFT's layout."""
        tensors[name] = prefix_from_peft(value, dims) if method == "prefix" else value
        if method == "prefix":
            tensors[f"{name}Peft"] = value
        return name

    for method, initial in initials.items():
        initial_name = keep(f"{method}.initial", initial, method)
        for schedule_name, schedule in SCHEDULES.items():
            curve = train(directory, method, initial, batches, schedule)
            again = train(directory, method, initial, batches, schedule, "sdpa")
            losses = torch.tensor(curve["losses"])
            deviation = ((torch.tensor(again["losses"]) - losses).abs() / losses).max().item()
            assert deviation < 2e-5, f"{method} {schedule_name}: sdpa deviates by {deviation}"
            curves.append(
                {
                    "method": method,
                    "schedule": schedule,
                    "initial": initial_name,
                    "final": keep(f"{method}.{schedule_name}.final", curve.pop("final"), method),
                    **curve,
                }
            )
    document = {
        "dims": dims,
        "numVirtualTokens": NUM_VIRTUAL_TOKENS,
        "optimizer": OPTIMIZER,
        "steps": STEPS,
        "batchOfStep": [step % len(batches) for step in range(STEPS)],
        "batches": [{key: batch[key].tolist() for key in ("tokenIds", "lengths", "labels")} for batch in batches],
        "curves": curves,
    }
    return tensors, document


def save_peft_adapters(directory, tensors: dict[str, torch.Tensor], batch: dict) -> dict[str, torch.Tensor]:
    """Trained adapters in PEFT's own files (`peft-<method>/`), and the logits of PEFT with each, reloaded from disk."""
    token_ids, lengths = torch.tensor(batch["tokenIds"]), torch.tensor(batch["lengths"])
    mask = torch.arange(token_ids.shape[1])[None, :] < lengths[:, None]
    expected = {"tokenIds": token_ids, "lengths": lengths}
    for method, source in {"softPrompt": "softPrompt.constant.final", "prefix": "prefix.constant.finalPeft"}.items():
        wrapped, _ = peft_model(directory, method, tensors[source])
        target = directory / f"peft-{'prompt' if method == 'softPrompt' else 'prefix'}-tuning"
        wrapped.save_pretrained(target, save_embedding_layers=False)
        (target / "README.md").unlink(missing_ok=True)
        reloaded = PeftModel.from_pretrained(load_model(directory, torch.float32, "eager"), target).eval()
        with torch.no_grad():
            logits = reloaded(input_ids=token_ids, attention_mask=mask.long()).logits[:, -token_ids.shape[1] :]
        expected[f"{method}.logits"] = logits[mask]
    return expected
