#!/usr/bin/python3
"""Shows a customer's points: balance.py CUSTOMER. KITH_SUITE names the suite's data folder."""
import sys

import kith

with kith.Client() as client:
    try:
        account = client.balance(sys.argv[1])
        print(f"{account.available} points, {account.earned} earned, {account.spent} spent")
    except kith.Refused as refused:
        sys.exit(refused.sentence)
