"""Makes proof bundles for the tests, from the format documents alone.

A `World` holds keys, events and statements and builds one bundle out of them.
Its `edits` change things on the way: each is a function that gets a value and
where it stands, and returns what to use instead. What is signed or hashed after
an edit is signed or hashed as edited, so that only the edited rule is broken.
"""

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ZERO = bytes(32)
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MEDIA = "application/vnd.tracebond.%s.v1+cbor"


def H(*parts):
    return sha256(b"".join(parts)).digest()


def filler(*words):
    """A hash of something that nobody shows."""
    return H(repr(words).encode())


def b64(data):
    return base64.b64encode(data).decode()


# --- CBOR ---------------------------------------------------------------------


class Raw(bytes):
    """Bytes that stand in the encoding as they are."""


def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError(value)


def encode(value):
    """CBOR in the profile, but for what `Raw` brings in."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    return head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


# --- Trees --------------------------------------------------------------------


def complete_nodes(leaves):
    count = len(leaves)
    nodes = [b""] * (count - 1) + list(leaves)
    for k in range(count - 2, -1, -1):
        nodes[k] = H(b"\x01", nodes[2 * k + 1], nodes[2 * k + 2])
    return nodes


def complete_root(leaves):
    return complete_nodes(leaves)[0]


def complete_path(leaves, index):
    nodes, node, path = complete_nodes(leaves), index + len(leaves) - 1, []
    while node > 0:
        path.append(nodes[node + 1 if node % 2 else node - 1])
        node = (node - 1) // 2
    return path


def log_split(count):
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def log_root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = log_split(len(leaves))
    return H(b"\x01", log_root(leaves[:half]), log_root(leaves[half:]))


def log_path(leaves, index):
    if len(leaves) == 1:
        return []
    half = log_split(len(leaves))
    if index < half:
        return log_path(leaves[:half], index) + [log_root(leaves[half:])]
    return log_path(leaves[half:], index - half) + [log_root(leaves[:half])]


def log_consistency(first, leaves, whole=True):
    """The path between the first leaves and all of them (RFC 6962 section 2.1.2)."""
    if first == len(leaves):
        return [] if whole else [log_root(leaves)]
    half = log_split(len(leaves))
    if first <= half:
        return log_consistency(first, leaves[:half], whole) + [log_root(leaves[half:])]
    return log_consistency(first - half, leaves[half:], False) + [log_root(leaves[:half])]


# --- Keys ---------------------------------------------------------------------


class Ed25519:
    alg = -19

    def __init__(self, name):
        self.secret = ed25519.Ed25519PrivateKey.from_private_bytes(filler("key", name))
        self.public = self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.kid = H(self.public)

    def sign(self, message):
        return self.secret.sign(message)


class P256:
    alg = -9

    def __init__(self, name):
        self.secret = ec.derive_private_key(int.from_bytes(filler("key", name), "big") >> 1, ec.SECP256R1())
        self.public = self.secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.kid = H(self.public)

    def sign(self, message, high=False):
        signature = self.secret.sign(message, ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(signature)
        s = max(s, P256_N - s) if high else min(s, P256_N - s)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


# --- What is in the world -------------------------------------------------------

MEMBERS = {
    "type": '"ObjectEvent"',
    "eventTime": '"2026-03-01T08:30:00.250Z"',
    "eventTimeZoneOffset": '"+01:00"',
    "epcList": '["https://id.gs1.org/01/09521001000017/21/1"]',
    "action": '"OBSERVE"',
    "bizStep": '"https://ref.gs1.org/cbv/BizStep-packing"',
    "disposition": '"in_progress"',
    "readPoint": '{"id": "https://id.gs1.org/414/9521001000000"}',
}


@dataclass
class Event:
    """An event: `members` maps names to JSON values as text or bytes."""

    members: dict = field(default_factory=lambda: dict(MEMBERS))
    source: int = 2
    hide: tuple = ()
    wholly: bool = False
    show: bool = True
    number: int = 0

    def rows(self):
        for index, (name, value) in enumerate(self.members.items()):
            salt = H(b"\x02", filler("salt", self.number)[:16], index.to_bytes(4, "big"))[:16]
            yield name, salt, value if isinstance(value, bytes) else value.encode()

    def leaf(self):
        fields = [
            H(b"\x00F", len(name.encode()).to_bytes(2, "big"), name.encode(), H(b"\x03", salt, value))
            for name, salt, value in self.rows()
        ]
        return H(b"\x00E", bytes([self.source]), len(fields).to_bytes(2, "big"), complete_root(fields))

    def shown(self):
        if self.wholly:
            return {"leaf": b64(self.leaf())}
        members = []
        for name, salt, value in self.rows():
            if name in self.hide:
                members.append({"name": name, "hash": b64(H(b"\x03", salt, value))})
            else:
                members.append({"name": name, "salt": b64(salt), "value": b64(value)})
        return {"source": self.source, "members": members}


@dataclass
class Spec:
    """A statement: its place in the device's chain, its batch and its events."""

    epoch: int = 0
    seq: int = 0
    batch: int = 0
    events: list = field(default_factory=lambda: [Event()])
    note: dict | None = None
    show: bool = True
    later: list | None = None
    #: Size of the log that the device has seen (bundles of version 2 show the note).
    seen: int | None = None


@dataclass
class World:
    """Everything behind one bundle. Batch i carries registry `registries[i]`, and
    each header is shown at the earliest checkpoint of `sizes` that covers it."""

    specs: list = field(default_factory=lambda: [Spec()])
    registries: list = field(default_factory=lambda: [1])
    device_alg: type = Ed25519
    org_alg: type = Ed25519
    edits: dict = field(default_factory=dict)
    refused: dict = field(default_factory=dict)
    witnesses: int = 3
    quorum: int = 2
    times: tuple = (1_770_000_009, 1_770_000_001, 1_770_000_005)
    fillers: int = 3
    origin: str = "log.example.org/tracebond"
    sizes: tuple = ()

    def __post_init__(self):
        self.log_key, self.registrar = Ed25519("log"), Ed25519("registrar")
        self.witness_keys = {f"witness-{i}": Ed25519(f"witness {i}") for i in range(self.witnesses)}
        self.org_key, self.device_key = self.org_alg("organisation"), self.device_alg("device")
        self.log_id = H(self.origin.encode(), b"\n", self.log_key.public)

    def edit(self, name, value, *where):
        return self.edits[name](value, *where) if name in self.edits else value

    # -- signed objects --

    def sign1(self, key, typ, payload, *where):
        """A COSE_Sign1; the edit `cose` sees its parts, `signed` its bytes."""
        parts = {
            "prefix": b"\xd2\x84",
            "protected": encode({1: key.alg, 4: key.kid, 16: typ}),
            "unprotected": b"\xa0",
            "payload": encode(payload),
            "key": key,
            "signature": None,
        }
        parts = self.edit("cose", parts, *where)
        message = encode(["Signature1", parts["protected"], b"", parts["payload"]])
        signature = parts["signature"] or parts["key"].sign(message)
        raw = parts["prefix"] + encode(parts["protected"]) + parts["unprotected"]
        raw += encode(parts["payload"]) + encode(signature)
        return self.edit("signed", raw, *where)

    def policy_entry(self):
        payload = {
            0: 1,
            1: self.log_id,
            2: self.origin,
            3: self.log_key.public,
            4: [[name, key.public] for name, key in self.witness_keys.items()],
            5: self.quorum,
            6: [["registrar", self.registrar.public]],
            8: 1_770_000_000_000_000,
        }
        payload = self.edit("policy", payload)
        return self.edit("policy_entry", b"\x02" + encode(dict(sorted(payload.items()))))

    def record(self, what, batch):
        """The record of `org` or `device` in the registry of a batch."""
        is_device = what == "device"
        key = self.device_key if is_device else self.org_key
        payload = {
            0: self.log_id,
            1: 1,
            2: "qinghe",
            3: "line-1" if is_device else "",
            4: key.kid,
            5: key.public,
            6: key.alg,
            7: 2 if is_device else 0,
            8: ["https://id.gs1.org/414/9521001000000", "https://id.gs1.org/414/9521001000017"] if is_device else [],
            9: ["packing", "shipping"] if is_device else [],
            10: [1, 2, 3] if is_device else [],
            11: 3600 if is_device else 0,
            12: 0,
            15: ZERO,
        }
        payload = dict(sorted(self.edit("record", payload, what, batch).items()))
        if payload[1] == 1:
            payload[16] = key.sign((MEDIA % "key-consent").encode() + encode(payload))
            payload = self.edit("consented", payload, what, batch)
        signer = self.org_key if is_device else self.registrar
        return self.sign1(signer, MEDIA % "registry-record", payload, what, batch)

    def statement(self, spec, position, prev):
        payload = {
            0: self.log_id,
            1: "qinghe/line-1",
            2: spec.epoch,
            3: spec.seq,
            4: prev,
            5: 1_770_000_000_123_456,
            6: 0,
            8: "agent 1.0",
            9: 0 if spec.note else len(spec.events),
            10: ZERO if spec.note else complete_root([event.leaf() for event in spec.events]),
        }
        if spec.note:
            note = dict(spec.note)
            if note[0] == 0:
                note[2] = [spec.epoch - 1, 0, prev]
            payload[11] = note
        payload = dict(sorted(self.edit("statement", payload, position).items()))
        typ = MEDIA % ("note" if spec.note else "statement")
        return self.sign1(self.device_key, typ, payload, "statement", position)

    # -- the log --

    def make_statements(self):
        self.raw_statements, prev = [], ZERO
        for position, spec in enumerate(self.specs):
            self.raw_statements.append(self.statement(spec, position, prev))
            prev = H(b"\x00", self.raw_statements[-1])
        self.ids = [H(b"\x00", raw) for raw in self.raw_statements]

    def make_registry(self, batch):
        """Leaves in the order of their kids, and where the two records are."""
        rows = []
        for what in ("org", "device"):
            raw, salt = self.record(what, batch), filler("record salt", what, batch)[:16]
            kid = (self.org_key if what == "org" else self.device_key).kid
            rows.append((kid, H(b"\x00R", kid, H(salt, raw)), what, raw, salt))
        for number in range(self.fillers):
            rows.append((filler("kid", number), filler("record", number), None, None, None))
        rows = self.edit("registry", sorted(rows, key=lambda row: row[0]), batch)
        leaves = [row[1] for row in rows]
        found = {}
        for index, row in enumerate(rows):
            if row[2]:
                path = [b64(node) for node in complete_path(leaves, index)]
                found[row[2]] = {"record": b64(row[3]), "salt": b64(row[4]), "index": index, "path": path}
        return len(leaves), complete_root(leaves), found

    def make_batch(self, batch):
        """The header entry, its list of refused events and its leaves."""
        version = self.registries[batch]
        first = self.registries.index(version)
        if first == batch:
            self.known[version] = self.make_registry(batch)
        count, registry_root, _ = self.known[version]
        mine = [i for i, spec in enumerate(self.specs) if spec.batch == batch]
        leaves = [filler("statement", batch, i) for i in range(self.fillers)]
        leaves[1:1] = [self.ids[i] for i in mine]
        leaves = self.edit("batch", leaves, batch)
        rows = self.refused.get(batch)
        refused = None if rows is None else self.edit("refused_bytes", encode(rows))
        payload = {
            0: 1,
            1: self.log_id,
            2: 0,
            3: batch,
            4: len(leaves),
            5: 7,
            6: complete_root(leaves),
            7: ZERO if refused is None else H(refused),
            8: [version, count, registry_root],
            9: ZERO,
            10: 1_770_000_000_000_000,
            11: 1_770_000_000_000_000,
            12: filler("header before") if batch else ZERO,
        }
        payload = self.edit("header", payload, batch)
        entry = self.edit("header_entry", b"\x01" + encode(payload), batch)
        return entry, refused, leaves, mine

    def checkpoint(self, size, root, *where):
        origin, size, root = self.edit("note_head", (self.origin, str(size), b64(root)), *where)
        text = f"{origin}\n{size}\n{root}\n".encode()
        lines = [(self.origin, H(self.origin.encode(), b"\n\x01", self.log_key.public)[:4], self.log_key.sign(text))]
        for (name, key), time in zip(self.witness_keys.items(), self.times):
            message = b"cosignature/v1\ntime %d\n" % time + text
            blob = time.to_bytes(8, "big") + key.sign(message)
            lines.append((name, H(name.encode(), b"\n\x04", key.public)[:4], blob))
        lines = [f"\u2014 {name} {b64(kid + blob)}\n" for name, kid, blob in lines]
        lines = self.edit("note_lines", lines, *where)
        return self.edit("note", text + b"\n" + "".join(lines).encode(), *where)

    # -- the bundle --

    def build(self):
        """The bytes of the bundle."""
        self.known = {}
        self.make_statements()
        batches = [self.make_batch(batch) for batch in range(len(self.registries))]
        policy = self.policy_entry()
        entries = [policy, b"\x05head"] + [part for batch in batches for part in (b"\x03between", batch[0])]
        entries = self.edit("entries", entries + [b"\x03after"])
        leaves = [H(b"\x00", entry) for entry in entries]

        sizes = self.sizes or (len(leaves),)

        def logged(index, size):
            entry = {"entry": b64(entries[index]), "index": index}
            return {**entry, "path": [b64(node) for node in log_path(leaves[:size], index)]}

        def header(index):
            earliest = next(place for place, size in enumerate(sizes) if size > index)
            return {**logged(index, sizes[earliest]), "checkpoint": earliest}

        bundle = {
            "tracebond": "bundle/v1",
            "policy": logged(entries.index(policy), sizes[-1]),
            "checkpoints": [b64(self.checkpoint(size, log_root(leaves[:size]))) for size in sizes],
            "headers": [header(3 + 2 * batch) for batch in range(len(batches))],
            "keys": self.shown_keys(),
            "statements": [],
            "events": [],
        }
        for header, batch in zip(bundle["headers"], batches):
            if batch[1] is not None:
                header["refused"] = b64(batch[1])
        self.show_statements(bundle, batches)
        return self.written(bundle)

    def written(self, bundle):
        bundle = self.edit("bundle", bundle)
        raw = json.dumps(bundle, separators=(",", ":"), ensure_ascii=False).encode()
        return self.edit("json", raw)

    def shown_keys(self):
        """The rows of `keys`, and where each batch finds its two records."""
        keys, self.places = [], {}
        for version, (_, _, found) in self.known.items():
            header = self.registries.index(version)
            for what in sorted(found, key=lambda what: found[what]["index"]):
                self.places[version, what] = len(keys)
                keys.append({**found[what], "header": header})
        return keys

    def show_statements(self, bundle, batches):
        for batch, (_, _, leaves, mine) in enumerate(batches):
            for place in mine:
                if self.specs[place].show:
                    self.show_statement(bundle, batch, leaves, place)

    def show_statement(self, bundle, batch, leaves, place):
        spec, index = self.specs[place], leaves.index(self.ids[place])
        row = {
            "statement": b64(self.raw_statements[place]),
            "header": batch,
            "index": index,
            "path": [b64(node) for node in complete_path(leaves, index)],
            "device": self.places[self.registries[batch], "device"],
            "organisation": self.places[self.registries[batch], "org"],
        }
        if spec.later is not None:
            row["later"] = [b64(self.raw_statements[i]) for i in spec.later]
        events = [event.leaf() for event in spec.events]
        for number, event in enumerate([] if spec.note else spec.events):
            if event.show:
                path = [b64(node) for node in complete_path(events, number)]
                place = {"statement": len(bundle["statements"]), "index": number, "path": path}
                bundle["events"].append({**place, **event.shown()})
        bundle["statements"].append(row)
