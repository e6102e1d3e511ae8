"""What stands beside a verdict: marks of events and states of keys
(proof-bundle-v2.md section 5).
"""

from dataclasses import dataclass

import formats
import rules

#: In the document's order.
MARKS = ("late", "compromised", "revoked", "suspended", "retired")
STATES = ("active", "suspended", "retired", "revoked")
LATE = 172_800 * 1_000_000


@dataclass(frozen=True)
class KeyState:
    """The state of a key as of a registry version, and as of the time (microseconds)
    of the head where one is shown."""

    state: str
    registry: int
    time: int | None


def known_of(kid, records, registries, recent):
    """Every record of a kid that a bundle shows, and the state of its newest.

    `registries` holds the registry version that each of `records` is shown at.
    """
    mine = [(record, version) for record, version in zip(records, registries) if record.kid == kid]
    known = [record for record, _ in mine]
    if recent is not None:
        newest = recent.records[kid]
        return [*known, newest], KeyState(STATES[newest.state], recent.version, recent.time)
    highest = max(record.version for record in known)
    newest = [record for record in known if record.version == highest][-1]
    return known, KeyState(STATES[newest.state], mine[-1][1], None)


def of_event(shown, anchored, known, state):
    """The marks of one event. `shown` are its shown members (None if it is wholly
    withheld), `anchored` the anchored time in seconds."""
    anchored *= 1_000_000
    found = {state.state}
    if shown is not None and "eventTime" in shown and anchored - rules.instant(shown["eventTime"]) > LATE:
        found.add("late")
    since = [record.compromised_since for record in known if record.compromised_since is not None]
    if since and min(since) <= anchored:
        found.add("compromised")
    return [mark for mark in MARKS if mark in found]


assert STATES[formats.REVOKED] == "revoked" and STATES[formats.SUSPENDED] == "suspended"
