#!/usr/bin/env python3
"""What the engine and its programs may cost before any kernel counts, measured on this machine.

    python3 bench/limits.py --build build --json limits.json

The time from the start of genera-vae to its first training step, for a small and a large data set;
the engine's own cost of a training step of 1,500 graph nodes and of one addition, both with their
tiny kernels; the sizes of the stripped program and library. Medians: of --starts starts, of single
steps. One line per limit; the exit code is 1 if one is exceeded. The times want a machine that does
nothing else.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from compare_pytorch import Failure, Ours, commit, cpu_name  # noqa: E402

FIRST_STEP_S = {"sprites": 0.3, "fashion-mnist": 0.8}
ENGINE_MS = {"many_nodes_step": 0.5, "tiny_add": 0.003}
SIZE_MB = 10


def first_step_seconds(program, data):
    """From the start of a training to the line of its first step."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "train", "--data", data, "--steps", "1", "--out", f"{folder}/run"]
        begin = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as process:
            said, seconds = "", None
            for line in process.stdout:
                said += line
                if line.startswith("step 1/") and seconds is None:
                    seconds = time.perf_counter() - begin
        if process.returncode != 0 or seconds is None:
            raise Failure(f"{' '.join(map(str, command))}: {said.strip() or 'said nothing'}")
        return seconds


def stripped_megabytes(file):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / file.name
        shutil.copy(file, copy)
        subprocess.run(["strip", str(copy)], check=True)
        return copy.stat().st_size / 1e6


def measured(build, starts):
    """Rows of (what, unit, value, limit)."""
    program, library = build / "zoo" / "vae" / "genera-vae", build / "libgenera.so"
    for file in (program, library):
        if not file.is_file():
            raise Failure(f"no {file}: build it (ninja -C {build}), or name the folder with --build")
    for data, limit in FIRST_STEP_S.items():
        value = statistics.median(first_step_seconds(program, data) for _ in range(starts))
        yield f"genera-vae's first step, {data}", "s", value, limit
    bench = Ours(types.SimpleNamespace(build=build, seconds=1))
    for name, limit in ENGINE_MS.items():
        yield f"{name}, 1 thread", "ms", bench.run(name, 1)["median_ms"], limit
    size = stripped_megabytes(program) + stripped_megabytes(library.resolve())
    yield "genera-vae and libgenera.so, stripped", "MB", size, SIZE_MB


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"),
                        help="folder with zoo/vae/genera-vae and bench/genera-bench (%(default)s)")
    parser.add_argument("--starts", type=int, default=9, help="of genera-vae, each (%(default)s)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write a record")
    arguments = parser.parse_args()
    rows = []
    for what, unit, value, limit in measured(arguments.build, max(1, arguments.starts)):
        print(f"{what:40} {value:10.4g} {unit:3} limit {limit:g}{'' if value <= limit else '  EXCEEDED'}",
              flush=True)
        rows.append({"what": what, "unit": unit, "value": value, "limit": limit})
    if arguments.json:
        record = {"commit": commit(), "cpu": cpu_name(), "starts": arguments.starts, "limits": rows}
        arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 1 if any(row["value"] > row["limit"] for row in rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(2)
