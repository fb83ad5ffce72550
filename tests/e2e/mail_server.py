"""tests/support/smtp_server.py as a test has it: a process, how it behaves, and what it took."""
import json
import socket
import subprocess

import suite
from suite import require


class MailServer:
    """In a folder of its own; nobody is at its port until start()."""

    def __init__(self, folder):
        self.folder = folder / "mail"
        self.folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(suite.TREE / "tests" / "support" / "smtp_server.py"),
             str(self.folder), "--port", str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        require(self.process.stdout.readline().strip() == str(self.port), "the mail server stands")

    def stop(self):
        if self.process is not None:
            self.process.communicate(timeout=suite.ANSWER_S)
            self.process = None

    def behave(self, how):
        path = self.folder / "behave.new"
        path.write_text(how)
        path.rename(self.folder / "behave")

    def size(self):
        """Of its record: it grows with each message that the server has."""
        path = self.folder / "messages.ndjson"
        return path.stat().st_size if path.exists() else 0

    def messages(self):
        path = self.folder / "messages.ndjson"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def dispatches(self):
        """The dispatch of each message, in the order in which the server took them."""
        return [message["headers"]["Message-ID"].strip("<>").split("@")[0]
                for message in self.messages()]
