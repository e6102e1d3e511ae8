"""Broken bundles of the classes from `statement` to `refused-event`."""

import base64

from builder import MEMBERS, P256, P256_N, ZERO, Ed25519, Event, H, Raw, Spec, World, b64, complete_path, encode, filler
from corruptions import (
    L25519,
    P25519,
    at,
    bundle_edit,
    case,
    changing,
    events,
    flip,
    flip_hash,
    note,
    only,
    refusing,
    setting,
    two_batches,
    typ_of,
    value,
)

# --- statement --------------------------------------------------------------------


def statement_signature(change):
    """Puts another signature in the statement's place, made from the true one."""

    def edit(parts, *_):
        message = encode(["Signature1", parts["protected"], b"", parts["payload"]])
        return {**parts, "signature": change(parts["key"], message)}

    return only("statement", edit)


def swap_keys(bundle):
    row = bundle["statements"][0]
    row["device"], row["organisation"] = row["organisation"], row["device"]
    return bundle


def large_s(key, message):
    signature = key.sign(message)
    return signature[:32] + (int.from_bytes(signature[32:], "little") + L25519).to_bytes(32, "little")


def p256_device(**edits):
    return World(device_alg=P256, **edits)


def raw_cose(**changes):
    return only("statement", lambda parts, *_: {**parts, **changes})


case("statement of another log", "statement", statement=setting(k0=filler("log")))
case("statement of another device", "statement", statement=setting(k1="qinghe/line-2"))
case("device without organisation", "statement", statement=setting(k1="line-1"))
case("device with three parts", "statement", statement=setting(k1="qinghe/line-1/a"))
case("prev at the beginning", "statement", statement=setting(k4=filler("prev")))
case("no prev later", "statement", at(0, 1))
case("clock 3", "statement", statement=setting(k6=3))
case("seen size 0", "statement", statement=setting(k7=[0, ZERO]))
case("seen beyond the header", "statement", statement=setting(k7=[4, ZERO]))
case("agent not ASCII", "statement", statement=setting(k8="\u00e9"))
case("agent empty", "statement", statement=setting(k8=""))
case("agent of 65 bytes", "statement", statement=setting(k8="a" * 65))
case("count 0", "statement", statement=setting(k9=0))
case("count 257", "statement", statement=setting(k9=257))
case("note key in a statement", "statement", statement=setting(k11={0: 1, 1: ""}))
case("epoch without a note", "statement", at(1, 0), statement=setting(k4=filler("prev")))
case("epoch with a heartbeat", "statement", at(1, 0, note={0: 1, 1: ""}), statement=setting(k4=filler("prev")))
case("epoch start in epoch 0", "statement", note(k0=0, k1="", k2=[0, 0, ZERO]))
case("epoch start with another last", "statement", at(1, 0, note={0: 0, 1: ""}), statement=setting(k4=filler("prev")))
case(
    "epoch start after itself",
    "statement",
    at(1, 0, note={0: 0, 1: ""}),
    statement=setting(k4=filler("p"), k11={0: 0, 1: "", 2: [1, 0, filler("p")]}),
)
case("kind 4", "statement", note(k0=4, k1=""))
case("note without text", "statement", note(k0=1))
case("note text too long", "statement", note(k0=1, k1="t" * 257))
case("fault without sensor", "statement", note(k0=2, k1=""))
case("sensor of a heartbeat", "statement", note(k0=1, k1="", k3="t"))
case("thinned without range", "statement", note(k0=3, k1="", k5=1))
case("thinned nothing", "statement", note(k0=3, k1="", k4=[0, 1], k5=0))
case("range that ends before it begins", "statement", note(k0=3, k1="", k4=[2, 1], k5=1))
case("note with a root", "statement", note(k0=1, k1=""), statement=setting(k10=filler("root")))
case(
    "note as statement",
    "statement",
    note(k0=1, k1=""),
    cose=typ_of("statement", "application/vnd.tracebond.statement.v1+cbor"),
)
case("statement as receipt", "statement", cose=typ_of("statement", "application/vnd.tracebond.receipt.v1+cbor"))
case(
    "statement too long",
    "statement",
    statement=setting(k8=Raw(b"\x78\x40" + b"a" * 64), k10=Raw(b"\x59\x08\x00" + bytes(2048))),
)
case("keys out of order in the payload", "statement", cose=raw_cose(payload=b"\xa2\x01\x00\x00\x00"))
case("a payload that is no map", "statement", cose=raw_cose(payload=b"\x00"))
case("an array as alg", "statement", cose=raw_cose(protected=encode({1: [1], 4: ZERO, 16: "x"})))
case("a byte after the statement", "statement", signed=only("statement", lambda raw, *_: raw + b"\x00"))
case("wrong signature", "statement", cose=statement_signature(lambda key, message: flip(key.sign(message), 40)))
case(
    "signature by another key",
    "statement",
    cose=only("statement", lambda parts, *_: {**parts, "key": Ed25519("stranger")}),
)
case("S above L", "statement", cose=statement_signature(large_s))
case("R of small order", "statement", cose=statement_signature(lambda key, message: b"\x01" + bytes(63)))
case(
    "R that is not canonical",
    "statement",
    cose=statement_signature(lambda key, message: (P25519 + 2).to_bytes(32, "little") + bytes(32)),
)
case("high S", "statement", p256_device, cose=statement_signature(lambda key, message: key.sign(message, high=True)))
case(
    "r = 0", "statement", p256_device, cose=statement_signature(lambda key, message: bytes(32) + key.sign(message)[32:])
)
case(
    "s = n",
    "statement",
    p256_device,
    cose=statement_signature(lambda key, message: key.sign(message)[:32] + P256_N.to_bytes(32, "big")),
)
case("signature of 63 bytes", "statement", cose=statement_signature(lambda key, message: key.sign(message)[:63]))
case("the organisation as device", "statement", bundle=swap_keys)
case(
    "a statement twice", "statement", batch=lambda leaves, _: leaves + leaves[1:2], bundle=lambda bundle: twice(bundle)
)
case("device at another registry", "statement", two_batches, bundle=lambda b: cross(b, "device"))
case("organisation at another registry", "statement", two_batches, bundle=lambda b: cross(b, "organisation"))


def twice(bundle):
    """The same statement at both of its places in the batch (of five leaves)."""
    first = bundle["statements"][0]
    leaf = H(b"\x00", base64.b64decode(first["statement"]))
    leaves = [filler("statement", 0, i) for i in range(3)]
    leaves = leaves[:1] + [leaf] + leaves[1:] + [leaf]
    path = [b64(node) for node in complete_path(leaves, 4)]
    bundle["statements"].append({**first, "index": 4, "path": path})
    return bundle


def cross(bundle, name):
    """The keys of two statements change places."""
    one, other = bundle["statements"]
    one[name], other[name] = other[name], one[name]
    return bundle


# --- batch-path, event-path --------------------------------------------------------

case("place in the batch", "batch-path", bundle=bundle_edit("statements", 0, "index", 2))
case("place beyond the batch", "batch-path", bundle=bundle_edit("statements", 0, "index", 4))
case("batch path", "batch-path", bundle=bundle_edit("statements", 0, "path", lambda path: path[::-1]))
case("another batch", "batch-path", header=setting(k6=filler("root")))
case("place in the statement", "event-path", bundle=bundle_edit("events", 0, "index", 1))
case("path to an only event", "event-path", bundle=bundle_edit("events", 0, "path", [b64(ZERO)]))
case("another source", "event-path", bundle=bundle_edit("events", 0, "source", 3))
case("another salt", "event-path", bundle=changing("events", 0, "members", 2, salt=b64(bytes(16))))
case("another value", "event-path", bundle=changing("events", 0, "members", 0, value=b64(b'"TransactionEvent"')))
case("another name", "event-path", bundle=changing("events", 0, "members", 3, name="epclist"))
case("members change places", "event-path", bundle=bundle_edit("events", 0, "members", lambda rows: rows[::-1]))
case("a member less", "event-path", bundle=bundle_edit("events", 0, "members", lambda rows: rows[:-1]))
case("another leaf", "event-path", events(wholly=True), bundle=bundle_edit("events", 0, "leaf", flip_hash))
case(
    "an event of a note",
    "event-path",
    note(k0=1, k1=""),
    bundle=bundle_edit("events", [{"statement": 0, "index": 0, "path": [], "leaf": b64(ZERO)}]),
)

# --- member ------------------------------------------------------------------------

case("space before a value", "member", value(' {"a":1}'))
case("space after a value", "member", value("1 "))
case("no value", "member", value(""))
case("two values", "member", value("1,2"))
case("a second member in a value", "member", value('1,"action":"ADD"'))
case("NaN as value", "member", value("NaN"))
case("leading zero", "member", value("01"))
case("a point without digits", "member", value("1."))
case("plus", "member", value("+1"))
case("integer too large", "member", value("9007199254740992"))
case("integer too small", "member", value("-9007199254740992"))
case("huge integer", "member", value("1" + "0" * 6000))
case("infinite", "member", value("[1e400]"))
case("second name inside", "member", value('{"a":1,"a":2}'))
case("second name, escaped", "member", value('{"a":1,"\\u0061":2}'))
case("second name, deep", "member", value('[{"b":{"a":1,"a":1}}]'))
case("lone surrogate", "member", value('"\\ud83d"'))
case("surrogates in the wrong order", "member", value('"\\ude00\\ud83d"'))
case("noncharacter", "member", value('"\ufdd0"'))
case("noncharacter, escaped", "member", value('{"\\uFFFE":1}'))
case("noncharacter of plane 1", "member", value('"\\ud83f\\udfff"'))
case("noncharacter in a name", "member", events(("tb:\U0010ffff", "1")))
case("control character in a value", "member", value('"a\nb"'))
case("unknown escape", "member", value('"\\x41"'))
case("value that is not UTF-8", "member", value(b'"\xc0\xaf"'))
case("encoded surrogate in a value", "member", value(b'"\xed\xa0\xbd\xed\xb8\x80"'))
case("byte order mark before a value", "member", value("\ufeff1"))
case("comment", "member", value("/**/1"))
case("comma at the end", "member", value("[1,]"))
case("nested 33 deep", "member", value("[" * 32 + "]" * 32))
case("nested very deep", "member", value("[" * 30000 + "]" * 30000))
case("unclosed", "member", value("{"))
case("too long an event", "member", value('"' + "x" * 65_536 + '"'))


class TwoNames(dict):
    """Members of which two have one name."""

    def items(self):
        return [*MEMBERS.items(), ("action", '"ADD"')]


case("a member twice", "member", lambda **edits: World(specs=[Spec(events=[Event(members=TwoNames())])], **edits))
case(
    "a withheld member twice",
    "member",
    lambda **edits: World(specs=[Spec(events=[Event(members=TwoNames(), hide=("action",))])], **edits),
)

# --- rule and refused-event --------------------------------------------------------

case("source not granted", "rule", events(source=0))
case("no type", "rule", events(("type", None), ("action", None)))
case("no time", "rule", events(("eventTime", None)))
case("no offset", "rule", events(("eventTimeZoneOffset", None)))
case("unknown type", "rule", events(("type", '"Event"')))
case("type that is no text", "rule", events(("type", '["ObjectEvent"]')))
for text in (
    "2026-02-29T08:30:00Z",
    "2026-13-01T08:30:00Z",
    "0000-01-01T08:30:00Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T08:60:00Z",
    "2026-03-01T08:30:60Z",
    "2026-03-01T08:30:00",
    "2026-03-01t08:30:00z",
    "2026-03-01T08:30:00.Z",
    "2026-03-01T08:30:00.0123456789Z",
    "2026-03-01T08:30:00+14:01",
    "2026-03-01T08:30:00+08:60",
    "2026-03-01T08:30:00Z\\n",
    "\u0662026-03-01T08:30:00Z",
):
    case(f"time {text}", "rule", events(("eventTime", f'"{text}"')))
for text in ("Z", "+1:00", "+14:30", "-15:00", "+00:60", "+01:00\\n"):
    case(f"offset {text}", "rule", events(("eventTimeZoneOffset", f'"{text}"')))
case("no action", "rule", events(("action", None)))
case("unknown action", "rule", events(("action", '"add"')))
case("action of a transformation", "rule", events(("type", '"TransformationEvent"')))
case("withheld action of a transformation", "rule", events(("type", '"TransformationEvent"'), hide=("action",)))
case("unknown action with a withheld type", "rule", events(("action", '"X"'), hide=("type",)))
case("step not granted", "rule", events(("bizStep", '"receiving"')))
case(
    "step with two prefixes",
    "rule",
    events(("bizStep", '"urn:epcglobal:cbv:bizstep:https://ref.gs1.org/cbv/BizStep-packing"')),
)
case("step null", "rule", events(("bizStep", "null")))
case("place not granted", "rule", events(("readPoint", '{"id":"https://id.gs1.org/414/9521001000024"}')))
case("place without id", "rule", events(("readPoint", '{"ID":"https://id.gs1.org/414/9521001000000"}')))
case("place that is a text", "rule", events(("readPoint", '"https://id.gs1.org/414/9521001000000"')))
case("event refused", "refused-event", refusing((1, 0, "epcis")))
case(
    "withheld event refused",
    "refused-event",
    lambda **edits: World(specs=[Spec(events=[Event(wholly=True)])], refused={0: [[1, 0, "action"]]}, **edits),
)
case(
    "refused before the rule",
    "refused-event",
    lambda **edits: World(specs=[Spec(events=[Event(source=0)])], refused={0: [[1, 0, "source-not-allowed"]]}, **edits),
)
