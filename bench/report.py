"""What those benchmarks show that load a suite: tables, and parts of docs/benchmarks.md."""
import page


def short_time(us):
    if us < 1000:
        return f"{us:.0f} us"
    if us < 100000:
        return f"{us / 1000:.1f} ms"
    if us < 1000000:
        return f"{us / 1000:.0f} ms"
    return f"{us / 1000000:.1f} s"


def rate_text(rate):
    if rate >= 1000000:
        return f"{rate / 1000000:.2f} M/s"
    if rate >= 10000:
        return f"{rate / 1000:.0f} k/s"
    if rate >= 1000:
        return f"{rate / 1000:.1f} k/s"
    return f"{rate:.0f}/s"


def size_text(size):
    return f"{size / 1048576:.1f} MB" if size < 100 * 1048576 else f"{size / 1048576:.0f} MB"


def result_text(figure):
    if "rate" in figure:
        return rate_text(figure["rate"])
    return f"at {rate_text(figure['load'])}" if "load" in figure else ""


def sentence(figure):
    """For the one who waits."""
    answer = figure.get("answer")
    times = "" if answer is None else (f", {short_time(answer['p50_us'])} (p50), "
                                       f"{short_time(answer['p99_us'])} (p99)")
    return f"{figure['name']}: {result_text(figure)}{times}"


def checkpoints_text(figure):
    return ", ".join(f"{service} {count}" for service, count in figure["checkpoints"].items()
                     ) if "checkpoints" in figure else ""


HEAD = ("figure", "result", "wanted", "beside it", "p50", "p99", "lasted", "checkpoints")


def figure_rows(found):
    for figure in found["figures"]:
        beside = ""
        if figure.get("beside"):
            beside = (f"{figure['rate'] / figure['beside']:.0%} of {rate_text(figure['beside'])} "
                      f"({figure['beside_name']})")
        answer = figure.get("answer")
        yield (figure["name"], result_text(figure), figure.get("wanted") or "", beside,
               short_time(answer["p50_us"]) if answer else "",
               short_time(answer["p99_us"]) if answer else "",
               f"{figure['seconds']:.0f} s" if "seconds" in figure else "",
               checkpoints_text(figure))


def rows(found):
    yield from figure_rows(found)
    blank = ("",) * (len(HEAD) - 3)
    slowest = {}
    for one in found["restarts"]:
        slowest[one["customers"]] = max(slowest.get(one["customers"], 0), one["most"])
    for customers, seconds in slowest.items():
        yield (f"ready again after kill -9, the longest of all, {customers:,} customers",
               f"{seconds:.2f} s", "5 s (10 million)", *blank)
    idle = [one["idle"] for one in found["memory"]]
    if idle:
        yield ("anonymous memory of an idle service, the largest", size_text(max(idle)),
               "under 20 MB", *blank)
    for suite, lines in by_suite(found["disk"]).items():
        size = sum(one["journal"] + one["state"] for one in lines)
        yield (f"bytes on disk per event, {suite}", f"{size:.0f} B", "", *blank)


def by_suite(lines):
    found = {}
    for one in lines:
        found.setdefault(one["suite"], []).append(one)
    return found


def cpu_rows(found, services):
    for figure in found["figures"]:
        cpu = figure.get("cpu")
        if cpu:
            each = [f"{cpu[service]:.1f}" if service in cpu else "" for service in services]
            together = sum(cpu[service] for service in cpu if service != "load")
            yield (figure["name"], *each, f"{together:.1f}",
                   f"{cpu['load']:.1f}" if "load" in cpu else "")


def cpu_services(found):
    seen = {}
    for figure in found["figures"]:
        seen.update(dict.fromkeys(figure.get("cpu", ())))
    return [service for service in seen if service != "load"]


def disk_rows(found):
    for suite, lines in by_suite(found["disk"]).items():
        for one in lines:
            yield (suite, one["service"], f"{one['journal']:.0f}", f"{one['state']:.0f}",
                   f"{one['journal'] + one['state']:.0f}")
        if len(lines) > 1:
            whole = sum(one["journal"] + one["state"] for one in lines)
            yield (suite, "together", "", "", f"{whole:.0f}")


def memory_rows(found):
    for one in found["memory"]:
        yield (one["suite"], one["service"], size_text(one["idle"]), size_text(one["loaded"]))


def soak_rows(found):
    for one in found["soak"]:
        yield (one["service"], size_text(one["first"]), size_text(one["second"]),
               f"{one['second'] / max(1, one['first']) - 1:+.1%}",
               f"{one['behind']:,}")


SOAK_HEAD = ("service", "most in the first half", "most in the second", "more",
             "facts behind at the end")


def restart_rows(found):
    for one in found["restarts"]:
        yield (f"{one['customers']:,}", one["service"], f"{one['seconds']:.2f}",
               f"{one['most']:.2f}", f"{one['blocks']:.0f}")


def cost_rows(found):
    for figure in found["figures"]:
        for service, costs in figure.get("costs", {}).items():
            if costs:
                told = [f"{share:.0%} `{function}`" for share, function in costs]
                yield (figure["name"], service, *(told + [""] * (3 - len(told))))


def table(found):
    services = cpu_services(found)
    texts = [page.text_table(HEAD, list(rows(found)))]
    if services:
        head = ("processor time, us an item", *services, "services together", "load")
        texts.append(page.text_table(head, list(cpu_rows(found, services))))
    if found["memory"]:
        texts.append(page.text_table(("anonymous memory", "service", "idle", "after the load"),
                                     list(memory_rows(found))))
    if found["soak"]:
        texts.append(page.text_table(SOAK_HEAD, list(soak_rows(found))))
    return "\n\n".join(texts)


def fewer(found, least):
    """A sentence about figures that saw too few checkpoints, however long they were let."""
    names = [figure["name"] for figure in found["figures"]
             if any(count < least for count in figure.get("checkpoints", {}).values())]
    if not names:
        return []
    return [f"**Fewer than {least} checkpoints of a service that has to work for it:** "
            f"{'; '.join(names)}.", ""]


CPU_TEXT = ("Of each service while the figure's load ran, in its own threads and in the kernel, "
            "divided by the items that were accepted: microseconds an item.")
RESTART_TEXT = ("Killed three times each, when about a checkpoint interval of load (5 s, as "
                "shipped) lay behind a checkpoint, so that the journal is as far ahead of the "
                "state as it gets; from the signal to the first answer that says ready, what the "
                "supervisor needs included.")


def lasted_text(options):
    return (f"A figure *lasted* {options.seconds:g} s or longer: until each service that has to "
            f"work for it had ended {options.checkpoints} checkpoints, {options.most_seconds:g} s "
            "at most. *Checkpoints*: how many of them ended within that time.")


def cpu_part(found):
    services = cpu_services(found)
    return ["### Processor time", "", CPU_TEXT, "",
            *page.markdown(("figure", *services, "together", "the load itself"),
                           cpu_rows(found, services)), ""]


def restart_part(found):
    return ["### Ready again after kill -9", "", RESTART_TEXT, "",
            *page.markdown(("customers", "service", "median, s", "longest, s", "blocks evolved"),
                           restart_rows(found)), ""]


def checks_part(found):
    return ["### What was counted again", "", *(f"- {one}" for one in found["checks"])]


def costs_part(found):
    shown = page.markdown(("figure", "service", "first", "second", "third"), cost_rows(found))
    return [
        "### Where the time goes", "",
        "The first three costs of each service while the load of the figure runs, by "
        "`bench/profile`: `perf record` at 499 Hz over all threads of the process, for five "
        "seconds, after the measured run. A share is of the process's own samples.", "",
        *(shown if any(cost_rows(found)) else ["Not looked at."]),
    ]


def rounds_text(options, found):
    if options.rounds == 1:
        return ""
    counted = any(figure.get("checkpoints") for figure in found["figures"])
    return (f" Each number is the median of {options.rounds} rounds"
            f"{', checkpoints are the fewest of any' if counted else ''}.")


def run_part(found, options, took_s):
    """The lines of bench/run's part of the page."""
    return [
        "## The suite", "",
        f"Measured by `bench/run`. {page.origin(took_s)} {options.customers:,} customers."
        f"{rounds_text(options, found)}",
        "",
        "*Beside it*, measured in the same run: `kith-bench-limit` takes the same requests over "
        "TCP, unpacks them with protobuf-c into an arena, drops what it has seen by a hash in "
        "memory, appends what came in a turn as one block to LMDB, syncs and answers: what this "
        "machine and these libraries give a service that decides nothing and keeps no state. "
        "LMDB's cursor walks the same journal and touches every byte. Everything is "
        "acknowledged after the sync. An event has eight fields and about 100 bytes. A "
        "request's time runs from when it was due.", "",
        f"{lasted_text(options)} Where none are told, a phase lasted {options.short_seconds:g} s "
        "or until all was read: those figures are there to be compared with each other.", "",
        *fewer(found, options.checkpoints),
        *page.markdown(HEAD, rows(found)), "",
        "Half load is half of the rate at which all services keep up: the load waits whenever "
        "one of them is more than 65,536 events behind (`feed.Wait`), and what comes of it is "
        "that rate. Times at half load are those of events in batches of 100.", "",
        *cpu_part(found),
        "### Anonymous memory", "",
        "What no file stands behind (`RssAnon`): of the services of a new suite before anything "
        "was asked of them, and right after the loads.", "",
        *page.markdown(("suite", "service", "idle", "after the load"), memory_rows(found)), "",
        "### Bytes on disk per event", "",
        *page.markdown(("suite", "service", "journal", "state", "both"), disk_rows(found)), "",
        *checks_part(found), "",
        *costs_part(found),
    ]


def readers_part(found, options, took_s):
    """The lines of bench/readers's."""
    return [
        "## Readers of a feed", "",
        f"Measured by `bench/readers`. {page.origin(took_s)}{rounds_text(options, found)} "
        "Ingestion alone, events in batches of 100; its most is what it took in "
        f"{options.seconds:g} s, and each round measures the writer alone and then beside the "
        "reader, clients on the same processors.", "",
        *page.markdown(HEAD, rows(found)), "",
        *cpu_part(found),
    ]


def large_part(found, options, took_s):
    """The lines of bench/large's."""
    return [
        "## More customers", "",
        f"Measured by `bench/large`. {page.origin(took_s)} {lasted_text(options)}", "",
        *fewer(found, options.checkpoints),
        *page.markdown(HEAD, rows(found)), "",
        *cpu_part(found), *checks_part(found), "", *costs_part(found),
    ]


def restarts_part(found, options, took_s):
    """The lines of bench/restarts's."""
    return [
        "## Restarts", "",
        f"Measured by `bench/restarts`. {page.origin(took_s)} {lasted_text(options)}", "",
        *page.markdown(HEAD, rows(found)), "",
        *restart_part(found), *checks_part(found),
    ]


def soak_part(found, options, took_s):
    """The lines of bench/soak's."""
    return [
        "## Memory over time", "",
        f"Measured by `bench/soak`. {page.origin(took_s)} {options.customers:,} customers. All "
        f"services for {options.minutes:g} minutes at half of the rate at which they keep up, "
        "anonymous memory (`RssAnon`) looked at each second.", "",
        *page.markdown(SOAK_HEAD, soak_rows(found)), "",
        "What grows with all that was ever taken are filters, 2 bytes for each id in ingestion, "
        "each posting and each of its entries in loyalty; while runs are merged, twice that "
        "([decision 8](decisions/0008-permanent-tables.md)).", "",
        *page.markdown(HEAD, rows(found)), "",
        *checks_part(found),
    ]
