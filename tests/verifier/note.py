"""The checkpoint: a C2SP signed note (log.md section 5), read as strictly as a
bundle demands it: every line verifies, no key signs twice, the log is first.
"""

import re
from dataclasses import dataclass

import signing
from bundle import decode_base64
from cbor import MAX_UINT
from errors import Bad, need
from trees import H

MAX_BYTES = 16_384
MAX_LINES = 64
SIZE = re.compile(r"[1-9][0-9]{0,15}")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that counts under its policy."""

    size: int
    root: bytes
    anchored: int
    #: The smallest time of a witness.
    earliest: int


def parse(raw):
    """Splits a note: its text, origin, size, root and `(name, blob)` lines."""
    need(len(raw) <= MAX_BYTES, "the note is too long")
    try:
        note = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Bad("the note is not UTF-8") from None
    lines = note.split("\n")
    need(len(lines) >= 6 and lines[-1] == "" and lines[3] == "", "the note has not the lines of a checkpoint")
    origin, size, root = lines[:3]
    need(SIZE.fullmatch(size) and int(size) <= MAX_UINT, "size is not a number")
    root = decode_base64(root)
    need(len(root) == 32, "the root is not a hash")
    signatures = [parse_line(line) for line in lines[4:-1]]
    need(1 <= len(signatures) <= MAX_LINES, "the note has not 1 to 64 signatures")
    text = "\n".join(lines[:3]) + "\n"
    return text.encode(), origin, int(size), root, signatures


def parse_line(line):
    parts = line.split(" ")
    need(len(parts) == 3 and parts[0] == "\u2014" and parts[1], "a line is not a signature")
    return parts[1], decode_base64(parts[2])


def key_id(name, kind, key):
    return H(name.encode(), b"\n", bytes([kind]), key)[:4]


def check(raw, policy):
    """Reads a checkpoint and verifies all its lines under the policy."""
    text, origin, size, root, signatures = parse(raw)
    need(origin == policy.origin, "the origin is not the policy's")
    check_log_line(text, signatures[0], policy)
    times = {}
    for name, blob in signatures[1:]:
        need(name in policy.witnesses, "a line of a name that is no witness of the policy")
        need(name not in times, "two lines under one key")
        times[name] = check_witness_line(text, name, blob, policy.witnesses[name])
    need(len(times) >= policy.quorum, f"{len(times)} witnesses of a quorum of {policy.quorum}")
    ordered = sorted(times.values())
    return Checkpoint(size, root, ordered[policy.quorum - 1], ordered[0])


def check_log_line(text, line, policy):
    name, blob = line
    need(name == policy.origin and len(blob) == 68, "the first line is not the log's")
    need(blob[:4] == key_id(name, 1, policy.log_key), "the first line has another key id")
    need(signing.verifies(signing.ED25519, policy.log_key, text, blob[4:]), "the log's signature does not verify")


def check_witness_line(text, name, blob, key):
    """Verifies a cosignature and returns its time."""
    need(len(blob) == 76 and blob[:4] == key_id(name, 4, key), "a witness line has another key id or length")
    time = int.from_bytes(blob[4:12], "big")
    need(1 <= time <= MAX_UINT, "a witness's time is not 1 to 2^53 - 1")
    message = b"cosignature/v1\ntime %d\n" % time + text
    need(signing.verifies(signing.ED25519, key, message, blob[12:]), f"the signature of witness {name} does not verify")
    return time
