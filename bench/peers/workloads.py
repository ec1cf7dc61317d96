"""The list of workloads, from bench/workloads.def: the one that genera-bench is made of."""

import pathlib
import re

_ROWS = re.findall(r"^(WORKLOAD|OPERATION)\(([^,)]+)",
                   (pathlib.Path(__file__).parent.parent / "workloads.def").read_text("utf-8"),
                   re.MULTILINE)
MODELS = [name for kind, name in _ROWS if kind == "WORKLOAD"]
OPERATIONS = [name for kind, name in _ROWS if kind == "OPERATION"]


def layouts(name):
    """The memory layouts worth trying: PyTorch's figure is the best of them."""
    images = name.startswith(("conv_", "dcgan", "realnvp", "glow"))
    return ["nchw", "nhwc"] if images else ["nchw"]
