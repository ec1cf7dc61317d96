#!/usr/bin/env python3
"""What a model of images must beat, and what it cannot: the figures of trivial models on the test set.

    python3 zoo/floors.py [DATA] [--sheet FILE.pgm]

DATA, as for the programs: a folder of IDX files, or the name of one in $GENERA_DATA or among
Debian's data sets (fashion-mnist). --sheet writes the test images as one picture, for programs
that compress pictures: what they take in bits per pixel compares with bits_per_dim.

    cjxl -d 0 -e 8 sheet.pgm sheet.jxl    (Debian: libjxl-tools)
"""

import argparse
import collections
import gzip
import math
import os
import pathlib
import struct


def find(data):
    folders = [data, pathlib.Path(os.environ.get("GENERA_DATA", ".")) / data, pathlib.Path("/usr/share/datasets") / data]
    return next((folder for folder in map(pathlib.Path, folders) if folder.is_dir()), None)


def read(folder, names):
    """The first file of these names: count, height, width and the pixels of all images."""
    path = next(path for name in names for path in sorted(folder.glob(f"{name}-images*idx3-ubyte*")))
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    kind, count, height, width = struct.unpack(">4I", data[:16])
    if kind != 0x803 or len(data) != 16 + count * height * width:
        raise SystemExit(f"zoo/floors.py: {path} is not an IDX file of grey images")
    return count, height, width, data[16:]


def cross_entropy(target, probability):
    """-t log p - (1 - t) log (1 - p) in nats, where 0 log 0 = 0."""
    return -sum(t * math.log(p) for t, p in ((target, probability), (1 - target, 1 - probability)) if t > 0)


def factorised(train, test, trained, tested, pixels):
    """Mean cross entropy of the test images in nats per image, each pixel's probability being its mean over the training
    images, to which one image of the value 1/2 is added, so that none is 0."""
    total = 0
    for pixel in range(pixels):
        probability = (sum(train[pixel::pixels]) / 255 + 0.5) / (trained + 1)
        total += cross_entropy(sum(test[pixel::pixels]) / 255 / tested, probability)
    return total


def histograms(train, test, trained, tested, pixels):
    """Mean bits per pixel, each pixel having a histogram of its own over the training images; each of the 256 values is
    counted once more."""
    bits = 0
    for pixel in range(pixels):
        seen = collections.Counter(train[pixel::pixels])
        for value, count in collections.Counter(test[pixel::pixels]).items():
            bits -= count * math.log2((seen[value] + 1) / (trained + 256))
    return bits / (tested * pixels)


def sheet(test, tested, height, width):
    columns = math.isqrt(tested)
    rows = tested // columns
    lines = [test[((row * columns + column) * height + line) * width:][:width]
             for row in range(rows) for line in range(height) for column in range(columns)]
    return b"P5 %d %d 255\n" % (columns * width, rows * height) + b"".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("data", nargs="?", default="fashion-mnist")
    arguments.add_argument("--sheet", type=pathlib.Path)
    asked = arguments.parse_args()
    folder = find(asked.data)
    if folder is None:
        raise SystemExit(f"zoo/floors.py: no folder {asked.data}, neither here nor in $GENERA_DATA nor in /usr/share/datasets")
    trained, height, width, train = read(folder, ["train"])
    tested, _, _, test = read(folder, ["t10k", "test"])
    pixels = height * width
    print(f"{folder.name}: {tested} test images of {height} x {width}")
    if asked.sheet:
        asked.sheet.write_bytes(sheet(test, tested, height, width))
        return
    print(f"{factorised(train, test, trained, tested, pixels):9.1f} nats      Bernoulli, each pixel by itself (grey targets: cross entropy)")
    targets = sum(count * cross_entropy(value / 255, value / 255) for value, count in collections.Counter(test).items()) / tested
    print(f"{targets:9.1f} nats      the entropy of the grey targets, which no cross entropy is below")
    print(f"{histograms(train, test, trained, tested, pixels):9.3f} bits/dim  a histogram of 256 values for each pixel by itself")


if __name__ == "__main__":
    main()
