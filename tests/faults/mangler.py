"""Stands between a service's socket and all who connect to it: loses messages, sends them twice and
lets them overtake each other, by a seed."""
import heapq
import itertools
import os
import threading
import time

import zmq

POLL_MS = 5


class Mangler:
    """Takes the path of a bound ipc socket; the service keeps it under another name.

    `lose`, `double`, `delay`: how likely each is for a message. `delay_ms`: at most.
    """

    def __init__(self, path, draw, lose=0.1, double=0.1, delay=0.2, delay_ms=60):
        self.path = str(path)
        self.behind = self.path + ".behind"
        self.draw = draw
        self.lose, self.double, self.delay, self.delay_ms = lose, double, delay, delay_ms
        self.is_mangling = True
        self.ends = False
        self.counts = {"passed": 0, "lost": 0, "doubled": 0, "delayed": 0}
        self.waiting = []  # (when, number, socket, frames)
        self.numbers = itertools.count()
        self.backs = {}  # identity in front: socket behind
        os.rename(self.path, self.behind)
        self.thread = threading.Thread(target=self._run)
        self.bound = threading.Event()
        self.thread.start()
        self.bound.wait()

    def heal(self):
        """From here on it only passes messages on."""
        self.is_mangling = False

    def mangle(self):
        """Again, after it was healed."""
        self.is_mangling = True

    def close(self):
        self.ends = True
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- in the thread

    def _run(self):
        context = zmq.Context()
        front = context.socket(zmq.ROUTER)
        front.linger = 0
        front.bind(f"ipc://{self.path}")
        self.bound.set()
        poller = zmq.Poller()
        poller.register(front, zmq.POLLIN)
        while not self.ends:
            for socket, _ in poller.poll(POLL_MS):
                frames = socket.recv_multipart()
                if socket is front:
                    self._take(self._back(context, poller, frames[0]), frames[1:])
                else:
                    self._take(front, [self._identity(socket), *frames])
            self._release()
        for socket in (front, *self.backs.values()):
            socket.close(0)
        context.term()

    def _back(self, context, poller, identity):
        if identity not in self.backs:
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            socket.connect(f"ipc://{self.behind}")
            poller.register(socket, zmq.POLLIN)
            self.backs[identity] = socket
        return self.backs[identity]

    def _identity(self, socket):
        return next(identity for identity, one in self.backs.items() if one is socket)

    def _take(self, socket, frames):
        chance = self.draw.random() if self.is_mangling else 1
        if chance < self.lose:
            self.counts["lost"] += 1
            return
        copies = 2 if chance < self.lose + self.double else 1
        self.counts["doubled"] += copies - 1
        for _ in range(copies):
            self._send(socket, frames)

    def _send(self, socket, frames):
        self.counts["passed"] += 1
        if self.is_mangling and self.draw.random() < self.delay:
            self.counts["delayed"] += 1
            when = time.monotonic() + self.draw.random() * self.delay_ms / 1000
            heapq.heappush(self.waiting, (when, next(self.numbers), socket, frames))
            return
        socket.send_multipart(frames)

    def _release(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, socket, frames = heapq.heappop(self.waiting)
            socket.send_multipart(frames)
