#!/usr/bin/env python3
"""Opens a restricted machine of genera-boltzmann in PyTorch and compares the images' probabilities.

    python3 zoo/boltzmann/pytorch_check.py PATH/TO/genera-boltzmann RUN TEST-IMAGES.gz

RUN is an `rbm` run on the data set whose test images (IDX, gzip) the file holds. `score` says log p(v) =
-F(v) - log Z; F is computed here in f64 from the checkpoint, and log Z is the same number for all images:
the differences to the first image must agree within 1e-5 nats per pixel. Needs PyTorch, NumPy and safetensors.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file
from torch.nn import functional


def main():
    program, run, images = sys.argv[1:4]
    states = load_file(pathlib.Path(run) / "checkpoints" / "best.safetensors")
    t = {name.removeprefix("machine."): state.double() for name, state in states.items()}
    pixels = len(t["visible.bias"])
    content = gzip.open(images).read()[16:]
    grey = numpy.frombuffer(content, dtype="uint8").reshape(-1, pixels) / numpy.float32(255)
    v = torch.from_numpy((grey >= 0.5).astype("float64"))
    theirs = v @ t["visible.bias"] + functional.softplus(v @ t["weight_1"] + t["bias_1"]).sum(1)
    with tempfile.TemporaryDirectory() as folder:
        scores = pathlib.Path(folder) / "scores.npy"
        subprocess.run([program, "score", run, "--betas", "10", "--out", scores], check=True)
        ours = torch.from_numpy(numpy.load(scores))
    assert len(ours) == len(theirs), "the file does not hold the run's test images"
    difference = ((ours - ours[0]) - (theirs - theirs[0])).abs().max().item() / pixels
    print(f"{len(ours)} images, largest difference {difference:.1e} nats per pixel")
    sys.exit(0 if difference <= 1e-5 else 1)


if __name__ == "__main__":
    main()
