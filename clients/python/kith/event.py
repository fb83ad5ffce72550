"""Events: what a source system tells."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from kith.v1 import event_pb2
from kith.wire import BODY_BYTES_MAX

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
ITEMS_MAX = 4096
# What an item needs beside the event's own bytes: two tags and two lengths, rounded up.
ITEM_BYTES_MORE = 16
# Left for the other fields of a batch.
BATCH_BYTES_MAX = BODY_BYTES_MAX - 1024


class Money(NamedTuple):
    """An amount in minor units, and its ISO 4217 code: Money(1250, "USD") is 12.50."""

    minor: int
    currency: str


Value = str | bool | int | datetime | Money


def milliseconds(at: datetime | int) -> int:
    """Since 1970. A datetime must know its time zone."""
    if isinstance(at, int):
        return at
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone: say datetime(..., tzinfo=timezone.utc)")
    return (at - EPOCH) // timedelta(milliseconds=1)


def _attribute_fill(attribute: event_pb2.Attribute, name: str, value: Value) -> None:
    attribute.name = name
    if isinstance(value, str):
        attribute.text = value
    elif isinstance(value, bool):  # before int, which a bool is as well
        attribute.flag = value
    elif isinstance(value, int):
        attribute.integer = value
    elif isinstance(value, datetime):
        attribute.at_ms = milliseconds(value)
    elif isinstance(value, tuple):
        attribute.money.minor, attribute.money.currency = value
    else:
        raise TypeError(f"{name}: no attribute can be a {type(value).__name__}")


def event(
    *,
    source: str,
    id: str,
    type: str,
    customer: str,
    occurred_at: datetime | int,
    amount: Money | None = None,
    attributes: Mapping[str, Value] | None = None,
    personal: Collection[str] = (),
    schema_version: int = 1,
) -> event_pb2.Event:
    """An Event. `source` and `id` name the fact for ever: sent again with the same content it is a
    duplicate, with other content it goes to quarantine. `occurred_at`: a datetime with a time
    zone, or milliseconds since 1970. `personal`: names of attributes that are to be sealed."""
    made = event_pb2.Event(
        source=source,
        id=id,
        type=type,
        customer=customer,
        occurred_at_ms=milliseconds(occurred_at),
        schema_version=schema_version,
    )
    if amount is not None:
        made.amount.minor, made.amount.currency = amount
    for name, value in (attributes or {}).items():
        attribute = made.attributes.add()
        _attribute_fill(attribute, name, value)
        if name in personal:
            attribute.personal = True
    return made


def batches(events: Iterable[event_pb2.Event]) -> Iterator[list[event_pb2.Event]]:
    """Cuts any number of events into lists that each fit into one Client.ingest()."""
    batch: list[event_pb2.Event] = []
    size = 0
    for one in events:
        needs = one.ByteSize() + ITEM_BYTES_MORE
        if batch and (len(batch) == ITEMS_MAX or size + needs > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += needs
    if batch:
        yield batch
