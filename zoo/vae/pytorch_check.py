#!/usr/bin/env python3
"""Opens a trained genera-vae (mlp or conv) in PyTorch and compares its reconstructions with Genera's.

    genera-vae reconstruct RUN --count 48 --columns 48 --out both.npy
    python3 zoo/vae/pytorch_check.py RUN both.npy      # fails where the two differ by more than 1e-5

both.npy holds the test images and below them what Genera made of them. Needs PyTorch, NumPy and
safetensors.
"""

import pathlib
import sys

import numpy
import torch
from safetensors.torch import load_file
from torch.nn import functional


def linear(t, name, x):
    return functional.linear(x, t[name + ".weight"], t[name + ".bias"])


def mlp(t, x):
    h = functional.relu(linear(t, "encoder.1", x.flatten(1)))
    mean = linear(t, "encoder.3", h).chunk(2, 1)[0]
    h = functional.relu(linear(t, "decoder.0", mean))
    return linear(t, "decoder.2", h).reshape(x.shape)


def conv(t, x):
    def down(name, x):
        return functional.relu(functional.conv2d(x, t[name + ".weight"], t[name + ".bias"], 2, 1))

    def up(name, x):
        return functional.conv_transpose2d(x, t[name + ".weight"], t[name + ".bias"], 2, 1)

    h = down("encoder.2", down("encoder.0", x))
    h = functional.relu(linear(t, "encoder.5", h.flatten(1)))
    mean = linear(t, "encoder.7", h).chunk(2, 1)[0]
    h = functional.relu(linear(t, "decoder.0", mean))
    h = functional.relu(linear(t, "decoder.2", h))
    width = t["decoder.5.weight"].shape[0]
    h = h.reshape(len(x), width, x.shape[2] // 4, x.shape[3] // 4)
    return up("decoder.7", functional.relu(up("decoder.5", h)))


def main():
    run, both = pathlib.Path(sys.argv[1]), numpy.load(sys.argv[2])
    tensors = load_file(run / "checkpoints" / "best.safetensors")
    x, expected = torch.from_numpy(both[:len(both) // 2]), both[len(both) // 2:]
    model = conv if tensors["encoder.0.weight" if "encoder.0.weight" in tensors else "encoder.1.weight"].dim() == 4 else mlp
    with torch.no_grad():
        found = torch.sigmoid(model(tensors, x)).numpy()
    difference = float(numpy.abs(found - expected).max())
    print(f"{model.__name__}: {len(x)} images, largest difference {difference:.2g}")
    sys.exit(0 if difference <= 1e-5 else 1)


if __name__ == "__main__":
    main()
