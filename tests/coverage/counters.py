"""What clang's counters say of our files: lines and branches that ran.

Asserts are left out of both: one states what cannot happen, so its other side is never to be
reached, and the counters would show its line as one that did not run. Nothing else is left out.
"""
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ASSERT = re.compile(r"\b(?:static_)?assert\s*\(")


class Failure(Exception):
    """What went wrong, in a sentence."""


@dataclass
class Figures:
    lines: dict = field(default_factory=dict)      # line -> how often it ran
    branches: dict = field(default_factory=dict)   # (line, number of the branch) -> how often taken

    @property
    def lines_run(self):
        return sum(1 for count in self.lines.values() if count > 0)

    @property
    def branches_taken(self):
        return sum(1 for count in self.branches.values() if count > 0)


def percent(part, whole):
    return 100.0 if whole == 0 else 100.0 * part / whole


def tool(name):
    for candidate in (name, f"{name}-14"):
        if shutil.which(candidate):
            return candidate
    raise Failure(f"{name} is missing; try: scripts/setup test")


def merge(raw, out):
    """The raw profiles of a folder, as one."""
    names = sorted(str(path) for path in raw.glob("*.profraw") if path.stat().st_size > 0)
    if not names:
        raise Failure(f"no profile was written to {raw}")
    listed = out.with_suffix(".list")
    listed.write_text("\n".join(names) + "\n")
    # A program that a test ended by force leaves half a profile behind: the others count.
    subprocess.run([tool("llvm-profdata"), "merge", "--sparse", "--failure-mode=all",
                    f"--input-files={listed}", f"--output={out}"], check=True,
                   capture_output=True)


def assert_lines(text):
    """The lines that belong to an assert, from its name to its closing bracket."""
    lines = set()
    for match in ASSERT.finditer(text):
        depth, at = 1, match.end()
        while depth > 0 and at < len(text):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        first = text.count("\n", 0, match.start()) + 1
        lines.update(range(first, text.count("\n", 0, at) + 2))
    return lines


def figures(tree, programs, profile, sources):
    """{source: Figures} of those sources that are in one of the programs."""
    objects = [word for program in programs[1:] for word in ("--object", str(program))]
    command = [tool("llvm-cov"), "export", "--format=lcov", f"--instr-profile={profile}",
               str(programs[0]), *objects, *[str(tree / source) for source in sources]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"llvm-cov: {done.stderr.strip()[-500:]}")
    found, current, skipped = {}, None, set()
    for line in done.stdout.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            path = Path(rest)
            current = found.setdefault(str(path.relative_to(tree)), Figures())
            skipped = assert_lines(path.read_text(encoding="utf-8"))
        elif kind == "DA":
            number, count = rest.split(",")[:2]
            if int(number) not in skipped:
                current.lines[int(number)] = int(count)
        elif kind == "BRDA":
            number, block, branch, taken = rest.split(",")
            if int(number) not in skipped:
                current.branches[int(number), block, branch] = 0 if taken == "-" else int(taken)
    return found


def spans(numbers):
    """1, 2, 3, 7 as "1-3 7"."""
    out = []
    for number in sorted(numbers):
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)
