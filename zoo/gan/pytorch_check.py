#!/usr/bin/env python3
"""Opens a convolutional genera-gan generator in PyTorch and compares its images with Genera's.

    python3 zoo/gan/pytorch_check.py noise RUN z.npy       # writes noise for 48 images
    genera-gan sample RUN --noise z.npy --out x.npy
    python3 zoo/gan/pytorch_check.py compare RUN z.npy x.npy   # fails where the two differ by more than 1e-5

Needs PyTorch, NumPy and safetensors.
"""

import pathlib
import sys

import numpy
import torch
from safetensors import safe_open
from torch.nn import functional


def generator_in(run):
    prefix = "generator.body."
    with safe_open(pathlib.Path(run) / "checkpoints" / "best.safetensors", "pt") as file:
        tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}
        about = file.metadata()
    height, width = (int(n) for n in about["image"].split(",")[1:])
    return tensors, int(about.get("classes", 0)), height, width


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
