"""Writes every bundle of the Python verifier's own tests, with what is to be said of it.

    write_cases.py FOLDER [VERSION [COUNT SEED]]

makes FOLDER/cases.json, an array of [file, name, verdict or class]; of version 2 each row
has one member more: the marks of its events, or null if it is refused. With COUNT only so
many broken ones of each class, drawn from the seed.
"""

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "verifier"))

import test_v2
import test_verifier


class Writer:
    """Files in a folder and the list of them."""

    def __init__(self, folder):
        self.folder = folder
        self.cases = []

    def write(self, name, raw, *said):
        file = f"{len(self.cases)}.json"
        (self.folder / file).write_bytes(raw)
        self.cases.append([file, name, *said])


def version_1(writer):
    for name, klass, world, edits in test_verifier.corruptions.ALL:
        writer.write(name, world(edits=edits).build(), klass)
    p256 = test_verifier.World(device_alg=test_verifier.P256, org_alg=test_verifier.P256)
    chain = test_verifier.corruptions.VALID_CHAIN()
    for world in (test_verifier.World(), test_verifier.rich_world(), chain, p256):
        raw = world.build()
        writer.write("good", raw, test_verifier.outcome(raw))


def version_2(writer):
    for name, verdict, marks, world in test_v2.cases_v2.GOOD:
        writer.write(name, world().build(), verdict, marks)
    for name, klass, world, edits in test_v2.cases_v2.BROKEN:
        writer.write(name, world(edits=edits).build(), klass, None)


def drawn(writer, cases, count, seed):
    """So many broken ones of each class."""
    chance, classes = random.Random(seed), {}
    for case in cases:
        classes.setdefault(case[1], []).append(case)
    for of_class in classes.values():
        for name, klass, world, edits in chance.sample(of_class, min(count, len(of_class))):
            writer.write(name, world(edits=edits).build(), klass)


def main(folder, version="1", count=None, seed=None):
    writer = Writer(Path(folder))
    if count is not None:
        broken = test_v2.cases_v2.BROKEN if version == "2" else test_verifier.corruptions.ALL
        drawn(writer, broken, int(count), int(seed))
    else:
        (version_2 if version == "2" else version_1)(writer)
    (writer.folder / "cases.json").write_text(json.dumps(writer.cases))


if __name__ == "__main__":
    main(*sys.argv[1:])
