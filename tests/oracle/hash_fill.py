"""Values that the C++ tests and these scripts compute alike, bit for bit, so that no golden file has to hold inputs or
weights. tests/hash_fill.h is the twin of this file: change both or neither."""

import numpy as np


def hash32(x):
    """The finaliser of MurmurHash3 (Appleby), on arrays of uint32."""
    x = np.asarray(x, dtype=np.uint32)
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x85EBCA6B)
    x = x ^ (x >> np.uint32(13))
    x = x * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def hash_bits(seed, count):
    """16 hashed bits for each element (in the order of the file: OIHW for filters) of the tensor numbered `seed`."""
    start = np.uint32((seed * 0x9E3779B1) & 0xFFFFFFFF)
    return hash32(start + np.arange(count, dtype=np.uint32)) >> np.uint32(16)


def hash_value(seed, shape, k):
    """f64 of `shape`, uniform in [-2^(15-k), 2^(15-k)), multiples of 2^-k: exact in f32, and k = 15 means [-1, 1)."""
    count = int(np.prod(shape, dtype=np.int64))
    return np.ldexp(hash_bits(seed, count).astype(np.float64) - 32768, -k).reshape(shape)


def hash_below(seed, shape, bound):
    """i64 of `shape` in [0, bound), for labels; bound <= 65536."""
    count = int(np.prod(shape, dtype=np.int64))
    return ((hash_bits(seed, count).astype(np.uint64) * np.uint64(bound)) >> np.uint64(16)).astype(np.int64).reshape(shape)
