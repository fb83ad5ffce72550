"""What the commands in bench/ share: which programs they measure, and where."""
import subprocess
from pathlib import Path

from loads import Failure

TREE = Path(__file__).resolve().parent.parent
PROGRAMS = ("kith", "kith-bench-load", "kith-bench-limit", "kith-bench-scan")


def options_add(parser):
    parser.add_argument("--build", type=Path,
                        help="a build to use instead of building build/release")
    parser.add_argument("--out", type=Path, default=TREE / "build" / "bench",
                        help="where data lies while it is measured; on the disk that is measured")
    parser.add_argument("--document", type=Path,
                        help="page that gets the tables (docs/benchmarks.md; none with --quick)")


def build(options, targets, programs=PROGRAMS):
    """Sets options.bin."""
    if options.build is None:
        options.build = TREE / "build" / "release"
        steps = [["cmake", "--preset", "release"],
                 ["cmake", "--build", "--preset", "release", "--target", *targets]]
        for step in steps:
            done = subprocess.run(step, cwd=TREE, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failure(f"{' '.join(step)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    options.bin = options.build.resolve() / "bin"
    for program in programs:
        if not (options.bin / program).exists():
            raise Failure(f"{options.bin} has no {program}; build {' and '.join(targets)}")
