#!/usr/bin/python3
"""The benchmarks run from end to end: a smoke test, its figures mean nothing.

`bench/run --quick` fails by itself when anything that was acknowledged is not found again.
"""
# ctest: TIMEOUT 180
import subprocess
import sys

import suite
from suite import OPTIONS, TREE, require

FIGURES = ("batches of 1,000", "batches of 100", "single, 64 in flight", "loyalty.Post",
           "loyalty.Spend", "nobody falling behind", "segment entry at a subscriber",
           "points at a subscriber", "bytes on disk", "ready again")


def every_figure_is_measured():
    command = [sys.executable, "-B", TREE / "bench" / "run", "--quick", "--seconds", "0.2",
               "--customers", "5000", "--build", OPTIONS.build]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"bench/run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    missing = [name for name in FIGURES if name not in done.stdout]
    require(not missing, f"not measured: {', '.join(missing)}\n{done.stdout}")


suite.main(every_figure_is_measured)
