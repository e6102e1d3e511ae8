"""Consent documents, from consent.md alone.

`parse` obeys section 1, `Chain` sections 2 and 3, `Chain.answer` section 4. Whether a log entry is
proven, and the state of the signer's record, is for the caller to say.
"""

import re
from hashlib import sha256
from itertools import pairwise

import cbor
import cose
import ijson
from cbor import array, hash32, tstr, uint
from errors import Bad, need
from formats import slug

TYP = "application/vnd.tracebond.consent.v1+cbor"
MAX = 32_768
LONGEST = 31_622_400_000_000
AHEAD = 10 * 60 * 1_000_000
ZERO = bytes(32)
GRANT, WITHDRAWAL = 0, 1
STEP = re.compile(r"[\x21-\x7e]{1,64}")
HEAD = tuple(range(7))
WHOLE = tuple(range(14))


class Consent:
    """One signed document that obeys section 1."""

    def __init__(self, raw):
        self.signed = cose.parse(raw, MAX, TYP)
        payload = cbor.decode(self.signed.payload)
        need(type(payload) is dict and 6 in payload, "kind is missing")
        self.is_grant = uint(payload[6], "kind", GRANT, WITHDRAWAL) == GRANT
        cbor.keys(payload, WHOLE if self.is_grant else HEAD)
        self.raw = raw
        self.id = sha256(b"\0" + raw).digest()
        self.log = hash32(payload[0], "log")
        self.supplier = slug(payload[1], "supplier")
        self.bank = slug(payload[2], "bank")
        self.number = uint(payload[3], "number", 1)
        self.prev = hash32(payload[4], "prev")
        self.made = uint(payload[5], "made")
        need(self.bank != self.supplier, "bank is the supplier")
        need((self.prev == ZERO) == (self.number == 1), "prev is zero exactly at number 1")
        need(self.is_grant or self.number > 1, "number 1 is a withdrawal")
        if self.is_grant:
            self.read_grant(payload)

    def read_grant(self, payload):
        self.start = uint(payload[7], "from", self.made)
        self.until = uint(payload[8], "until", self.start + 1, self.made + LONGEST)
        self.purposes = rising([uint(one, "purpose", 0, 2) for one in array(payload[9], "purposes", 1, 3)])
        self.devices = rising([slug(one, "device") for one in array(payload[10], "devices", 0, 256)])
        self.steps = rising([step(one) for one in array(payload[11], "steps", 0, 64)])
        self.withheld = rising([member(one) for one in array(payload[12], "withheld", 0, 64)])
        self.attestations = rising([uint(one, "attestation", 1, 4) for one in array(payload[13], "attestations", 0, 4)])


def rising(items):
    """Strictly increasing; texts by their bytes."""
    order = [one.encode("utf-8") if type(one) is str else one for one in items]
    need(all(a < b for a, b in pairwise(order)), "a list is not strictly increasing")
    return items


def step(value):
    tstr(value, "step", 1, 64)
    need(STEP.fullmatch(value), "a step is not printable ASCII without space")
    return value


def member(value):
    """A name of a member as an event may have it (statement.md section 2.1)."""
    return ijson.member_name(tstr(value, "member"))


class Chain:
    """The documents of one supplier to one bank, as a reader takes them."""

    def __init__(self, log, supplier, bank, key, known=None):
        self.of = (log, supplier, bank)
        self.key = key
        self.known = known
        self.documents = []
        self.logged = set()
        self.fork = False

    def take(self, raw, logged, clock):
        """Section 3, the record being one of the supplier's; raises `Bad` where it is not taken."""
        one = Consent(raw)
        need((one.log, one.supplier, one.bank) == self.of, "a document of another chain")
        need(one.signed.verifies(-19, self.key), "the signature does not verify")
        need(one.made <= clock + AHEAD, "made in the future")
        if one.number <= len(self.documents):
            if self.documents[one.number - 1].raw != raw:
                self.fork = True
                raise Bad("two documents have one number")
        else:
            self.follow(one)
            self.documents.append(one)
        if logged:
            self.logged.add(one.id)

    def follow(self, one):
        """Section 2."""
        need(one.number == len(self.documents) + 1, "a number is missing")
        if self.documents:
            before = self.documents[-1]
            need(one.prev == before.id, "prev names another document")
            need(one.made >= before.made, "made before the document before")
            need(one.is_grant or before.is_grant, "a withdrawal follows a withdrawal")

    def answer(self, asked, signer, clock, seen):
        """Section 4: `granted`, or the first reason."""
        if self.known and not any((one.number, one.id) == self.known for one in self.documents):
            return "rolled-back"
        if not self.documents:
            return "none"
        if self.fork:
            return "forked"
        newest = self.documents[-1]
        was_kept = self.known is not None and self.known[0] >= newest.number
        if newest.is_grant and signer != "active" and not (signer == "retired" and was_kept):
            return "signer"
        if not newest.is_grant:
            return "withdrawn"
        if newest.id not in self.logged:
            return "not-logged"
        instant = max(clock, seen or 0)
        if instant < newest.start:
            return "not-yet"
        if instant >= newest.until:
            return "expired"
        return "granted" if fits(newest, asked) else "scope"


def fits(grant, asked):
    """Whether a grant is as wide as what is needed; `None` is all."""
    return (
        asked["purpose"] in grant.purposes
        and reaches(grant.devices, asked["devices"])
        and reaches(grant.steps, asked["steps"])
        and not set(asked["members"]) & set(grant.withheld)
        and set(asked["attestations"]) <= set(grant.attestations)
    )


def reaches(granted, needed):
    if not granted:
        return True
    return needed is not None and set(needed) <= set(granted)
