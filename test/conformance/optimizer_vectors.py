"""Writes test/clients/optimizers/optimizer-vectors.json: what torch's AdamW and clip_grad_norm_ and transformers' schedules give.

    python test/conformance/optimizer_vectors.py > test/clients/optimizers/optimizer-vectors.json
"""

import json

import torch
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

torch.manual_seed(7)
torch.set_num_threads(1)

adamw = []
for settings in [
    {"learningRate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.01},
    {"learningRate": 0.3, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0.1},
    {"learningRate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.0},
]:
    parameter = torch.nn.Parameter(torch.randn(6))
    initial = parameter.detach().tolist()
    optimizer = torch.optim.AdamW(
        [parameter],
        lr=settings["learningRate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        weight_decay=settings["weightDecay"],
        foreach=False,
    )
    gradients, parameters = [], []
    for step in range(12):
        gradient = torch.randn(6) * 10.0 ** (step % 4 - 2)
        gradients.append(gradient.tolist())
        parameter.grad = gradient
        optimizer.step()
        parameters.append(parameter.detach().tolist())
    state = optimizer.state[parameter]
    adamw.append(
        {
            "settings": settings,
            "initial": initial,
            "gradients": gradients,
            "parameters": parameters,
            "expAvg": state["exp_avg"].tolist(),
            "expAvgSq": state["exp_avg_sq"].tolist(),
        }
    )

clip = []
for max_norm in [0.5, 2.0, 100.0]:
    parameter = torch.nn.Parameter(torch.zeros(5))
    parameter.grad = torch.randn(5) * 3
    before = parameter.grad.tolist()
    norm = torch.nn.utils.clip_grad_norm_([parameter], max_norm)
    clip.append({"maxNorm": max_norm, "gradient": before, "norm": norm.item(), "clipped": parameter.grad.tolist()})

schedules = []
for name, make in [
    ("constant", lambda o, w, t: get_constant_schedule_with_warmup(o, w)),
    ("linear", get_linear_schedule_with_warmup),
    ("cosine", get_cosine_schedule_with_warmup),
]:
    for warmup, total in [(0, 10), (3, 10), (4, 4)]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = make(optimizer, warmup, total)
        factors = []
        for _ in range(total + 2):
            factors.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        schedules.append({"name": name, "warmupSteps": warmup, "totalSteps": total, "factors": factors})

print(json.dumps({"madeWith": {"torch": torch.__version__.split("+")[0]}, "adamw": adamw, "clip": clip, "schedules": schedules}))
