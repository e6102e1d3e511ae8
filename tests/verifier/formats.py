"""The signed objects and log entries that occur in a bundle.

Each `parse_*` function reads bytes, obeys every table of statement.md section 3,
registry.md section 2, log.md sections 3 and 4, and raises `Bad` otherwise. Signatures
are verified by the callers, who know the keys.
"""

import re
from dataclasses import dataclass, field
from itertools import pairwise

import cbor
import cose
import signing
from cbor import array, bstr, hash32, tstr, uint
from errors import Bad, need
from trees import H

STATEMENT = "application/vnd.tracebond.statement.v1+cbor"
NOTE = "application/vnd.tracebond.note.v1+cbor"
RECORD = "application/vnd.tracebond.registry-record.v1+cbor"
CONSENT = b"application/vnd.tracebond.key-consent.v1+cbor"

ZERO = bytes(32)
MAX_STATEMENT = 2_048
MAX_RECORD = 16_384
MAX_ENTRY = 65_535
MAX_REFUSED = 1_048_576
MAX_COUNT = 2**31 - 1
ORGANISATION, CAPTURE, RECEIPT, CONFIGURATION = 0, 2, 3, 6
ACTIVE, SUSPENDED, RETIRED, REVOKED = 0, 1, 2, 3
ENTRY_HEADER, ENTRY_POLICY, ENTRY_HEAD = 1, 2, 5
EVENT_CODES = frozenset(
    (
        "source-not-allowed",
        "event-type",
        "event-time",
        "time-zone-offset",
        "action",
        "step-not-allowed",
        "place-not-allowed",
        "epcis",
    )
)

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
PRINTABLE = re.compile(r"[\x20-\x7e]*")
NAME = re.compile(r"[\x21-\x2a\x2c-\x7e]*")


def slug(value, what):
    """A slug (statement.md section 1)."""
    tstr(value, what)
    need(SLUG.fullmatch(value), f"{what} is not a slug")
    return value


def check_prev(prev, first):
    """A `prev` is 32 zero bytes exactly at the first object of its chain."""
    hash32(prev, "prev")
    need((prev == ZERO) == first, "prev is zero exactly at the first")


def increasing(values, what):
    """Strictly increasing, so that nothing stands twice."""
    need(all(a < b for a, b in pairwise(values)), f"{what} are not strictly increasing")


# --- statement.md section 3 -------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """A statement or a note."""

    signed: cose.Signed
    id: bytes
    log: bytes
    device: str
    epoch: int
    seq: int
    prev: bytes
    seen: tuple | None
    count: int
    root: bytes

    @property
    def place(self):
        return (self.epoch, self.seq)


def parse_statement(raw):
    """Reads a statement or a note (statement.md sections 3 and 3.1)."""
    signed = cose.parse(raw, MAX_STATEMENT, STATEMENT, NOTE)
    is_note = signed.typ == NOTE
    payload = cbor.decode(signed.payload)
    required = (0, 1, 2, 3, 4, 5, 6, 8, 9, 10) + ((11,) if is_note else ())
    cbor.keys(payload, required, (7,))
    hash32(payload[0], "log")
    check_address(payload[1])
    epoch, seq = uint(payload[2], "epoch"), uint(payload[3], "seq")
    check_prev(payload[4], (epoch, seq) == (0, 0))
    uint(payload[5], "made")
    uint(payload[6], "clock", high=2)
    seen = parse_seen(payload[7]) if 7 in payload else None
    need(PRINTABLE.fullmatch(tstr(payload[8], "agent", 1, 64)), "agent is not printable ASCII")
    count = uint(payload[9], "count", *((0, 0) if is_note else (1, 256)))
    root = hash32(payload[10], "root")
    statement = Statement(signed, H(b"\x00", raw), payload[0], payload[1], epoch, seq, payload[4], seen, count, root)
    if is_note:
        need(root == ZERO, "the root of a note is not zero")
        check_note(payload[11], statement)
    else:
        need(epoch == 0 or seq != 0, "an epoch begins without a note")
    return statement


def check_address(value):
    parts = tstr(value, "device").split("/")
    need(len(parts) == 2, "device is not an address")
    for part in parts:
        slug(part, "a part of the address")


def parse_seen(value):
    size, root = array(value, "seen", 2, 2)
    return uint(size, "seen size", 1), hash32(root, "seen root")


#: For each kind of note the keys beside 0 and 1: required, optional.
NOTE_KEYS = {0: ((2,), ()), 1: ((), ()), 2: ((3,), (4,)), 3: ((4, 5), ())}


def check_note(note, statement):
    """The map of key 11 (statement.md section 3.1)."""
    need(type(note) is dict and 0 in note, "note is not a map with a kind")
    kind = uint(note[0], "kind", high=3)
    required, optional = NOTE_KEYS[kind]
    cbor.keys(note, (0, 1) + required, optional)
    tstr(note[1], "text", 0, 256)
    begins = statement.epoch > 0 and statement.seq == 0
    need((kind == 0) == begins, "a note of kind 0 stands exactly at the beginning of a later epoch")
    if kind == 0:
        epoch, _, last_id = parse_last(note[2])
        need(last_id == statement.prev, "last.id is not prev")
        need(epoch < statement.epoch, "last is not of an earlier epoch")
    if 3 in note:
        tstr(note[3], "sensor", 1, 64)
    if 4 in note:
        start, until = array(note[4], "range", 2, 2)
        need(uint(start, "from") <= uint(until, "until"), "range ends before it begins")
    if 5 in note:
        uint(note[5], "dropped", 1)


def parse_last(value):
    """`[epoch, seq, id]`."""
    epoch, seq, identity = array(value, "last", 3, 3)
    return uint(epoch, "last epoch"), uint(seq, "last seq"), hash32(identity, "last id")


# --- registry.md section 2 --------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A record of the registry."""

    signed: cose.Signed
    log: bytes
    version: int
    org: str
    device: str
    kid: bytes
    key: bytes
    alg: int
    role: int
    places: list
    steps: list
    sources: list
    state: int
    last: tuple | None
    compromised_since: int | None
    consent: bytes | None

    def leaf(self, salt):
        """The leaf of the registry (section 3) that holds this record."""
        return H(b"\x00R", self.kid, H(salt, self.signed.raw))

    def consents(self):
        """Whether the recorded key has signed the payload without key 16."""
        payload = self.signed.payload
        # Maps of 16 to 23 entries have a head of one byte; key 16 is the last
        # entry: one byte of key, a head of two and 64 bytes of signature.
        rest = bytes([payload[0] - 1]) + payload[1:-67]
        return signing.verifies(self.alg, self.key, CONSENT + rest, self.consent)


def parse_record(raw):
    """Reads a record; neither its signature nor the consent is verified."""
    signed = cose.parse(raw, MAX_RECORD, RECORD)
    payload = cbor.keys(cbor.decode(signed.payload), (*range(13), 15), (13, 14, 16))
    hash32(payload[0], "log")
    version = uint(payload[1], "version", 1)
    slug(payload[2], "org")
    role = payload[7]
    need(type(role) is int and role in (ORGANISATION, CAPTURE, RECEIPT, CONFIGURATION), "role is not 0, 2, 3 or 6")
    if role == CAPTURE:
        slug(payload[3], "device")
    else:
        need(payload[3] == "", "device is not empty")
    alg, key = payload[6], bstr(payload[5], "key")
    need(type(alg) is int, "alg is not an integer")
    signing.check_key(alg, key)
    need(hash32(payload[4], "kid") == signing.kid(key), "kid is not that of the key")
    check_grants(payload, role)
    state = uint(payload[12], "state", high=3)
    last = check_state(payload, role, state)
    check_prev(payload[15], version == 1)
    need((16 in payload) == (version == 1), "consent is there exactly at version 1")
    consent = bstr(payload[16], "consent", 64) if 16 in payload else None
    return Record(
        signed,
        payload[0],
        version,
        payload[2],
        payload[3],
        payload[4],
        key,
        alg,
        role,
        *payload_grants(payload),
        state,
        last,
        payload.get(14),
        consent,
    )


def payload_grants(payload):
    return payload[8], payload[9], payload[10]


def check_grants(payload, role):
    """Places, steps, sources and heartbeat."""
    places, steps, sources = payload_grants(payload)
    for place in array(places, "places", 0, 256):
        tstr(place, "a place", 1, 256)
    for step in array(steps, "steps", 0, 64):
        tstr(step, "a step", 1, 64)
    for source in array(sources, "sources"):
        uint(source, "a source", high=3)
    increasing([place.encode() for place in places], "places")
    increasing([step.encode() for step in steps], "steps")
    increasing(sources, "sources")
    heartbeat = uint(payload[11], "heartbeat", high=31_536_000)
    if role != CAPTURE:
        need(not places and not steps and not sources, "grants of a key that does not capture")
        need(heartbeat == 0, "heartbeat of a key that does not capture")


def check_state(payload, role, state):
    """Keys 13 and 14, which depend on the state. Returns `last`."""
    need(
        (13 in payload) == (state == RETIRED and role == CAPTURE), "last is there exactly in a retired device's record"
    )
    if 14 in payload:
        need(state == REVOKED, "compromised_since of a key that is not revoked")
        uint(payload[14], "compromised_since")
    return parse_last(payload[13]) if 13 in payload else None


# --- log.md sections 2 to 4 -------------------------------------------------


def parse_entry(raw, kind):
    """The CBOR item of a log entry of the given type."""
    need(1 < len(raw) <= MAX_ENTRY, "an entry has 2 to 65,535 bytes")
    need(raw[0] == kind, f"the entry is not of type {kind}")
    return cbor.decode(raw[1:])


@dataclass
class Header:
    """A batch header and the refused events that belong to it."""

    log: bytes
    shard: int
    seq: int
    statements: int
    root: bytes
    refused_hash: bytes
    registry: tuple
    refused: frozenset = field(default_factory=frozenset)


def parse_header(raw):
    """Reads a batch header (log.md section 3)."""
    entry = cbor.keys(parse_entry(raw, ENTRY_HEADER), range(13))
    uint(entry[0], "version", 1, 1)
    hash32(entry[1], "log")
    uint(entry[2], "shard", high=65_535)
    seq = uint(entry[3], "seq")
    uint(entry[4], "statements", 1, 65_536)
    uint(entry[5], "events")
    hash32(entry[6], "root")
    hash32(entry[7], "refused")
    version, count, root = array(entry[8], "registry", 3, 3)
    uint(version, "registry version", 1)
    uint(count, "registry count", 1, MAX_COUNT)
    hash32(root, "registry root")
    need(hash32(entry[9], "index") == ZERO, "index is not zero")
    need(uint(entry[10], "first") <= uint(entry[11], "last"), "last is before first")
    check_prev(entry[12], seq == 0)
    return Header(entry[1], entry[2], seq, entry[4], entry[6], entry[7], (version, count, root))


def parse_refused(raw, statements):
    """The list of refused events of a header with so many statements."""
    need(len(raw) <= MAX_REFUSED, "the list of refused events is too long")
    places = []
    for row in array(cbor.decode(raw), "refused events", 1):
        statement, event, code = array(row, "a refused event", 3, 3)
        uint(statement, "statement index", high=statements - 1)
        uint(event, "event index", high=255)
        need(type(code) is str and code in EVENT_CODES, "unknown code of a refused event")
        places.append((statement, event))
    increasing(places, "refused events")
    return frozenset(places)


@dataclass(frozen=True)
class Head:
    """A registry head."""

    version: int
    count: int
    root: bytes
    time: int


def parse_head(raw):
    """Reads a registry head (log.md section 2, registry.md section 3)."""
    entry = cbor.keys(parse_entry(raw, ENTRY_HEAD), range(4))
    version = uint(entry[0], "version", 1)
    count = uint(entry[1], "count", 1, MAX_COUNT)
    return Head(version, count, hash32(entry[2], "root"), uint(entry[3], "time"))


@dataclass(frozen=True)
class Policy:
    """Who signs and cosigns the log, and who may register organisations."""

    hash: bytes
    log: bytes
    origin: str
    log_key: bytes
    witnesses: dict
    quorum: int
    registrars: dict
    #: Hash of the policy before, size and root of the log under it.
    prev: tuple | None

    @property
    def first(self):
        return self.prev is None

    def registrar(self, kid):
        """The registrar's key of this kid, or None."""
        return next((key for key in self.registrars.values() if signing.kid(key) == kid), None)

    def kids(self):
        """The kids of all keys of the policy."""
        keys = [self.log_key, *self.witnesses.values(), *self.registrars.values()]
        return {signing.kid(key): key for key in keys}


def parse_policy(raw):
    """Reads a policy (log.md section 4)."""
    entry = cbor.keys(parse_entry(raw, ENTRY_POLICY), (0, 1, 2, 3, 4, 5, 6, 8), (7,))
    uint(entry[0], "version", 1, 1)
    log = hash32(entry[1], "log")
    origin = tstr(entry[2], "origin", 1, 255)
    need(NAME.fullmatch(origin), "origin has a character that it may not have")
    log_key = signing.check_key(signing.ED25519, hash32(entry[3], "log_key"))
    witnesses = parse_named_keys(entry[4], "witnesses")
    quorum = uint(entry[5], "quorum", 1, len(witnesses))
    registrars = parse_named_keys(entry[6], "registrars")
    keys = [log_key, *witnesses.values(), *registrars.values()]
    need(len(set(keys)) == len(keys), "a key stands in two places")
    need(origin not in witnesses, "a witness is named like the origin")
    prev = parse_policy_prev(entry[7]) if 7 in entry else None
    if prev is None and log != H(origin.encode(), b"\n", log_key):
        raise Bad("the log id is not that of origin and key")
    uint(entry[8], "time")
    return Policy(H(raw), log, origin, log_key, witnesses, quorum, registrars, prev)


def parse_policy_prev(value):
    before, size, root = array(value, "prev", 3, 3)
    return hash32(before, "prev hash"), uint(size, "prev size", 1), hash32(root, "prev root")


def parse_named_keys(value, what):
    """1 to 32 rows `[name, key]` as a map, names strictly increasing."""
    names, keys = [], []
    for row in array(value, what, 1, 32):
        name, key = array(row, f"a row of {what}", 2, 2)
        need(NAME.fullmatch(tstr(name, "a name", 1, 64)), "a name has a character that it may not have")
        names.append(name)
        keys.append(signing.check_key(signing.ED25519, hash32(key, "a key")))
    increasing(names, f"names of {what}")
    return dict(zip(names, keys))
