"""Who signs the log, and since when: the policies of a bundle and its checkpoints
(proof-bundle.md section 3 step 2; proof-bundle-v2.md sections 2 and 4).
"""

from dataclasses import dataclass
from functools import cached_property

import formats
import note
import trees
from errors import need, refusing


@dataclass(frozen=True)
class Succession:
    """The policies of a bundle in their order, and where each stands in the log."""

    policies: list
    places: list
    #: In a bundle of version 1 the only policy is in force for everything.
    single: bool

    @property
    def log(self):
        return self.policies[0].log

    @property
    def last(self):
        return self.policies[-1]

    @cached_property
    def kids(self):
        """The kids of all keys of all policies."""
        return {kid for policy in self.policies for kid in policy.kids()}

    def in_force(self, index):
        """The policy in force at an index of the log, or None."""
        if self.single:
            return self.policies[0]
        before = [policy for policy, place in zip(self.policies, self.places) if place < index]
        return before[-1] if before else None

    def end_of(self, position):
        """Size and root of what came before the next policy, or None for the last."""
        return self.policies[position + 1].prev[1:] if position + 1 < len(self.policies) else None

    def check_size(self, size, position):
        """A note of this size may be signed under the policy at this position."""
        need(size > self.places[position], "the note is older than its policy")
        end = self.end_of(position)
        need(end is None or size <= end[0], "the note is beyond the end of its policy")

    def record(self, raw):
        """A record that obeys its rules under these policies; not yet whose it is."""
        record = formats.parse_record(raw)
        need(record.log == self.log, "the record is of another log")
        need(record.kid not in self.kids, "the recorded key is one of a policy")
        need(record.consent is None or record.consents(), "the consent does not verify")
        return record


def check(bundle, trusted):
    """The policies and the checkpoints, all of which hold."""
    return (check_one if bundle["version"] == 1 else check_several)(bundle, trusted)


def check_growth(checkpoints, checkpoint):
    need(not checkpoints or checkpoint.size > checkpoints[-1].size, "the log does not grow")


def check_entry_path(row, checkpoint):
    """The row's entry is in the log at its index, as far as this checkpoint goes."""
    trees.check_log_path(row["entry"], row["index"], checkpoint.size, row["path"], checkpoint.root)


# --- Version 1 ------------------------------------------------------------------


def check_one(bundle, trusted):
    row = bundle["policies"][0]
    with refusing("policy", "policy"):
        policy = formats.parse_policy(row["entry"])
        need(trusted is None or row["entry"] == trusted, "not the policy that is trusted")
    checkpoints = []
    for position, shown in enumerate(bundle["checkpoints"]):
        with refusing("checkpoint", f"checkpoint {position}"):
            checkpoint = note.check(shown["note"], policy)
            check_growth(checkpoints, checkpoint)
        checkpoints.append(checkpoint)
    with refusing("log-path", "policy"):
        need(not policy.first or row["index"] == 0, "a policy without prev is not entry 0")
        check_entry_path(row, checkpoints[-1])
    return Succession([policy], [row["index"]], single=True), checkpoints


# --- Version 2 ------------------------------------------------------------------


def check_several(bundle, trusted):
    rows = bundle["policies"]
    chain = read_policies(rows)
    with refusing("policy", "policies"):
        need(trusted is None or trusted in [row["entry"] for row in rows], "none is the policy that is trusted")
    checkpoints = []
    for position, shown in enumerate(bundle["checkpoints"]):
        with refusing("checkpoint", f"checkpoint {position}"):
            checkpoint = note.check(shown["note"], chain.policies[shown["policy"]])
            check_growth(checkpoints, checkpoint)
            chain.check_size(checkpoint.size, shown["policy"])
        checkpoints.append(checkpoint)
    check_handovers(rows, chain)
    check_places(rows, chain, checkpoints[-1])
    for position, shown in enumerate(bundle["checkpoints"]):
        with refusing("log-path", f"checkpoint {position}"):
            check_old_checkpoint(shown, checkpoints[position], chain)
    return chain, checkpoints


def read_policies(rows):
    policies = []
    for position, row in enumerate(rows):
        with refusing("policy", f"policy {position}"):
            policy = formats.parse_policy(row["entry"])
            place = 0 if policy.prev is None else policy.prev[1]
            need(row["index"] == place, f"the policy does not stand at {place}")
            if policies:
                check_successor(policies, policy)
        policies.append(policy)
    return Succession(policies, [row["index"] for row in rows], single=False)


def check_successor(policies, policy):
    need(policy.prev is not None, "a later policy without prev")
    need(policy.prev[0] == policies[-1].hash, "prev is not the policy before")
    need(policy.log == policies[0].log, "the policy is of another log")
    need(policy.origin == policies[0].origin, "the policy has another origin")


def check_handovers(rows, chain):
    """The keys of each policy but the last have signed that the next one follows."""
    for position, row in enumerate(rows[1:], 1):
        size = chain.policies[position].prev[1] + 1
        with refusing("checkpoint", f"hand-over to policy {position}"):
            handover = note.check(row["handover"]["note"], chain.policies[position - 1])
            need(handover.size == size, f"the hand-over is not of size {size}")
        with refusing("log-path", f"hand-over to policy {position}"):
            path = row["handover"]["path"]
            trees.check_log_path(row["entry"], row["index"], size, path, handover.root)


def check_places(rows, chain, last):
    """Each policy is in the log, and what it says of its predecessor's end is true."""
    for position, row in enumerate(rows):
        with refusing("log-path", f"policy {position}"):
            check_entry_path(row, last)
            if position:
                _, size, root = chain.policies[position].prev
                trees.check_consistency(size, root, last.size, last.root, row["prefix"])


def check_old_checkpoint(shown, checkpoint, chain):
    """Under an earlier policy a checkpoint repeats what its successor starts from."""
    end = chain.end_of(shown["policy"])
    if end is None:
        need(not shown["prefix"], "a prefix of a checkpoint of the last policy")
    else:
        trees.check_consistency(checkpoint.size, checkpoint.root, *end, shown["prefix"])


def check_seen(shown, statement, chain, last, place):
    """The lower bound of a statement (v2 section 4): a time in seconds, or None."""
    if shown is None:
        return None
    with refusing("statement", place):
        need(statement.seen is not None, "seen is shown of a statement that does not carry it")
    with refusing("checkpoint", place):
        seen = note.check(shown["note"], chain.policies[shown["policy"]])
        need((seen.size, seen.root) == statement.seen, "the note is not the one that was seen")
        chain.check_size(seen.size, shown["policy"])
    with refusing("log-path", place):
        trees.check_consistency(seen.size, seen.root, last.size, last.root, shown["prefix"])
    return seen.earliest
