"""A PostgreSQL of our own: a new cluster below the folder that is measured, reached by a socket,
gone when the `with` is left. Nothing is changed in what is installed."""
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from loads import Failure

PACKAGES = ("postgresql", "libpq-dev")
USER = "postgres"  # the server refuses to run as root
# Everything else is as PostgreSQL ships it: fsync, synchronous_commit and full_page_writes are on.
# So much room for its log that no checkpoint falls due within a measurement.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "4GB",
    "max_wal_size": "32GB",
    "checkpoint_timeout": "1h",
    "max_connections": "100",
}


def programs_find():
    """The folder with initdb and pg_ctl, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda path: float(path.parent.parent.name))
    if shutil.which("pg_config"):
        done = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True,
                              check=False)
        found.append(Path(done.stdout.strip()) / "initdb")
    return next((path.parent for path in reversed(found) if path.exists()), None)


def missing():
    lacks = []
    if programs_find() is None:
        lacks.append("the server (initdb)")
    if shutil.which("psql") is None:
        lacks.append("psql")
    if subprocess.run(["pkg-config", "--exists", "libpq"], check=False).returncode != 0:
        lacks.append("libpq's headers")
    return lacks


def install():
    command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *PACKAGES]
    if os.geteuid() != 0:
        command.insert(0, "sudo")
    done = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")


class Postgres:
    def __init__(self, folder):
        self.programs = programs_find()
        self.data = folder.resolve() / "postgres"
        self.as_root = os.geteuid() == 0
        self.sockets = None

    def run(self, *words):
        words = [str(word) for word in words]
        if self.as_root:
            words = ["runuser", "-u", USER, "--", *words]
        # Its log keeps the output open, so that goes to a file and not to a pipe.
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(words, stdout=said, stderr=subprocess.STDOUT, cwd="/",
                                  stdin=subprocess.DEVNULL, check=False)
            said.seek(0)
            if done.returncode != 0:
                raise Failure(f"{' '.join(words)}: {said.read().strip()[-1000:]}")

    def owned(self, path):
        if self.as_root:
            user = pwd.getpwnam(USER)
            os.chown(path, user.pw_uid, user.pw_gid)
        return path

    def __enter__(self):
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True, mode=0o700)
        self.owned(self.data)
        self.sockets = self.owned(Path(tempfile.mkdtemp(prefix="kp", dir="/tmp")))
        self.run(self.programs / "initdb", "--pgdata", self.data, "--auth", "trust", "--username",
                 "kith", "--encoding", "UTF8", "--no-locale")
        lines = [f"{name} = '{value}'" for name, value in SETTINGS.items()]
        lines.append(f"unix_socket_directories = '{self.sockets}'")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")
        self.run(self.programs / "pg_ctl", "start", "--wait", "--pgdata", self.data, "--log",
                 self.data / "log")
        return self

    def __exit__(self, *_):
        try:
            self.run(self.programs / "pg_ctl", "stop", "--wait", "--mode", "fast", "--pgdata",
                     self.data)
        finally:
            shutil.rmtree(self.sockets)
            shutil.rmtree(self.data)

    def server(self):
        """As libpq is told."""
        return f"host={self.sockets} user=kith dbname=postgres"

    def psql(self, *words):
        command = ["psql", "--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--set",
                   "ON_ERROR_STOP=1", *[str(word) for word in words], self.server()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def number(self, question):
        return int(self.psql("--command", question))
