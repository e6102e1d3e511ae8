"""Broken bundles: for each a name, the class that refuses it, and a world.

Most break one rule by an edit before anything is signed or hashed, so that no
check but the one meant can fail.
"""

import base64

from builder import (
    MEMBERS,
    Event,
    Spec,
    World,
    b64,
    encode,
    filler,
)

ALL = []
P25519 = 2**255 - 19
L25519 = 2**252 + 27742317777372353535851937790883648493


def case(name, klass, world=None, **edits):
    """Adds a case; `world` makes the world that the edits go into."""
    ALL.append((name, klass, world or World, edits))


def setting(**changes):
    """An edit of a payload: keys `k4=...`; a function gets the old value."""

    def edit(payload, *_):
        payload = dict(payload)
        for name, value in changes.items():
            key = int(name[1:]) if name[1:].isdigit() else name
            payload[key] = value(payload.get(key)) if callable(value) else value
        return payload

    return edit


def dropping(key):
    return lambda payload, *_: {k: v for k, v in payload.items() if k != key}


def only(what, edit):
    """The edit, where it stands at the named object alone."""
    return lambda value, *where: edit(value, *where) if where[0] == what else value


def flip(data, at=-1):
    data = bytearray(data)
    data[at] ^= 1
    return bytes(data)


def bundle_edit(*path):
    """`bundle_edit("headers", 0, "index", 5)` sets a member of the bundle."""
    *steps, value = path

    def edit(bundle):
        place = bundle
        for step in steps[:-1]:
            place = place[step]
        place[steps[-1]] = value(place.get(steps[-1])) if callable(value) else value
        return bundle

    return edit


def changing(*path, **changes):
    """Sets members of the object at the path."""

    def edit(bundle):
        place = bundle
        for step in path:
            place = place[step]
        place.update(changes)
        return bundle

    return edit


def without(*path):
    def edit(bundle):
        place = bundle
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        return bundle

    return edit


def flip_hash(text):
    return b64(flip(base64.b64decode(text)))


def events(*members, **options):
    """A world with one event: members changed, None takes one away."""
    changed = {**MEMBERS, **dict(members)}
    changed = {name: value for name, value in changed.items() if value is not None}
    return lambda **edits: World(specs=[Spec(events=[Event(members=changed, **options)])], **edits)


def value(text):
    """A world whose event has one more member with this value."""
    return events(("tb:x", text))


def two_batches(**edits):
    return World(specs=[Spec(), Spec(seq=1, batch=1)], registries=[1, 2], **edits)


def two_checkpoints(**edits):
    """Three headers, two at the first checkpoint and one at the second."""
    specs = [Spec(), Spec(seq=1, batch=1), Spec(seq=2, batch=2)]
    return World(specs=specs, registries=[1, 1, 2], sizes=(6, 9), **edits)


def falling(bundle):
    """The three headers name checkpoints 1, 0 and 1."""
    bundle["headers"][0]["checkpoint"] = 1
    return bundle


def second_note_broken(note):
    return flip(note, 40) if b"\n9\n" in note else note


def one_registry(**edits):
    return World(specs=[Spec(), Spec(seq=1, batch=1)], registries=[1, 1], **edits)


def json_edit(old, new):
    def edit(raw):
        assert old in raw, old
        return raw.replace(old, new, 1)

    return edit


def spare_bits(lines):
    """The last character before `==` of a witness line gets an unused bit."""
    line = lines[1].rstrip("\n")
    assert line.endswith("==")
    return [lines[0], line[:-3] + chr(ord(line[-3]) + 1) + "==\n", *lines[2:]]


def late(index):
    return lambda **edits: World(times=(index,) * 3, **edits)


def refusing(*rows):
    return lambda **edits: World(refused={0: [list(row) for row in rows]}, **edits)


def device(**changes):
    return {"record": only("device", setting(**changes))}


def organisation(**changes):
    return {"record": only("org", setting(**changes))}


def retired(last, **more):
    return device(k1=2, k12=2, k13=last, k15=filler("record before"), **more)


def typ_of(what, typ):
    def edit(parts, *_):
        key = parts["key"]
        return {**parts, "protected": encode({1: key.alg, 4: key.kid, 16: typ})}

    return only(what, edit)


def chain(*later, state=2, last=2, **options):
    """Three statements of a key that is retired with the third (or another)."""

    def make(edits=None):
        specs = [Spec(later=list(later) or None), Spec(seq=1, show=False), Spec(seq=2, show=False)]
        world = World(specs=specs, **options)

        def record(payload, what, _):
            if what == "org":
                return payload
            retired_at = {13: [0, last, world.ids[last]]}
            return {**payload, 1: 2, 12: 2, 15: filler("record before"), **retired_at}

        world.edits = {"record": record, **(edits or {})}
        return world

    return make


def row_of_later(change):
    """Changes the rows of `later`, as bytes."""

    def edit(bundle):
        row = bundle["statements"][0]
        row["later"] = [b64(raw) for raw in change([base64.b64decode(text) for text in row["later"]])]
        return bundle

    return edit


def only_at(position, edit):
    """The edit, at one of the statements."""
    return lambda value, *where: edit(value) if where[-1] == position else value


def note(**keys):
    body = {int(k[1:]): v for k, v in keys.items()}
    return lambda **edits: World(specs=[Spec(note=body)], **edits)


def at(epoch, seq, **options):
    return lambda **edits: World(specs=[Spec(epoch=epoch, seq=seq, **options)], **edits)


VALID_CHAIN = chain(1, 2)
