#!/usr/bin/python3
"""Negative controls: services that break one promise are caught by what test_power_loss.py does.
Were one of them let pass, the tests of faults would be worth nothing.

Wall time with the sanitizers: 20 s.
"""
# ctest: TIMEOUT 300 ALONE
import crash
import faulty
import suite
import write_log
from suite import Failure, require

BUILD = suite.OPTIONS.build.resolve()
BROKEN = BUILD / "broken"
# Within so many images each must be caught.
IMAGES = 40


def caught(services, broken=None, syncs=True):
    """Lives with a broken program, and is judged until it is caught. Returns the image's number
    and what was wrong."""
    draw = faulty.draw("controls", broken, syncs)
    with faulty.FaultySuite(crash.configuration(services), programs=broken and BROKEN / broken,
                            is_logging=True, key=crash.KEY) as kith:
        kith.keeps_images = False
        kith.log.header.syncs_swallowed = not syncs
        life = crash.live(kith, draw, batches=20, kills=False)
        promises = crash.Promises(life)
        for number, image in enumerate(crash.images(life, draw, promises, IMAGES)):
            try:
                crash.judge_all(life, promises, image)
            except Failure as failure:
                return number, str(failure)
    raise Failure(f"{broken or 'no sync'}: {IMAGES} images, and it was not caught")


def told(name, services, words, **how):
    number, what = caught(services, **how)
    print(f"  {name}: caught by image {number}: {what[:160]!r}", flush=True)
    require(any(one in what for one in words), f"{name} was caught by something else: {what}")


def no_sync_is_caught():
    """fdatasync returns at once, and O_DSYNC is not heeded."""
    # A journal that is gone, or one that is older than the state, lets nobody start.
    told("no sync", ("ingestion",), ("are not there", "ends with", "verify-", "no answer"),
         syncs=False)


def a_reply_before_the_sync_is_caught():
    told("reply first", ("ingestion",), ("are not there",), broken="reply_first")


def a_cursor_apart_from_its_facts_is_caught():
    told("cursor apart", ("ingestion", "loyalty"), ("verify-state",), broken="cursor_apart")


def no_dedupe_is_caught():
    told("no dedupe", ("ingestion",), ("has another reply", "differ after the retry"),
         broken="no_dedupe")


def cut_disks_are_as_they_were_made():
    """The builder of images itself: nothing lost where all was synced, nothing there that was not
    written, and a torn write differs by whole sectors."""
    draw = faulty.draw("disk")
    with faulty.FaultySuite(crash.configuration(("ingestion",)), is_logging=True,
                            key=crash.KEY) as kith:
        crash.live(kith, draw, batches=6, kills=False)
        disk = write_log.Disk(kith.log)
        disk.go_to(len(disk.records))
        for path, file in disk.files.items():
            real = (kith.data / path).read_bytes()
            written, _ = disk.image(draw)
            kept = bytearray(file.bytes)
            for record in file.pending:
                write_log.apply(kept, record)
            require(bytes(kept) == real, f"{path}: what was written is not what is there")
            sectors = sum(written.get(path, b"")[at:at + 512] != real[at:at + 512]
                          for at in range(0, len(real), 512))
            most = sum(len(record.data) for record in file.pending) // 512 + 2
            require(sectors <= most, f"{path}: {sectors} sectors differ, {most} may")


def broken_programs_are_there():
    if "KITH_LTO:BOOL=ON" not in (BUILD / "CMakeCache.txt").read_text():
        return True
    print("left out: a build with KITH_LTO=ON has no broken programs; build/asan has", flush=True)
    return False


if __name__ == "__main__":
    broken = (a_reply_before_the_sync_is_caught, a_cursor_apart_from_its_facts_is_caught,
              no_dedupe_is_caught) if broken_programs_are_there() else ()
    suite.main(cut_disks_are_as_they_were_made, no_sync_is_caught, *broken)
