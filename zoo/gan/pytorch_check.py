#!/usr/bin/env python3
"""Opens a convolutional genera-gan generator in PyTorch and compares its images with Genera's.

    python3 zoo/gan/pytorch_check.py noise RUN z.npy       # writes noise for 48 images
    genera-gan sample RUN --noise z.npy --out x.npy
    python3 zoo/gan/pytorch_check.py compare RUN z.npy x.npy   # fails where the two differ by more than 1e-5

Needs PyTorch and NumPy; reads the checkpoint with the safetensors format's own rules: a length, a
JSON header, the bytes.
"""

import json
import pathlib
import struct
import sys

import numpy
import torch
from torch.nn import functional


def generator_in(run):
    content = (pathlib.Path(run) / "checkpoints" / "best.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    data = content[8 + length:]
    result = {}
    for name, entry in header.items():
        if name.startswith("generator.body."):
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data[begin:end], dtype="<f4").reshape(entry["shape"])
            result[name.removeprefix("generator.body.")] = torch.from_numpy(values.copy())
    classes = int(header["__metadata__"].get("classes", 0))
    height, width = (int(n) for n in header["__metadata__"]["image"].split(",")[1:])
    return result, classes, height, width


def images(t, z, classes, height, width):
    def normed(name, x):
        return functional.relu(functional.batch_norm(x, t[name + ".running_mean"], t[name + ".running_var"],
                                                     t[name + ".weight"], t[name + ".bias"]))

    if classes:
        z = torch.cat([z, functional.one_hot(torch.arange(len(z)) % classes, classes).float()], 1)
    h = functional.linear(z, t["0.weight"]).reshape(len(z), -1, height // 4, width // 4)
    h = functional.conv_transpose2d(normed("2", h), t["4.weight"], None, 2, 1)
    h = functional.conv_transpose2d(normed("5", h), t["7.weight"], t["7.bias"], 2, 1)
    return torch.tanh(h) / 2 + 0.5


def main():
    verb, run, noise = sys.argv[1:4]
    tensors, classes, height, width = generator_in(run)
    if verb == "noise":
        latent = tensors["0.weight"].shape[1] - classes
        numpy.save(noise, numpy.random.default_rng(0).standard_normal((48, latent), dtype="float32"))
        return
    with torch.no_grad():
        found = images(tensors, torch.from_numpy(numpy.load(noise)), classes, height, width).numpy()
    difference = float(numpy.abs(found - numpy.load(sys.argv[4])).max())
    print(f"{len(found)} images, largest difference {difference:.2g}")
    sys.exit(0 if difference <= 1e-5 else 1)


if __name__ == "__main__":
    main()
