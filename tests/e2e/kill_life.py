"""What the kill test loads, and what must come of it: the life of a made-up operator, file by
file, and a suite that knows segments, earns points and writes to people while it is told."""
import json
import subprocess

import yaml

import feeds
import mail_server
import suite
from suite import require

SEED = 1
MONTHS = 36
# The subscribers of a file of events: a file is some five months long, so that people come back
# into segments, and are written to again.
EVENTS_A_SUBSCRIBER = 200
IN_FLIGHT_MAX = 4

# Of the configuration's segments, and two that people enter all the time.
SEGMENTS = ("big_spenders", "heavy_data", "families")
OWN_SEGMENTS = [
    {"name": "recharged", "rule": {"count": "recharge", "over_days": 10, "at_least": 1}},
    {"name": "bought", "rule": {"count": "purchase", "over_days": 10, "at_least": 1}},
]
CAMPAIGNS = [
    {"name": "topped_up", "segment": "recharged", "channel": "outbox", "on_entry": True,
     "text": "Thank you, {customer}, of plan {plan}.", "cap": {"messages": 2, "per_days": 60}},
    {"name": "fortnightly", "segment": "families", "channel": "outbox", "text": "News, {customer}.",
     "schedule": {"first": "2022-01-08T10:00:00Z", "every_days": 14}},
    {"name": "after_sales", "segment": "bought", "channel": "post", "on_entry": True,
     "subject": "Your purchase", "text": "Dear {customer}, all well with it?",
     "cap": {"messages": 2, "per_days": 45}},
]


class Part:
    """Some of a life's events, in a file as suite.ingest() takes it."""

    def __init__(self, path, the_map, count):
        self.path = path
        self.map = the_map
        self.count = count


class Life:
    """Its first `count` events are the first file, those that follow the second, and so on."""

    def __init__(self, folder, count):
        self.folder = folder
        self.count = count
        self.parts = []
        self.truth = None  # of all files so far, by kith gen

    def next(self):
        number = len(self.parts) + 1
        whole = self.folder / f"life{number}"
        words = ["gen", "--subscribers", self.count // EVENTS_A_SUBSCRIBER, "--months", MONTHS,
                 "--seed", SEED, "--events", number * self.count, "--out", whole]
        subprocess.run([suite.BIN / "kith", *map(str, words)], check=True, capture_output=True)
        self.truth = json.loads((whole / "truth.json").read_text())
        require(self.truth["events"] == number * self.count, f"a short life: {self.truth}")
        path = self.folder / f"events{number}.ndjson"
        with (whole / "events.ndjson").open() as events, path.open("w") as out:
            for i, line in enumerate(events):
                if i >= (number - 1) * self.count:
                    out.write(line)
        (whole / "events.ndjson").unlink()
        self.parts.append(Part(path, whole / "map.yaml", self.count))
        return self.parts[-1]


def configuration(port, **tuning):
    """config/demo.yaml's programmes and some of its segments, and campaigns; `tuning` goes to
    every service."""
    told = yaml.safe_load((suite.TREE / "config" / "demo.yaml").read_text())
    services = {name: dict(tuning) for name in suite.SERVICES}
    services["reporting"]["attributes"] = ["plan"]
    return yaml.safe_dump({
        "version": 1,
        "suite": {"clock": "event", "time_zone": "UTC",
                  "restart": {"first_delay_ms": 20, "most_delay_ms": 1000}},
        "services": services,
        "programmes": told["programmes"],
        "segments": [one for one in told["segments"] if one["name"] in SEGMENTS] + OWN_SEGMENTS,
        "channels": [
            {"name": "outbox", "kind": "file", "address": "phone"},
            {"name": "post", "kind": "smtp", "address": "email", "from": "care@operator.example",
             "url": f"smtp://127.0.0.1:{port}", "in_flight_max": IN_FLIGHT_MAX}],
        "campaigns": CAMPAIGNS,
    }, sort_keys=False)


class LifeSuite(suite.Suite):
    """A suite with a mail server of its own, which nobody kills."""

    def __init__(self, key, **tuning):
        super().__init__("services: {}\n", key=key)
        self.mail = mail_server.MailServer(self.folder)
        self.config.write_text(configuration(self.mail.port, **tuning))
        self.services = list(suite.SERVICES)

    def __enter__(self):
        self.mail.start()
        return self

    def __exit__(self, *problem):
        try:
            super().__exit__(*problem)
        finally:
            self.mail.stop()

    def outbox(self):
        return self.data / "outbox" / "outbox-0.ndjson"

    def unknown(self):
        """How many messages may have been sent or not, as far as it is known by now."""
        from kith.v1 import campaign_pb2
        reply = self.wire("campaign").call("campaign.Campaigns", b"", campaign_pb2.CampaignsReply)
        return sum(one.unknown for one in reply.campaigns)

    def facts(self, feed):
        """A file with all facts of a feed, one a line, in their order."""
        path = self.folder / f"{feed}.facts"
        with path.open("w") as out:
            for fact in feeds.each(self, feed):
                print(fact, file=out)
        return path

    def decisions(self, campaign):
        lines = self.cli("campaign", "decisions", campaign, "--json", as_json=False)
        return [json.loads(line) for line in lines.splitlines()]
