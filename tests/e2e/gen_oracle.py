"""What events add up to by a configuration: totals, points, and who is in which segment after the
last event. Reads the rules from the YAML and the events from the file, in any order; shares no code
with the suite and none with the generator."""
import json
from collections import defaultdict
from datetime import datetime
from decimal import Decimal

import yaml

DAY_MS = 24 * 3600 * 1000
REVENUE = ("purchase", "bill_paid", "recharge")
PROFILE = ("customer_registered", "profile_changed")
# What of a line is no attribute.
COLUMNS = ("id", "type", "customer", "at", "amount")


class Event:
    def __init__(self, line):
        told = json.loads(line, parse_float=Decimal)
        self.id = told["id"]
        self.type = told["type"]
        self.customer = told["customer"]
        self.at = told["at"]
        at = datetime.fromisoformat(self.at.replace("Z", "+00:00"))
        self.at_ms = int(at.timestamp()) * 1000 + at.microsecond // 1000
        self.minor = int(told["amount"] * 100) if "amount" in told else None
        self.category = told.get("category")
        self.attributes = {name: value for name, value in told.items() if name not in COLUMNS}


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [Event(line) for line in lines]


COMPARISONS = {
    "at_least": lambda value, number: value >= number,
    "at_most": lambda value, number: value <= number,
    "more_than": lambda value, number: value > number,
    "less_than": lambda value, number: value < number,
    "equals": lambda value, number: value == number,
}


def compared(rule, value, read_number=int):
    (name,) = COMPARISONS.keys() & rule.keys()
    return COMPARISONS[name](value, read_number(rule[name]))


class Customer:
    """All of one customer's events, as of an instant."""

    def __init__(self, events, now_ms):
        self.events = sorted(events, key=lambda event: event.at_ms)
        self.now_ms = now_ms
        self.profile = {}
        for event in self.events:
            if event.type in PROFILE:
                self.profile.update(event.attributes)

    def of(self, event_type, rule):
        return [event for event in self.events if event.type == event_type
                and rule.get("category") in (None, event.category)]

    def window(self, event_type, rule):
        begin_ms = self.now_ms - rule["over_days"] * DAY_MS
        return [event for event in self.of(event_type, rule) if event.at_ms > begin_ms]

    def holds(self, rule):
        (kind,) = {"all", "any", "not", "count", "sum", "last", "attribute"} & rule.keys()
        return getattr(self, f"{kind}_holds")(rule[kind], rule)

    def all_holds(self, rules, _):
        return all(self.holds(rule) for rule in rules)

    def any_holds(self, rules, _):
        return any(self.holds(rule) for rule in rules)

    def not_holds(self, inner, _):
        return not self.holds(inner)

    def count_holds(self, event_type, rule):
        return compared(rule, len(self.window(event_type, rule)))

    def sum_holds(self, event_type, rule):
        total = sum(event.minor or 0 for event in self.window(event_type, rule))
        return compared(rule, total, lambda text: int(Decimal(text) * 100))

    def last_holds(self, event_type, rule):
        events = self.of(event_type, rule)
        if not events:
            return False
        days = rule.get("within_days", rule.get("older_than_days"))
        is_within = events[-1].at_ms > self.now_ms - days * DAY_MS
        return is_within == ("within_days" in rule)

    def attribute_holds(self, name, rule):
        value = self.profile.get(name)
        if "equals" in rule or "in" in rule:
            return value is not None and str(value) in (rule.get("in") or [str(rule["equals"])])
        return isinstance(value, int) and compared(rule, value)


def points_of(event, programmes):
    earned = [rule for rule in programmes[0]["earn"] if rule["event"] == event.type]
    assert all(rule["rounding"] == "floor" for rule in earned)
    return sum(event.minor * rule["points"] // rule["unit_minor"] for rule in earned)


def members(events, segments):
    """{segment: set of customers} after the last event."""
    by_customer = defaultdict(list)
    for event in events:
        by_customer[event.customer].append(event)
    now_ms = max(event.at_ms for event in events)
    found = {segment["name"]: set() for segment in segments}
    for name, own in by_customer.items():
        customer = Customer(own, now_ms)
        for segment in segments:
            if customer.holds(segment["rule"]):
                found[segment["name"]].add(name)
    return found


def truth(events, config):
    """What truth.json must hold, by the configuration at the path `config`."""
    told = yaml.safe_load(config.read_text())
    found = members(events, told["segments"])
    return {
        "events": len(events),
        "customers": len({event.customer for event in events}),
        "revenue_minor": sum(event.minor for event in events if event.type in REVENUE),
        "points_issued": sum(points_of(event, told["programmes"]) for event in events),
        "segments": {name: len(customers) for name, customers in found.items()},
    }
