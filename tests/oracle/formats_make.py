"""Makes tests/golden/formats: one set of tensors, saved by PyTorch and safetensors in every layout that is read.

    python tests/oracle/formats_make.py
"""
import argparse
import collections
import io
import pathlib
import pickle
import struct
import tarfile
import zipfile

import numpy
import safetensors.torch
import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "formats"

STORAGE_CLASSES = {
    torch.float64: torch.DoubleStorage, torch.float32: torch.FloatStorage, torch.float16: torch.HalfStorage,
    torch.bfloat16: torch.BFloat16Storage, torch.int64: torch.LongStorage, torch.int32: torch.IntStorage,
    torch.uint8: torch.ByteStorage, torch.bool: torch.BoolStorage}


def tensors():
    """The values that tests/data/formats/golden.h expects."""
    weight = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 2 - 1
    return collections.OrderedDict(
        weight=weight,
        transposed=weight.t(),  # shares the storage, strides (1, 4)
        row=weight[1],  # shares the storage, offset 4
        columns=weight[:, 1:4:2],  # strides (4, 2), offset 1
        expanded=torch.tensor([[2.5]]).expand(2, 3),  # strides (0, 0)
        parameter=torch.nn.Parameter(torch.tensor([1.0, -2.0])),
        half=torch.arange(6).reshape(2, 3).half() / 4,
        brain=torch.arange(6).reshape(2, 3).bfloat16() / 4,
        double=torch.tensor([0.1, 1e300], dtype=torch.float64),
        steps=torch.tensor(2**40 + 7),  # rank 0
        labels=torch.tensor([-1, 2], dtype=torch.int32),
        pixels=torch.tensor([0, 128, 255], dtype=torch.uint8),
        mask=torch.tensor([True, False, True]),
        empty=torch.zeros(0, 3),
    )


def wrapped():
    """What a training script saves: DistributedDataParallel's names, an optimizer, arguments, NumPy's scalars."""
    state = collections.OrderedDict(("module." + name, value) for name, value in tensors().items())
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    parameter.sum().backward()
    optimizer.step()
    return {
        "epoch": 3,
        "arch": "resnet18",
        "best": numpy.float64(0.5),
        "args": argparse.Namespace(lr=0.1, layers=[1, 2]),
        "optimizer": optimizer.state_dict(),
        "classes": {"ant", "bee"},
        "state_dict": state,
    }


def save_tar(path):
    """PyTorch's layout before 0.1.10: entries storages, tensors and pickle (see _legacy_load in torch/serialization.py)."""
    state = tensors()
    state["parameter"] = state["parameter"].data
    storages, storage_list, tensor_list = {}, io.BytesIO(), io.BytesIO()
    keys = {id(value): str(1000 + i) for i, value in enumerate(state.values())}
    pickle.dump(len(state), tensor_list, 2)
    for value in state.values():
        address = value.untyped_storage().data_ptr()
        key, _ = storages.setdefault(address, (len(storages) + 1, value))
        pickle.dump((int(keys[id(value)]), key, torch.FloatTensor), tensor_list, 2)
        rank = value.dim()
        tensor_list.write(struct.pack(f"<i4x{2 * rank}qq", rank, *value.size(), *value.stride(), value.storage_offset()))
    pickle.dump(len(storages), storage_list, 2)
    for key, value in storages.values():
        storage = value.untyped_storage()
        pickle.dump((key, "cpu", STORAGE_CLASSES[value.dtype]), storage_list, 2)
        storage_list.write(struct.pack("<q", storage.nbytes() // value.element_size()) + bytes(storage))
    pickle.dump([], storage_list, 2)

    class TarPickler(pickle.Pickler):
        def persistent_id(self, value):
            return keys.get(id(value)) if isinstance(value, torch.Tensor) else None

    main = io.BytesIO()
    TarPickler(main, 2).dump(state)
    entries = {"sys_info": pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2), "pickle": main.getvalue(),
               "tensors": tensor_list.getvalue(), "storages": storage_list.getvalue()}
    blocks = b""
    for name, data in entries.items():
        info = tarfile.TarInfo(name)
        info.size = len(data)
        blocks += info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
    path.write_bytes(blocks + bytes(1024))


def rezip(source, target, compression, change=lambda name, data: data):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), change(name, old.read(name)), compression)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.save(tensors(), OUT / "zip.pt")
    torch.save(tensors(), OUT / "protocol4.pt", pickle_protocol=4)
    torch.save(tensors(), OUT / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(wrapped(), OUT / "wrapped_zip.pt")
    torch.save(wrapped(), OUT / "wrapped_legacy.pt", _use_new_zipfile_serialization=False)
    save_tar(OUT / "tar.pt")
    rezip(OUT / "zip.pt", OUT / "deflated.pt", zipfile.ZIP_DEFLATED)

    torch.save({"weight": tensors()["weight"]}, OUT / "little.pt")

    def swap(name, data):
        if name.endswith("byteorder"):
            return b"big"
        return numpy.frombuffer(data, "<f4").byteswap().tobytes() if "/data/" in name else data

    rezip(OUT / "little.pt", OUT / "big_endian.pt", zipfile.ZIP_STORED, swap)
    (OUT / "little.pt").unlink()
    torch.save({"weight": tensors()["weight"], "small": torch.tensor([1], dtype=torch.int8),
                "wave": torch.tensor([1j]), "tiny": torch.zeros(1, dtype=torch.float8_e4m3fn),
                "deep": torch.zeros(1, 1, 1, 1, 1, 2)}, OUT / "unsupported.pt")
    plain = {name: value.detach().clone().contiguous() for name, value in tensors().items()}
    safetensors.torch.save_file(plain, OUT / "plain.safetensors", metadata={"format": "pt"})
    for path in sorted(OUT.iterdir()):
        print(f"{path.stat().st_size:8d}  {path.name}")


if __name__ == "__main__":
    main()
