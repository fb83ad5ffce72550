#!/usr/bin/python3
"""The benchmarks run from end to end: smoke tests, their figures mean nothing.

Each fails by itself when anything that was acknowledged is not found again.
"""
# ctest: TIMEOUT 300
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import suite
from suite import OPTIONS, TREE, require

SKIP = 77
FIGURES = {
    "run": ("batches of 1,000", "batches of 100", "single, 64 in flight", "one consumer",
            "single events, 256 in flight",
            "loyalty.Post", "loyalty.Spend", "nobody falling behind", "points at a subscriber",
            "segment entry at a subscriber", "from file to report", "bytes on disk",
            "processor time", "anonymous memory"),
    "readers": ("nobody reads", "one reads from the first", "8 readers at once"),
    "large": ("batches of 1,000, from", "20,000 accounts", "single, 64 in flight, 20,000 accounts"),
    "restarts": ("nobody falling behind, batches of 1,000, 20,000 customers",
                 "the longest of all, 2,000 customers", "the longest of all, 20,000 customers"),
    "soak": ("minutes at half load", "most in the first half", "segmentation"),
    "peers": ("exact dedupe", "64 clients", "100 a request", "Kith / PostgreSQL"),
    "store": ("with checkpoints", "without checkpoints", "p99.9 of the journal's commit",
              "anonymous memory"),
    "compression": ("zstd 1", "zstd 3", "lz4", "segmentation", "us an event"),
}


def bench(program, *words):
    """Runs it twice as quick as quick, and looks for its figures in what it says and writes. None:
    what it measures is not here."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.md"
        command = [sys.executable, "-B", TREE / "bench" / program, "--quick", "--build",
                   OPTIONS.build, "--document", page, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == SKIP:
            return None
        require(done.returncode == 0,
                f"bench/{program}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        missing = [name for name in FIGURES[program] if name not in done.stdout]
        require(not missing, f"not measured: {', '.join(missing)}\n{done.stdout}")
        text = page.read_text()
        require(f"<!-- bench/{program} begins -->" in text and "| " in text, f"the page is {text}")
    return done.stdout


def every_figure_of_the_suite_is_measured():
    bench("run", "--seconds", "0.2", "--customers", "5000")


def a_run_that_was_broken_off_is_gone_on_with():
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept"
        words = [sys.executable, "-B", TREE / "bench" / "run", "--seconds", "0.2", "--customers",
                 "2000", "--only", "file", "--build", OPTIONS.build, "--out", kept, "--no-profile"]
        first = subprocess.run(words, capture_output=True, text=True, check=False)
        require(first.returncode == 0, first.stdout + first.stderr)
        more = subprocess.run([*words, "--rounds", "2", "--resume"], capture_output=True, text=True,
                              check=False)
        require(more.returncode == 0 and "round 2 of 2" in more.stdout and
                "round 1 of" not in more.stdout, more.stdout + more.stderr)
        require(len(json.loads((kept / "run.json").read_text())["rounds"]) == 2, "not kept")
        other = subprocess.run([*words, "--known", "3", "--resume"], capture_output=True, text=True,
                               check=False)
        require(other.returncode == 1 and "other options" in other.stderr, other.stderr)


def readers_beside_a_writer_are_measured():
    bench("readers", "--seconds", "0.2", "--customers", "5000")


def more_customers_are_measured():
    bench("large", "--seconds", "0.2", "--customers", "2000")


def restarts_are_measured():
    bench("restarts", "--seconds", "0.2", "--customers", "2000")


def memory_is_looked_at_over_time():
    bench("soak", "--seconds", "0.2", "--customers", "5000")


def postgres_does_the_same_work_where_it_is_installed():
    if bench("peers", "--seconds", "0.2", "--customers", "5000") is None:
        print("PostgreSQL is not here", flush=True)


def the_store_is_measured_alone():
    bench("store", "--seconds", "0.3", "--keys", "10000", "--long")


def blocks_are_compressed_and_come_back():
    if bench("compression", "--events", "3000") is None:
        print("zstd or lz4 is not here", flush=True)


def a_load_whose_server_dies_does_not_wait_for_it():
    sys.path.insert(0, str(TREE / "bench"))
    import loads
    server = subprocess.Popen(["/bin/false"])
    try:
        loads.ask_beside(["sleep", "1000"], server, "the limit")
    except loads.Failure as failure:
        require(str(failure) == "the limit has ended with 1", f"it says: {failure}")
    else:
        require(False, "it was said to have gone well")


def several_rounds_are_one_of_medians():
    sys.path.insert(0, str(TREE / "bench"))
    import medians
    rounds = [{"figures": [{"name": "rate", "rate": rate, "checkpoints": {"loyalty": 9 - i},
                            "costs": {"loyalty": [[0.5, "one"]]} if i == 0 else {}}],
               "checks": [f"{rate} were counted"]} for i, rate in enumerate((30.0, 10.0, 20.0))]
    require(medians.combine(rounds) == {
        "figures": [{"name": "rate", "rate": 20.0, "checkpoints": {"loyalty": 7},
                     "costs": {"loyalty": [[0.5, "one"]]}}],
        "checks": ["30.0 were counted"]}, medians.combine(rounds))


def a_part_of_the_page_is_replaced_and_the_others_stay():
    sys.path.insert(0, str(TREE / "bench"))
    import page
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.md"
        page.write(path, "bench/store", ["the store"])
        page.write(path, "bench/run", ["the suite"])
        page.write(path, "bench/store", ["the store, again"])
        text = path.read_text()
        require(text.count("the store") == 1 and "the store, again" in text, text)
        require(text.index("the suite") < text.index("the store"), text)


suite.main(every_figure_of_the_suite_is_measured, a_run_that_was_broken_off_is_gone_on_with,
           readers_beside_a_writer_are_measured, more_customers_are_measured,
           restarts_are_measured, memory_is_looked_at_over_time,
           postgres_does_the_same_work_where_it_is_installed, the_store_is_measured_alone,
           blocks_are_compressed_and_come_back, a_load_whose_server_dies_does_not_wait_for_it,
           several_rounds_are_one_of_medians, a_part_of_the_page_is_replaced_and_the_others_stay)
