#!/usr/bin/env python3
"""Verifies Tracebond proof bundles, versions 1 and 2.

Written from the format documents in `schemas/docs` alone: proof-bundle.md (form,
verdict and order of checks, sections 1 to 3), proof-bundle-v2.md (policies in
succession, recent heads, what was seen, marks), statement.md (CBOR, COSE, keys,
trees, events, statements, rule set 1), registry.md section 2 (records) and log.md
(policy, header, head, checkpoint). It shares no code with the Rust verifier.

    verify_bundle.py [--policy policy.json] [--json] [--list FILE] BUNDLE...

Exit status: 0 when every bundle is verified or incomplete, 1 when one is refused,
2 when the command cannot be carried out.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, fields

import bundle as form
import formats
import ijson
import marks
import recent
import rules
import signing
import succession
import trees
from errors import Refusal, need, refusing

#: A bundle is incomplete when one of these is withheld (proof-bundle.md section 2).
TELLING = ("type", "eventTime", "action", "bizStep", "disposition", "readPoint", "errorDeclaration")
MAX_EVENT = 65_536


@dataclass
class Report:
    """What a bundle that is not refused says. Size, root and anchored time are those
    of the last checkpoint; `anchored` is an upper bound for all events. `events`
    counts leaves, so that an event that is met twice counts once. `marks` has a row
    for each row of events, `key_states` and `made_after` one for each statement: the state
    of its key, and the second after which it was made, where that is shown."""

    verdict: str
    detail: str
    events: int
    statements: int
    log_size: int
    root: bytes
    anchored: int
    policy: bytes
    marks: list
    key_states: list
    made_after: list


@dataclass
class Judged:
    """An event that holds: its leaf, its shown members (None if it is wholly
    withheld), and whether nothing that tells is missing."""

    leaf: bytes
    shown: dict | None
    enough: bool


def verify(raw, trusted=None):
    """Verifies the bytes of a bundle, or raises `Refusal`.

    `trusted` is the policy entry that the reader trusts, or None.
    """
    with refusing("format", "bundle"):
        bundle = form.parse(raw)
    chain, checkpoints = succession.check(bundle, trusted)
    last = checkpoints[-1]
    headers = check_headers(bundle, chain, checkpoints)
    records = check_keys(bundle, chain, headers)
    fresh = recent.check(bundle["fresh"], chain, headers, records, last)
    statements, bounds = check_statements(bundle, chain, headers, records, last)
    events = check_events(bundle, headers, records, statements)
    withheld = sum(1 for event in events if not event.enough)
    known = knowledge(bundle, headers, records, statements, fresh)
    return Report(
        "incomplete" if withheld else "verified",
        describe(chain.last, trusted, statements, withheld, fresh),
        len({event.leaf for event in events}),
        len(statements),
        last.size,
        last.root,
        last.anchored,
        chain.last.hash,
        marks_of(bundle, checkpoints, events, known),
        [state for _, state in known],
        bounds,
    )


def describe(policy, trusted, statements, withheld, fresh):
    """The sentence that stands beside a verdict (proof-bundle.md sections 2 and 4)."""
    compared = "which is the trusted one or linked to it" if trusted is not None else "which was not compared"
    words = f"under policy {policy.hash.hex()}, {compared}"
    if fresh is not None:
        words += f"; states of keys as of registry version {fresh.version}"
    if withheld:
        words += f"; {withheld} events do not show all that is needed"
    places = Counter((statement.device, *statement.place) for statement in statements)
    forks = sum(1 for times in places.values() if times > 1)
    if forks:
        words += f"; {forks} forks: two statements with one device, epoch and seq"
    return words


def knowledge(bundle, headers, records, statements, fresh):
    """For each statement the records of its key, and the key's state."""
    registries = [headers[row["header"]].registry[0] for row in bundle["keys"]]
    by_kid = {}
    for statement in statements:
        kid = statement.signed.kid
        if kid not in by_kid:
            by_kid[kid] = marks.known_of(kid, records, registries, fresh)
    return [by_kid[statement.signed.kid] for statement in statements]


def marks_of(bundle, checkpoints, events, known):
    """The marks of each row of events."""
    found = []
    for row, event in zip(bundle["events"], events):
        header = bundle["headers"][bundle["statements"][row["statement"]]["header"]]
        anchored = checkpoints[header["checkpoint"]].anchored
        found.append(marks.of_event(event.shown, anchored, *known[row["statement"]]))
    return found


# --- Step 3 -------------------------------------------------------------------


def check_headers(bundle, chain, checkpoints):
    """Every batch header, each with its refused events."""
    headers, series = [], set()
    for position, row in enumerate(bundle["headers"]):
        place = f"header {position}"
        with refusing("header", place):
            header = check_header(row, chain)
            if headers:
                check_registry_order(headers[-1].registry, header.registry)
            need((header.shard, header.seq) not in series, "two headers have one shard and seq")
        with refusing("log-path", place):
            succession.check_entry_path(row, checkpoints[row["checkpoint"]])
        series.add((header.shard, header.seq))
        headers.append(header)
    return headers


def check_header(row, chain):
    header = formats.parse_header(row["entry"])
    need(header.log == chain.log, "the header is of another log")
    need(chain.in_force(row["index"]) is not None, "no policy is in force at the header")
    refused = row["refused"]
    need((refused is not None) == (header.refused_hash != formats.ZERO), "refused is there exactly when its hash is")
    if refused is not None:
        need(trees.H(refused) == header.refused_hash, "refused has another hash")
        header.refused = formats.parse_refused(refused, header.statements)
    return header


def check_registry_order(before, registry):
    need(registry[0] >= before[0], "the registry version falls")
    need(registry[0] > before[0] or registry == before, "one registry version with two contents")


# --- Step 4 -------------------------------------------------------------------


def check_keys(bundle, chain, headers):
    """Every record and its place in the registry of its header."""
    first_with = {}
    for position, header in enumerate(headers):
        first_with.setdefault(header.registry, position)
    records = []
    for position, row in enumerate(bundle["keys"]):
        place = f"key {position}"
        with refusing("record", place):
            record = chain.record(row["record"])
        with refusing("registry-path", place):
            check_registry_path(row, record, headers, first_with)
            if position and bundle["keys"][position - 1]["header"] == row["header"]:
                need(records[-1].kid < record.kid, "kids do not increase with their index")
        records.append(record)
    return records


def check_registry_path(row, record, headers, first_with):
    registry = headers[row["header"]].registry
    _, count, root = registry
    trees.check_complete_path(record.leaf(row["salt"]), row["index"], count, row["path"], root)
    need(first_with[registry] == row["header"], "a header before has the same registry")


# --- Step 5 -------------------------------------------------------------------


def check_statements(bundle, chain, headers, records, last):
    """Every statement, its keys, its signature and its place in its batch; and the
    second after which each was made, where that is shown."""
    statements, bounds, ids = [], [], set()
    for position, row in enumerate(bundle["statements"]):
        place = f"statement {position}"
        device, organisation = records[row["device"]], records[row["organisation"]]
        with refusing("statement", place):
            statement = formats.parse_statement(row["statement"])
            need(statement.id not in ids, "the statement stands twice")
            check_belongs(statement, row, bundle, headers, chain, device)
        with refusing("organisation", place):
            index = bundle["headers"][row["header"]]["index"]
            check_organisation(device, organisation, chain.in_force(index))
        with refusing("record", place):
            check_key_state(statement, device, row["later"], chain)
        with refusing("statement", place):
            need(statement.signed.verifies(device.alg, device.key), "the signature does not verify")
        with refusing("batch-path", place):
            header = headers[row["header"]]
            trees.check_complete_path(statement.id, row["index"], header.statements, row["path"], header.root)
        bounds.append(succession.check_seen(row["seen"], statement, chain, last, place))
        ids.add(statement.id)
        statements.append(statement)
    return statements, bounds


def check_belongs(statement, row, bundle, headers, chain, device):
    need(statement.log == chain.log, "the statement is of another log")
    place = bundle["headers"][row["header"]]["index"]
    need(statement.seen is None or statement.seen[0] <= place, "seen is larger than the log before the header")
    registry = headers[row["header"]].registry
    for name in ("device", "organisation"):
        key = bundle["keys"][row[name]]
        need(headers[key["header"]].registry == registry, f"the {name} is proven against another registry")
    need(device.role == formats.CAPTURE, "the device's record has another role")
    need(device.kid == statement.signed.kid, "the device's record is of another key")
    need(f"{device.org}/{device.device}" == statement.device, "the device's record has another address")


def check_organisation(device, organisation, policy):
    """Who answers for the device, and which registrar of the policy in force for them."""
    need(organisation.role == formats.ORGANISATION, "the organisation's record has another role")
    need(organisation.state == formats.ACTIVE, "the organisation is not active")
    need(organisation.org == device.org, "the organisation is another one")
    registrar = policy.registrar(organisation.signed.kid)
    need(registrar is not None, "the organisation's record names no registrar of the policy")
    need(organisation.signed.verifies(signing.ED25519, registrar), "the registrar's signature does not verify")
    need(
        device.signed.verifies(organisation.alg, organisation.key),
        "the organisation's signature of the device's record does not verify",
    )


def check_key_state(statement, device, later, chain):
    """The device's key is active, or retired and the statement counts still."""
    if device.state == formats.ACTIVE:
        need(later is None, "later beside an active key")
        return
    need(device.state == formats.RETIRED, "the device's key is suspended or revoked")
    epoch, seq, last_id = device.last
    need(statement.place <= (epoch, seq), "the statement is after the last that counts")
    if statement.place == (epoch, seq):
        need(later is None, "later beside the last statement")
        need(statement.id == last_id, "another statement is the last that counts")
        return
    need(later is not None, "later is missing")
    before = statement
    for raw in later:
        following = formats.parse_statement(raw)
        need(following.log == chain.log, "a later statement is of another log")
        need(following.device == statement.device, "a later statement is of another device")
        need(following.signed.verifies(device.alg, device.key), "a later signature does not verify")
        need(following.prev == before.id, "the chain of later statements is broken")
        before = following
    need(before.id == last_id, "later does not end with the last that counts")


# --- Step 6 -------------------------------------------------------------------


def check_events(bundle, headers, records, statements):
    """Every event."""
    events = []
    for position, row in enumerate(bundle["events"]):
        place = f"event {position}"
        statement, outer = statements[row["statement"]], bundle["statements"][row["statement"]]
        with refusing("event-path", place):
            need(row["index"] < statement.count, "the statement has not so many events")
            leaf = row["leaf"] if "leaf" in row else leaf_of(row)
            trees.check_complete_path(leaf, row["index"], statement.count, row["path"], statement.root)
        shown = None
        if "members" in row:
            with refusing("member", place):
                shown = check_members(row["members"])
        with refusing("refused-event", place):
            refused = headers[outer["header"]].refused
            need((outer["index"], row["index"]) not in refused, "the event was refused at ingest")
        if shown is not None:
            names = {member["name"] for member in row["members"]}
            with refusing("rule", place):
                rules.check(row["source"], names, shown, records[outer["device"]])
        enough = shown is not None and all(name in shown or name not in names for name in TELLING)
        events.append(Judged(leaf, shown, enough))
    return events


def leaf_of(row):
    """The leaf of an event that is shown (statement.md section 2.2)."""
    fields = []
    for member in row["members"]:
        name = member["name"].encode("utf-8")
        value = member["hash"] if "hash" in member else trees.H(b"\x03", member["salt"], member["value"])
        fields.append(trees.H(b"\x00F", len(name).to_bytes(2, "big"), name, value))
    source = bytes([row["source"]])
    return trees.H(b"\x00E", source, len(fields).to_bytes(2, "big"), trees.complete_root(fields))


def check_members(members):
    """Names and shown values by statement.md section 2.1. Returns the values."""
    names = [ijson.member_name(member["name"]) for member in members]
    need(len(set(names)) == len(names), "a name stands twice")
    shown = {member["name"]: ijson.member_value(member["value"]) for member in members if "value" in member}
    lengths = (len(m["name"].encode("utf-8")) + len(m.get("value", b"")) + 3 for m in members)
    need(2 + sum(lengths) + len(members) - 1 <= MAX_EVENT, "the event is too long")
    return shown


# --- Command ------------------------------------------------------------------


def verify_file(path, trusted):
    """One bundle's line of output, as a dictionary."""
    with open(path, "rb") as file:
        raw = file.read(form.MAX_BYTES + 1)
    line = {"file": path, "verdict": "refused", "class": None, "detail": None}
    line.update(dict.fromkeys(field.name for field in fields(Report) if field.name not in line))
    try:
        report = verify(raw, trusted)
    except Refusal as refusal:
        line.update({"class": refusal.klass, "detail": refusal.detail})
        return line
    line.update(asdict(report), root=report.root.hex(), policy=report.policy.hex())
    return line


def words(line):
    """The same as one line of text."""
    if line["verdict"] == "refused":
        return f"{line['file']}: refused ({line['class']}): {line['detail']}"
    marked = Counter(mark for row in line["marks"] for mark in row)
    return (
        f"{line['file']}: {line['verdict']}: {line['events']} events in {line['statements']} statements, "
        f"log of {line['log_size']} anchored at {line['anchored']}, {line['detail']}"
        + "".join(f"; {marked[mark]} {mark}" for mark in marks.MARKS if marked[mark])
    )


def read_trusted(path):
    """The entry of a policy file (log.md section 4)."""
    with open(path, "rb") as file:
        value = json.loads(file.read(form.MAX_BYTES), object_pairs_hook=form.parse_object)
    need(type(value) is dict and value.keys() == {"tracebond", "entry"}, "not a policy file")
    need(value["tracebond"] == "policy/v1", "not a policy file of version 1")
    entry = form.b64(value["entry"])
    formats.parse_policy(entry)
    return entry


def arguments(argv):
    parser = argparse.ArgumentParser(description="Verifies Tracebond proof bundles.")
    parser.add_argument("--policy", metavar="FILE", help="policy file that is trusted")
    parser.add_argument("--json", action="store_true", help="one JSON object for each bundle")
    parser.add_argument("--list", metavar="FILE", help="file with the path of one bundle on each line")
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE")
    options = parser.parse_args(argv)
    if not options.bundles and options.list is None:
        parser.error("no bundle is named")
    return options


def main(argv=None):
    """Runs the command and returns its exit status."""
    options = arguments(argv)
    try:
        trusted = read_trusted(options.policy) if options.policy else None
        paths = list(options.bundles)
        if options.list is not None:
            with open(options.list, encoding="utf-8") as file:
                paths += file.read().splitlines()
        return run([path for path in paths if path], trusted, options.json)
    except (OSError, ValueError, RecursionError) as error:
        print(f"verify_bundle: {error}", file=sys.stderr)
        return 2


def run(paths, trusted, as_json):
    refused = False
    for path in paths:
        line = verify_file(path, trusted)
        refused = refused or line["verdict"] == "refused"
        print(json.dumps(line, ensure_ascii=False) if as_json else words(line))
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
