"""The CDNOW purchases: the file, its truths, and what follows from them without the suite."""
import collections
from datetime import datetime, timezone

import suite

CONFIG = suite.TREE / "config" / "cdnow.yaml"
MAP = suite.TREE / "config" / "maps" / "cdnow.yaml"
SEGMENT = "spend_200_in_90d"

ROWS = 69659
SAMPLE_ROWS = 6919
CUSTOMERS = 23570
REVENUE_MINOR = 250031563
POINTS = 2453159
LARGEST = ("07592", 13860)
MEMBERS = 159
MEMBERS_A_DAY_LATER = 155
# With the events in the order of time.
ENTERED = 2310
EXITED = 2151

Row = collections.namedtuple("Row", "customer day cds minor")


def path():
    """The file; without the data sets the test is skipped."""
    file = suite.data_folder() / "cdnow" / "CDNOW_master.txt"
    if not file.is_file():
        suite.skip(f"{file} is missing; set KITH_DATA")
    return file


def rows():
    """As they stand in the file."""
    fields = (line.split() for line in path().read_text().splitlines()[1:])
    return [Row(*one[:3], int(one[3].replace(".", ""))) for one in fields if one]


def day_ms(row):
    day = datetime.strptime(row.day, "%Y%m%d").replace(tzinfo=timezone.utc)
    return int(day.timestamp() * 1000)


def balances(of):
    """A point for each whole dollar of each row."""
    points = collections.Counter()
    for row in of:
        points[row.customer] += row.minor // 100
    return dict(points)
