#!/usr/bin/python3
"""Lets a campaign write to a customer: trigger.py CAMPAIGN CUSTOMER [KEY]. KITH_SUITE names the
suite's data folder. The same KEY again writes no second message."""
import sys

import kith

attempt = kith.Attempt.new(*sys.argv[3:])
with kith.Client() as client:
    decision = client.trigger(sys.argv[1], sys.argv[2], attempt=attempt)
    print(decision.state, decision.reason or "", decision.detail)
