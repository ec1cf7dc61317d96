#!/usr/bin/env python3
"""A trained RealNVP of genera-flow, opened by PyTorch: the same log-likelihoods within 1e-5.

    python3 tests/pytorch_flow_test.py PATH/TO/genera-flow     (needs torch; the test suite does not run it)
"""

import csv
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import torch

LAYERS, BOUND = 4, 3.0


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def log_likelihood(states, x):
    """zoo/flow/realnvp.cpp in PyTorch: standardise, then ActNorm and an affine coupling of the halves in turn."""
    z = (x - states["standardise.mean"]) / states["standardise.deviation"]
    log_det = -states["standardise.deviation"].log().sum()
    middle = z.shape[1] // 2
    for i in range(LAYERS):
        norm, network = f"flow.{2 * i}.", f"flow.{2 * i + 1}.network."
        z = (z - states[norm + "mean"]) * states[norm + "log_scale"].exp()
        log_det = log_det + states[norm + "log_scale"].sum()
        first, second = z[:, :middle], z[:, middle:]
        passing, changed = (second, first) if i % 2 == 1 else (first, second)
        hidden = passing
        for layer in (0, 2, 4):
            hidden = hidden if layer == 0 else hidden.relu()
            hidden = hidden @ states[f"{network}{layer}.weight"].T + states[f"{network}{layer}.bias"]
        shift, raw = hidden.chunk(2, dim=1)
        log_scale = BOUND * torch.tanh(raw / BOUND)
        changed = changed * log_scale.exp() + shift
        log_det = log_det + log_scale.sum(dim=1)
        z = torch.cat((changed, passing) if i % 2 == 1 else (passing, changed), dim=1)
    return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(dim=1) + log_det


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source = random.Random(1)
        rows = []
        for _ in range(500):
            a, b = source.gauss(5, 1), source.gauss(0, 1)
            rows.append([a, a * b, b + source.random(), abs(a) ** 0.5])
        with open(folder / "table.csv", "w", newline="") as file:
            csv.writer(file).writerows([["a", "b", "c", "d"], *rows])

        def run(*arguments):
            subprocess.run([program, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

        run("train", "--model", "realnvp", "--data", "table.csv", "--layers", str(LAYERS), "--steps", "300",
            "--batch", "64", "--out", "run")
        run("score", "run", "--out", "scores.csv")
        with open(folder / "scores.csv", newline="") as file:
            ours = torch.tensor([float(row[1]) for row in list(csv.reader(file))[1:]])
        states = read_safetensors(folder / "run/checkpoints/best.safetensors")
        theirs = log_likelihood(states, torch.tensor(rows, dtype=torch.float32))
    worst = ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max().item()
    print(f"largest difference of {len(ours)} log-likelihoods: {worst:.2g}")
    if not (len(ours) == len(rows) and worst < 1e-5):
        sys.exit("PyTorch computes something else")


if __name__ == "__main__":
    main()
