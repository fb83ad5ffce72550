"""Speak to a Kith suite.

    import kith

    with kith.Client("/var/lib/kith") as client:
        print(client.balance("S0118").available)

`Client` asks, sends commands and subscribes to feeds; `event()` makes what is sent; whatever goes
wrong is a `kith.Error` with `code`, `field` and `sentence`. The messages themselves are Protocol
Buffers, in `kith.v1`: `from kith.v1 import loyalty_pb2`.
"""

import importlib.util
import pkgutil
from pathlib import Path


def _find_messages() -> None:
    """Lets `kith.v1` be found: in this folder (installed), in a folder `kith` elsewhere on
    PYTHONPATH, or, when this is Kith's own tree, where it was generated or built."""
    global __path__
    __path__ = pkgutil.extend_path(__path__, __name__)
    if importlib.util.find_spec("kith.v1") is not None:
        return
    tree = Path(__file__).resolve().parents[3]
    for built in ("python", "release/python"):
        folder = tree / "build" / built / "kith"
        if (folder / "v1").is_dir():
            __path__.append(str(folder))
            return
    raise ImportError("kith.v1 is not there yet: run clients/python/generate once")


_find_messages()

from kith.client import Attempt, Client, Outcome, Result  # noqa: E402
from kith.errors import (  # noqa: E402
    BadReply,
    Code,
    Error,
    FeedStopped,
    NoAnswer,
    OutcomeUnknown,
    Refused,
    TooLong,
)
from kith.event import Money, batches, event  # noqa: E402
from kith.feed import Block, Cursor, Fact  # noqa: E402

__all__ = [
    "Attempt",
    "BadReply",
    "Block",
    "Client",
    "Code",
    "Cursor",
    "Error",
    "Fact",
    "FeedStopped",
    "Money",
    "NoAnswer",
    "Outcome",
    "OutcomeUnknown",
    "Refused",
    "Result",
    "TooLong",
    "batches",
    "event",
]
