"""Attestations and revocations, from attestation.md sections 1 to 3 alone."""

import re
from itertools import pairwise

import cbor
import cose
from cbor import array, hash32, tstr, uint
from errors import need
from formats import slug

TYP = "application/vnd.tracebond.attestation.v1+cbor"
TYP_REVOCATION = "application/vnd.tracebond.attestation-revocation.v1+cbor"
LONGEST = 31_622_400_000_000
LAST_DAY = 2_932_896
LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CURRENCY = re.compile(r"[A-Z]{3}")
REASON = re.compile(r"[a-z0-9-]{1,64}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

#: Section 2: for each kind the keys that are required and those that are allowed.
KINDS = {
    1: ((0, 1, 2, 3, 5), (4,)),
    2: ((0, 1, 2, 3, 6), (4,)),
    3: ((2, 3, 4, 7), ()),
    4: ((0, 1, 4), (7, 8, 9)),
}


def parse(raw):
    """An attestation that obeys sections 1 and 2: the signed object and its payload."""
    signed = cose.parse(raw, 4_096, TYP)
    payload = cbor.keys(cbor.decode(signed.payload), tuple(range(10)))
    hash32(payload[0], "log")
    uint(payload[2], "number", 1)
    need(slug(payload[1], "issuer") != slug(payload[4], "subject"), "an issuer about itself")
    check_code(tstr(payload[5], "code", 18, 18))
    hash32(payload[6], "consent")
    issued = uint(payload[7], "issued")
    uint(payload[8], "expires", issued + 1, issued + LONGEST)
    kind = uint(payload[3], "kind", 1, 4)
    check_facts(kind, cbor.keys(payload[9], *KINDS[kind]))
    return signed, payload


def check_code(code):
    """The check character of GB 32100-2015 as section 1 writes it."""
    need(all(letter in LETTERS for letter in code), "a character is none of the code's")
    need(code[2:8].isdigit(), "the region is not of digits")
    values = [LETTERS.index(letter) for letter in code]
    total = sum(value * pow(3, place, 31) for place, value in enumerate(values[:17]))
    need((total + values[17]) % 31 == 0, "the check character does not fit")


def check_facts(kind, facts):
    """The table of section 2, the presence of keys apart."""
    if 0 in facts:
        uint(facts[0], "amount", 0 if kind == 2 else 1)
        need(CURRENCY.fullmatch(tstr(facts[1], "currency")), "currency is not three capital letters")
    if 2 in facts:
        uint(facts[2], "from", 0, LAST_DAY)
        uint(facts[3], "to", facts[2], LAST_DAY)
    if 4 in facts:
        hash32(facts[4], "document")
    if 5 in facts:
        uint(facts[5], "count", 1)
    if 6 in facts:
        uint(facts[6], "grade", 0, 4)
    if 7 in facts:
        need(not CONTROL.search(tstr(facts[7], "reference", 1, 128)), "a control character in reference")
    if 8 in facts:
        uint(facts[8], "due", 0, LAST_DAY)
    if 9 in facts:
        leaves = [hash32(leaf, "leaf") for leaf in array(facts[9], "leaves", 1, 64)]
        need(all(a < b for a, b in pairwise(leaves)), "leaves are not strictly increasing")


def parse_revocation(raw):
    """A revocation that obeys section 3: the signed object and its payload."""
    signed = cose.parse(raw, 1_024, TYP_REVOCATION)
    payload = cbor.keys(cbor.decode(signed.payload), (0, 1, 2, 3, 4))
    hash32(payload[0], "log")
    slug(payload[1], "issuer")
    hash32(payload[2], "attestation")
    uint(payload[3], "made")
    need(REASON.fullmatch(tstr(payload[4], "reason")), "reason is no code")
    return signed, payload
