"""Writes every bundle of the Python verifier's own tests, with what is to be said of it.

    write_cases.py FOLDER

makes FOLDER/cases.json, an array of [file, name, verdict or class].
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "verifier"))

import test_verifier


def main(folder):
    cases = []

    def write(name, said, raw):
        file = f"{len(cases)}.json"
        (folder / file).write_bytes(raw)
        cases.append([file, name, said])

    for name, klass, world, edits in test_verifier.corruptions.ALL:
        write(name, klass, world(edits=edits).build())
    p256 = test_verifier.World(device_alg=test_verifier.P256, org_alg=test_verifier.P256)
    chain = test_verifier.corruptions.VALID_CHAIN()
    for world in (test_verifier.World(), test_verifier.rich_world(), chain, p256):
        raw = world.build()
        write("good", test_verifier.outcome(raw), raw)
    (folder / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
