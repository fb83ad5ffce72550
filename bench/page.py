"""docs/benchmarks.md: one page of several parts, each written by the program that measured it."""
import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
PAGE = TREE / "docs" / "benchmarks.md"
PARTS = ("bench/run", "bench/readers", "bench/large", "bench/restarts", "bench/soak", "bench/peers",
         "bench/store", "bench/compression")  # in this order on the page
HEAD = ["# Benchmarks", "",
        "Each part was written by the program that it names; none by hand. Parts may be of "
        "different days: only figures of one part stand beside each other."]


def markdown(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def text_table(head, lines):
    """For a terminal."""
    all_lines = [head, *lines]
    widths = [max(len(line[i]) for line in all_lines) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in all_lines)


def git(*words):
    done = subprocess.run(["git", "--no-optional-locks", *words], cwd=TREE, capture_output=True,
                          text=True, check=False)
    return done.stdout.strip()


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) / 1024 / 1024
    return (f"{os.cpu_count()} processors ({model}), {memory:.0f} GiB, Linux {os.uname().release}; "
            "clients and services together")


def origin(took_s):
    """When, of what, on what."""
    commit = git("rev-parse", "--short", "HEAD") or "no commit"
    changed = " with changes" if git("status", "--porcelain") else ""
    minutes = max(1, round(took_s / 60))
    return (f"Commit {commit}{changed}, {datetime.now(timezone.utc):%Y-%m-%d}, release build. "
            f"{machine()}. The run took {minutes} minute{'' if minutes == 1 else 's'}.")


def marks(part):
    return f"<!-- {part} begins -->", f"<!-- {part} ends -->"


def parts_read(path):
    """{part: its lines}, of those that are there."""
    text = path.read_text() if path.exists() else ""
    found = {}
    for part in PARTS:
        begin, end = marks(part)
        if begin in text and end in text:
            found[part] = text.partition(begin)[2].partition(end)[0].strip("\n")
    return found


def write(path, part, lines):
    """Puts a part in its place; the others stay as they are."""
    parts = parts_read(path)
    parts[part] = "\n".join(lines)
    text = "\n".join(HEAD) + "\n"
    for name in PARTS:
        if name in parts:
            begin, end = marks(name)
            text += f"\n{begin}\n{parts[name]}\n{end}\n"
    path.write_text(text)
