#!/usr/bin/env python3
"""Writes zoo/FIGURES.md, the table of what the records in zoo/results say.

    python3 zoo/figures.py              # --check: fails when the table says anything else

A record is one JSON file that a program wrote itself (`eval RUN --record FILE`; zoo/records.sh makes
them all). Records of one command that differ in the seed alone share a line and give the median.
"""

import json
import math
import pathlib
import re
import statistics
import sys

ZOO = pathlib.Path(__file__).resolve().parent
# Which figure stands for a run, the most telling first.
HEADLINES = ["log_likelihood", "log_likelihood_bound", "iwae", "negative_elbo", "bits_per_dim", "excess", "nats", "frechet",
             "high_quality", "nats_per_char"]


def group_of(record):
    return re.sub(r" --seed \d+", "", record["command"])


def headline(record):
    return next(name for name in HEADLINES if name in record["metrics"])


def decimals(standard_error):
    """Two, or as many as show two digits of the error."""
    return max(2, 1 - math.floor(math.log10(standard_error))) if standard_error > 0 else 2


def line(records):
    name = headline(records[0])
    figures = [record["metrics"][name] for record in records]
    places = max(decimals(figure["standard_error"]) for figure in figures)
    values = ", ".join(f"{figure['value']:.{places}f} ± {figure['standard_error']:.{places}f}" for figure in figures)
    if len(figures) > 1:
        values = f"**{statistics.median(figure['value'] for figure in figures):.{places}f}** ({values})"
    else:
        values = f"**{values}**"
    seeds = ", ".join(str(record["seed"]) for record in records)
    seconds = statistics.median(record["metrics"]["seconds"] for record in records)
    machine, threads = records[0]["machine"], records[0]["threads"]
    commits = ", ".join(sorted({record["commit"] for record in records}))
    return (f"| `{group_of(records[0])}` | {seeds} | {name} {values} {figures[0]['unit']} | {seconds:.0f} s | "
            f"{figures[0]['protocol']} | {machine['cpu']}, {machine['cores']} cores, "
            f"{threads} thread{'s' if threads > 1 else ''} | {commits} |")


def main():
    groups = {}
    for path in sorted((ZOO / "results").glob("*.json")):
        record = json.loads(path.read_text())
        groups.setdefault(group_of(record), []).append(record)
    rows = [line(sorted(records, key=lambda record: record["seed"])) for records in groups.values()]
    text = ("# Figures\n\nWritten by `python3 zoo/figures.py` from the records in `results/`, which "
            "`zoo/records.sh` makes. ± is the standard error over the test set.\n\n"
            "| command | seeds | figure | training | protocol | machine | commit |\n|---|---|---|---|---|---|---|\n")
    text += "\n".join(rows) + "\n"
    table = ZOO / "FIGURES.md"
    if "--check" not in sys.argv[1:]:
        table.write_text(text)
    elif table.read_text() != text:
        sys.exit("zoo/FIGURES.md does not say what the records say: run python3 zoo/figures.py")


if __name__ == "__main__":
    main()
