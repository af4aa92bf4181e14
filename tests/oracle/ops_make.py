"""Every operator and its gradient in PyTorch float64, for tests/engine/reference_test.cpp.

Operands are hash-filled in the engine's layout (NHWC, KRSC), so the file holds results only: of each output y, and of the
gradient of sum(y * r) with respect to each differentiable operand, the norm, the largest magnitude and the entries, or 64
seeded ones of them. Names and shapes here and in tests/engine/reference_goldens.cpp go together.

    python tests/oracle/ops_make.py      writes tests/golden/ops/ops.safetensors
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

from hash_fill import hash32, hash_below, hash_value

ENTRIES = 64
OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "ops" / "ops.safetensors"


def name_hash(name):
    """FNV-1a, as hash_name() in engine/base/philox.h."""
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def sample(name, tensor):
    flat = tensor.detach().numpy().astype(np.float64).reshape(-1)
    chosen = flat
    if flat.size > ENTRIES:
        seeds = np.uint64(name_hash(name)) + np.arange(ENTRIES, dtype=np.uint64)
        places = (hash32((seeds & np.uint64(0xFFFFFFFF)).astype(np.uint32)).astype(np.uint64) * np.uint64(flat.size)) >> np.uint64(32)
        chosen = flat[places.astype(np.int64)]
    return np.concatenate([[np.linalg.norm(flat), np.abs(flat).max()], chosen])


def real(*shape):
    return ("real", shape)


def constant(*shape):
    return ("constant", shape)


def positive(*shape):
    return ("positive", shape)


def labels(shape, classes):
    return ("labels", shape if isinstance(shape, tuple) else (shape,), classes)


def image_bytes(*shape):
    return ("bytes", shape)


def operand(name, spec):
    seed = name_hash(name)
    if spec[0] == "labels":
        return torch.tensor(hash_below(seed, spec[1], spec[2] + 1) - 1)  # -1: the row is left out
    if spec[0] == "bytes":
        return torch.tensor(hash_below(seed, spec[1], 256).astype(np.float64))
    if spec[0] == "positive":
        return torch.tensor(hash_value(seed, spec[1], 16) + 1)
    return torch.tensor(hash_value(seed, spec[1], 15), requires_grad=spec[0] == "real")


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def conv(**attributes):
    return lambda x, w: nhwc(F.conv2d(nchw(x), nchw(w), **attributes))


def max_pool(**attributes):
    return lambda x: nhwc(F.max_pool2d(nchw(x), **attributes))


def avg_pool(**attributes):
    return lambda x: nhwc(F.avg_pool2d(nchw(x), **attributes))


def adaptive(output):
    return lambda x: nhwc(F.adaptive_avg_pool2d(nchw(x), output))


def channels_second(x):
    return x.movedim(-1, 1)


def batch_norm(epsilon):
    def apply(x, gamma, beta):
        y = F.batch_norm(channels_second(x), None, None, gamma, beta, training=True, eps=epsilon)
        flat = x.detach().reshape(-1, x.shape[-1])
        return y.movedim(1, -1), flat.mean(0), flat.var(0, correction=0)

    return apply


def batch_norm_inference(x, gamma, beta, mean, variance):
    return F.batch_norm(channels_second(x), mean, variance, gamma, beta, training=False, eps=1e-3).movedim(1, -1)


def layer_norm(epsilon):
    def apply(x, gamma, beta):
        rstd = (x.detach().var(-1, correction=0) + epsilon).rsqrt()
        return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon), x.detach().mean(-1), rstd

    return apply


def attention(causal=False):
    # qkv [N, L, 3, H, D]; count [N], of which -1 and 0 leave no token. Padding is compared as the zeros that it has.
    def apply(qkv, count=None):
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        place = torch.arange(qkv.shape[1])
        seen = place[:, None] >= place if causal else torch.ones(len(place), len(place), dtype=bool)
        present = place < (torch.full((len(qkv),), len(place)) if count is None else count)[:, None]
        seen = (seen & present[:, None, :])[:, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen | ~seen.any(-1, keepdim=True))
        scores = torch.where(seen, q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -torch.inf).detach()
        lse = torch.where(present[:, None], scores.logsumexp(-1), 0)
        return y.transpose(1, 2) * present[:, :, None, None], lse

    return apply


def embedding(table, index):
    return F.embedding(index.clamp(0), table) * (index >= 0)[..., None]


def cross_entropy(smoothing=0.0):
    def apply(logits, target, weights=None):
        loss = F.cross_entropy(logits, target, weights, reduction="sum", ignore_index=-1, label_smoothing=smoothing)
        if target.dtype.is_floating_point:
            denominator = torch.tensor(float(len(target)))
        else:
            counted = target[target >= 0]
            denominator = torch.tensor(float(len(counted))) if weights is None else weights[counted].sum()
        return loss, denominator

    return apply


def top_k(k):
    def apply(logits, target):
        best = logits.topk(k, dim=1).indices
        return (best == target[:, None]).any(1).sum().double()

    return apply


def normalize(images):
    scale = torch.tensor([0.015625, 0.0078125, 0.03125], dtype=torch.float64)
    shift = torch.tensor([-2.0, 0.5, -1.25], dtype=torch.float64)
    return images.flip(-1) * scale + shift  # bgr


CASES = {
    "conv 3x3": ([real(2, 7, 9, 5), real(6, 3, 3, 5)], conv(padding=1)),
    "conv 7x7 stride 2": ([real(2, 15, 16, 3), real(8, 7, 7, 3)], conv(stride=2, padding=3)),
    "conv 1x1 stride 2": ([real(3, 7, 6, 10), real(12, 1, 1, 10)], conv(stride=2)),
    "conv dilated": ([real(1, 11, 10, 4), real(5, 3, 3, 4)], conv(padding=2, dilation=2)),
    "conv grouped": ([real(2, 6, 7, 6), real(9, 3, 3, 2)], conv(padding=1, groups=3)),
    "conv depthwise": ([real(2, 8, 7, 5), real(10, 3, 3, 1)], conv(stride=2, padding=1, groups=5)),
    "conv uneven": ([real(1, 13, 11, 4), real(6, 4, 2, 2)], conv(stride=(2, 3), padding=(1, 2), dilation=(2, 1), groups=2)),
    "matmul nn": ([real(5, 7), real(7, 9)], lambda a, b: a @ b),
    "matmul nt": ([real(5, 7), real(9, 7)], lambda a, b: a @ b.T),
    "matmul tn": ([real(7, 5), real(7, 9)], lambda a, b: a.T @ b),
    "matmul tt": ([real(7, 5), real(9, 7)], lambda a, b: a.T @ b.T),
    "linear": ([real(4, 30), real(11, 30), real(11)], F.linear),
    "normalize bgr": ([image_bytes(2, 5, 4, 3)], normalize),
    "add": ([real(3, 4, 5), real(3, 4, 5)], torch.add),
    "multiply": ([real(3, 4, 5), real(3, 4, 5)], torch.mul),
    "scale": ([real(3, 4, 5)], lambda x: -0.375 * x),
    "lerp": ([constant(3, 4, 5), constant(3, 4, 5), constant()], torch.lerp),
    "add bias": ([real(2, 3, 4, 5), real(5)], torch.add),
    "scale shift": ([real(2, 3, 4, 5), real(5), real(5)], lambda x, scale, shift: x * scale + shift),
    "channel dot": ([real(2, 3, 4, 5), real(2, 3, 4, 5)], lambda a, b: (a * b).sum((0, 1, 2))),
    "relu": ([real(4, 5, 6)], F.relu),
    "gelu": ([real(4, 5, 6)], F.gelu),
    "batch norm 4d": ([real(3, 4, 5, 6), real(6), real(6)], batch_norm(1e-5)),
    "batch norm 2d": ([real(7, 6), real(6), real(6)], batch_norm(1e-3)),
    "batch norm inference": ([real(3, 4, 5, 6), real(6), real(6), constant(6), positive(6)], batch_norm_inference),
    "layer norm": ([real(3, 5, 12), real(12), real(12)], layer_norm(1e-6)),
    "layer norm row": ([real(40), real(40), real(40)], layer_norm(1e-3)),
    "attention": ([real(2, 9, 3, 2, 8)], attention()),
    "attention causal": ([real(2, 9, 3, 2, 8)], attention(causal=True)),
    "attention padded": ([real(4, 9, 3, 2, 5), labels(4, 9)], attention()),
    "attention causal padded": ([real(4, 9, 3, 2, 5), labels(4, 9)], attention(causal=True)),
    "embedding": ([real(7, 6), labels((3, 8), 7)], embedding),
    "max pool": ([real(2, 9, 8, 5)], max_pool(kernel_size=3, stride=2, padding=1)),
    "max pool ceil": ([real(2, 8, 10, 5)], max_pool(kernel_size=3, stride=2, ceil_mode=True)),
    "max pool uneven": ([real(1, 9, 11, 4)], max_pool(kernel_size=(2, 4), stride=(3, 2), padding=(1, 2), ceil_mode=True)),
    "avg pool counted": ([real(2, 9, 8, 5)], avg_pool(kernel_size=3, stride=2, padding=1)),
    "avg pool counted ceil": ([real(2, 8, 9, 5)], avg_pool(kernel_size=3, stride=3, padding=1, ceil_mode=True)),
    "avg pool ignored": ([real(2, 9, 8, 5)], avg_pool(kernel_size=3, stride=2, padding=1, count_include_pad=False)),
    "avg pool ignored ceil": ([real(1, 8, 11, 4)], avg_pool(kernel_size=(2, 4), stride=(3, 2), padding=(1, 2), ceil_mode=True, count_include_pad=False)),
    "adaptive pool global": ([real(2, 7, 5, 6)], adaptive((1, 1))),
    "adaptive pool uneven": ([real(2, 7, 5, 6)], adaptive((3, 2))),
    "adaptive pool larger": ([real(2, 3, 5, 4)], adaptive((6, 6))),
    "concat": ([real(2, 3, 4), real(2, 5, 4), real(2, 1, 4)], lambda *parts: torch.cat(parts, 1)),
    "slice": ([real(5, 7, 6)], lambda x: x[1:5:2, 0:7:3, 2:6]),
    "pad": ([real(2, 3, 4)], lambda x: F.pad(x, (2, 0, 0, 3, 1, 1))),
    "transpose": ([real(2, 3, 4, 5)], lambda x: x.permute(3, 0, 2, 1)),
    "reshape": ([real(2, 3, 4)], lambda x: x.reshape(4, 6)),
    "reduce sum": ([real(3, 4, 5, 2)], lambda x: x.sum((0, 2))),
    "broadcast": ([real(3, 5)], lambda x: x[:, None, :, None].expand(3, 4, 5, 2)),
    "global norm": ([constant(3, 4), constant(7), constant()], lambda *t: torch.linalg.vector_norm(torch.cat([x.reshape(-1) for x in t]))),
    "softmax": ([real(4, 3, 7)], lambda x: F.softmax(x, -1)),
    "cross entropy": ([real(9, 7), labels(9, 7)], cross_entropy()),
    "cross entropy smoothed": ([real(9, 7), labels(9, 7)], cross_entropy(0.1)),
    "cross entropy weighted": ([real(9, 7), labels(9, 7), positive(7)], cross_entropy()),
    "cross entropy weighted smoothed": ([real(9, 7), labels(9, 7), positive(7)], cross_entropy(0.2)),
    "cross entropy soft": ([real(6, 5), positive(6, 5)], cross_entropy()),
    "cross entropy soft weighted smoothed": ([real(6, 5), positive(6, 5), positive(5)], cross_entropy(0.2)),
    "top 1": ([constant(40, 6), labels(40, 6)], top_k(1)),
    "top 3": ([constant(40, 6), labels(40, 6)], top_k(3)),
}


def golden(name, specs, function):
    operands = [operand(f"{name}/input{i}", spec) for i, spec in enumerate(specs)]
    outputs = function(*operands)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    results, total = {}, 0
    for i, y in enumerate(outputs):
        results[f"{name}/output{i}"] = sample(f"{name}/output{i}", y)
        if y.requires_grad:
            total = total + (y * torch.tensor(hash_value(name_hash(f"{name}/weights{i}"), tuple(y.shape), 15))).sum()
    for i, x in enumerate(operands):
        if x.requires_grad:
            gradient = torch.autograd.grad(total, x, retain_graph=True)[0]
            results[f"{name}/gradient{i}"] = sample(f"{name}/gradient{i}", gradient.contiguous())
    return results


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    tensors = {}
    for name, (specs, function) in CASES.items():
        tensors.update(golden(name, specs, function))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, OUT, {"versions": json.dumps({"torch": torch.__version__})})
    print(f"{len(CASES)} cases, {len(tensors)} tensors, {OUT.stat().st_size} bytes")
