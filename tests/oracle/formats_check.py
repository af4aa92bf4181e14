"""Loads weight files that Cambium wrote with PyTorch and safetensors, and compares them bit by bit.

    cambium convert tests/golden/formats/zip.pt a.pt; cambium convert tests/golden/formats/zip.pt a.safetensors
    python tests/oracle/formats_check.py a.pt a.safetensors

Without arguments it only checks that PyTorch itself reads the hand-made golden files as intended.
"""
import sys

import safetensors.torch
import torch

from formats_make import OUT, tensors


def load(path):
    if str(path).endswith(".safetensors"):
        return safetensors.torch.load_file(path)
    if str(path).endswith("tar.pt"):  # PyTorch reads its oldest layout only without the allow-list
        return torch.load(path, weights_only=False)
    return torch.load(path, weights_only=True)


def same(a, b):
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    a, b = a.detach().contiguous().flatten(), b.detach().contiguous().flatten()
    return a.numel() == 0 or torch.equal(a.view(torch.uint8), b.view(torch.uint8))


def check(path, expected):
    found = load(path)
    wrong = [name for name in {*expected, *found} if name not in found or name not in expected or not same(found[name], expected[name])]
    print(f"{path}: {len(found)} tensors, {'all equal' if not wrong else 'DIFFERENT: ' + ', '.join(sorted(wrong))}")
    return not wrong


if __name__ == "__main__":
    paths = sys.argv[1:]
    if paths:
        good = [check(path, tensors()) for path in paths]
    else:
        good = [check(OUT / name, tensors()) for name in ("tar.pt", "deflated.pt")]
        good.append(check(OUT / "big_endian.pt", {"weight": tensors()["weight"]}))
    sys.exit(0 if all(good) else 1)
