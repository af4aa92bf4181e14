"""Fifty steps of each optimizer and schedule in PyTorch float64, for tests/optim/optim_test.cpp.

Gradients do not come from a network: they are hash-filled sums over a made-up batch, different in each step, which both
sides compute exactly. So the files hold nothing but the parameters after each step.

    python tests/oracle/optim_make.py      writes tests/golden/optim/{optimizers,schedules}.safetensors
"""

import json
import pathlib
import struct

import numpy as np
import torch
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR, StepLR

from hash_fill import hash_value

STEPS = 50
SHAPES = {"bias": (4,), "weight": (4, 3)}
OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "optim"


def start():
    return {name: torch.tensor(hash_value(i + 1, shape, 15)) for i, (name, shape) in enumerate(SHAPES.items())}


def gradient_sum(step, part, name):
    """Of one micro-batch; magnitudes vary from step to step so that clipping is on in some and off in others."""
    index = list(SHAPES).index(name)
    return torch.tensor(hash_value(1000 + 100 * step + 10 * part + index, SHAPES[name], 15 - step % 3))


def denominator(step, part):
    return float(3 + (step + part) % 4)


CASES = {
    "sgd": dict(kind="sgd"),
    "sgd_momentum_decay": dict(kind="sgd", momentum=0.9, decay=0.05),
    "sgd_nesterov": dict(kind="sgd", momentum=0.8, nesterov=True, decay=0.02),
    "sgd_clipped": dict(kind="sgd", momentum=0.9, clip=0.7),
    "sgd_accumulated": dict(kind="sgd", momentum=0.9, decay=0.01, clip=0.7, parts=3),
    "sgd_averaged": dict(kind="sgd", momentum=0.9, average=0.9),
    "sgd_factors": dict(kind="sgd", momentum=0.9, decay=0.05, factor=0.25),
    "adam": dict(kind="adam"),
    "adam_decay": dict(kind="adam", decay=0.1, betas=(0.8, 0.99), eps=1e-6),
    "adamw": dict(kind="adamw", decay=0.1),
    "adamw_clipped": dict(kind="adamw", decay=0.1, clip=0.5, factor=0.5),
    "adamw_accumulated": dict(kind="adamw", decay=0.1, parts=2, average=0.99),
}


def make(kind, momentum=0.0, nesterov=False, decay=0.0, clip=0.0, parts=1, average=0.0, factor=1.0,
         betas=(0.9, 0.999), eps=1e-8):
    """Decay is for `weight` only and `factor` multiplies the rate of `bias`, as decay_matrices and a table would."""
    parameters = {name: torch.nn.Parameter(value) for name, value in start().items()}
    rate = 0.05
    groups = [dict(params=[parameters["bias"]], lr=rate * factor, weight_decay=0.0),
              dict(params=[parameters["weight"]], lr=rate, weight_decay=decay)]
    if kind == "sgd":
        optimizer = torch.optim.SGD(groups, momentum=momentum, nesterov=nesterov)
    else:
        optimizer = (torch.optim.Adam if kind == "adam" else torch.optim.AdamW)(groups, betas=betas, eps=eps)
    averages = {name: p.detach().clone() for name, p in parameters.items()}
    result = {f"{name}": [] for name in SHAPES} | ({f"average.{name}": [] for name in SHAPES} if average else {})
    for step in range(STEPS):
        total = sum(denominator(step, part) for part in range(parts))
        for name, p in parameters.items():
            p.grad = sum(gradient_sum(step, part, name) for part in range(parts)) / total
        if clip:
            torch.nn.utils.clip_grad_norm_(parameters.values(), clip)
        optimizer.step()
        for name, p in parameters.items():
            result[name].append(p.detach().numpy().copy())
            if average:
                averages[name].lerp_(p.detach(), 1 - average)
                result[f"average.{name}"].append(averages[name].numpy().copy())
    return {name: np.stack(values) for name, values in result.items()}


def schedules():
    """Each yields the rate of steps 0..49."""
    def run(make_scheduler):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = make_scheduler(optimizer)
        rates = []
        for step in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step + 1 < STEPS:
                scheduler.step()
        return np.array(rates)

    def warm(optimizer, then):
        return SequentialLR(optimizer, [LinearLR(optimizer, start_factor=0.05, total_iters=8), then(optimizer)], [8])

    return {
        "constant": run(lambda o: ConstantLR(o, factor=1.0)),
        "constant_warm": run(lambda o: warm(o, lambda o: ConstantLR(o, factor=1.0))),
        "step": run(lambda o: StepLR(o, step_size=15, gamma=0.3)),
        "step_warm": run(lambda o: warm(o, lambda o: StepLR(o, step_size=15, gamma=0.3))),
        "cosine": run(lambda o: CosineAnnealingLR(o, T_max=STEPS, eta_min=0.01)),
        "cosine_warm": run(lambda o: warm(o, lambda o: CosineAnnealingLR(o, T_max=STEPS - 8, eta_min=0.01))),
        "one_cycle": run(lambda o: OneCycleLR(o, max_lr=0.3, total_steps=STEPS, pct_start=0.25, div_factor=20,
                                              final_div_factor=1000)),
    }


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, values in sorted(tensors.items()):
        raw = values.astype("<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    tensors = {f"{case}/{name}": values for case, options in CASES.items() for name, values in make(**options).items()}
    write_safetensors(OUT / "optimizers.safetensors", tensors)
    write_safetensors(OUT / "schedules.safetensors", schedules())
