"""Broken bundles of the classes from `format` to `organisation`."""

from builder import ZERO, Ed25519, Raw, Spec, World, b64, encode, filler
from corruptions import (
    P25519,
    VALID_CHAIN,
    bundle_edit,
    case,
    chain,
    changing,
    device,
    dropping,
    falling,
    flip,
    flip_hash,
    json_edit,
    late,
    one_registry,
    only,
    only_at,
    organisation,
    refusing,
    retired,
    row_of_later,
    second_note_broken,
    setting,
    spare_bits,
    two_batches,
    two_checkpoints,
    typ_of,
    without,
)

# --- format -------------------------------------------------------------------

case("empty file", "format", json=lambda raw: b"")
case("cut short", "format", json=lambda raw: raw[:-1])
case("new line at the end", "format", json=lambda raw: raw + b"\n")
case("white space", "format", json=json_edit(b",", b", "))
case("byte order mark", "format", json=lambda raw: b"\xef\xbb\xbf" + raw)
case("backslash", "format", json=json_edit(b"bundle/v1", b"bundle\\/v1"))
case("not UTF-8", "format", json=json_edit(b'"eventTime"', b'"eventTim\xff"'))
case("encoded surrogate", "format", json=json_edit(b'"eventTime"', b'"eventTim\xed\xa0\x80"'))
case("control character", "format", json=json_edit(b'"eventTime"', b'"event\x01ime"'))
case("tab in a name", "format", json=json_edit(b'"eventTime"', b'"event\time"'))
case("another version", "format", bundle=bundle_edit("tracebond", "bundle/v2"))
case("unknown member", "format", bundle=bundle_edit("comment", "x"))
case("missing member", "format", bundle=without("checkpoints"))
case(
    "second member",
    "format",
    json=json_edit(b'"tracebond":"bundle/v1"', b'"tracebond":"bundle/v1","tracebond":"bundle/v1"'),
)
case("null", "format", bundle=bundle_edit("events", None))
case("number with leading zero", "format", json=json_edit(b'"index":0', b'"index":00'))
case("negative number", "format", json=json_edit(b'"index":0', b'"index":-0'))
case("number with fraction", "format", json=json_edit(b'"index":0', b'"index":0.0'))
case("number with exponent", "format", json=json_edit(b'"index":0', b'"index":0e0'))
case("number above 2^53", "format", bundle=bundle_edit("policy", "index", 2**53))
case("huge number", "format", json=json_edit(b'"index":0', b'"index":1' + b"0" * 9000))
case("NaN", "format", json=json_edit(b'"index":0', b'"index":NaN'))
case("true as number", "format", bundle=bundle_edit("policy", "index", False))
case("array for an object", "format", json=lambda raw: b"[" + raw + b"]")
case("deep nesting", "format", json=json_edit(b'"events":', b'"events":' + b"[" * 5000 + b"]" * 5000 + b',"e":'))
case("base64 without padding", "format", bundle=bundle_edit("keys", 0, "salt", lambda text: text.rstrip("=")))
case(
    "base64 with spare bits",
    "format",
    bundle=bundle_edit("keys", 0, "salt", lambda text: text[:-3] + chr(ord(text[-3]) + 1) + "=="),
)
case("base64 for addresses", "format", bundle=bundle_edit("keys", 0, "salt", "__" + "A" * 20 + "=="))
case("base64 with white space", "format", bundle=bundle_edit("keys", 0, "salt", lambda text: " " + text))
case("salt of 15 bytes", "format", bundle=bundle_edit("keys", 0, "salt", b64(bytes(15))))
case(
    "hash of 31 bytes",
    "format",
    bundle=lambda b: bundle_edit("policy", "path", b["policy"]["path"][:-1] + [b64(bytes(31))])(b),
)
case("path of 65 hashes", "format", bundle=bundle_edit("policy", "path", [b64(ZERO)] * 65))
case("source 4", "format", bundle=bundle_edit("events", 0, "source", 4))
case("leaf and members", "format", bundle=bundle_edit("events", 0, "leaf", b64(ZERO)))
case("hash and value", "format", bundle=changing("events", 0, "members", 0, hash=b64(ZERO)))
case("no members", "format", bundle=bundle_edit("events", 0, "members", []))
case("65 members", "format", bundle=bundle_edit("events", 0, "members", lambda rows: rows[:1] * 65))
case("empty member name", "format", json=json_edit(b'"name":"type"', b'"name":""'))
case("member name of 129 bytes", "format", json=json_edit(b'"name":"type"', b'"name":"' + b"n" * 129 + b'"'))
case("no statements", "format", bundle=bundle_edit("statements", []))
case("one key", "format", bundle=bundle_edit("keys", lambda rows: rows[:1]))
case("position out of range", "format", bundle=bundle_edit("statements", 0, "device", 2))
case("header position out of range", "format", bundle=bundle_edit("keys", 0, "header", 1))
case("event of no statement", "format", bundle=bundle_edit("events", 0, "statement", 1))
case("keys out of order", "format", bundle=bundle_edit("keys", lambda rows: rows[::-1]))
case("one event twice", "format", bundle=bundle_edit("events", lambda rows: rows * 2))
case("headers out of order", "format", two_batches, bundle=bundle_edit("headers", lambda rows: rows[::-1]))
case(
    "unused key",
    "format",
    two_batches,
    bundle=lambda b: bundle_edit("statements", 1, "device", b["statements"][0]["device"])(b),
)
case(
    "unused header",
    "format",
    lambda **edits: World(specs=[Spec(), Spec(seq=1, batch=1, show=False)], registries=[1, 2], **edits),
)
case("empty later", "format", bundle=bundle_edit("statements", 0, "later", []))
case("later too long", "format", bundle=bundle_edit("statements", 0, "later", [""] * 4097))
case("no checkpoints", "format", bundle=bundle_edit("checkpoints", []))
case("checkpoint out of range", "format", bundle=bundle_edit("headers", 0, "checkpoint", 1))
case("header without checkpoint", "format", bundle=without("headers", 0, "checkpoint"))
case("unused checkpoint", "format", bundle=lambda b: bundle_edit("checkpoints", b["checkpoints"] * 3)(b))
case("headers' checkpoints fall", "format", two_checkpoints, bundle=falling)
case("too long", "format", json=lambda raw: raw + b" " * (33_554_433 - len(raw)))

# --- policy -------------------------------------------------------------------

case("policy of another type", "policy", policy_entry=lambda entry: b"\x01" + entry[1:])
case("empty policy", "policy", bundle=bundle_edit("policy", "entry", ""))
case("policy with a byte left over", "policy", policy_entry=lambda entry: entry + b"\x00")
case("policy version 2", "policy", policy=setting(k0=2))
case("policy without time", "policy", policy=dropping(8))
case("policy with an unknown key", "policy", policy=setting(k9=1))
case("log id of another key", "policy", policy=setting(k1=filler("log")))
case("origin with a space", "policy", lambda **edits: World(origin="log example", **edits))
case("origin with a plus", "policy", lambda **edits: World(origin="log+example", **edits))
case("quorum 0", "policy", policy=setting(k5=0))
case("quorum above the witnesses", "policy", policy=setting(k5=4))
case("a name twice", "policy", policy=setting(k4=lambda rows: rows + rows[-1:]))
case("a witness key twice", "policy", policy=setting(k4=lambda rows: rows + [["z", rows[0][1]]]))
case("the log as witness", "policy", policy=lambda p: setting(k4=p[4] + [["z", p[3]]])(p))
case("a witness named like the origin", "policy", policy=lambda p: setting(k4=[[p[2], filler("k")]] + p[4])(p))
case(
    "a witness key of small order",
    "policy",
    policy=setting(k4=lambda rows: rows + [["z", b"\x01" + bytes(30) + b"\x80"]]),
)
case(
    "a key that is not canonical",
    "policy",
    policy=setting(k6=lambda rows: rows + [["z", (P25519 + 3).to_bytes(32, "little")]]),
)
case("quorum not in its shortest form", "policy", policy=setting(k5=Raw(b"\x18\x02")))
case("time as tagged", "policy", policy=setting(k8=Raw(b"\xc1\x02")))
case("time as float", "policy", policy=setting(k8=Raw(b"\xf9\x00\x00")))
case("time above 2^53", "policy", policy=setting(k8=2**53))
case("indefinite array", "policy", policy=setting(k6=lambda rows: Raw(b"\x9f" + encode(rows[0]) + b"\xff")))
case("prev of size 0", "policy", policy=setting(k7=[ZERO, 0, ZERO]))

# --- checkpoint ---------------------------------------------------------------


case("another origin", "checkpoint", note_head=lambda rows: ("x.example", *rows[1:]))
case("size with leading zero", "checkpoint", note_head=lambda rows: (rows[0], "0" + rows[1], rows[2]))
case("size 0", "checkpoint", note_head=lambda rows: (rows[0], "0", rows[2]))
case("root of 31 bytes", "checkpoint", note_head=lambda rows: (*rows[:2], b64(bytes(31))))
case("extension line", "checkpoint", note_head=lambda rows: (*rows[:2], rows[2] + "\nmore"))
case("no signatures", "checkpoint", note_lines=lambda lines: [])
case("too few witnesses", "checkpoint", note_lines=lambda lines: lines[:2])
case("a witness before the log", "checkpoint", note_lines=lambda lines: lines[1:2] + lines[:1] + lines[2:])
case("one witness twice", "checkpoint", note_lines=lambda lines: lines[:2] + lines[1:2])
case("the log twice", "checkpoint", note_lines=lambda lines: lines[:1] + lines)
case("an unknown line", "checkpoint", note_lines=lambda lines: lines + ["\u2014 other " + b64(bytes(76)) + "\n"])
case("another dash", "checkpoint", note_lines=lambda lines: [lines[0].replace("\u2014", "-")] + lines[1:])
case("no line end", "checkpoint", note=lambda note: note[:-1])
case("a line too much", "checkpoint", note=lambda note: note + b"\n")
case("spare bits in a line", "checkpoint", note_lines=spare_bits)
case("a broken line of three", "checkpoint", note=lambda note: note.replace(b"witness-2 ", b"witness-1 "))
case("time 0", "checkpoint", late(0))
case("time above 2^53", "checkpoint", late(2**53))
case("note too long", "checkpoint", note=lambda note: note + b"\xe2\x80\x94 z " + b"A" * 16384 + b"\n")

case("a checkpoint twice", "checkpoint", bundle=lambda b: bundle_edit("checkpoints", b["checkpoints"] * 2)(b))
case("checkpoints fall", "checkpoint", two_checkpoints, bundle=bundle_edit("checkpoints", lambda rows: rows[::-1]))
case("second checkpoint broken", "checkpoint", two_checkpoints, note=second_note_broken)

# --- log-path and header --------------------------------------------------------

case("policy at another index", "log-path", bundle=bundle_edit("policy", "index", 1))
case("policy path cut", "log-path", bundle=bundle_edit("policy", "path", lambda path: path[:-1]))
case("policy path too long", "log-path", bundle=bundle_edit("policy", "path", lambda path: path + path[:1]))
case("header beyond the log", "log-path", bundle=bundle_edit("headers", 0, "index", 5))
case("header not in the log", "log-path", bundle=bundle_edit("headers", 0, "path", lambda path: [b64(ZERO)] + path[1:]))
case("first policy that is not entry 0", "log-path", entries=lambda rows: rows[1:2] + rows[:1] + rows[2:])
case("header at a later checkpoint", "log-path", two_checkpoints, bundle=bundle_edit("headers", 1, "checkpoint", 1))
case("header before its checkpoint", "log-path", two_checkpoints, bundle=bundle_edit("headers", 2, "checkpoint", 0))
case("header version 2", "header", header=setting(k0=2))
case("header of another log", "header", header=setting(k1=filler("log")))
case("header of shard 65,536", "header", header=setting(k2=65_536))
case("header of no statements", "header", header=setting(k4=0))
case("registry version 0", "header", header=setting(k8=lambda row: [0, *row[1:]]))
case("registry count 0", "header", header=setting(k8=lambda row: [row[0], 0, row[2]]))
case("registry count 2^31", "header", header=setting(k8=lambda row: [row[0], 2**31, row[2]]))
case("index not zero", "header", header=setting(k9=filler("index")))
case("last before first", "header", header=setting(k11=0))
case("prev at seq 0", "header", header=setting(k12=filler("prev")))
case("no prev at seq 1", "header", header=setting(k3=1))
case("policy for a header", "header", header_entry=lambda entry, _: b"\x02" + entry[1:])
case("refused hash without list", "header", header=setting(k7=filler("list")))
case(
    "list without refused hash",
    "header",
    bundle=bundle_edit("headers", 0, "refused", b64(b"\x81\x83\x00\x00\x66action")),
)
case(
    "the registry version falls",
    "header",
    lambda **edits: World(specs=[Spec(), Spec(seq=1, batch=1)], registries=[2, 1], **edits),
)
case("one version, two roots", "header", two_batches, header=setting(k8=lambda row: [1, *row[1:]]))
case("one shard and seq twice", "header", two_batches, header=setting(k3=0, k12=ZERO))


case("empty list", "header", refusing())
case("unknown code", "header", refusing((3, 0, "event-form")))
case("statement index too large", "header", refusing((4, 0, "action")))
case("event index too large", "header", refusing((3, 256, "action")))
case("rows out of order", "header", refusing((3, 1, "action"), (3, 0, "action")))
case("a row twice", "header", refusing((3, 1, "action"), (3, 1, "epcis")))
case(
    "another list",
    "header",
    refusing((3, 1, "action")),
    bundle=bundle_edit("headers", 0, "refused", lambda text: b64(encode([[3, 2, "action"]]))),
)

# --- record and registry-path ---------------------------------------------------


case("record of another log", "record", **device(k0=filler("log")))
case("version 0", "record", **device(k1=0))
case("slug with capital", "record", **organisation(k2="Qinghe"))
case("device of an organisation", "record", **organisation(k3="line-1"))
case("capture key without device", "record", **device(k3=""))
case("kid of another key", "record", **device(k4=filler("kid")))
case("alg that does not fit", "record", **device(k6=-9))
case("SM2", "record", **device(k6=-65537))
case("role of a registrar", "record", **device(k7=1))
case("places out of order", "record", **device(k8=lambda rows: rows[::-1]))
case("a step twice", "record", **device(k9=["packing", "packing"]))
case("source 4 in a record", "record", **device(k10=[4]))
case("steps of an organisation", "record", **organisation(k9=["packing"]))
case("heartbeat too long", "record", **device(k11=31_536_001))
case("state 4", "record", **device(k12=4))
case("retired without last", "record", **device(k12=2))
case("last of an active key", "record", **device(k13=[0, 0, ZERO]))
case("compromised but active", "record", **device(k14=5))
case("prev at version 1", "record", **device(k15=filler("prev")))
case("no prev at version 2", "record", **device(k1=2))
case("no consent", "record", consented=dropping(16))
case("wrong consent", "record", consented=setting(k16=flip))
case("consent at version 2", "record", **device(k1=2, k15=filler("prev"), k16=bytes(64)))
case(
    "key of small order",
    "record",
    **device(
        k1=2,
        k15=filler("prev"),
        k5=bytes(32),
        k4=bytes.fromhex("66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"),
    ),
)
case("suspended", "record", **device(k12=1))
case("revoked", "record", **device(k12=3, k14=5))
case("record as statement", "record", cose=typ_of("device", "application/vnd.tracebond.statement.v1+cbor"))
case("unprotected header", "record", cose=only("device", lambda parts, *_: {**parts, "unprotected": b"\xa1\x01\x26"}))
case("untagged", "record", cose=only("device", lambda parts, *_: {**parts, "prefix": b"\x84"}))
case("record too long", "record", **device(k8=["https://example.org/%0200d" % i for i in range(80)]))
case(
    "later than last",
    "record",
    lambda **edits: World(specs=[Spec(seq=3)], **edits),
    statement=setting(k4=filler("s")),
    **retired([0, 2, filler("s")]),
)
case("another last", "record", **retired([0, 0, filler("s")]))
case("before last without later", "record", **retired([0, 5, filler("s")]))
case("later of an active key", "record", lambda **edits: World(specs=[Spec(later=[0])], **edits))


case("chain that begins late", "record", chain(2))
case("chain that ends early", "record", chain(1))
case("chain in the wrong order", "record", chain(2, 1))
case("chain beyond last", "record", chain(1, 2, last=1))
case("chain with a broken signature", "record", VALID_CHAIN, bundle=row_of_later(lambda rows: [rows[0], flip(rows[1])]))
case(
    "chain with bytes left over", "record", VALID_CHAIN, bundle=row_of_later(lambda rows: [rows[0], rows[1] + b"\x00"])
)
case("chain of another device", "record", VALID_CHAIN, statement=only_at(1, setting(k1="qinghe/line-2")))
case("chain of another log", "record", VALID_CHAIN, statement=only_at(1, setting(k0=filler("log"))))
case("chain beside the last", "record", chain(1, 2, last=0))
case("registry index", "registry-path", bundle=lambda b: bundle_edit("keys", 1, "index", b["keys"][1]["index"] + 1)(b))
case("index beyond the registry", "registry-path", bundle=bundle_edit("keys", 1, "index", 2**53 - 1))
case("registry salt", "registry-path", bundle=bundle_edit("keys", 0, "salt", flip_hash))
case(
    "registry path",
    "registry-path",
    bundle=bundle_edit("keys", 0, "path", lambda path: path[:-1] + [flip_hash(path[-1])]),
)
case("kids that fall", "registry-path", registry=lambda rows, _: rows[::-1])
case("key at a later header", "registry-path", one_registry, bundle=bundle_edit("keys", 1, "header", 1))


def equal_kid_twice(bundle):
    bundle["keys"].append({**bundle["keys"][1], "header": 1})
    bundle["statements"][1]["device"] = 2 if bundle["statements"][1]["device"] == 1 else 0
    bundle["statements"][1]["organisation"] = 2 if bundle["statements"][1]["organisation"] == 1 else 0
    return bundle


case("one key at two headers", "registry-path", one_registry, bundle=equal_kid_twice)

# --- organisation -----------------------------------------------------------------


def signed_by(what, key):
    def edit(parts, *_):
        return {
            **parts,
            "key": key,
            "protected": encode({1: key.alg, 4: key.kid, 16: "application/vnd.tracebond.registry-record.v1+cbor"}),
        }

    return only(what, edit)


def forged(what):
    return only(what, lambda parts, *_: {**parts, "key": Ed25519("stranger")})


case("organisation suspended", "organisation", **organisation(k12=1))
case("organisation retired", "organisation", **organisation(k12=2))
case("organisation of another name", "organisation", **organisation(k2="other"))
case("role of a receipt key", "organisation", **organisation(k7=3))
case("registrar unknown", "organisation", cose=signed_by("org", Ed25519("stranger")))
case("witness for a registrar", "organisation", cose=signed_by("org", Ed25519("witness 0")))
case("registrar's signature forged", "organisation", cose=forged("org"))
case("signed by another organisation", "organisation", cose=signed_by("device", Ed25519("stranger")))
case("signed by the registrar", "organisation", cose=signed_by("device", Ed25519("registrar")))
case("organisation's signature forged", "organisation", cose=forged("device"))
