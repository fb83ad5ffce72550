#!/usr/bin/python3
"""The cores are pure: what their libraries want from outside is on a short list.

A core library (lib<s>_core.a) may want its own symbols, those of common_base and common_rules,
those below, and what the compiler puts in. The parts of common_base that a core reaches may not
look at the outer world either: common_base may allocate, but a clock or a file in there is not for
cores. common_rules is what some cores decide by, so it is held to a core's list itself.
"""
import re
import subprocess

import checklib

# Not here on purpose: malloc (cores get their memory), qsort (the order of equals differs between
# C libraries, so a journal could replay otherwise), printf, strerror, and what reads the locale.
ALLOWED = {
    "memcpy", "memmove", "memset", "memcmp", "memchr", "bcmp", "strlen", "strnlen", "strcmp",
    "strncmp", "strchr", "strrchr", "strspn", "strcspn", "strstr", "snprintf", "vsnprintf",
    "bsearch", "abs", "labs", "llabs", "abort", "__assert_fail", "_GLOBAL_OFFSET_TABLE_",
}
COMPILER = re.compile(
    r"^(__(asan|ubsan|lsan|tsan|sanitizer|sancov|gcov|llvm)_\w+"
    r"|__(start|stop)___sanc\w+|__stack_chk_fail"
    r"|__(memcpy|memmove|memset|snprintf|vsnprintf)_chk"
    r"|__(mul|div|mod|udiv|umod|udivmod|popcount|clz|ctz|bswap|mulo|ashl|ashr|lshr)[a-z]*[dt]i\d)$")
# Symbols with which something reaches for the outer world.
WORLD = re.compile(
    r"^(time|clock(_\w+)?|gettimeofday|timespec_get|nanosleep|usleep|sleep|s?rand(om)?(_r)?"
    r"|[dlm]rand48|getrandom|getentropy|randombytes_\w+|arc4random\w*|(secure_)?getenv|setenv"
    r"|socket|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|poll|e?poll_\w+|select"
    r"|open(at)?(64)?|fopen(64)?|read|write|pread(64)?|pwrite(64)?|p?thread_\w+|pthread_\w+"
    r"|fork|system|exec\w+|posix_spawn\w*|localtime(_r)?|mktime|tzset|setlocale|getpid"
    r"|mdb_\w+|zmq_\w+|yaml_\w+)$")


def members(archive):
    """name -> (defined, wanted) for each member of a static library."""
    command = [checklib.tool("nm"), "--format=posix", str(archive)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found, current = {}, None
    for line in said.splitlines():
        match = re.match(r"^.*\[(.+)\]:$", line)
        if match:
            current = found.setdefault(match.group(1), (set(), set()))
        elif line.strip() and current is not None:
            symbol, kind = line.split()[:2]
            current[1 if kind in "Uwv" else 0].add(symbol)
    return found


def reached(base, wanted):
    """The members of common_base that are linked when these symbols are wanted."""
    todo, found = set(wanted), {}
    while todo:
        symbol = todo.pop()
        for name, (defined, wants) in base.items():
            if symbol in defined and name not in found:
                found[name] = (symbol, wants)
                todo |= wants
    return found


def core_problems(archive, base, rules):
    core = members(archive)
    own = set().union(*(defined for defined, _ in [*core.values(), *rules.values()]))
    base_symbols = set().union(*(defined for defined, _ in base.values())) if base else set()
    wanted_of_base = set()
    for name, (_, wanted) in sorted(core.items()):
        for symbol in sorted(wanted - own):
            if symbol in base_symbols:
                wanted_of_base.add(symbol)
            elif symbol not in ALLOWED and not COMPILER.match(symbol):
                yield f"{archive.name}({name}): wants {symbol}, which a core may not use"
    for name, (symbol, wants) in sorted(reached(base, wanted_of_base).items()):
        for outer in sorted(wants):
            if WORLD.match(outer):
                yield (f"{archive.name}: reaches common_base's {name} (through {symbol}), "
                       f"which uses {outer}")


def main():
    options = checklib.arguments(__doc__)
    archives = sorted((options.build / "lib").glob("lib*_core.a"))
    base_path = options.build / "lib" / "libcommon_base.a"
    base = members(base_path) if base_path.exists() else {}
    rules_path = options.build / "lib" / "libcommon_rules.a"
    rules = members(rules_path) if rules_path.exists() else {}
    problems = list(core_problems(rules_path, base, rules)) if rules else []
    for archive in archives:
        problems += core_problems(archive, base, rules)
    checklib.finish(problems, f"{len(archives)} core libraries",
                    "Give it to the core as an argument, from the shell.")


main()
