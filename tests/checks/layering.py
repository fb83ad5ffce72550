#!/usr/bin/python3
"""Includes run one way, and each library is called from its own corner only.

    proto <- common <- services <- cli
    proto <- clients

Inside common: base <- log, config, wire, journal, store, event <- feed <- service; client stands
on wire, rules on base alone, config on rules too, and journal and store on lmdb. Services never include each other. A core
(<s>_core*, <s>_key*, <s>_store*, what stands under CORE in the service's CMakeLists.txt, and each
header of the service that one of these includes) sees common/base, common/rules, its own headers
and plain C headers; common/rules itself is held to the same as a core.

A client (clients/c, ...) is what other systems build in: it stands on the public messages and its
own headers alone, and nothing here stands on a client.
"""
import re
from pathlib import Path

import checklib

MIDDLE = {"log", "config", "wire", "journal", "store", "event"}
COMMON = {
    "base": set(),
    "rules": {"base"},
    "log": {"base"},
    # Campaigns are configured straight into the form that their rules decide by.
    "config": {"base", "rules"},
    "wire": {"base"},
    "lmdb": {"base"},
    "journal": {"base", "lmdb"},
    "store": {"base", "lmdb"},
    "event": {"base"},
    "feed": {"base"} | MIDDLE,
    "service": {"base", "feed"} | MIDDLE,
    "client": {"base", "wire"},
}
# What a core may include. The rules language is here because deciding is evaluating it; it is as
# pure as a core (core_link.py looks) and reads no YAML.
CORE_COMMON = {("common", "base"), ("common", "rules")}
# Who may know the messages.
PROTO_READERS = {"wire", "journal", "event", "feed", "service", "client"}

# No clock, no chance, no threads, no signals, no calls of the system.
PLAIN_C = {"assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h",
           "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
           "string.h"}

# A client has one place of its own for its sockets.
CLIENT_SOCKET = "clients/c/kith_socket.c"

# (what, pattern in code, header or None, places where it may stand, what to do instead)
CORNERS = [
    ("mdb_", r"\bmdb_\w+", "lmdb.h", ("common/lmdb/", "common/store/", "common/journal/"),
     "LMDB is called in common/store, common/journal and common/lmdb only"),
    ("zmq_socket", r"\bzmq_socket\s*\(", None, ("common/wire/socket.c", CLIENT_SOCKET),
     "sockets are made in common/wire/socket.c only, which sets their limits"),
    ("zmq_", r"\bzmq_\w+", "zmq.h", ("common/wire/", CLIENT_SOCKET),
     "ZeroMQ is called in common/wire only"),
    ("yaml_", r"\byaml_(?:parser|event|document|emitter|token|get_version|set_)\w*\s*\(|\byaml_\w+_t\b", "yaml.h", ("common/config/",),
     "libyaml is called in common/config only"),
]


def area(path):
    """("common", "wire"), ("services", "loyalty"), ("clients", "c"), ("cli", ""), ("proto", "") or
    ("", "")."""
    parts = Path(path).parts
    if parts[:2] == ("kith", "v1"):
        return "proto", ""
    if parts[0] in ("common", "services", "clients") and len(parts) > 2:
        return parts[0], parts[1]
    if parts[0] in ("cli", "tests", "proto"):
        return parts[0], ""
    return "", ""


def core_stems(root, service):
    """The names under CORE in services/<s>/CMakeLists.txt, without .c."""
    lists = root / "services" / service / "CMakeLists.txt"
    if not lists.is_file():
        return set()
    text = re.sub(r"#[^\n]*", "", checklib.read(lists))
    match = re.search(r"kith_service\s*\([^)]*?\bCORE\b([^)]*)\)", text)
    words = match.group(1).split() if match else []
    if "LINK" in words:
        words = words[: words.index("LINK")]
    return {Path(word).stem for word in words}


def core_files(root, names):
    """Path -> service, for all files of cores."""
    cores, todo = {}, []
    for name in names:
        kind, service = area(name)
        if (kind, service) == ("common", "rules"):
            cores[name] = service
        if kind == "services":
            usual = rf"{service}_(core|key|store)"
            if re.match(usual, name.stem) or name.stem in core_stems(root, service):
                todo.append((name, service))
    while todo:
        name, service = todo.pop()
        if name in cores:
            continue
        cores[name] = service
        for _, _, target in checklib.includes(checklib.read(root / name)):
            if area(target) == ("services", service) and Path(target) in names:
                todo.append((Path(target), service))
    return cores


def client_problem(part, kind, target):
    """The same for a file of clients/<part>. An installed header, such as the client's own, is
    included by <> in examples."""
    to_place, to_part = area(target)
    if to_place == "proto":
        is_private = target.endswith("_private.pb-c.h")
        return f"a client knows the public messages only, not {target}" if is_private else None
    own = (to_place, to_part) == ("clients", part) or target == "kith_version.h"
    if own or (kind == "<" and to_place == ""):
        return None
    return f"a client stands on proto alone, not on {target}"


def include_problem(name, kind, target, cores):
    """Why this file may not include that header, or None."""
    place, part = area(name)
    to_place, to_part = area(target)
    if name in cores:
        own = to_place == "services" and to_part == part
        if kind == "<":
            return None if target in PLAIN_C else f"the core {name.name} may not use <{target}>"
        if own or (to_place, to_part) in CORE_COMMON:
            return None
        return f"a core sees common/base, common/rules and its own headers only, not {target}"
    if place == "clients":
        return client_problem(part, kind, target)
    if kind == "<" or place in ("", "tests"):
        return None
    if to_place == "clients":
        return f"only other systems stand on a client, not {place}: {target}"
    if target == "kith_version.h":
        return None if (place, part) != ("common", "base") else "common/base has no version"
    if to_place == "":
        return f"include from the root of the tree: {target}"
    if place == "common":
        if to_place == "proto":
            return None if part in PROTO_READERS else f"common/{part} does not know the messages"
        if to_place != "common":
            return f"common may not include {target}"
        if to_part != part and to_part not in COMMON.get(part, set()):
            return f"common/{part} may not include common/{to_part}"
    if place == "services":
        if to_place == "services" and to_part != part:
            return f"services/{part} may not include another service's {target}"
        if to_place in ("cli", "tests"):
            return f"a service may not include {target}"
    if place == "cli" and to_place == "tests":
        return f"the program may not include {target}"
    return None


def corner_problems(name, text):
    code = checklib.code_only(text)
    seen = [(line, kind, target) for line, kind, target in checklib.includes(text)]
    for _, pattern, header, places, why in CORNERS:
        if str(name).startswith(places):
            continue
        for number, line in enumerate(code.splitlines(), 1):
            match = re.search(pattern, line)
            if match and not line.lstrip().startswith("#include"):
                yield f"{name}:{number}: {match.group(0).strip()}: {why}"
        for number, _, target in seen:
            if target == header:
                yield f"{name}:{number}: <{header}>: {why}"


def main():
    options = checklib.arguments(__doc__)
    names = checklib.files(options.root, ".c", ".h")
    ours = [n for n in names if area(n)[0] in ("common", "services", "clients", "cli", "tests")]
    cores = core_files(options.root, set(ours))
    problems = []
    for name in ours:
        text = checklib.read(options.root / name)
        for line, kind, target in checklib.includes(text):
            why = include_problem(name, kind, target, cores)
            if why:
                problems.append(f"{name}:{line}: {why}")
        if area(name)[0] != "tests":
            problems += corner_problems(name, text)
    known = {"common/" + part for part in COMMON}
    folders = {f"common/{area(n)[1]}" for n in ours if area(n)[0] == "common"}
    for folder in sorted(folders - known):
        problems.append(f"{folder}: a new module needs its place in tests/checks/layering.py")
    checklib.finish(problems, f"{len(ours)} files, {len(cores)} of them in cores")


main()
