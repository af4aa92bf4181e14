"""Compares golden files that were made again with the committed ones; exits 1 at the first difference.

    python tests/oracle/golden_diff.py MADE COMMITTED      two folders such as tests/golden; all that is in MADE is compared

Tolerances, and why they are not zero:
  float64 figures   1e-10 of the largest magnitude of their tensor. Another processor or number of threads adds in another
                    order: the figures then move by 1e-15 in an operator, by up to 1e-12 in a deep network. The tests allow 1e-9.
  PyTorch's errors  in f32 (f32_error): within a factor of 4 of the median over batches, since they are rounding itself.
                    The tests allow 3 to 4 times these errors, and 1e-6 in any case: what lies below a quarter of that
                    counts as a quarter of that.
  PyTorch files     by what torch.load makes of them, bit by bit, where their bytes differ: a legacy file holds addresses.
  everything else   byte by byte: neither Pillow nor torchvision's roundings depend on the machine.
"""

import json
import pathlib
import struct
import sys

import numpy as np

TOLERANCE = 1e-10
ERROR_FACTOR = 4
ERROR_FLOOR = 1e-6 / ERROR_FACTOR


def read_f64(path):
    """The tensors of a safetensors file, or None if it holds anything but float64."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] != "F64":
            return None
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], "<f8").reshape(entry["shape"])
    return tensors


def error_difference(made, committed):
    """Rows are batches, or one row; columns are PyTorch's settings."""
    made, committed = (np.median(np.atleast_2d(x), axis=0) for x in (made, committed))
    factor = np.maximum(made, committed) / np.maximum(np.minimum(made, committed), ERROR_FLOOR)
    at = int(np.argmax(factor))
    if factor[at] <= ERROR_FACTOR:
        return None
    return f"an f32 error of {made[at]:.3g}, committed {committed[at]:.3g}: more than a factor of {ERROR_FACTOR}"


def figure_difference(made, committed):
    largest = np.abs(committed).max(initial=0)
    wrong = ~(np.abs(made - committed) <= TOLERANCE * largest)  # NaN is wrong too
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"at {list(at)} {made[at]:.17g}, committed {committed[at]:.17g}: more than {TOLERANCE:g} of {largest:.3g} apart"


def tensor_difference(made, committed):
    for name in sorted(made.keys() ^ committed.keys()):
        return f"'{name}' is in {'the made' if name in made else 'the committed'} file only"
    for name, values in made.items():
        if values.shape != committed[name].shape:
            return f"'{name}' has shape {values.shape}, committed {committed[name].shape}"
        compare = error_difference if name.startswith("f32_error") else figure_difference
        if found := compare(values, committed[name]):
            return f"'{name}': {found}"
    return None


def equal(a, b):
    """Whether two loaded checkpoints are the same, down to the bits of every tensor."""
    import torch

    from formats_check import same

    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.stride() == b.stride() and same(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def checkpoint_difference(made, committed):
    import torch

    loaded = [torch.load(path, weights_only=False) for path in (made, committed)]  # the repository's own files
    return None if equal(*loaded) else "is not what torch.load makes of the committed file"


def difference(made, committed):
    if not committed.exists():
        return "is not committed"
    if made.suffix == ".safetensors":
        figures = read_f64(made), read_f64(committed)
        if None not in figures:
            return tensor_difference(*figures)
    a, b = made.read_bytes(), committed.read_bytes()
    if a == b:
        return None
    if made.suffix == ".pt":
        return checkpoint_difference(made, committed)
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"differs from byte {at} on ({len(a)} bytes, committed {len(b)})"


def main(made, committed):
    made, committed = pathlib.Path(made), pathlib.Path(committed)
    files = sorted(path for path in made.rglob("*") if path.is_file())
    if not files:
        sys.exit(f"{made} holds no files: nothing was compared")
    for path in files:
        name = path.relative_to(made)
        if found := difference(path, committed / name):
            sys.exit(f"{name} {found}")
    print(f"{len(files)} golden files are as committed")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
