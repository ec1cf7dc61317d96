"""What every PyTorch peer shares: its process settings, its command line, its clock, its JSON line.

A peer runs one workload in one process with one thread count and prints one JSON object. The
process starts itself again under the allocator settings that suit PyTorch best: glibc reads them
at start.
"""

import argparse
import json
import os
import statistics
import sys
import time

WARMUP_CALLS = 5
KEEP_MEMORY = {
    # Without these glibc hands each large temporary back to the kernel and pays for fresh pages.
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "67108864",
}


def parse_arguments(description, workloads, layouts=("nchw",)):
    """Reads the command line; starts this program again where the environment must differ."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("workload", nargs="?" if len(workloads) == 1 else None,
                        default=workloads[0], choices=workloads, metavar="WORKLOAD",
                        help="one of: " + ", ".join(workloads))
    parser.add_argument("--mode", choices=("eager", "compiled"), default="eager")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=layouts, default=layouts[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="time spent measuring")
    parser.add_argument("--case", metavar="FILE", help="compute this instead of timing anything")
    parser.add_argument("--small", action="store_true", help="the case is a small one")
    arguments = parser.parse_args()
    set_environment(arguments.threads)
    return arguments


def set_environment(threads):
    """Runs the program again under the wanted settings unless it already has them."""
    wanted = {**KEEP_MEMORY, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads),
              "PEER_SETTINGS": str(threads)}
    if os.environ.get("PEER_SETTINGS") == wanted["PEER_SETTINGS"]:
        return
    environment = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"}
    environment.update(wanted)
    os.execve(sys.executable, [sys.executable] + sys.argv, environment)


def load_torch(threads):
    """Imports PyTorch with the wanted thread count, or ends the program with one line."""
    try:
        import torch
    except ImportError as error:
        sys.exit(f"error: cannot import torch ({error}): pip install torch numpy")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch


def compile_function(torch, function, arguments, freezing=False):
    """The function itself in eager mode, torch.compile's version of it otherwise. `freezing`:
    weights do not change and may be packed once."""
    if arguments.mode == "eager":
        return function
    torch._dynamo.config.allow_rnn = True
    # Inductor's own choice, channels last, costs transposes around the linear layers.
    options = {"layout_optimization": arguments.layout == "nhwc", "freezing": freezing}
    return torch.compile(function, fullgraph=True, dynamic=False, options=options)


def busy_seconds():
    """CPU seconds used by the whole machine since it started, steal included."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def measure(call, seconds):
    """Times `call` for about `seconds`; short calls are timed in groups of at least 0.2 ms."""
    begin = time.perf_counter()
    for i in range(WARMUP_CALLS):
        call()
        if i > 0 and time.perf_counter() - begin > seconds:
            break
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    group = max(1, int(2e-4 / max(once, 1e-7)))
    least = 10 if once < 0.2 else 3
    for _ in range(group):
        call()
    samples = []
    own, machine = time.process_time(), busy_seconds()
    begin = time.perf_counter()
    while len(samples) < least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        for _ in range(group):
            call()
        samples.append((time.perf_counter() - start) / group * 1e3)
    elapsed = time.perf_counter() - begin
    used = time.process_time() - own
    others = (busy_seconds() - machine) - used
    calls = group * len(samples)
    samples.sort()
    return {
        "median_ms": statistics.median(samples),
        "p10_ms": samples[len(samples) // 10],
        "min_ms": samples[0],
        "runs": len(samples),
        "calls_per_run": group,
        # With one thread this is a mean that waiting for a processor does not touch.
        "cpu_ms": used / calls * 1e3,
        # CPU time that other processes took meanwhile, in percent of this machine.
        "noise_pct": round(100 * max(0.0, others) / (elapsed * os.cpu_count()), 1),
    }


def report(torch, arguments, figures, **extra):
    """Prints the peer's one line of JSON."""
    line = {"workload": arguments.workload, "mode": arguments.mode, "threads": arguments.threads,
            "layout": arguments.layout, "torch": torch.__version__,
            "cpu_capability": torch.backends.cpu.get_cpu_capability()}
    line.update(figures)
    line.update(extra)
    print(json.dumps(line))
