"""Reads and writes safetensors: 8 bytes header length, a JSON header, raw little-endian data."""
import json
import struct
from pathlib import Path

import numpy as np
import torch

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I32": torch.int32}


def save(path, tensors, metadata=None):
    """Writes beside, then renames. Tensors keep their dtype and their order."""
    names = {dtype: name for name, dtype in DTYPES.items()}
    header, offset = {"__metadata__": {"format": "pt", **(metadata or {})}}, 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    beside = Path(path).with_suffix(".tmp")
    with beside.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            data = tensor.detach().cpu().contiguous().flatten()
            is_bf16 = data.dtype == torch.bfloat16
            out.write((data.view(torch.int16) if is_bf16 else data).numpy().tobytes())
    beside.replace(path)


def load(path):
    """Tensors by name."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype = DTYPES[entry["dtype"]]
        begin, end = (8 + length + o for o in entry["data_offsets"])
        raw = np.frombuffer(data[begin:end], np.uint8).copy()
        tensors[name] = torch.from_numpy(raw).view(dtype).reshape(entry["shape"])
    return tensors


def part_of(state, prefix):
    """The tensors under a prefix, without it."""
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
