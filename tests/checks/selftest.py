#!/usr/bin/python3
"""Each check can fail: it gets a small tree that is fine, then one with a fault in it.

A check that finds nothing, whatever it is given, would look just like a clean tree.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import checklib

HERE = Path(__file__).resolve().parent
HEADER = "#ifndef {0}\n#define {0}\n{1}\n#endif\n"
FINE_C = "int fine(void);\nint fine(void)\n{\n    return 1;\n}\n"


def function_of(lines):
    """A C function that is this long in all."""
    return "int long_one(void)\n{\n" + "    fine();\n" * (lines - 3) + "}\n"


def sleep_in(language):
    """Put together here, or this file would itself fail the check."""
    return {"c": "void f(void) { usl" "eep(1000); }\n", "py": "time.sl" "eep(0.5)\n",
            "sh": "#!/bin/sh\nfoo; sl" "eep 1\n"}[language]


LOYALTY = "services/loyalty/"
CORE_C = LOYALTY + "loyalty_core.c"
CORE_LIST = "kith_service(\n  NAME loyalty # comment\n  CORE loyalty_lot.c\n  LINK lmdb)\n"
CLIENT_C = "clients/c/c.c"
BASE_H = {"common/base/a.h": HEADER.format("A_H", "int base_a(void);")}

# (check, its tree, what it must say; None: nothing, the tree is fine)
CASES = [
    ("format", {"common/base/a.c": FINE_C}, None),
    ("format", {"common/base/a.c": FINE_C.replace("    ", "  ")}, "common/base/a.c:3"),
    ("function_length", {"cli/a.c": function_of(70)}, None),
    ("function_length", {"cli/a.c": function_of(71)}, "long_one has 71 lines"),
    ("function_length", {"tests/unit/a.c": function_of(71).replace(
        "int long_one(void)", "START_TEST(a_story)")}, "a_story has 71 lines"),
    ("headers", {"common/base/a.h": HEADER.format("A_H", "#include <stddef.h>\nsize_t a(void);")},
     None),
    ("headers", {"common/base/a.h": HEADER.format("A_H", "size_t a(void);")}, "common/base/a.h"),
    ("headers", {"common/base/a.h": "struct a {\n    int b;\n};\n"}, "redefinition"),
    ("headers", {"cli/a.c": "int a(void);\nint a(void)\n{\n    return puts(\"a\");\n}\n"},
     "cli/a.c"),
    ("layering", {**BASE_H, "common/log/l.c": '#include "common/base/a.h"\n'}, None),
    ("layering", {"common/log/l.h": "", "common/base/b.c": '#include "common/log/l.h"\n'},
     "common/base may not include common/log"),
    ("layering", {"common/log/l.h": "", "common/wire/w.c": '#include "common/log/l.h"\n'},
     "common/wire may not include common/log"),
    ("layering", {"common/store/s.h": "", "common/client/c.c": '#include "common/store/s.h"\n'},
     "common/client may not include"),
    ("layering", {LOYALTY + "x.h": "", "common/service/c.c": f'#include "{LOYALTY}x.h"\n'},
     "common may not include"),
    ("layering", {LOYALTY + "x.h": "", "services/reporting/r.c": f'#include "{LOYALTY}x.h"\n'},
     "another service's"),
    ("layering", {"common/log/l.c": '#include "l.h"\n', "common/log/l.h": ""}, "from the root"),
    ("layering", {"common/log/l.c": '#include "kith/v1/wire.pb-c.h"\n'}, "know the messages"),
    ("layering", {"common/novel/n.c": ""}, "a new module needs its place"),
    ("layering", {CORE_C: '#include <string.h>\n#include "common/base/a.h"\n', **BASE_H}, None),
    ("layering", {CORE_C: "#include <time.h>\n"}, "may not use <time.h>"),
    ("layering", {CORE_C: '#include "common/store/store.h"\n'}, "a core sees common/base"),
    ("layering", {CORE_C: f'#include "{LOYALTY}loyalty_rule.h"\n',
                  LOYALTY + "loyalty_rule.h": "#include <unistd.h>\n"}, "loyalty_rule.h may not"),
    ("layering", {LOYALTY + "CMakeLists.txt": CORE_LIST,
                  LOYALTY + "loyalty_lot.c": "#include <poll.h>\n"}, "loyalty_lot.c may not"),
    ("layering", {LOYALTY + "loyalty_codec.c": "#include <poll.h>\n"}, None),
    ("layering", {"common/store/s.c": "#include <lmdb.h>\nint a = mdb_put();\n"}, None),
    ("layering", {"common/feed/f.c": "int a = mdb_put();\n"}, "common/feed/f.c:1: mdb_put"),
    ("layering", {"common/feed/f.c": "/* mdb_put */\nint a = b(\"mdb_put\");\n"}, None),
    ("layering", {"common/feed/f.c": "#include <lmdb.h>\n"}, "<lmdb.h>"),
    ("layering", {"common/wire/w.c": "void *a = zmq_socket(b, 1);\n"}, "sockets are made in"),
    ("layering", {"common/wire/socket.c": "void *a = zmq_socket(b, 1);\n"}, None),
    ("layering", {"common/feed/f.c": "zmq_msg_t a;\n"}, "ZeroMQ is called in"),
    ("layering", {CLIENT_C: '#include <time.h>\n#include <kith/v1/wire.pb-c.h>\n'
                            '#include "clients/c/a.h"\n', "clients/c/a.h": ""}, None),
    ("layering", {**BASE_H, CLIENT_C: '#include "common/base/a.h"\n'}, "stands on proto alone"),
    ("layering", {**BASE_H, CLIENT_C: '#include <common/base/a.h>\n'}, "stands on proto alone"),
    ("layering", {CLIENT_C: '#include "a.h"\n', "clients/c/a.h": ""}, "stands on proto alone"),
    ("layering", {CLIENT_C: '#include "kith/v1/loyalty_private.pb-c.h"\n'}, "public messages only"),
    ("layering", {CLIENT_C: '#include "clients/other/a.h"\n'}, "stands on proto alone"),
    ("layering", {"cli/c.c": '#include "clients/c/a.h"\n'}, "only other systems"),
    ("layering", {"common/wire/w.c": '#include "clients/c/a.h"\n'}, "only other systems"),
    ("layering", {CLIENT_C: "zmq_msg_t a;\n"}, "ZeroMQ is called in"),
    ("layering", {"clients/c/kith_socket.c": "void *a = zmq_socket(b, 1);\n"}, None),
    ("layering", {"cli/c.c": "yaml_parser_t a;\n"}, "libyaml is called in"),
    ("no_sleeps", {"tests/a.py": "time.sleep(POLL_S)\n"}, None),
    ("no_sleeps", {"tests/a.py": sleep_in("py")}, "tests/a.py:1"),
    ("no_sleeps", {"tests/unit/a.c": sleep_in("c")}, "tests/unit/a.c:1"),
    ("no_sleeps", {"tests/run": sleep_in("sh")}, "tests/run:2"),
    ("data_names", {"cli/a.c": "/* a churn rate */\n"}, None),
    ("data_names", {"cli/a.c": "const char *a = \"Some_Data\";\n"}, "names the data set Some_Data"),
    ("lint_scripts", {"scripts/a": "#!/bin/sh\necho \"$1\"\n"}, None),
    ("lint_scripts", {"scripts/a": "#!/bin/sh\necho $1\n"}, "SC2086"),
    ("lint_words", {"docs/a.md": "It is received.\n"}, None),
    ("lint_words", {"docs/a.md": "It is rec" "ieved.\n"}, "docs/a.md:1"),
    ("lint_yaml", {"config/a.yaml": "a: 1\n"}, None),
    ("lint_yaml", {"config/a.yaml": "a: 1\na: 2\n"}, "duplication"),
    ("tidy", {"cli/a.c": FINE_C}, None),
    ("tidy", {"cli/a.c": FINE_C.replace("return 1;", "int a;\n    return a;")}, "init-variables"),
    ("core_link", {CORE_C: FINE_C}, None),
    ("core_link", {CORE_C: "long time(long *);\nlong a(void)\n{\n    return time(0);\n}\n"},
     "wants time"),
    ("core_link", {CORE_C: "int b(void);\nint a(void)\n{\n    return b();\n}\n",
                   "common/base/b.c": "int rand(void);\nint b(void)\n{\n    return rand();\n}\n"},
     "through b), which uses rand"),
]


def plant(root, tree):
    for name in (".clang-format", ".clang-tidy", ".yamllint"):
        shutil.copy(checklib.TREE / name, root / name)
    (root / "data" / "some_data").mkdir(parents=True)
    (root / "build" / "x" / "lib").mkdir(parents=True)
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def build(root, check, tree):
    """What tidy and core_link look at: a compilation database, or libraries."""
    sources = [name for name in tree if name.endswith(".c")]
    out = root / "build" / "x"
    if check == "tidy":
        database = [{"directory": str(root), "file": str(root / name),
                     "command": f"gcc -std=c17 -c {root / name}"} for name in sources]
        (out / "compile_commands.json").write_text(json.dumps(database))
    if check == "core_link":
        for name in sources:
            archive = "libcommon_base.a" if "common/base" in name else "libloyalty_core.a"
            made = out / (Path(name).stem + ".o")
            subprocess.run(["gcc", "-w", "-fno-builtin", "-c", root / name, "-o", made],
                           check=True)
            subprocess.run(["ar", "rcs", out / "lib" / archive, made], check=True)


def verdict(case):
    """What is wrong with the check, or None."""
    check, tree, expected = case
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plant(root, tree)
        build(root, check, tree)
        environment = dict(os.environ, KITH_DATA=str(root / "data"), CI="")
        command = [sys.executable, "-B", str(HERE / f"{check}.py"), "--root", folder,
                   "--build", str(root / "build" / "x")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True,
                              check=False)
    said = (done.stdout + done.stderr).strip()
    what = f"{check}, given {', '.join(tree)}"
    if done.returncode == checklib.SKIP:
        return None
    if expected is None:
        return None if done.returncode == 0 else f"{what}: should be content, but says: {said}"
    if done.returncode != 1 or expected not in said:
        return f"{what}: should fail with '{expected}', ended {done.returncode}, said: {said}"
    return None


def main():
    checklib.arguments(__doc__)
    problems = [problem for problem in checklib.parallel(verdict, CASES) if problem]
    others = {"selftest", "checklib"} | {case[0] for case in CASES if case[2] is not None}
    for path in sorted(HERE.glob("*.py")):
        if path.stem not in others:
            problems.append(f"{path.name}: no case here shows that it can fail")
    checklib.finish(problems, f"{len(CASES)} cases")


main()
