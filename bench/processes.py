"""What the kernel knows of a process: the processor time it took, the memory that is its own."""
import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_us(pid):
    """Time in programs and in the kernel so far, of all threads."""
    # The name stands in parentheses and may hold anything; the numbers come behind it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000000 // TICKS_PER_S


def anonymous_bytes(pid):
    """Memory that no file stands behind: neither programs nor what LMDB maps."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0
