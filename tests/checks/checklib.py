"""What the checks share: which files there are, what is code in them, how a result is told.

Every check is a program of its own: `<check>.py [--root TREE] [--build BUILD]`. It prints one line
per problem, `path:line: what is wrong`, and ends with 0 (fine), 1 (problems) or 77 (cannot be
checked here, which ctest shows as skipped; where CI=true that is a failure).
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SKIP = 77
TREE = Path(__file__).resolve().parent.parent.parent
JOBS = 2


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=Path, default=TREE, help="the tree to look at")
    parser.add_argument("--build", type=Path, default=None, help="a configured and built folder")
    options = parser.parse_args()
    options.root = options.root.resolve()
    if options.build is not None:
        options.build = options.build.resolve()
    return options


def files(root, *suffixes):
    """Paths relative to root of what git tracks or would track; all files where there is no git."""
    if (root / ".git").exists():
        command = ["git", "--no-optional-locks", "ls-files", "-z", "-co", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
        names = {name for name in listed.decode().split("\0") if name}
    else:
        names = {str(path.relative_to(root)) for path in root.rglob("*")}
        names = {name for name in names if not name.startswith("build/")}
    found = [Path(name) for name in sorted(names) if (root / name).is_file()]
    return [path for path in found if not suffixes or path.suffix in suffixes]


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(text, keep_strings=False):
    """The text with comments, and strings too, made blank. Lines keep their numbers."""

    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token if keep_strings else token[0] + token[-1]
        return re.sub(r"[^\n]", " ", token)

    return TOKEN.sub(blank, text)


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(text):
    """(line, '<' or '"', name) for each include."""
    code = code_only(text, keep_strings=True)
    for match in INCLUDE.finditer(code):
        yield code.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def parallel(function, items):
    """function over items, two at a time, results in order."""
    with ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


def tool(*names):
    """The first of these programs that exists."""
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    print(f"{names[0]} is not installed; try: scripts/setup test")
    sys.exit(1)


def skip(reason):
    print(f"skipped: {reason}")
    if os.environ.get("CI") == "true":
        print("CI=true: what cannot be checked counts as failed.")
        sys.exit(1)
    sys.exit(SKIP)


def tool_of_version(name, version):
    """`name-version`, or `name` if it has that version: the form differs between versions."""
    for candidate in (f"{name}-{version}", name):
        path = shutil.which(candidate)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if re.search(rf"version {version}\.", said.stdout):
                return path
    skip(f"no {name} of version {version} here (another version judges otherwise)")
    return None


def finish(problems, looked_at, hint=""):
    for problem in problems:
        print(problem)
    if problems:
        print(f"\n{len(problems)} problem(s). {hint}".rstrip())
        sys.exit(1)
    print(f"fine: {looked_at}")
    sys.exit(0)
