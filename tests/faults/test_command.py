#!/usr/bin/python3
"""The command over these tests, tests/faults/run: what it says about a build that it cannot use.

Wall time with the sanitizers: 1 s.
"""
import subprocess
import tempfile
from pathlib import Path

import faulty  # first: it knows where the others lie
import suite
from suite import require

COMMAND = Path(faulty.__file__).parent / "run"


def said(folder, *words):
    done = subprocess.run([COMMAND, *words], cwd=folder, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stderr


def a_build_is_looked_for_where_the_caller_stands():
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "builds" / "broken"
        broken.mkdir(parents=True)
        (broken / "CMakeCache.txt").write_text("")
        code, text = said(folder, "--build", "builds/broken", "clock")
        require(code == 1 and "the build failed" in text, f"{code}: {text}")
        require((broken / "faults.log").read_text() != "", "the log says nothing")


def no_build_is_told_with_a_way_out():
    with tempfile.TemporaryDirectory() as folder:
        code, text = said(folder, "--build", "builds/none", "clock")
        require(code == 2 and "no build in builds/none" in text and "cmake --preset" in text,
                f"{code}: {text}")


if __name__ == "__main__":
    suite.main(a_build_is_looked_for_where_the_caller_stands, no_build_is_told_with_a_way_out)
