#!/usr/bin/env python3
"""Genera against PyTorch on this machine: the same workloads, in turn, in fresh processes.

    python3 bench/compare_pytorch.py --build build --threads 1,2 --json record.json

Each round runs genera-bench, then PyTorch eager, then PyTorch compiled. A round in which other
processes took more than --noise percent of the machine is run again after waiting (at most --wait
seconds) for a quiet moment, up to --retries times. The least disturbed run counts, and is marked
with ! if it was still disturbed: PyTorch's spinning threads suffer from company more than ours.
Each run gives the median of its steps, taken one by one, ours and PyTorch's alike.
One line per workload and thread count: the medians over the rounds, and the ratio of PyTorch's
better figure to ours (above 1: Genera is faster). Then one line per thread count: the geometric
mean of the ratios of the whole models. PyTorch runs with its allocator told to keep memory and
with fused Adam; bench/peers has the workloads.

A record that exists is added to: a workload that is measured again takes the place of its old
result, all others stay, and each names its commit. So runs of single workloads make one record,
and the last lines are about all that it holds.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"
sys.path.insert(0, str(PEERS))
import timing  # noqa: E402  (PyTorch itself is loaded by the processes that this one starts)
import workloads  # noqa: E402

MODELS = workloads.MODELS
# How far apart the numbers that three steps give may be, relatively: rounding in the first, and
# what two optimiser steps make of it in the others.
TOLERANCES = [1e-4, 2e-3, 2e-3]
UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}


class Failure(Exception):
    """Ends the program with one line."""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="folder with bench/genera-bench (%(default)s)")
    parser.add_argument("--python", default=None,
                        help="one that has torch (default: .venv/bin/python, else this one)")
    parser.add_argument("--workloads", default=",".join(MODELS), metavar="NAME,...",
                        help="names, 'models', 'operations' or 'all'; * is any text (models)")
    parser.add_argument("--threads", default="1,2", metavar="N,...",
                        help="numbers of threads, each measured by itself (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5,
                        help="turns of each program (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring, in each process (%(default)s)")
    parser.add_argument("--modes", default="eager,compiled",
                        help="how PyTorch runs: eager, compiled, or both (%(default)s)")
    parser.add_argument("--layouts", choices=("best", "nchw"), default="best",
                        help="best: also time channels last where there are images")
    parser.add_argument("--clock", choices=("real", "cpu"), default="real",
                        help="cpu: for one thread on a busy machine; waiting does not count")
    parser.add_argument("--noise", type=float, default=5.0, metavar="PERCENT",
                        help="of the machine that others may take during a run (%(default)s)")
    parser.add_argument("--retries", type=int, default=3,
                        help="how often a disturbed run is repeated (%(default)s)")
    parser.add_argument("--wait", type=float, default=30.0, metavar="SECONDS",
                        help="longest wait for a quiet moment before that (%(default)s)")
    parser.add_argument("--limit", type=float, default=600.0, metavar="SECONDS",
                        help="for one PyTorch process: a compilation that takes longer is left out (%(default)s)")
    parser.add_argument("--peer-only", action="store_true", help="no genera-bench")
    parser.add_argument("--ours-only", action="store_true", help="no PyTorch")
    parser.add_argument("--check", action="store_true",
                        help="compare results instead of times, on the same weights and draws")
    parser.add_argument("--small", action="store_true", help="check small versions of the models")
    parser.add_argument("--list", action="store_true", help="print the workloads' names and stop")
    parser.add_argument("--json", metavar="FILE", help="write a record of all figures, or add them to one")
    return parser.parse_args()


def choose_workloads(text):
    known, chosen = MODELS + workloads.OPERATIONS, []
    groups = {"models": MODELS, "operations": workloads.OPERATIONS, "all": known}
    for word in text.split(","):
        pattern = re.escape(word).replace(r"\*", ".*")
        names = groups.get(word) or [name for name in known if re.fullmatch(pattern, name)]
        if not names:
            raise Failure(f"unknown workload '{word}' (see --list)")
        chosen += [name for name in names if name not in chosen]
    return chosen


def run_process(command, limit=None):
    """(standard output, percent of the machine that others used) of a process, which may take
    `limit` seconds."""
    def children():
        times = os.times()
        return times.children_user + times.children_system

    machine, own, begin = timing.busy_seconds(), children(), time.perf_counter()
    environment = {k: v for k, v in os.environ.items() if k != "PEER_SETTINGS"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False,
                              timeout=limit)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{pathlib.Path(command[0]).name}: not done after {limit:g} s") from error
    elapsed = time.perf_counter() - begin
    others = (timing.busy_seconds() - machine) - (children() - own)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        named = re.compile(r"[\w.]*(Error|Exception|Unsupported)\b")
        errors = [line for line in lines if named.match(line)]
        reason = (errors or lines or [f"exit code {done.returncode}"])[-1].removeprefix("error: ")
        raise Failure(f"{pathlib.Path(command[0]).name}: {reason}")
    return done.stdout, 100 * max(0.0, others) / (elapsed * os.cpu_count())


class Ours:
    """genera-bench: one process per measurement. Its figures are those of single steps, as the
    peers' are (bench/peers/timing.py): medians of both, not a mean against a median."""

    def __init__(self, arguments):
        self.seconds = arguments.seconds
        build = pathlib.Path(arguments.build)
        candidates = [build / "bench" / "genera-bench", build / "genera-bench"]
        self.program = next((path for path in candidates if path.is_file()), None)
        if self.program is None:
            raise Failure(f"no genera-bench in {build}/bench: build it (ninja -C {build}), "
                          "name the folder with --build, or use --peer-only")

    def run(self, workload, threads):
        output, noise = run_process([
            str(self.program), "--benchmark_format=json",
            f"--benchmark_filter=^{re.escape(workload)}/threads:{threads}(/.*)?$",
            f"--benchmark_min_time={self.seconds}"])
        try:
            content = json.loads(output)
        except ValueError as error:
            raise Failure(f"genera-bench has no benchmark '{workload}/threads:{threads}' "
                          "or printed no JSON") from error
        rows = content["benchmarks"]
        if not rows or rows[0].get("error_occurred"):
            reason = rows[0]["error_message"] if rows else "no such benchmark"
            raise Failure(f"genera-bench: {workload}/threads:{threads}: {reason}")
        row = rows[0]
        return {"median_ms": row["median_ms"], "min_ms": row["min_ms"],
                "cpu_ms": row["cpu_time"] * UNITS[row.get("time_unit", "ns")],
                "noise_pct": round(noise, 1)}


class Peer:
    """PyTorch: one process per measurement."""

    def __init__(self, arguments):
        own = HERE.parent / ".venv" / "bin" / "python"
        self.python = arguments.python or (str(own) if own.is_file() else sys.executable)
        self.seconds, self.limit = arguments.seconds, arguments.limit
        command = [self.python, "-c", "import torch; print(torch.__version__)"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise Failure(f"cannot run {self.python}: {error.strerror}") from error
        if done.returncode != 0:
            raise Failure(f"{self.python} has no torch: python3 -m venv .venv && "
                          ".venv/bin/pip install torch numpy, or name one with --python")
        self.version = done.stdout.strip()

    def run(self, workload, threads, mode, layout):
        program = "model.py" if workload in MODELS else "operations.py"
        output, _ = run_process([
            self.python, str(PEERS / program), workload, "--mode", mode, "--layout", layout,
            "--threads", str(threads), "--seconds", str(self.seconds)], self.limit)
        return json.loads(output.splitlines()[-1])

    def compute(self, workload, case, small):
        """(our results, PyTorch's) of a case that genera-bench wrote."""
        output, _ = run_process([self.python, str(PEERS / "model.py"), workload, "--case", case]
                                + ["--small"] * small)
        found = json.loads(output.splitlines()[-1])
        return found["ours"], found["peer"]


def check(arguments):
    """Holds the models against each other: the same weights, input and draws must give the same
    numbers for three steps, so that neither side's benchmark leaves work out."""
    ours, peer, wrong = Ours(arguments), Peer(arguments), []
    with tempfile.TemporaryDirectory() as folder:
        case = str(pathlib.Path(folder) / "case.safetensors")
        for workload in choose_workloads(arguments.workloads):
            if workload not in MODELS:
                continue
            run_process([str(ours.program), "--case", workload, case]
                        + ["small"] * arguments.small)
            mine, theirs = peer.compute(workload, case, arguments.small)
            far = [abs(a - b) / max(abs(b), 1e-30) for a, b in zip(mine, theirs)]
            good = len(mine) == len(theirs) == len(TOLERANCES) and all(
                d <= limit for d, limit in zip(far, TOLERANCES))
            if not good:
                wrong.append(workload)
            print(f"{workload:20s} ours {mine[0]:.7g} PyTorch {theirs[0]:.7g}  relatively apart "
                  + " ".join(f"{d:.1e}" for d in far) + ("" if good else "  WRONG"), flush=True)
    if wrong:
        raise Failure("not the same model: " + ", ".join(wrong))


def wait_for_quiet(arguments):
    """Returns when a second has passed with the machine nearly idle, or after --wait seconds."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < arguments.wait:
        busy, start = timing.busy_seconds(), time.perf_counter()
        time.sleep(1.0)
        used = (timing.busy_seconds() - busy) / (time.perf_counter() - start) / os.cpu_count()
        if 100 * used <= arguments.noise:
            return


def quiet_run(arguments, measure):
    """Runs `measure` until the machine was quiet; the least disturbed run if it never is."""
    runs = []
    for _ in range(arguments.retries + 1):
        if runs:
            wait_for_quiet(arguments)
        runs.append(measure())
        if runs[-1]["noise_pct"] <= arguments.noise:
            break
    return min(runs, key=lambda run: run["noise_pct"])


def contestants(arguments, ours, peer, workload, threads):
    """{label: function that measures once}, in the order of their turns."""
    chosen = {}
    if ours:
        chosen["ours"] = lambda: ours.run(workload, threads)
    if peer:
        layouts = workloads.layouts(workload) if arguments.layouts == "best" else ["nchw"]
        for mode in arguments.modes.split(","):
            for layout in layouts:
                chosen[f"{mode}/{layout}"] = (
                    lambda mode=mode, layout=layout: peer.run(workload, threads, mode, layout))
    return chosen


def take_turns(arguments, workload, turns):
    """{label: what each round measured}; without those that PyTorch cannot compile."""
    rounds = {label: [] for label in turns}
    for _ in range(arguments.rounds):
        for label, measure in list(turns.items()):
            try:
                rounds[label].append(quiet_run(arguments, measure))
            except Failure as error:
                # What PyTorch cannot compile it need not run; all else must work.
                if not label.startswith("compiled"):
                    raise
                print(f"{workload}: {label}: {error}", file=sys.stderr)
                del turns[label], rounds[label]
    return rounds


def summarise(workload, threads, rounds, arguments):
    """What a record holds of a workload: the medians over the rounds (eager and compiled take their
    best layout), and all that was measured."""
    figures, limit = {}, arguments.noise
    clock = "cpu_ms" if arguments.clock == "cpu" else "median_ms"
    for label, runs in rounds.items():
        kind = label.split("/")[0]
        found = {"median_ms": statistics.median(run[clock] for run in runs),
                 "min_ms": min(run["min_ms" if clock == "median_ms" else clock] for run in runs),
                 "label": label,
                 "disturbed_rounds": sum(run["noise_pct"] > limit for run in runs)}
        if kind not in figures or found["median_ms"] < figures[kind]["median_ms"]:
            figures[kind] = found
    peers = [figures[kind]["median_ms"] for kind in ("eager", "compiled") if kind in figures]
    ratio = min(peers) / figures["ours"]["median_ms"] if peers and "ours" in figures else None
    return {"commit": commit(), "rounds_run": arguments.rounds, "seconds": arguments.seconds,
            "workload": workload, "threads": threads, "figures": figures, "ratio": ratio,
            "rounds": rounds}


def print_line(summary):
    cells = []
    for kind in ("ours", "eager", "compiled"):
        figure = summary["figures"].get(kind)
        if figure:
            mark = "!" if figure["disturbed_rounds"] else " "
            cells.append(f"{kind} {figure['median_ms']:9.4g} ms (min {figure['min_ms']:.4g}){mark}")
    if summary["ratio"]:
        cells.append(f"ratio {summary['ratio']:.2f}")
    print(f"{summary['workload']:38s} {summary['threads']}T  " + "  ".join(cells), flush=True)


def means_of(results):
    """The geometric mean of the whole models' ratios for each thread count, with the smallest."""
    means = []
    for threads in sorted({result["threads"] for result in results}):
        ratios = {result["workload"]: result["ratio"] for result in results
                  if result["threads"] == threads and result["workload"] in MODELS
                  and result["ratio"]}
        if ratios:
            smallest = min(ratios, key=ratios.get)
            means.append({"threads": threads,
                          "geometric_mean": statistics.geometric_mean(ratios.values()),
                          "models": len(ratios), "of": len(MODELS),
                          "smallest": ratios[smallest], "smallest_model": smallest})
    return means


def print_mean(mean):
    print(f"{'geometric mean':38s} {mean['threads']}T  ratio {mean['geometric_mean']:.2f} over "
          f"{mean['models']} of {mean['of']} models, smallest {mean['smallest']:.2f} "
          f"({mean['smallest_model']})", flush=True)


class Record:
    """The results of this call, together with those that its file held before."""

    def __init__(self, path, conditions):
        """`conditions` are what results of one record share. Failure if the file has others."""
        self.path, self.conditions, self.results = path, conditions, []
        if not path or not os.path.exists(path):
            return
        old = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        for name, value in conditions.items():
            if old.get(name) != value:
                raise Failure(f"{path} holds results of another kind ({name}: {old.get(name)}, "
                              f"here {value}): name another file")
        self.results = old["results"]

    def add(self, result):
        """Writes the file at once: a call that is stopped leaves what it has measured."""
        def key(one):
            return one["workload"], one["threads"]

        self.results = [one for one in self.results if key(one) != key(result)] + [result]
        self.results.sort(key=key)
        if self.path:
            content = {**self.conditions, "means": means_of(self.results), "results": self.results}
            pathlib.Path(self.path).write_text(json.dumps(content, indent=1) + "\n",
                                               encoding="utf-8")


def commit():
    """The commit that is measured, "-dirty" with changes to anything but records."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False)

    described = git("describe", "--always", "--abbrev=12").stdout.strip()
    changed = git("diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)*/results/*").returncode
    return described + "-dirty" * changed if described else "unknown"


def cpu_name():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return re.search(r"model name\s*:\s*(.*)", text).group(1)
    except (OSError, AttributeError):
        return platform.processor()


def compare(arguments):
    chosen = choose_workloads(arguments.workloads)
    if arguments.clock == "cpu" and arguments.threads != "1":
        raise Failure("--clock cpu needs --threads 1: waiting threads use the processor too")
    ours = None if arguments.peer_only else Ours(arguments)
    peer = None if arguments.ours_only else Peer(arguments)
    record = Record(arguments.json, {
        "cpu": cpu_name(), "cores": os.cpu_count(), "torch": peer.version if peer else None,
        "clock": arguments.clock})
    disturbed = False
    for workload in chosen:
        for threads in (int(word) for word in arguments.threads.split(",")):
            turns = contestants(arguments, ours, peer, workload, threads)
            result = summarise(workload, threads, take_turns(arguments, workload, turns), arguments)
            print_line(result)
            record.add(result)
            disturbed |= any(figure["disturbed_rounds"] for figure in result["figures"].values())
    for mean in means_of(record.results):
        print_mean(mean)
    if disturbed:
        print(f"! other processes took over {arguments.noise:g} % of the machine in a round",
              file=sys.stderr)


def main():
    arguments = parse_arguments()
    if arguments.list:
        print("\n".join(MODELS + workloads.OPERATIONS))
        return
    try:
        check(arguments) if arguments.check else compare(arguments)
    except (Failure, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
