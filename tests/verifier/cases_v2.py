"""Bundles of version 2: those of the table of proof-bundle-v2.md section 7 and what
else holds (`GOOD`, with the marks of each event), and broken ones (`BROKEN`).

Each row has a name, what is to be said, and a function that makes the world; those of
`BROKEN` take edits, as in `corruptions.py`.
"""


from builder import MEMBERS, Event, Spec, b64, filler
from builder_v2 import Chain, Era

GOOD = []
BROKEN = []
#: Seconds: that of the quorum (2) of an era's witnesses.
ANCHORED = 1_770_000_005
MICROS = 1_000_000


def good(name, marks, world, verdict="verified"):
    """A bundle that is not refused; `marks` are those of its events in order."""
    GOOD.append((name, verdict, marks, world))


def case(name, klass, world=Chain, **edits):
    BROKEN.append((name, klass, world, edits))


# --- worlds -----------------------------------------------------------------------

#: Two witnesses are replaced, one stays.
NEXT = Era(before=1, witnesses=("witness 0", "witness 7", "witness 8"))
LAST = Era(before=2, log="log 2", witnesses=("witness 7", "witness 8", "witness 9"), registrar="registrar 2")


def two_eras(**options):
    """Log: policy, head, between, header, policy, between, header, after."""
    options.setdefault("eras", [Era(), NEXT])
    options.setdefault("specs", [Spec(), Spec(seq=1, batch=1)])
    return Chain(registries=[1, 1], **options)


def three_eras(**options):
    """The third has another registrar, who has admitted the organisation anew."""
    specs = [Spec(), Spec(seq=1, batch=1), Spec(seq=2, batch=2)]
    edits = {"record": lambda payload, what, batch: newer(payload, what == "org" and batch == 2)}
    edits.update(options.pop("edits", {}))
    options.setdefault("admitted_by", {2: "registrar 2"})
    return Chain(specs=specs, registries=[1, 1, 2], eras=[Era(), NEXT, LAST], edits=edits, **options)


def fresh(**options):
    return Chain(fresh=True, **options)


def seen(size=3, **options):
    """A statement of the second batch has seen the log."""
    return two_eras(specs=[Spec(), Spec(seq=1, batch=1, seen=size)], **options)


def newer(payload, there, **changes):
    """The next version of a record."""
    if not there:
        return payload
    return {**payload, 1: 2, 15: filler("record before"), **{int(k[1:]): v for k, v in changes.items()}}


def device_at(where, world, **changes):
    """The world, its device's record changed in the registry of a batch, or in "fresh"."""
    at = {k: v for k, v in changes.items() if not callable(v)}
    later = {k: v for k, v in changes.items() if callable(v)}

    def edit(payload, what, batch):
        there = what == "device" and batch == where
        values = {**at, **{k: v(world) for k, v in later.items()}} if there else {}
        return newer(payload, there, **values)

    world.edits["record"] = edit
    return world


def revoked(where, since=None, world=None):
    since = {} if since is None else {"k14": since}
    return device_at(where, world or fresh(), k12=3, **since)


def retired(where, last, world):
    return device_at(where, world, k12=2, k13=lambda world: [0, last, world.id_of(last)])


def event_at(time):
    return Event(members={**MEMBERS, "eventTime": f'"{time}"'})


def at_time(time, **options):
    return fresh(specs=[Spec(events=[event_at(time)])], **options)


def chain_of_three(*later, **options):
    """Three statements, the first shown with these later ones."""
    shown = Spec(later=list(later) or None)
    return Chain(specs=[shown, Spec(seq=1, show=False), Spec(seq=2, show=False)], **options)


# --- the table of section 7 ---------------------------------------------------------

good("event anchored, key active, head fresh", [[]], fresh)
good("key rotated after the event", [["retired"]], lambda: retired("fresh", 2, chain_of_three(fresh=True)))
good("header already holds the retirement", [["retired"]], lambda: retired(0, 2, chain_of_three(1, 2)))
case("the same without later", "record", lambda edits: retired(0, 2, chain_of_three()))
case("the same with a gap", "record", lambda edits: retired(0, 2, chain_of_three(2)))
case(
    "an event after last of a retired key",
    "record",
    lambda edits: retired(0, 0, Chain(specs=[Spec(show=False), Spec(seq=1)])),
)
good(
    "an event after last of a key that was active at its header",
    [["retired"]],
    lambda: retired("fresh", 0, fresh(specs=[Spec(show=False), Spec(seq=1)])),
)
good("key revoked after the event was anchored", [["revoked"]], lambda: revoked("fresh"))
case("header already holds the revocation", "record", lambda edits: revoked(0, world=Chain()))
good(
    "compromised since before the anchored time",
    [["compromised", "revoked"]],
    lambda: revoked("fresh", (ANCHORED - 1) * MICROS),
)
good("compromised since the anchored time", [["compromised", "revoked"]], lambda: revoked("fresh", ANCHORED * MICROS))
good("compromised a microsecond after it", [["revoked"]], lambda: revoked("fresh", ANCHORED * MICROS + 1))
good("compromised long after it", [["revoked"]], lambda: revoked("fresh", 1_790_000_000 * MICROS))
case(
    "organisation suspended at the header",
    "organisation",
    Chain,
    record=lambda payload, what, _: newer(payload, what == "org", k12=1),
)
good(
    "organisation suspended later",
    [[]],
    lambda: fresh(
        edits={"record": lambda payload, what, batch: newer(payload, what == "org" and batch == "fresh", k12=1)}
    ),
)
good("suspended later", [["suspended"]], lambda: device_at("fresh", fresh(), k12=1))
good("anchored long after its event time", [["late"]], lambda: at_time("2026-01-30T00:00:00Z"))
good(
    "late and compromised",
    [["late", "compromised", "revoked"]],
    lambda: revoked("fresh", 0, at_time("2026-01-30T00:00:00Z")),
)
good("header under an older policy", [[], []], two_eras)
case(
    "removed witnesses above the old policy's end",
    "checkpoint",
    two_eras,
    sizes=lambda _: (7, 8),
    era=lambda era, what, *at: 0 if (what, *at) == ("checkpoint", 0) else era,
)
case(
    "removed witnesses below that end, of another history",
    "log-path",
    lambda **options: two_eras(sizes=(4, 8), **options),
    note_head=lambda head, what, at: (*head[:2], b64(filler("root"))) if (what, at) == ("checkpoint", 0) else head,
)
case(
    "a registrar that the policy no longer names",
    "organisation",
    lambda **options: two_eras(eras=[Era(), Era(before=1, registrar="registrar 2")], **options),
)
good(
    "admitted anew by the new registrar",
    [[], [], []],
    three_eras,
)
good("log key succeeded", [[], []], lambda: two_eras(eras=[Era(), Era(before=1, log="log 2")]))

# --- more that holds ------------------------------------------------------------------

# Anchored at 1,770,000,005: 2026-02-02T02:40:05Z; two days before it is not late yet.
good("two days", [[]], lambda: at_time("2026-01-31T02:40:05Z"))
good("two days and a microsecond", [["late"]], lambda: at_time("2026-01-31T02:40:04.999999Z"))
good("two days and less than a microsecond", [["late"]], lambda: at_time("2026-01-31T02:40:04.9999999Z"))
good("two days less a nanosecond", [[]], lambda: at_time("2026-01-31T02:40:05.000000001Z"))
good("two days by another offset", [[]], lambda: at_time("2026-01-31T16:40:05+14:00"))
good("two days and a second by another offset", [["late"]], lambda: at_time("2026-01-30T12:40:04-14:00"))
good("year 50", [["late"]], lambda: at_time("0050-02-28T00:00:00Z"))
good("before the year 1 by its offset", [["late"]], lambda: at_time("0001-01-01T00:00:00+14:00"))
good("year 9999", [[]], lambda: at_time("9999-12-31T23:59:59.999999999-14:00"))
good("compromised since 1970", [["compromised", "revoked"]], lambda: revoked("fresh", 0))
good("event time withheld", [[]], lambda: fresh(specs=[Spec(events=[Event(hide=("eventTime",))])]), "incomplete")
good(
    "wholly withheld, of a compromised key",
    [["compromised", "revoked"], ["late", "compromised", "revoked"]],
    lambda: revoked("fresh", 0, fresh(specs=[Spec(events=[Event(wholly=True), event_at("2001-01-01T00:00:00Z")])])),
    "incomplete",
)
good("no fresh head", [[]], Chain)
good(
    "no fresh head, two registries, the later record counts",
    [["retired"], ["retired"]],
    lambda: retired(1, 1, Chain(specs=[Spec(), Spec(seq=1, batch=1)], registries=[1, 2])),
)
good("a statement has seen the log", [[], []], seen)
good("a statement has seen its policy's end", [[], []], lambda: seen(4))
good("a statement has seen the hand-over", [[], []], lambda: seen(5))
good("a statement has seen all before its header", [[], []], lambda: seen(6))
good("a note of the hand-over's size under the new policy", [[]], lambda: Chain(eras=[Era(), NEXT], sizes=(4, 5)))
good(
    "three policies and a fresh head",
    [[], [], []],
    lambda: three_eras(
        fresh=True,
        admitted_by={2: "registrar 2", 3: "registrar 2"},
        edits={"record": lambda payload, what, batch: newer(payload, what == "org" and batch in (2, "fresh"))},
    ),
)
good("the first policy has a predecessor", [[]], lambda: beginning(later_batch_only()))
good("two policies in a row", [[], []], lambda: two_eras(eras=[Era(), NEXT, Era(before=1, log="log 2")]))
good("an old checkpoint below the old policy's end", [[]], lambda: Chain(specs=[Spec()], **long_ago()))


def long_ago():
    """The header's checkpoint is older than the end of its policy."""
    return {"registries": [1], "eras": [Era(), NEXT], "fillers_after": 3, "sizes": (5, 10)}


def later_batch_only():
    return two_eras(specs=[Spec(show=False), Spec(seq=1, batch=1)])


def beginning(world):
    """Without the first policy and whatever is older than the second."""

    def edit(bundle):
        del bundle["policies"][0], bundle["headers"][0], bundle["checkpoints"][0]
        first = bundle["policies"][0]
        del first["prefix"], first["handover"]
        bundle["checkpoints"][0]["policy"] = bundle["headers"][0]["checkpoint"] = 0
        for row in bundle["keys"] + bundle["statements"]:
            row["header"] = 0
        return bundle

    world.edits["bundle"] = edit
    return world
