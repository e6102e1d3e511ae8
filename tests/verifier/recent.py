"""Records at a recent registry head (proof-bundle-v2.md section 3)."""

from dataclasses import dataclass

import formats
import signing
import succession
import trees
from errors import need, refusing


@dataclass(frozen=True)
class Recent:
    """A registry head and the records that are shown at it, by their kid."""

    version: int
    time: int
    records: dict


def check(fresh, chain, headers, shown, last):
    """What `fresh` proves of the records `shown` in `keys`; None if it is not there."""
    if fresh is None:
        return None
    head = check_head(fresh, chain, headers, last)
    records = check_rows(fresh["keys"], chain, head)
    for position, record in enumerate(records):
        with refusing("organisation", f"fresh key {position}"):
            check_signer(record, records, chain.in_force(fresh["index"]))
    by_kid = {record.kid: record for record in records}
    for position, record in enumerate(shown):
        check_same(record, by_kid.get(record.kid), f"key {position} in fresh")
    check_needed(records, {record.kid for record in shown})
    return Recent(head.version, head.time, by_kid)


def check_head(fresh, chain, headers, last):
    with refusing("header", "fresh"):
        head = formats.parse_head(fresh["entry"])
        for version, *content in (header.registry for header in headers):
            need(head.version >= version, "the head is older than that of a header")
            need(head.version > version or (head.count, head.root) == tuple(content), "one version, two heads")
        need(chain.in_force(fresh["index"]) is not None, "no policy is in force at the head")
    with refusing("log-path", "fresh"):
        succession.check_entry_path(fresh, last)
    return head


def check_rows(rows, chain, head):
    records = []
    for position, row in enumerate(rows):
        with refusing("record", f"fresh key {position}"):
            record = chain.record(row["record"])
        with refusing("registry-path", f"fresh key {position}"):
            trees.check_complete_path(record.leaf(row["salt"]), row["index"], head.count, row["path"], head.root)
            need(not records or records[-1].kid < record.kid, "kids do not increase with their index")
        records.append(record)
    return records


def check_signer(record, records, policy):
    """A registrar has signed an organisation's record, the organisation any other."""
    signer = record.signed.kid
    if record.role == formats.ORGANISATION:
        registrar = policy.registrar(signer)
        need(registrar is not None, "the record names no registrar of the policy in force")
        need(record.signed.verifies(signing.ED25519, registrar), "the registrar's signature does not verify")
        return
    organisations = [other for other in records if other.kid == signer and other.role == formats.ORGANISATION]
    need(organisations and organisations[0].org == record.org, "the record's organisation is not shown")
    organisation = organisations[0]
    need(record.signed.verifies(organisation.alg, organisation.key), "the organisation's signature does not verify")


def check_same(record, newer, place):
    """A key has a row here, and its record has only moved on."""
    with refusing("registry-path", place):
        need(newer is not None, "the key has no row")
    with refusing("record", place):
        for name in ("org", "device", "key", "alg", "role"):
            need(getattr(record, name) == getattr(newer, name), f"{name} has changed")
        need(newer.version >= record.version, "the record's version falls")
        need(newer.version > record.version or newer.signed.raw == record.signed.raw, "one version, two records")


def check_needed(records, kids):
    """No row stands here for nothing."""
    with refusing("registry-path", "fresh"):
        for record in records:
            signs = any(other.signed.kid == record.kid for other in records if other is not record)
            need(record.kid in kids or signs, "a row that nobody needs")
