"""Broken bundles of version 2, one rule of proof-bundle-v2.md broken in each."""

import base64

import corruptions
from builder import Ed25519, H, Spec, b64, filler, log_path
from builder_v2 import Chain, Era, hashes
from cases_v2 import (
    beginning,
    case,
    fresh,
    later_batch_only,
    long_ago,
    newer,
    seen,
    three_eras,
    two_eras,
)
from corruptions import bundle_edit, changing, flip, flip_hash, without

# --- format ---------------------------------------------------------------------------

NO_ROW = {"note": "", "policy": 0, "prefix": []}
case("version 3", "format", bundle=bundle_edit("tracebond", "bundle/v3"))
case("the form of version 1", "format", bundle=bundle_edit("tracebond", "bundle/v1"))
case("a policy of version 1", "format", bundle=lambda b: {**without("policies")(dict(b)), "policy": b["policies"][0]})
case("no policies", "format", bundle=bundle_edit("policies", []))
case("33 policies", "format", two_eras, bundle=bundle_edit("policies", lambda rows: rows[:1] + rows[1:] * 32))
case("policies in disorder", "format", three_eras, bundle=bundle_edit("policies", lambda r: [r[0], r[2], r[1]]))
case("one policy twice", "format", two_eras, bundle=bundle_edit("policies", lambda rows: rows + rows[1:]))
case("the first policy with a prefix", "format", bundle=changing("policies", 0, prefix=[]))
case("a later policy without prefix", "format", two_eras, bundle=without("policies", 1, "prefix"))
case("a later policy without hand-over", "format", two_eras, bundle=without("policies", 1, "handover"))
case("hand-over with an index", "format", two_eras, bundle=changing("policies", 1, "handover", index=4))
case("hand-over without path", "format", two_eras, bundle=without("policies", 1, "handover", "path"))
case("a checkpoint as text", "format", bundle=bundle_edit("checkpoints", 0, ""))
case("a checkpoint without policy", "format", bundle=without("checkpoints", 0, "policy"))
case("a checkpoint without prefix", "format", bundle=without("checkpoints", 0, "prefix"))
case("a checkpoint of no policy", "format", bundle=changing("checkpoints", 0, policy=1))
case("policies of checkpoints fall", "format", three_eras, bundle=lambda b: falling(b))
case("the last checkpoint of an older policy", "format", two_eras, bundle=changing("checkpoints", 1, policy=0))
case("a prefix of 65 hashes", "format", two_eras, bundle=changing("policies", 1, prefix=[b64(bytes(32))] * 65))
case("fresh is null", "format", bundle=changing(fresh=None))
case("fresh of one key", "format", fresh, bundle=bundle_edit("fresh", "keys", lambda rows: rows[:1]))
case("fresh in disorder", "format", fresh, bundle=bundle_edit("fresh", "keys", lambda rows: rows[::-1]))
case("fresh with a header", "format", fresh, bundle=changing("fresh", "keys", 0, header=0))
case("fresh without path", "format", fresh, bundle=without("fresh", "path"))


def falling(bundle):
    bundle["checkpoints"][0]["policy"], bundle["checkpoints"][1]["policy"] = 1, 0
    return bundle


case("seen as text", "format", bundle=changing("statements", 0, seen=""))
case("seen of no policy", "format", seen, bundle=changing("statements", 1, "seen", policy=2))
case("seen with an index", "format", seen, bundle=changing("statements", 1, "seen", index=2))
case("a header that no statement uses", "format", two_eras, bundle=changing("statements", 1, header=0))

# --- policy ---------------------------------------------------------------------------


def policy_of(position, **changes):
    """An edit of one of the policies; a function gets the old value."""

    def edit(payload, at):
        return corruptions.setting(**changes)(payload) if at == position else payload

    return edit


def prev_with(position, value):
    return policy_of(1, k7=lambda prev: [*prev[:position], value(prev[position]), *prev[position + 1 :]])


case("policy of another type", "policy", policy_entry=lambda entry, _: b"\x01" + entry[1:])
case("second policy of another type", "policy", two_eras, policy_entry=lambda entry, at: bytes([2 - at]) + entry[1:])
case("first policy not at 0", "policy", bundle=bundle_edit("policies", 0, "index", 1))
case("second policy beside its place", "policy", two_eras, bundle=changing("policies", 1, index=5))
case("prev of another size", "policy", two_eras, policy=prev_with(1, lambda size: size + 1))
case("prev of another policy", "policy", two_eras, policy=prev_with(0, flip))
case(
    "second policy without prev",
    "policy",
    lambda **options: two_eras(**options),
    policy=lambda payload, at: {key: value for key, value in payload.items() if key != 7},
)
case("second policy of another log", "policy", two_eras, policy=policy_of(1, k1=filler("log")))
case("second policy of another origin", "policy", two_eras, policy=policy_of(1, k2="log.example.org/other"))
case("a policy is left out", "policy", three_eras, bundle=lambda b: leaving_out(b))


def leaving_out(bundle):
    """The middle policy goes, with its header, statement and checkpoint."""
    del bundle["policies"][1], bundle["checkpoints"][1]
    bundle["checkpoints"][1]["policy"] = 1
    bundle["headers"][1]["checkpoint"] = bundle["headers"][2]["checkpoint"] = 1
    return bundle


# --- checkpoint -------------------------------------------------------------------------


def note_of(*where, lines=None, head=None):
    """Edits of one note: its signature lines or its head."""
    edits = {}
    if lines is not None:
        edits["note_lines"] = lambda value, *at: lines(value) if at == where else value
    if head is not None:
        edits["note_head"] = lambda value, *at: head(value) if at == where else value
    return edits


def other_root(head):
    return (*head[:2], b64(filler("root")))


def other_size(size):
    return lambda head: (head[0], str(size), head[2])


def signed_by(era, *where):
    return lambda own, *at: era if at == where else own


for where, world in (
    (("checkpoint", 0), two_eras),
    (("checkpoint", 1), two_eras),
    (("handover", 1), two_eras),
    (("seen", 1), seen),
):
    what = f"{where[0]} {where[1]}"
    case(f"{what}: too few witnesses", "checkpoint", world, **note_of(*where, lines=lambda lines: lines[:2]))
    case(f"{what}: not the log first", "checkpoint", world, **note_of(*where, lines=lambda lines: lines[1:]))
    case(
        f"{what}: a broken signature",
        "checkpoint",
        world,
        **note_of(*where, lines=lambda rows: [*rows[:-1], rows[-1].replace("=", "A=", 1)]),
    )
    case(f"{what}: one witness twice", "checkpoint", world, **note_of(*where, lines=lambda rows: rows + rows[-1:]))
    case(
        f"{what}: another origin",
        "checkpoint",
        world,
        **note_of(*where, head=lambda head: ("x.example", *head[1:])),
    )

case("an old checkpoint under the new policy", "checkpoint", two_eras, bundle=lambda b: swapped(b, "checkpoints", 0, 1))
case("a new checkpoint by the old keys", "checkpoint", two_eras, bundle=lambda b: relabelled(b))
case(
    "a checkpoint not above its policy",
    "checkpoint",
    lambda **options: two_eras(specs=[Spec(), Spec(seq=1, batch=1)], sizes=(4, 8), **options),
    era=lambda era, what, at: 1,
)
case(
    "checkpoints fall",
    "checkpoint",
    lambda **o: Chain(registries=[1, 1], specs=[Spec(), Spec(seq=1, batch=1)], sizes=(4, 7), **o),
    bundle=bundle_edit("checkpoints", lambda rows: rows[::-1]),
)
case(
    "the hand-over's size used as a checkpoint",
    "checkpoint",
    lambda **options: two_eras(sizes=(5, 8), **options),
    era=signed_by(0, "checkpoint", 0),
)
case("hand-over of a smaller size", "checkpoint", two_eras, **note_of("handover", 1, head=other_size(4)))
case("hand-over of a larger size", "checkpoint", two_eras, **note_of("handover", 1, head=other_size(6)))
case("hand-over by the new keys", "checkpoint", two_eras, bundle=lambda b: handed_over_by_new(b))
case("seen by keys of the other policy", "checkpoint", seen, bundle=changing("statements", 1, "seen", policy=1))
case("seen beyond the policy's end", "checkpoint", lambda **o: seen(5, **o), era=signed_by(0, "seen", 1))
case("seen of another root", "checkpoint", seen, **note_of("seen", 1, head=other_root))
case("seen of another size", "checkpoint", seen, **note_of("seen", 1, head=other_size(2)))


def swapped(bundle, name, a, b):
    """The second's place is given to the first."""
    bundle[name][a]["policy"] = bundle[name][b]["policy"]
    del bundle[name][b]
    bundle["headers"][1]["checkpoint"] = 0
    return bundle


def relabelled(bundle):
    """The new checkpoint's note is replaced by the predecessor's hand-over."""
    bundle["checkpoints"][1]["note"] = bundle["policies"][1]["handover"]["note"]
    return bundle


def handed_over_by_new(bundle):
    bundle["policies"][1]["handover"]["note"] = bundle["checkpoints"][1]["note"]
    return bundle


# --- log-path and header ------------------------------------------------------------------


def flip_first(*path):
    """The first hash of a path is another."""
    return bundle_edit(*path, lambda rows: [flip_hash(rows[0])] + rows[1:])


case("policy path", "log-path", bundle=flip_first("policies", 0, "path"))
case("path of the second policy", "log-path", two_eras, bundle=flip_first("policies", 1, "path"))
case("prefix of the second policy", "log-path", two_eras, bundle=flip_first("policies", 1, "prefix"))
case("prefix cut", "log-path", two_eras, bundle=bundle_edit("policies", 1, "prefix", lambda rows: rows[:-1]))
case("prefix too long", "log-path", two_eras, bundle=bundle_edit("policies", 1, "prefix", lambda rows: rows + rows))
case("empty prefix", "log-path", two_eras, bundle=bundle_edit("policies", 1, "prefix", []))
case("hand-over path", "log-path", two_eras, bundle=flip_first("policies", 1, "handover", "path"))
case("hand-over of another tree", "log-path", two_eras, **note_of("handover", 1, head=other_root))
case("prev of another root", "log-path", two_eras, policy=prev_with(2, flip))
case("prefix of the last checkpoint", "log-path", bundle=changing("checkpoints", 0, prefix=[b64(bytes(32))]))
case("prefix between equal sizes", "log-path", two_eras, bundle=changing("checkpoints", 0, prefix=[b64(bytes(32))]))
case(
    "prefix of an old checkpoint",
    "log-path",
    lambda **options: Chain(**long_ago(), **options),
    bundle=flip_first("checkpoints", 0, "prefix"),
)
case(
    "no prefix of an old checkpoint",
    "log-path",
    lambda **options: Chain(**long_ago(), **options),
    bundle=changing("checkpoints", 0, prefix=[]),
)
case("seen: prefix", "log-path", seen, bundle=flip_first("statements", 1, "seen", "prefix"))
case("seen: no prefix", "log-path", seen, bundle=changing("statements", 1, "seen", prefix=[]))
case(
    "seen of another history",
    "log-path",
    seen,
    statement=lambda payload, at: {**payload, 7: [3, filler("root")]} if 7 in payload else payload,
    **note_of("seen", 1, head=other_root),
)
case("header path", "log-path", two_eras, bundle=flip_first("headers", 0, "path"))
case("fresh path", "log-path", fresh, bundle=flip_first("fresh", "path"))
case("fresh index", "log-path", fresh, bundle=changing("fresh", index=3))
case("a header older than the first policy", "header", two_eras, bundle=lambda b: without_first_policy(b))
case("fresh older than the first policy", "header", lambda **o: older_head())


def without_first_policy(bundle):
    """The second policy alone, under which everything is shown."""
    del bundle["policies"][0], bundle["checkpoints"][0]
    first = bundle["policies"][0]
    del first["prefix"], first["handover"]
    bundle["checkpoints"][0]["policy"] = 0
    for row in bundle["headers"]:
        row["checkpoint"] = 0
    return bundle


def older_head():
    """The first policy is not shown; the head that is, is older than the second."""
    world = beginning(later_batch_only())
    begun = world.edits["bundle"]

    def edit(bundle):
        head = world.log.index(next(entry for entry in world.log if entry[0] == 5))
        path = hashes(log_path([H(b"\x00", entry) for entry in world.log], head))
        keys = [{name: row[name] for name in ("record", "salt", "index", "path")} for row in bundle["keys"]]
        return begun({**bundle, "fresh": {"entry": b64(world.log[head]), "index": head, "path": path, "keys": keys}})

    world.edits["bundle"] = edit
    return world


case("fresh of another type", "header", fresh, head_entry=lambda e, batch: b"\x04" + e[1:] if batch == "fresh" else e)
case("fresh with a key too many", "header", fresh, head=lambda h, batch: {**h, 4: 1} if batch == "fresh" else h)
case("fresh of version 0", "header", fresh, head=lambda h, batch: {**h, 0: 0} if batch == "fresh" else h)
case("fresh of count 0", "header", fresh, head=lambda h, batch: {**h, 1: 0} if batch == "fresh" else h)
case(
    "fresh below a header's registry",
    "header",
    lambda **options: Chain(fresh=True, specs=[Spec(), Spec(seq=1, batch=1)], registries=[4, 5], **options),
    head=lambda head, batch: {**head, 0: 4} if batch == "fresh" else head,
)
case("one version with two heads", "header", fresh, head=lambda h, batch: {**h, 0: 1} if batch == "fresh" else h)

# --- fresh ------------------------------------------------------------------------------------


def fresh_only(edit):
    """An edit of a record where it stands in `fresh`."""
    return lambda value, what, batch: edit(value, what) if batch == "fresh" else value


def fresh_record(what, **changes):
    """The next version of a record, changed further, in `fresh`."""
    return fresh_only(lambda payload, which: newer(payload, which == what, **changes))


case("fresh record of another log", "record", fresh, record=fresh_record("device", k0=filler("log")))
case("fresh record of another organisation", "organisation", fresh, record=fresh_record("device", k2="other"))
case("fresh record of another device", "record", fresh, record=fresh_record("device", k3="line-2"))
case("fresh organisation of another name", "organisation", fresh, record=fresh_record("org", k2="other"))
case("fresh record with an unknown key", "record", fresh, record=fresh_record("device", k17=1))
case(
    "a version falls in fresh",
    "record",
    fresh,
    record=lambda payload, what, batch: newer(payload, what == "device" and batch == 0),
)
case(
    "one version with two records",
    "record",
    fresh,
    record=fresh_only(lambda payload, what: {**payload, 11: 60} if what == "device" else payload),
)
case(
    "fresh consent broken",
    "record",
    fresh,
    consented=fresh_only(lambda payload, what: {**payload, 16: flip(payload[16])}),
)
case("fresh path of a record", "registry-path", fresh, bundle=flip_first("fresh", "keys", 0, "path"))
case("fresh salt", "registry-path", fresh, bundle=changing("fresh", "keys", 1, salt=b64(bytes(16))))
case("fresh record at another index", "registry-path", fresh, bundle=bundle_edit("fresh", "keys", 1, "index", 4))
case("fresh with a registrar of nobody", "organisation", lambda **o: fresh(admitted_by={2: "stranger"}, **o))
case(
    "fresh with a registrar that is no longer named",
    "organisation",
    lambda **o: fresh(eras=[Era(), Era(before=1, registrar="registrar 2")], **o),
)
case("keys of a later policy", "record", lambda **options: two_eras(eras=[Era(), with_key("device")], **options))
case(
    "the organisation's key is a registrar's",
    "record",
    lambda **o: two_eras(eras=[Era(), Era(before=1, registrar="organisation")], **o),
)


def with_key(name):
    return Era(before=1, witnesses=(name, "witness 0", "witness 8"))


def another_device(edits=None):
    """One more record in the registry of `fresh`."""
    world = fresh(edits=edits or {})

    def edit(rows, batch):
        if batch != "fresh":
            return rows
        own, world.device_key = world.device_key, Ed25519("device 2")
        raw, salt, kid = world.record("device", "another"), filler("salt")[:16], world.device_key.kid
        world.device_key = own
        return sorted([*rows, (kid, H(b"\x00R", kid, H(salt, raw)), "another", raw, salt)], key=lambda row: row[0])

    world.edits["registry"] = edit
    return world


def lacking(kid_of):
    """Without the rows of `fresh` whose record names this key."""
    world = another_device()

    def edit(bundle):
        rows = bundle["fresh"]["keys"]
        rows[:] = [row for row in rows if kid_of(world) not in base64.b64decode(row["record"])]
        return bundle

    world.edits["bundle"] = edit
    return world


case("a row that nobody needs", "registry-path", another_device)
case("fresh without the device", "registry-path", lambda edits: lacking(lambda world: world.device_key.kid))
case("fresh without the organisation", "organisation", lambda edits: lacking(lambda world: Ed25519("registrar").kid))

# --- seen, registrars -------------------------------------------------------------------------

case("seen that the statement does not carry", "statement", seen, bundle=lambda b: moved_seen(b))
case(
    "seen above its header",
    "statement",
    lambda **o: seen(6, **o),
    statement=lambda payload, at: {**payload, 7: [7, payload[7][1]]} if 7 in payload else payload,
)
case("admitted anew by the old registrar", "organisation", lambda **o: three_eras(admitted_by={}, **o))
case(
    "admitted by a registrar who is not yet named",
    "organisation",
    lambda **o: Chain(admitted_by={1: "registrar 2"}, eras=[Era(), Era(1, registrar="registrar 2")], **o),
)


def moved_seen(bundle):
    bundle["statements"][0]["seen"] = bundle["statements"][1].pop("seen")
    return bundle
