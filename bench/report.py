"""What bench/run shows: the table, and the page docs/benchmarks.md."""
import os
import subprocess
from datetime import datetime, timezone


def short_time(us):
    if us < 1000:
        return f"{us} us"
    if us < 100000:
        return f"{us / 1000:.1f} ms"
    if us < 1000000:
        return f"{us / 1000:.0f} ms"
    return f"{us / 1000000:.1f} s"


def time_text(times):
    return f"{short_time(times['p50_us'])} (p50), {short_time(times['p99_us'])} (p99)"


def rate_text(rate):
    if rate >= 1000000:
        return f"{rate / 1000000:.2f} M/s"
    if rate >= 10000:
        return f"{rate / 1000:.0f} k/s"
    if rate >= 1000:
        return f"{rate / 1000:.1f} k/s"
    return f"{rate:.0f}/s"


HEAD = ("figure", "result", "of the limit", "p50", "p99", "checkpoints")


def rows(bench):
    for figure in bench.figures:
        rate, share = "", ""
        if "rate" in figure:
            rate = rate_text(figure["rate"])
        elif "load" in figure:
            rate = f"at {rate_text(figure['load'])}"
        if figure.get("limit"):
            share = f"{figure['rate'] / figure['limit']:.0%} of {rate_text(figure['limit'])}"
        answer = figure.get("answer")
        made = figure.get("checkpoints")
        yield (figure["name"], rate, share, short_time(answer["p50_us"]) if answer else "",
               short_time(answer["p99_us"]) if answer else "",
               "" if not made else ", ".join(str(count) for count in made.values()))
    for service, seconds, blocks in bench.restarts:
        yield (f"{service} ready again after kill -9, {blocks} blocks evolved", f"{seconds:.2f} s",
               "", "", "", "")
    for name, events, found in bench.disk:
        whole = sum(sum(files.values()) for files in found.values()) / events
        yield (f"bytes on disk per event, {name}", f"{whole:.0f} B", "", "", "", "")


def table(bench):
    """For a terminal."""
    lines = [HEAD, *rows(bench)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in lines)


# ---- the page


def markdown(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def git(tree, *words):
    done = subprocess.run(["git", "--no-optional-locks", *words], cwd=tree, capture_output=True,
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


def disk_rows(bench):
    for name, events, found in bench.disk:
        for service, files in found.items():
            journal = files.get("journal", 0) / events
            state = files.get("state", 0) / events
            yield (name, service, f"{journal:.0f}", f"{state:.0f}", f"{journal + state:.0f}")
        whole = sum(sum(files.values()) for files in found.values()) / events
        if len(found) > 1:
            yield (name, "together", "", "", f"{whole:.0f}")


def cost_rows(bench):
    for figure in bench.figures:
        for service, costs in figure.get("costs", {}).items():
            if costs:
                told = [f"{share:.0%} `{function}`" for share, function in costs]
                yield (figure["name"], service, *(told + [""] * (3 - len(told))))


def document(bench, tree, took_s):
    options = bench.options
    commit = git(tree, "rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes that are not committed" if git(tree, "status", "--porcelain") else ""
    lines = [
        "# Benchmarks", "",
        "Written by `bench/run`; not by hand.", "",
        f"Commit {commit}{changed}, {datetime.now(timezone.utc):%Y-%m-%d}. {machine()}. "
        f"{options.seconds:g} s each, {options.customers:,} customers, release build; the whole run "
        f"took {took_s / 60:.0f} minutes.", "",
        "*Of the limit*: the rate beside that of `kith-bench-limit` in the same run, which takes the "
        "same requests over TCP, unpacks them with protobuf-c into an arena, drops what it has seen "
        "by a hash in memory, appends what came in a turn as one block to LMDB, syncs and answers: "
        "what this machine and these libraries give a service that decides nothing and keeps no "
        "state. Everything is acknowledged after the sync. An event has eight fields and about 100 "
        "bytes. A request's time runs from when it was due. *Checkpoints*: how many ended within "
        "the figure's time, by service.", "",
        *markdown(HEAD, rows(bench)), "",
        "Half load is half of the rate at which all services keep up: the load waits whenever one "
        "of them is more than 65,536 events behind (`feed.Wait`), and what comes of it is that rate. "
        "Times at half load are those of events in batches of 100.", "",
        "## Ready again after kill -9", "",
        "Killed right after a load, so that the journal is ahead of the state; from the signal to "
        "the first answer that says ready, the supervisor's part included.", "",
        *markdown(("service", "seconds", "blocks evolved"),
                  ((service, f"{seconds:.2f}", str(blocks))
                   for service, seconds, blocks in bench.restarts)), "",
        "## Bytes on disk per event", "",
        *markdown(("suite", "service", "journal", "state", "both"), disk_rows(bench)), "",
        "## What was counted again", "",
        *(f"- {sentence}" for sentence in bench.checks), "",
        "## Where the time goes", "",
        "The first three costs of each service while the load of the figure runs, by `bench/profile`: "
        "`perf record` at 499 Hz over all threads of the process, for five seconds, after the "
        "measured run. A share is of the process's own samples.", "",
        *(markdown(("figure", "service", "first", "second", "third"), cost_rows(bench))
          if options.profile else ["Not looked at: no perf here."]),
    ]
    return "\n".join(lines) + "\n"
