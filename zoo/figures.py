#!/usr/bin/env python3
"""Writes the table of all models into zoo/README.md, between its two marker lines.

    python3 zoo/figures.py              # --check: fails when the table says anything else

What the table is made of:
    zoo/*/settings.cpp    the models: the choices of --model
    zoo/records.txt       the records there shall be, in the table's order
    zoo/results           the records themselves, written by the programs (zoo/records.sh makes them all), with a picture each
    zoo/published.toml    the models' papers, and what others report
Records of one line of records.txt differ in the seed alone: they share a row and give the median.
"""

import html
import json
import math
import pathlib
import re
import statistics
import sys
import tomllib

ZOO = pathlib.Path(__file__).resolve().parent
BEGIN = "<!-- Written by python3 zoo/figures.py, until the end mark -->"
END = "<!-- End of what python3 zoo/figures.py writes -->"
# The figure that stands for a run, the most telling first, and those that belong beside it.
HEADLINES = {
    "log_likelihood": [], "log_likelihood_bound": [], "iwae": [], "negative_elbo": ["class_agreement"], "bits_per_dim": [],
    "excess": [], "nats": [], "frechet": ["precision", "recall", "classes", "class_agreement"], "high_quality": ["modes"],
    "nats_per_char": [],
}
LARGEST_PICTURE = 100_000  # bytes: what is in the repository is fetched by all


class Wanted:
    """A line of records.txt."""

    def __init__(self, line):
        self.name, self.family, self.seeds, self.flags, _ = (part.strip() for part in line.split("|"))
        self.model = self.flags.split("--model ")[1].split()[0]

    def stems(self):
        """The names of its files in results/, without extension."""
        return [self.name] if self.seeds == "0" else [f"{self.name}-seed{seed}" for seed in self.seeds.split()]


def read_wanted():
    lines = (ZOO / "records.txt").read_text().splitlines()
    return [Wanted(line) for line in lines if line.strip() and not line.startswith("#")]


def models_of(family):
    """The choices of --model of a program."""
    found = re.search(r'"model",\s*s\.model,\s*\{([^}]*)\}', (ZOO / family / "settings.cpp").read_text())
    if not found:
        sys.exit(f"zoo/figures.py: zoo/{family}/settings.cpp has no choice of --model that this script finds")
    return re.findall(r'"([^"]+)"', found[1])


def shown_flags(flags):
    """What tells one record of a model from another."""
    return re.sub(r" *--(model|seed|threads) \S+", "", " " + flags).strip()


def places_of(figure):
    """As many decimals as show two digits of the error."""
    if figure["standard_error"] > 0:
        return max(2, 1 - math.floor(math.log10(figure["standard_error"])))
    return 0 if figure["value"] == int(figure["value"]) else 4


def figure_text(name, records):
    figures = [record["metrics"][name] for record in records]
    places = max(places_of(figure) for figure in figures)
    texts = [f"{figure['value']:.{places}f}" + (f" ± {error:.{places}f}" if (error := figure["standard_error"]) > 0 else "")
             for figure in figures]
    values = f"**{texts[0]}**"
    if len(figures) > 1:
        values = f"**{statistics.median(figure['value'] for figure in figures):.{places}f}** ({', '.join(texts)})"
    return f"`{name}` {values} {figures[0]['unit']}".rstrip()


def references(name, metrics):
    """The same figure of what was measured beside the model, as `train.frechet`; "" where nothing was."""
    others = [f"{key.removesuffix('.' + name)} {one['value']:.2f}" for key, one in metrics.items() if key.endswith("." + name)]
    return f"beside it: {', '.join(others)}" if others else ""


def figures_cell(records):
    first = records[0]["metrics"]
    headline = next(name for name in HEADLINES if name in first)
    beside = [name for name in HEADLINES[headline] if name in first]
    lines = [figure_text(name, records) for name in [headline, *beside]]
    if shown := references(headline, first):
        lines.insert(1, shown)
    links = ", ".join(f"[{record['seed']}](results/{record['stem']}.json)" for record in records)
    lines.append(f"seed{'s' if len(records) > 1 else ''} {links}; {first[headline]['protocol']}")
    return "<br>".join(lines)


def time_cell(records):
    seconds = statistics.median(record["metrics"]["seconds"] for record in records)
    threads = records[0]["threads"]
    return f"{seconds:.0f} s<br>{threads} thread{'s' if threads > 1 else ''}"


def picture_cell(stem):
    text, picture = ZOO / f"results/{stem}.txt", ZOO / f"results/{stem}.png"
    if text.exists():
        return f"[text](results/{text.name})"
    return f'<img src="results/{picture.name}" width="240" alt="Samples of {html.escape(stem)}">' if picture.exists() else ""


def flag_set(flags):
    """Flags without regard to their order; the seed and the threads are the record's own."""
    named = re.sub(r"--(seed|threads) \S+", "", flags)
    return {" ".join(flag.split()) for flag in named.split("--") if flag.strip()}


def row(wanted, paper, published):
    records = []
    for stem in wanted.stems():
        if (path := ZOO / f"results/{stem}.json").exists():
            records.append(json.loads(path.read_text()) | {"stem": stem})
    flags = records[0]["command"].split(" train ")[1] if records else wanted.flags
    if any(record["model"] != wanted.model for record in records):
        sys.exit(f"zoo/figures.py: zoo/results holds another model than {wanted.model} as {wanted.name}")
    for record in records:
        if flag_set(record["command"].split(" train ")[1]) != flag_set(wanted.flags):
            sys.exit(f"zoo/figures.py: zoo/results/{record['stem']}.json was made by {record['command']}, "
                     f"zoo/records.txt says {wanted.flags}")
    model = f"**{wanted.model}**<br>`{shown_flags(flags)}`"
    cells = [figures_cell(records), time_cell(records)] if records else ["no record yet", ""]
    cells = [model, paper, *cells, published, picture_cell(wanted.stems()[0])]
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def family_table(family, wanted, papers, published):
    lines = [f"### genera-{family}", "", "| model, `train` flags | paper | figure | time | published | picture |", "|---|---|---|---|---|---|"]
    last = ""
    models = models_of(family)
    if different := set(models) ^ papers.keys():
        sys.exit(f"zoo/figures.py: only one of genera-{family} and zoo/published.toml has the model {', '.join(sorted(different))}")
    for model in models:
        mine = [one for one in wanted if (one.family, one.model) == (family, model)]
        for one in mine:
            lines.append(row(one, papers[model], "as above" if published[one.name] == last else published[one.name]))
            last = published[one.name]
        if not mine:
            lines.append(f"| **{model}** | {papers[model]} | no record yet | | | |")
    return "\n".join(lines) + "\n"


def check_files(wanted, published):
    """No record without a line in records.txt, no line without what others report, no large picture."""
    known = {stem for one in wanted for stem in one.stems()}
    for path in sorted((ZOO / "results").iterdir()):
        if path.stem not in known and path.name != "README.md":
            sys.exit(f"zoo/figures.py: no line of zoo/records.txt makes {path.relative_to(ZOO.parent)}")
        if path.stat().st_size > LARGEST_PICTURE:
            sys.exit(f"zoo/figures.py: {path.relative_to(ZOO.parent)} has more than {LARGEST_PICTURE} bytes")
    if different := {one.name for one in wanted} ^ published.keys():
        sys.exit(f"zoo/figures.py: only one of zoo/records.txt and zoo/published.toml has {', '.join(sorted(different))}")


def machines():
    every = [json.loads(path.read_text())["machine"] for path in (ZOO / "results").glob("*.json")]
    return "; ".join(sorted({f"{machine['cpu']}, {machine['cores']} cores" for machine in every}))


def table():
    wanted = read_wanted()
    known = tomllib.loads((ZOO / "published.toml").read_text())
    published = {name: " ".join(one["text"].split()) for one in known["published"] for name in one["records"]}
    check_files(wanted, published)
    families = {path.parent.name for path in ZOO.glob("*/main.cpp")}
    if different := families ^ known["papers"].keys() or {one.family for one in wanted} - families:
        sys.exit(f"zoo/figures.py: a family is unknown here or in zoo/published.toml: {', '.join(sorted(different))}")
    tables = [family_table(family, wanted, papers, published) for family, papers in known["papers"].items()]
    return f"Machine: {machines()}.\n\n" + "\n".join(tables)


def main():
    readme = ZOO / "README.md"
    old = readme.read_text()
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit("zoo/figures.py: zoo/README.md has lost the marks that the table stands between")
    new = old[:old.index(BEGIN) + len(BEGIN)] + "\n\n" + table() + "\n" + old[old.index(END):]
    if "--check" not in sys.argv[1:]:
        readme.write_text(new)
    elif old != new:
        sys.exit("zoo/README.md does not say what the records say: run python3 zoo/figures.py")


if __name__ == "__main__":
    main()
