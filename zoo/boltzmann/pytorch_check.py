#!/usr/bin/env python3
"""Opens a restricted machine of genera-boltzmann in PyTorch and compares the images' probabilities.

    python3 zoo/boltzmann/pytorch_check.py PATH/TO/genera-boltzmann RUN TEST-IMAGES.gz

RUN is an `rbm` run on the data set whose test images (IDX, gzip) the file holds. `score` says log p(v) =
-F(v) - log Z; F is computed here in f64 from the checkpoint, and log Z is the same number for all images:
the differences to the first image must agree within 1e-5 nats per pixel.
"""

import gzip
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy
import torch
from torch.nn import functional


def tensors_in(path):
    """The format's own rules: a length, a JSON header, the bytes."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    data = content[8 + length:]
    result = {}
    for name, entry in header.items():
        if name.startswith("machine."):
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data[begin:end], dtype="<f4").reshape(entry["shape"])
            result[name.removeprefix("machine.")] = torch.from_numpy(values.astype("float64"))
    return result


def main():
    program, run, images = sys.argv[1:4]
    t = tensors_in(pathlib.Path(run) / "checkpoints" / "best.safetensors")
    pixels = len(t["visible.bias"])
    content = gzip.open(images).read()[16:]
    grey = numpy.frombuffer(content, dtype="uint8").reshape(-1, pixels) / numpy.float32(255)
    v = torch.from_numpy((grey >= 0.5).astype("float64"))
    theirs = v @ t["visible.bias"] + functional.softplus(v @ t["weight_1"] + t["bias_1"]).sum(1)
    with tempfile.TemporaryDirectory() as folder:
        scores = pathlib.Path(folder) / "scores.npy"
        subprocess.run([program, "score", run, "--out", scores, "--betas", "10"], check=True, stdout=subprocess.DEVNULL)
        ours = torch.from_numpy(numpy.load(scores))
    assert len(ours) == len(theirs), "the file does not hold the run's test images"
    difference = ((ours - ours[0]) - (theirs - theirs[0])).abs().max().item() / pixels
    print(f"{len(ours)} images, largest difference {difference:.1e} nats per pixel")
    sys.exit(0 if difference <= 1e-5 else 1)


if __name__ == "__main__":
    main()
