"""Loads: what kith-bench-load is told to do, and what it says at the end."""
import json
import subprocess

# Requests in flight: as many as keep the service busy while one of its syncs runs.
FORMS = {  # name: (batch, connections, in flight of each)
    "1,000": (1000, 4, 4),
    "100": (100, 4, 16),
    "single": (1, 8, 8),
}
# Single requests, by how many are in flight.
CROWDS = {1: (1, 1, 1), 8: (1, 8, 1), 64: (1, 8, 8), 256: (1, 8, 32)}
LOOK_S = 0.2
END_S = 120  # in which a load that is told to end has ended


class Failure(Exception):
    """What went wrong, in a sentence."""


def ask(command):
    """Runs a program whose last line is JSON."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]} {command[1]}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def send_words(form, method, seconds, customers, *more):
    batch, connections, in_flight = FORMS[form] if form in FORMS else CROWDS[form]
    return ["send", "--method", method, "--batch", batch, "--connections", connections,
            "--in-flight", in_flight, "--seconds", seconds, "--customers", customers, *more]


def ask_beside(command, server, name):
    """The same of a load while `server`, which it asks, lives: nobody else answers it."""
    with Load(command) as load:
        while not load.has_ended(LOOK_S):
            if server.poll() is not None:
                raise Failure(f"{name} has ended with {server.returncode}")
        return load.result()


class Load:
    """A load in the background, until its time is over or stop() is called; gone when the `with`
    is left."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def has_ended(self, within_s):
        try:
            self.process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self):
        """What is on its way is still answered, and belongs to the load."""
        self.process.terminate()

    def result(self):
        out, errors = self.process.communicate(timeout=END_S)
        if self.process.returncode != 0:
            raise Failure(f"the load failed: {errors.strip()}")
        return json.loads(out.splitlines()[-1])
