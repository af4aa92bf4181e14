"""One training step of whole networks in PyTorch float64, for tests/models/gradients_test.cpp and its slow companion.

Weights and images are hash-filled (hash_fill.py), scaled by powers of two so that activations keep their size: both sides
compute them exactly and no file holds them. A golden file holds, per gradient tensor, its norm, its largest magnitude and 64
entries at hashed places, in torchvision's axis order. Dropout is 0, the loss is the mean cross-entropy.

    python tests/oracle/networks_make.py [NAME ...]      writes tests/golden/networks/NAME.safetensors

Also recorded is PyTorch's own error in f32 against its float64 gradients on the same input, in three settings: as it comes,
channels-last, and without oneDNN. That is what the CPU backend is held against. In a residual network one ReLU at its kink
changes single figures a thousandfold, so there it is the geometric mean over tensors, for each of eight batches.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file

from hash_fill import hash32, hash_below, hash_value

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "networks"
NAMES = ["alexnet", "squeezenet1_1", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vit_b_16"]
BATCH, CLASSES = 4, 1000
SIDES = {"vit_b_16": 64}  # else 96; the position embedding is as long as the image has patches
BATCHES = 8  # seeded batches for residual networks
ENTRIES = 64


def name_hash(name):
    """FNV-1a, as hash_name() in engine/base/philox.h."""
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def parameter_value(name, shape):
    """Filters and matrices: variance about 2 / fan in. Norms: gamma in [0.75, 1.25). Biases and beta: [-1/16, 1/16)."""
    seed = name_hash(name)
    if len(shape) > 1:
        fan_in = math.prod(shape[1:])
        return hash_value(seed, shape, 15 - round(math.log2(math.sqrt(6 / fan_in))))
    if name.endswith("weight"):
        return 1 + hash_value(seed, shape, 17)
    return hash_value(seed, shape, 19)


def side_of(name):
    return SIDES.get(name, 96)


def build(name, classes=CLASSES):
    options = {"dropout": 0.0} if name in ("alexnet", "squeezenet1_1") else {}
    if name.startswith("vit"):
        options["image_size"] = side_of(name)
    network = getattr(torchvision.models, name)(weights=None, num_classes=classes, **options).double()
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(parameter_value(key, tuple(parameter.shape))))
    return network.train()


def batch(seed, size=BATCH, side=96, classes=CLASSES):
    images = torch.from_numpy(hash_value(2 * seed, (size, 3, side, side), 14))
    labels = torch.from_numpy(hash_below(2 * seed + 1, (size,), classes))
    return images, labels


def gradients(network, images, labels):
    network.zero_grad(set_to_none=True)
    loss = torch.nn.functional.cross_entropy(network(images), labels)
    loss.backward()
    return loss.item(), {name: p.grad.detach().double().contiguous() for name, p in network.named_parameters()}


def sample(name, gradient):
    flat = gradient.numpy().reshape(-1)
    places = (hash32(np.uint32(name_hash(name)) + np.arange(ENTRIES, dtype=np.uint32)).astype(np.uint64) * np.uint64(flat.size)) >> np.uint64(32)
    return np.concatenate([[np.linalg.norm(flat), np.abs(flat).max()], flat[places.astype(np.int64)]])


def f32_errors(name, images, labels, exact):
    """Relative L2 error of each gradient tensor, per setting of PyTorch."""
    errors = {}
    for setting in ("default", "channels_last", "without_onednn"):
        layout = torch.channels_last if setting == "channels_last" else torch.contiguous_format
        network = build(name).float().to(memory_format=layout)
        with torch.backends.mkldnn.flags(enabled=setting != "without_onednn"):
            _, found = gradients(network, images.float().to(memory_format=layout), labels)
        errors[setting] = {key: ((found[key] - value).norm() / value.norm()).item() for key, value in exact.items()}
    return errors


def step_golden(name):
    residual = name.startswith("resnet")
    tensors, means = {}, []
    for seed in range(1, BATCHES + 1 if residual else 2):
        images, labels = batch(seed, side=side_of(name))
        network = build(name)
        loss, exact = gradients(network, images, labels)
        errors = f32_errors(name, images, labels, exact)
        if seed == 1:
            tensors["loss"] = np.array([loss])
            for key, value in exact.items():
                tensors["gradient." + key] = sample(key, value)
                if not residual:
                    tensors["f32_error." + key] = np.array([errors[s][key] for s in errors])
            network = build(name).eval()
            with torch.no_grad():
                tensors["evaluation_logits"] = network(images).numpy()
        means.append([math.exp(np.mean([math.log(max(e, 1e-12)) for e in errors[s].values()])) for s in errors])
        print(f"{name} batch {seed}: loss {loss:.15g}, f32 error (geometric mean) " +
              ", ".join(f"{s} {m:.3g}" for s, m in zip(errors, means[-1])), flush=True)
    if residual:
        tensors["f32_error_means"] = np.array(means)
    return tensors


def training_golden():
    """Twenty SGD-momentum steps of ResNet-18: batch 16, 64 px, rate 0.01; losses and running statistics."""
    network = build("resnet18")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for step in range(20):
        images, labels = batch(100 + step, size=16, side=64)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("resnet18 20 steps:", losses[0], "->", losses[-1], flush=True)
    tensors = {"losses": np.array(losses)}
    for key, value in network.state_dict().items():
        if "running" in key:
            tensors["statistic." + key] = value.numpy()
        elif "num_batches" not in key:
            tensors["parameter." + key] = sample(key, value.double())
    return tensors


def write(name, tensors):
    OUT.mkdir(parents=True, exist_ok=True)
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, OUT / f"{name}.safetensors", {"versions": json.dumps(versions)})


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES + ["resnet18_training"]:
        write(wanted, training_golden() if wanted == "resnet18_training" else step_golden(wanted))
