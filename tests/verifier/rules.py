"""Rule set 1 (statement.md section 5, from `source-not-allowed` to
`place-not-allowed`), repeated for the members of an event that are shown.
"""

import re
from datetime import date

from errors import need

TYPES = ("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent")
ACTIONS = ("ADD", "OBSERVE", "DELETE")
STEP_PREFIXES = ("https://ref.gs1.org/cbv/BizStep-", "urn:epcglobal:cbv:bizstep:")
EVENT_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
OFFSET = re.compile(r"[+-]([0-9]{2}):([0-9]{2})")
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check(source, names, shown, record):
    """`names` are all top-level names, `shown` the parsed values by name."""
    need(source in record.sources, "source-not-allowed")
    for name in ("type", "eventTime", "eventTimeZoneOffset"):
        need(name in names, f"{name} is missing")
    if "type" in shown:
        need(is_one_of(shown["type"], TYPES), "event-type")
        transformation = shown["type"] == "TransformationEvent"
        need(("action" in names) != transformation, "action: absent exactly in a TransformationEvent")
    if "eventTime" in shown:
        check_time(shown["eventTime"])
    if "eventTimeZoneOffset" in shown:
        offset = shown["eventTimeZoneOffset"]
        need(type(offset) is str and is_offset(offset), "time-zone-offset")
    if "action" in shown:
        need(is_one_of(shown["action"], ACTIONS), "action")
    if "bizStep" in shown:
        check_step(shown["bizStep"], record.steps)
    if "readPoint" in shown:
        place = shown["readPoint"]
        need(type(place) is dict and is_one_of(place.get("id"), record.places), "place-not-allowed")


def is_one_of(value, texts):
    return type(value) is str and value in texts


def check_step(step, steps):
    need(type(step) is str, "step-not-allowed: not a text")
    for prefix in STEP_PREFIXES:
        if step.startswith(prefix):
            step = step[len(prefix) :]
            break
    need(step in steps, "step-not-allowed")


def check_time(value):
    match = type(value) is str and EVENT_TIME.fullmatch(value)
    need(match, "event-time: form")
    year, month, day, hour, minute, second = (int(match.group(i)) for i in range(1, 7))
    need(year >= 1 and 1 <= month <= 12 and 1 <= day <= days_of(year, month), "event-time: not a date")
    need(hour <= 23 and minute <= 59 and second <= 59, "event-time: not a time")
    need(match.group(8) == "Z" or is_offset(match.group(8)), "event-time: offset")


def instant(value):
    """Microseconds since 1970 of an `eventTime` that has passed `check`; further
    digits are cut off. Negative before 1970, and the year may be 0 after the offset."""
    parts = EVENT_TIME.fullmatch(value).groups()
    year, month, day, hour, minute, second = (int(part) for part in parts[:6])
    days = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second
    offset = parts[7]
    if offset != "Z":
        ahead = int(offset[1:3]) * 3_600 + int(offset[4:6]) * 60
        seconds += ahead if offset[0] == "-" else -ahead
    return seconds * 1_000_000 + int((parts[6] or "0")[:6].ljust(6, "0"))


def days_of(year, month):
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else MONTH_DAYS[month - 1]


def is_offset(value):
    """`+hh:mm` or `-hh:mm`, at most 14:00."""
    match = OFFSET.fullmatch(value)
    if not match:
        return False
    hours, minutes = int(match.group(1)), int(match.group(2))
    return minutes <= 59 and hours * 60 + minutes <= 14 * 60
