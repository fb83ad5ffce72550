"""One connection: frames out, frames in, nothing believed that was not checked."""

import itertools
import time
import warnings
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import zmq
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from kith.errors import BadReply, Code, NoAnswer, Refused, TooLong, Violation
from kith.v1 import wire_pb2

HEADER_BYTES_MAX = 4 * 1024
BODY_BYTES_MAX = 1024 * 1024
MESSAGE_BYTES_MAX = 2 * 1024 * 1024
VERSION = 1

M = TypeVar("M", bound=Message)

# decode() makes an exception of it.
warnings.filterwarnings("ignore", "Unexpected end-group tag", RuntimeWarning)


class Reply(NamedTuple):
    """A reply's header and the bytes of its body."""

    header: wire_pb2.ReplyHeader
    body: bytes


def _texts(message: Message) -> Iterator[object]:
    for field, value in message.ListFields():
        values = value if field.label == FieldDescriptor.LABEL_REPEATED else (value,)
        if field.type == FieldDescriptor.TYPE_STRING:
            yield from values
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for one in values:
                yield from _texts(one)


def decode(kind: type[M], data: bytes) -> M:
    """The message, or BadReply. Left to itself, protobuf stops with a mere warning at the end of a
    group that never began, and gives out text that is not UTF-8 as bytes."""
    message = kind()
    try:
        is_whole = message.ParseFromString(data) in (None, len(data))
        is_text = all(isinstance(text, str) for text in _texts(message))
    except (DecodeError, UnicodeDecodeError) as problem:
        raise BadReply(f"what came is no {kind.DESCRIPTOR.name}") from problem
    if not is_whole:
        raise BadReply(f"what came is no {kind.DESCRIPTOR.name}")
    if not is_text:
        raise BadReply(f"what came as {kind.DESCRIPTOR.name} holds text that is not UTF-8")
    return message


def require(message: Message, *fields: str) -> None:
    """BadReply unless the message has the fields. An enum's value that this program does not know
    counts as absent: it must not be taken for the first one."""
    for field in fields:
        if not message.HasField(field):
            raise BadReply(f"{message.DESCRIPTOR.name} came without {field}, or with a strange one")


def refusal(header: wire_pb2.ReplyHeader) -> Refused:
    """The exception for a reply whose code is not OK."""
    violations = [Violation(one.field, one.rule, one.mend) for one in header.violations]
    after = header.retry_after_ms if header.HasField("retry_after_ms") else None
    sentence = header.message or "refused without a word"
    return Refused(header.code, sentence, violations, after)


class Connection:
    """A DEALER to one endpoint, for one request at a time. It connects when it first asks, and
    anew after an answer that did not come: what was queued for a dead process is gone with it.
    ZeroMQ mends a broken connection silently, and the request is lost: the monitor tells."""

    def __init__(self, context: zmq.Context, endpoint: str) -> None:
        self.endpoint = endpoint
        self._context = context
        self._ids = itertools.count(1)
        self._socket: zmq.Socket | None = None
        self._monitor: zmq.Socket | None = None

    def close(self) -> None:
        """Ends it; the next ask() connects again."""
        if self._socket is not None and not self._socket.closed:
            self._socket.disable_monitor()
            self._socket.close(linger=0)
        self._socket = None
        self._monitor = None

    def ask(self, header: wire_pb2.RequestHeader, body: bytes, timeout_s: float) -> Reply | None:
        """Sends, and waits for the answer; None when none came or the peer went. Raises TooLong
        before anything is sent, and BadReply."""
        header.version = VERSION
        header.request_id = next(self._ids)
        frames = [header.SerializeToString(), body]
        if len(frames[0]) > HEADER_BYTES_MAX:
            raise TooLong(
                f"the header has {len(frames[0])} bytes, at most {HEADER_BYTES_MAX} are taken",
                "header",
            )
        if len(body) > BODY_BYTES_MAX:
            raise TooLong(
                f"the body has {len(body)} bytes, at most {BODY_BYTES_MAX} are taken", "body"
            )
        is_answered = False
        try:
            self._connected().send_multipart(frames, flags=zmq.NOBLOCK)
            reply = self._receive(header.request_id, timeout_s)
            is_answered = reply is not None
            return reply
        except zmq.Again:
            return None
        except zmq.ZMQError as problem:
            raise NoAnswer(f"{self.endpoint}: {problem}") from problem
        finally:
            if not is_answered:
                self.close()

    def _connected(self) -> zmq.Socket:
        if self._socket is None:
            self._socket = self._context.socket(zmq.DEALER)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
            self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
            self._socket.connect(self.endpoint)
        return self._socket

    def _receive(self, request_id: int, timeout_s: float) -> Reply | None:
        """Answers to requests that were given up are passed over."""
        assert self._socket is not None
        end = time.monotonic() + timeout_s
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while True:
            left_ms = int((end - time.monotonic()) * 1000)
            if left_ms < 0 or self._socket not in dict(poller.poll(left_ms)):
                return None
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
            if len(frames) != 2:
                raise BadReply(f"a reply has two frames, this one has {len(frames)}")
            header = decode(wire_pb2.ReplyHeader, frames[0])
            require(header, "request_id", "code")
            if header.request_id == request_id:
                return Reply(header, frames[1])


def is_unsettled(code: int) -> bool:
    """Whether the same request may be sent again as it is."""
    return code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED)
