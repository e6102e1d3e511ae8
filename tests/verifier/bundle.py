"""The form of a bundle (proof-bundle.md and proof-bundle-v2.md, section 1): from bytes
to checked, decoded Python values. Everything that is refused here has the class
`format`.
"""

import binascii
import json
import re
from itertools import pairwise

from errors import Bad, need

MAX_BYTES = 33_554_432
MAX_DEPTH = 8
MAX_NUMBER = 2**53 - 1
MAX_ROWS = 65_536
MAX_PATH = 64
MAX_LATER = 4_096
MAX_POLICIES = 32
MAX_MEMBERS = 64
SPACE = re.compile(r"[ \t\n\r]")
BRACKETS = re.compile(r"[\[\]{}]")


def decode_base64(text):
    """Standard base64 in its only spelling: decode leniently, encode, compare."""
    try:
        data = binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        raise Bad("broken base64") from None
    need(binascii.b2a_base64(data, newline=False).decode("ascii") == text, "base64 is not in its only spelling")
    return data


# --- JSON -------------------------------------------------------------------


def parse_number(literal):
    need(not literal.startswith("-") and len(literal) <= 16 and int(literal) <= MAX_NUMBER, "a number out of range")
    return int(literal)


def refuse_number(literal):
    raise Bad(f"not an unsigned decimal integer: {literal[:32]}")


def parse_object(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "a name stands twice")
    return members


DECODER = json.JSONDecoder(
    object_pairs_hook=parse_object,
    parse_int=parse_number,
    parse_float=refuse_number,
    parse_constant=refuse_number,
    strict=True,
)


def parse_json(raw):
    """The strict JSON of a bundle. Without `\\` every quote delimits a string."""
    need(len(raw) <= MAX_BYTES, "the bundle is too long")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Bad("the bundle is not UTF-8") from None
    need("\\" not in text, "the bundle has a backslash")
    outside = "".join(text.split('"')[::2])
    need(not SPACE.search(outside), "white space outside strings")
    check_depth(outside)
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Bad(f"not JSON: {error}") from None
    return value


def check_depth(outside):
    depth = 0
    for bracket in BRACKETS.findall(outside):
        depth += 1 if bracket in "[{" else -1
        need(depth <= MAX_DEPTH, "nested deeper than 8")


# --- Members ----------------------------------------------------------------


def number(value, below=None):
    """An unsigned integer, below a bound if one is given."""
    need(type(value) is int, "not a number")
    need(below is None or value < below, f"{value} is not below {below}")
    return value


def text(value):
    need(type(value) is str, "not a text")
    return value


def b64(value):
    return decode_base64(text(value))


def b64_of(length):
    """A reader of base64 of so many bytes."""

    def read(value):
        data = b64(value)
        need(len(data) == length, f"not {length} bytes")
        return data

    return read


hash32 = b64_of(32)


def rows(read, low, high):
    """A reader of an array with `low` to `high` items."""

    def read_rows(value):
        need(type(value) is list, "not an array")
        need(low <= len(value) <= high, f"{len(value)} rows, not {low} to {high}")
        return [read(item) for item in value]

    return read_rows


path = rows(hash32, 0, MAX_PATH)


def members(value, required, optional=None):
    """An object with exactly these members, each read by its own reader."""
    need(type(value) is dict, "not an object")
    result = {}
    for name, read in required.items():
        need(name in value, f"{name} is missing")
        result[name] = inside(name, read, value[name])
    for name, read in (optional or {}).items():
        result[name] = inside(name, read, value[name]) if name in value else None
    for name in value:
        need(name in result, f"{name!r} is unknown")
    return result


def inside(name, read, value):
    """Reads a member and puts its name before any complaint."""
    try:
        return read(value)
    except Bad as bad:
        raise Bad(f"{name}: {bad}") from None


def read_name(value):
    need(1 <= len(text(value).encode("utf-8")) <= 128, "a name of 0 or more than 128 bytes")
    return value


def read_member(value):
    """A member of an event: shown with salt and value, or withheld as a hash."""
    if type(value) is dict and "hash" in value:
        return members(value, {"name": read_name, "hash": hash32})
    return members(value, {"name": read_name, "salt": b64_of(16), "value": b64})


def read_event(value):
    place = {"statement": number, "index": number, "path": path}
    if type(value) is dict and "leaf" in value:
        return members(value, {**place, "leaf": hash32})
    shown = {"source": lambda source: number(source, 4), "members": rows(read_member, 1, MAX_MEMBERS)}
    return members(value, {**place, **shown})


LOGGED = {"entry": b64, "index": number, "path": path}


def read_policy(value):
    return members(value, LOGGED)


def read_handover(value):
    return members(value, {"note": b64, "path": path})


def read_next_policy(value):
    return members(value, {**LOGGED, "prefix": path, "handover": read_handover})


def read_policies(value):
    """Every policy but the first says how it follows the one before."""
    policies = rows(lambda row: row, 1, MAX_POLICIES)(value)
    return [read_policy(policies[0])] + [read_next_policy(row) for row in policies[1:]]


def read_checkpoint(value):
    """A checkpoint, or the note that a statement has `seen`, of version 2."""
    return members(value, {"note": b64, "policy": number, "prefix": path})


def read_fresh(value):
    return members(value, {**LOGGED, "keys": rows(read_fresh_key, 2, MAX_ROWS)})


RECORD = {"record": b64, "salt": b64_of(16), "index": number, "path": path}


def read_fresh_key(value):
    return members(value, RECORD)


def read_header(value):
    required = {"entry": b64, "index": number, "checkpoint": number, "path": path}
    return members(value, required, {"refused": b64})


def read_key(value):
    return members(value, {**RECORD, "header": number})


STATEMENT = {
    "statement": b64,
    "header": number,
    "index": number,
    "path": path,
    "device": number,
    "organisation": number,
}
LATER = {"later": rows(b64, 1, MAX_LATER)}


def read_statement(value):
    return {**members(value, STATEMENT, LATER), "seen": None}


def read_statement_2(value):
    return members(value, STATEMENT, {**LATER, "seen": read_checkpoint})


COMMON = {
    "tracebond": text,
    "headers": rows(read_header, 1, MAX_ROWS),
    "keys": rows(read_key, 2, MAX_ROWS),
    "events": rows(read_event, 0, MAX_ROWS),
}
VERSION_1 = {
    **COMMON,
    "policy": read_policy,
    "checkpoints": rows(b64, 1, MAX_ROWS),
    "statements": rows(read_statement, 1, MAX_ROWS),
}
VERSION_2 = {
    **COMMON,
    "policies": read_policies,
    "checkpoints": rows(read_checkpoint, 1, MAX_ROWS),
    "statements": rows(read_statement_2, 1, MAX_ROWS),
}


def read_bundle(value):
    """A bundle of either version, with the members of version 2."""
    version = value.get("tracebond") if type(value) is dict else None
    if version == "bundle/v2":
        return {**members(value, VERSION_2, {"fresh": read_fresh}), "version": 2}
    need(version == "bundle/v1", "neither bundle/v1 nor bundle/v2")
    bundle = members(value, VERSION_1)
    bundle["policies"] = [bundle.pop("policy")]
    bundle["checkpoints"] = [{"note": note, "policy": 0, "prefix": []} for note in bundle["checkpoints"]]
    return {**bundle, "fresh": None, "version": 1}


def strictly(items, what, *names):
    """The items are strictly ordered by the named members."""
    places = [tuple(item[name] for name in names) for item in items]
    need(all(a < b for a, b in pairwise(places)), f"{what} are out of order")


def in_range(items, name, others, what):
    for item in items:
        need(item[name] < len(others), f"{name} of one of {what} is out of range")


def check_checkpoints_used(count, used):
    """Headers name checkpoints in order, and each but the last is named."""
    need(all(a <= b for a, b in pairwise(used)), "checkpoints of headers fall")
    need(set(range(count - 1)) <= set(used), "a checkpoint that no header uses")


def check_policies(policies, checkpoints, statements):
    """The order of policies, and of those that checkpoints name."""
    in_range(checkpoints, "policy", policies, "checkpoints")
    in_range([row["seen"] for row in statements if row["seen"]], "policy", policies, "seen")
    strictly(policies, "policies", "index")
    named = [row["policy"] for row in checkpoints]
    need(all(a <= b for a, b in pairwise(named)), "policies of checkpoints fall")
    need(named[-1] == len(policies) - 1, "the last checkpoint is not of the last policy")


def parse(raw):
    """A bundle's members, decoded, ordered and with positions in range."""
    bundle = read_bundle(parse_json(raw))
    headers, keys = bundle["headers"], bundle["keys"]
    statements, events = bundle["statements"], bundle["events"]
    in_range(headers, "checkpoint", bundle["checkpoints"], "headers")
    in_range(keys, "header", headers, "keys")
    in_range(statements, "header", headers, "statements")
    in_range(statements, "device", keys, "statements")
    in_range(statements, "organisation", keys, "statements")
    in_range(events, "statement", statements, "events")
    check_policies(bundle["policies"], bundle["checkpoints"], statements)
    strictly(headers, "headers", "index")
    strictly(keys, "keys", "header", "index")
    strictly(statements, "statements", "header", "index")
    strictly(events, "events", "statement", "index")
    if bundle["fresh"] is not None:
        strictly(bundle["fresh"]["keys"], "keys of fresh", "index")
    check_checkpoints_used(len(bundle["checkpoints"]), [row["checkpoint"] for row in headers])
    used = {row["header"] for row in statements}
    need(len(used) == len(headers), "a header that no statement uses")
    used = {row["device"] for row in statements} | {row["organisation"] for row in statements}
    need(len(used) == len(keys), "a key that no statement uses")
    return bundle
