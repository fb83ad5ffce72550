#!/usr/bin/python3
"""clang-tidy over our own C files, with clang's warnings as well.

What passed is remembered under build/cache/clang-tidy by a hash of the file, all our headers that
it reaches, the options and the tool, so only what changed is looked at again.
"""
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

import checklib

# Of gcc's command line clang takes what says how to read the file; these it does not know or,
# in a check that compiles nothing, not need.
DROP = ("-fsanitize", "-fno-sanitize", "-ftrivial-auto-var-init", "-fcf-protection", "-Werror",
        "-fstack-clash-protection", "-O", "-g", "-M", "-D_FORTIFY_SOURCE", "-U_FORTIFY_SOURCE")
CLANG = ["-Wcomma", "-Wno-unknown-warning-option", "-Wno-error"]
KEPT_DAYS = 30


def entries(root, build):
    """(path, options) for each of our own files in the compilation database."""
    for entry in json.loads(checklib.read(build / "compile_commands.json")):
        path = Path(entry["file"]).resolve()
        if path.is_relative_to(build) or not path.is_relative_to(root) or not path.exists():
            continue
        words = entry.get("arguments") or entry["command"].split()
        options, skip_next = [], False
        for word in words[1:]:
            if skip_next:
                skip_next = False
            elif word in ("-o", "-MF", "-MT", "-MQ"):
                skip_next = True
            elif word not in ("-c", entry["file"], str(path)) and not word.startswith(DROP):
                options.append(word)
        yield path, options


class Reach:
    """The contents of a file and of all our headers that it includes, hashed."""

    def __init__(self, root, build):
        self.folders = [root, build / "proto"]
        self.known = {}

    def headers(self, path):
        if path not in self.known:
            found = []
            for _, _, name in checklib.includes(checklib.read(path)):
                found += [folder / name for folder in self.folders if (folder / name).is_file()]
            self.known[path] = found
        return self.known[path]

    def digest(self, path, *more):
        todo, seen = [path], set()
        while todo:
            current = todo.pop()
            if current not in seen:
                seen.add(current)
                todo += self.headers(current)
        total = hashlib.sha256(repr(more).encode())
        for member in sorted(seen):
            total.update(str(member).encode() + member.read_bytes())
        return total.hexdigest()


def settings(root, path):
    """All .clang-tidy files from the file's folder up to the root."""
    text = ""
    for folder in path.parents:
        if (folder / ".clang-tidy").is_file():
            text += checklib.read(folder / ".clang-tidy")
        if folder == root:
            break
    return text


def main():
    options = checklib.arguments(__doc__)
    program = checklib.tool_of_version("clang-tidy", 14)
    root, build = options.root, options.build
    cache = root / "build" / "cache" / "clang-tidy"
    cache.mkdir(parents=True, exist_ok=True)
    reach = Reach(root, build)
    banned = root / "common" / "base" / "banned.h"
    extra = checklib.read(banned) if banned.is_file() else ""
    script = Path(__file__).read_bytes()

    todo = []
    for path, words in entries(root, build):
        key = reach.digest(path, words, settings(root, path), extra, script, program)
        mark = cache / key
        if mark.exists():
            mark.touch()
        else:
            todo.append((path, words, mark))

    def look(item):
        path, words, mark = item
        with tempfile.TemporaryDirectory() as folder:
            command = ["clang", *words, *CLANG, "-c", str(path)]
            entry = [{"directory": str(build), "file": str(path), "arguments": command}]
            (Path(folder) / "compile_commands.json").write_text(json.dumps(entry))
            done = subprocess.run([program, "-p", folder, "--quiet", str(path)], cwd=root,
                                  capture_output=True, text=True, check=False)
        if done.returncode == 0:
            mark.touch()
            return ""
        return done.stdout.replace(f"{root}/", "").strip() or done.stderr.strip()

    problems = [text for text in checklib.parallel(look, todo) if text]
    for old in cache.iterdir():
        if time.time() - old.stat().st_mtime > KEPT_DAYS * 86400:
            old.unlink(missing_ok=True)
    checklib.finish(problems, f"{len(todo)} files looked at, the others passed before",
                    "A NOLINT needs a reason beside it.")


main()
