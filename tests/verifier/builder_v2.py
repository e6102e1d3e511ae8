"""Makes bundles of version 2 for the tests (proof-bundle-v2.md), from the format
documents alone. See `builder.py`.

The log is made entry by entry: before each batch the policies that begin there and
the registry head that it carries, so that whatever refers to an earlier root can.
"""

from dataclasses import dataclass, field

from builder import ZERO, Ed25519, H, World, b64, encode, log_consistency, log_path, log_root

HEAD_TIME = 1_770_000_002_000_000


@dataclass
class Era:
    """A policy: who signs from the batch on that it stands before. Keys by name."""

    before: int = 0
    log: str = "log"
    witnesses: tuple = ("witness 0", "witness 1", "witness 2")
    quorum: int = 2
    registrar: str = "registrar"
    times: tuple = (1_770_000_009, 1_770_000_001, 1_770_000_005)

    def keys(self):
        return {name.replace(" ", "-"): Ed25519(name) for name in self.witnesses}


@dataclass
class Chain(World):
    """A world with policies in succession. `admitted_by` names the registrar that has
    signed the organisation's record of a registry, where it is not that of the first
    policy. With `fresh` one more registry follows all batches; `record` edits meet it
    as the batch "fresh". Without `sizes` each era ends with a checkpoint."""

    eras: list = field(default_factory=lambda: [Era()])
    admitted_by: dict = field(default_factory=dict)
    fresh: bool = False
    fillers_after: int = 0

    def __post_init__(self):
        super().__post_init__()
        self.log_id = H(self.origin.encode(), b"\n", Ed25519(self.eras[0].log).public)

    def root(self, size):
        return log_root([H(b"\x00", entry) for entry in self.log[:size]])

    # -- the log, entry by entry --

    def build(self):
        """The bytes of the bundle."""
        self.known, self.made, self.log, self.batches = {}, {}, [], []
        self.raw_statements, self.ids = [], []
        self.policies, self.ends, self.places_of_headers = [], [], []
        for batch in range(len(self.registries)):
            self.begin(batch)
            self.log.append(b"\x03between")
            self.id_of(max((i for i, spec in enumerate(self.specs) if spec.batch == batch), default=-1))
            self.batches.append(self.make_batch(batch))
            self.places_of_headers.append(len(self.log))
            self.log.append(self.batches[-1][0])
            self.log += [b"\x03after" + bytes([number]) for number in range(self.fillers_after)]
        self.begin(len(self.registries))
        self.log.append(b"\x03after")
        return self.written(self.shown())

    def id_of(self, position):
        """The id of a statement, which is made with all before it if it is not yet."""
        for following in range(len(self.ids), position + 1):
            prev = self.ids[-1] if self.ids else ZERO
            self.raw_statements.append(self.statement(self.specs[following], following, prev))
            self.ids.append(H(b"\x00", self.raw_statements[-1]))
        return self.ids[position] if position >= 0 else None

    def statement(self, spec, position, prev):
        """As in version 1, with `seen`; the edit `statement` meets it too."""
        meant = self.edits.get("statement", lambda payload, _: payload)
        if spec.seen is not None:
            seen = [spec.seen, self.root(spec.seen)]
            self.edits["statement"] = lambda payload, at: meant({**payload, 7: seen}, at)
        try:
            return super().statement(spec, position, prev)
        finally:
            self.edits["statement"] = meant

    def begin(self, batch):
        """Policies that stand before this batch, and a registry that is new with it."""
        for era in self.eras[len(self.policies) :]:
            if era.before > batch:
                break
            self.begin_era(era)
        if batch < len(self.registries):
            version, first = self.registries[batch], self.registries.index(self.registries[batch])
            if first == batch:
                self.begin_registry(version, batch)
        elif self.fresh:
            self.places_of_headers.append(len(self.log))
            self.begin_registry(max(self.registries) + 1, "fresh")

    def begin_era(self, era):
        self.log_key, self.witness_keys, self.quorum = Ed25519(era.log), era.keys(), era.quorum
        self.registrar = Ed25519(era.registrar)
        position, size = len(self.policies), len(self.log)
        self.ends.append(size)
        prev = [H(self.policies[-1]), size, self.root(size)] if self.policies else None
        entry = self.policy_entry(prev, position)
        self.policies.append(entry)
        self.log.append(entry)

    def policy_entry(self, prev=None, position=0):
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
        if prev:
            payload[7] = prev
        payload = self.edit("policy", payload, position)
        return self.edit("policy_entry", b"\x02" + encode(dict(sorted(payload.items()))), position)

    def begin_registry(self, version, batch):
        self.known[version] = self.make_registry(batch)
        count, root, _ = self.known[version]
        head = self.edit("head", {0: version, 1: count, 2: root, 3: HEAD_TIME}, batch)
        self.log.append(self.edit("head_entry", b"\x05" + encode(head), batch))

    def make_registry(self, batch):
        """Once for each batch, its organisation admitted by whom `admitted_by` says."""
        if batch not in self.made:
            version = max(self.registries) + 1 if batch == "fresh" else self.registries[batch]
            now, self.registrar = self.registrar, Ed25519(self.admitted_by.get(version, self.eras[0].registrar))
            self.made[batch] = super().make_registry(batch)
            self.registrar = now
        return self.made[batch]

    # -- what is shown of it --

    def shown(self):
        sizes = self.edit("sizes", self.sizes or self.needed_sizes())
        leaves = [H(b"\x00", entry) for entry in self.log[: sizes[-1]]]

        def logged(index, size=len(leaves)):
            entry = {"entry": b64(self.log[index]), "index": index}
            return {**entry, "path": hashes(log_path(leaves[:size], index))}

        bundle = {
            "tracebond": "bundle/v2",
            "policies": [self.shown_policy(position, logged, leaves) for position in range(len(self.eras))],
            "checkpoints": [self.shown_note(size, leaves, "checkpoint", at) for at, size in enumerate(sizes)],
            "headers": [],
            "keys": self.shown_keys(),
            "statements": [],
            "events": [],
        }
        for index, (_, refused, _, _) in zip(self.places_of_headers, self.batches):
            earliest = next(place for place, size in enumerate(sizes) if size > index)
            row = {**logged(index, sizes[earliest]), "checkpoint": earliest}
            bundle["headers"].append(row if refused is None else {**row, "refused": b64(refused)})
        if self.fresh:
            bundle["fresh"] = {**logged(self.places_of_headers[-1]), "keys": self.shown_fresh()}
        self.show_statements(bundle, self.batches)
        self.show_seen(bundle, leaves)
        return bundle

    def needed_sizes(self):
        """The ends of eras that have headers, and the whole log."""
        headers, sizes = self.places_of_headers[: len(self.batches)], []
        for end in self.ends[1:]:
            if any((sizes[-1] if sizes else 0) <= place < end for place in headers):
                sizes.append(end)
        return (*sizes, len(self.log))

    def shown_policy(self, position, logged, leaves):
        place = self.ends[position]
        row = logged(place)
        if position:
            row["prefix"] = hashes(log_consistency(place, leaves))
            note = self.note(position - 1, place + 1, leaves, "handover", position)
            row["handover"] = {"note": b64(note), "path": hashes(log_path(leaves[: place + 1], place))}
        return row

    def era_of(self, size):
        """The last era whose policy a note of this size covers."""
        return max(position for position, place in enumerate(self.ends) if place < size)

    def shown_note(self, size, leaves, *where):
        """A checkpoint or a seen note: consistent with what its prefix leads to."""
        era = self.edit("era", self.era_of(size), *where)
        note = self.note(era, size, leaves, *where)
        last = era + 1 == len(self.eras)
        to = len(leaves) if where[0] == "seen" or last else self.ends[era + 1]
        empty = where[0] == "checkpoint" and last or size > to
        prefix = [] if empty else hashes(log_consistency(size, leaves[:to]))
        return {"note": b64(note), "policy": era, "prefix": prefix}

    def note(self, era, size, leaves, *where):
        self.log_key, self.witness_keys = Ed25519(self.eras[era].log), self.eras[era].keys()
        self.times = self.eras[era].times
        return self.checkpoint(size, log_root(leaves[:size]), *where)

    def shown_keys(self):
        recent = {}
        if self.fresh:
            version = max(self.known)
            recent = {version: self.known.pop(version)}
            self.found_recent = recent[version][2]
        keys = super().shown_keys()
        self.known.update(recent)
        return keys

    def shown_fresh(self):
        return sorted(self.found_recent.values(), key=lambda row: row["index"])

    def show_seen(self, bundle, leaves):
        shown = [spec for spec in self.specs if spec.show]
        in_order = sorted(shown, key=lambda spec: spec.batch)
        for position, (row, spec) in enumerate(zip(bundle["statements"], in_order)):
            if spec.seen is not None:
                row["seen"] = self.shown_note(spec.seen, leaves, "seen", position)


def hashes(path):
    return [b64(node) for node in path]
