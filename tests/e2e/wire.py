"""Speaks Kith's protocol from Python, for tests: a client that shares no code with the suite."""

import itertools
import time
import zmq

from kith.v1 import wire_pb2


class Refused(Exception):
    """A reply with another code than OK."""

    def __init__(self, reply):
        super().__init__(f"{reply.code}: {reply.message} {list(reply.violations)}")
        self.code = reply.code
        self.reply = reply


class Wire:
    """One DEALER to one endpoint. `raw` is the last reply as it came: header and body bytes."""

    _context = None

    def __init__(self, endpoint):
        if Wire._context is None:
            Wire._context = zmq.Context()
        self.endpoint = endpoint
        self.ids = itertools.count(1)
        self.raw = None
        self.socket = None
        self.connect()

    def connect(self):
        if self.socket is not None:
            self.socket.close(0)
        self.socket = Wire._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(self.endpoint)

    def close(self):
        self.socket.close(0)

    def send(self, method, body=b"", key=None, timeout_ms=30000):
        """Sends and returns the request id."""
        header = wire_pb2.RequestHeader(version=1, request_id=next(self.ids), method=method,
                                        timeout_ms=timeout_ms)
        if key is not None:
            header.key = key
            header.issued_at_ms = int(time.time() * 1000)
        if not isinstance(body, bytes):
            body = body.SerializeToString()
        self.socket.send_multipart([header.SerializeToString(), body])
        return header.request_id

    def receive(self, timeout_ms=30000):
        """The next reply: (ReplyHeader, body bytes); None when none came."""
        if not self.socket.poll(timeout_ms):
            return None
        self.raw = self.socket.recv_multipart()
        header = wire_pb2.ReplyHeader()
        header.ParseFromString(self.raw[0])
        return header, self.raw[1]

    def call(self, method, body=b"", reply=None, key=None, timeout_ms=30000):
        """Asks and waits. Raises Refused, or TimeoutError."""
        wanted = self.send(method, body, key, timeout_ms)
        end = time.monotonic() + timeout_ms / 1000
        while True:
            left = int((end - time.monotonic()) * 1000)
            got = self.receive(max(left, 0))
            if got is None:
                raise TimeoutError(f"{method} at {self.endpoint}: no answer in {timeout_ms} ms")
            header, data = got
            if header.request_id != wanted:
                continue
            if header.code != 0:
                raise Refused(header)
            if reply is None:
                return data
            message = reply()
            message.ParseFromString(data)
            return message
