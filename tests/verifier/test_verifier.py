"""Tests of the verifier with bundles of its own making: `python3 -m unittest` in
this folder. `ALL_BITS=1` flips every bit of a bundle instead of a sample.
"""

import base64
import contextlib
import io
import json
import os
import random
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cases_events  # noqa: E402, F401 (adds its cases)
import cases_log  # noqa: E402, F401 (adds its cases)
import cbor  # noqa: E402
import corruptions  # noqa: E402
import ijson  # noqa: E402
import rules  # noqa: E402
import signing  # noqa: E402
import trees  # noqa: E402
import verify_bundle  # noqa: E402
from builder import MEMBERS, P256, Ed25519, Event, Spec, World  # noqa: E402
from builder import complete_path, complete_root, filler, log_path, log_root  # noqa: E402
from errors import CLASSES, Bad, Refusal  # noqa: E402


def outcome(raw, trusted=None):
    """The verdict, or the class of the refusal."""
    try:
        return verify_bundle.verify(raw, trusted).verdict
    except Refusal as refusal:
        return refusal.klass


def rich_world():
    """Three headers over two registries, notes, an epoch, withheld members."""
    specs = [
        Spec(events=[Event(number=i) for i in range(5)]),
        Spec(seq=1, batch=1, note={0: 1, 1: "well"}),
        Spec(seq=2, batch=1, note={0: 2, 1: "", 3: "probe", 4: [1, 2]}),
        Spec(seq=3, batch=1, note={0: 3, 1: "", 4: [1, 1], 5: 9}),
        Spec(epoch=1, batch=2, note={0: 0, 1: ""}),
        Spec(epoch=1, seq=1, batch=2, events=[Event(hide=("epcList",), number=9)]),
    ]
    return World(specs=specs, registries=[1, 1, 2], sizes=(4, 9), refused={1: [[1, 0, "epcis"], [1, 2, "action"]]})


class Valid(unittest.TestCase):
    def test_smallest(self):
        report = verify_bundle.verify(World().build())
        self.assertEqual((report.verdict, report.events, report.statements), ("verified", 1, 1))
        self.assertEqual((report.log_size, report.anchored), (5, 1_770_000_005))
        self.assertIn("was not compared", report.detail)

    def test_rich(self):
        report = verify_bundle.verify(rich_world().build())
        self.assertEqual((report.verdict, report.events, report.statements), ("verified", 6, 6))

    def test_algorithms(self):
        for device in (Ed25519, P256):
            for organisation in (Ed25519, P256):
                world = World(device_alg=device, org_alg=organisation)
                self.assertEqual(outcome(world.build()), "verified")

    def test_sizes_of_trees(self):
        for size in range(1, 20):
            specs = [Spec(events=[Event(number=i) for i in range(size)])]
            self.assertEqual(outcome(World(specs=specs, fillers=size - 1).build()), "verified")

    def test_withheld(self):
        for name in MEMBERS:
            expected = "incomplete" if name in verify_bundle.TELLING else "verified"
            world = World(specs=[Spec(events=[Event(hide=(name,))])])
            self.assertEqual(outcome(world.build()), expected, name)
        world = World(specs=[Spec(events=[Event(wholly=True), Event(number=1)])])
        self.assertEqual(outcome(world.build()), "incomplete")

    def test_absent_is_not_withheld(self):
        for name in ("bizStep", "disposition", "readPoint"):
            self.assertEqual(outcome(corruptions.events((name, None))(edits={}).build()), "verified")

    def test_statement_without_events(self):
        world = World(specs=[Spec(events=[Event(show=False)])])
        self.assertEqual(outcome(world.build()), "verified")

    def test_action_and_type(self):
        transformation = corruptions.events(("type", '"TransformationEvent"'), ("action", None))
        self.assertEqual(outcome(transformation(edits={}).build()), "verified")
        withheld = corruptions.events(("action", None), hide=("type",))
        self.assertEqual(outcome(withheld(edits={}).build()), "incomplete")

    def test_unescaped_comparison(self):
        world = corruptions.events(("type", '"Object\\u0045vent"'), ("bizStep", '"pack\\u0069ng"'))(edits={})
        self.assertEqual(outcome(world.build()), "verified")

    def test_one_event_met_twice_counts_once(self):
        report = verify_bundle.verify(World(specs=[Spec(), Spec(seq=1)]).build())
        self.assertEqual((report.events, report.statements), (1, 2))

    def test_fork_is_said(self):
        specs = [Spec(seq=7), Spec(seq=7)]
        # The two differ by their device's clock.
        edits = {"statement": lambda payload, i: {**payload, 4: filler("prev"), 5: i}}
        self.assertIn("1 forks", verify_bundle.verify(World(specs=specs, edits=edits).build()).detail)

    def test_retired(self):
        self.assertEqual(outcome(corruptions.VALID_CHAIN().build()), "verified")
        self.assertEqual(outcome(corruptions.chain(last=0)().build()), "verified")
        self.assertEqual(outcome(corruptions.chain(1, 2, device_alg=P256)().build()), "verified")

    def test_seen_at_the_header(self):
        world = World(edits={"statement": lambda p, _: dict(sorted({**p, 7: [3, filler("root")]}.items()))})
        self.assertEqual(outcome(world.build()), "verified")

    def test_later_policy(self):
        """A policy with `prev` may stand anywhere and have any log id."""

        def policy(payload):
            return {**payload, 7: [filler("policy"), 1, filler("root")]}

        world = World(edits={"policy": policy, "entries": lambda rows: rows[1:2] + rows[:1] + rows[2:]})
        self.assertEqual(outcome(world.build()), "verified")

    def test_trusted_policy(self):
        world = World()
        raw, entry = world.build(), world.policy_entry()
        self.assertEqual(outcome(raw, entry), "verified")
        self.assertEqual(outcome(raw, World(quorum=1).policy_entry()), "policy")

    def test_checkpoints(self):
        report = verify_bundle.verify(corruptions.two_checkpoints().build())
        self.assertEqual((report.verdict, report.log_size), ("verified", 9))
        specs = [Spec(), Spec(seq=1, batch=1)]
        # The last checkpoint may be there for the policy alone.
        world = World(specs=specs, registries=[1, 1], sizes=(4, 6, 7))
        self.assertEqual(outcome(world.build()), "verified")

    def test_anchored_time(self):
        for quorum, expected in ((1, 1_770_000_001), (2, 1_770_000_005), (3, 1_770_000_009)):
            self.assertEqual(verify_bundle.verify(World(quorum=quorum).build()).anchored, expected)


class Broken(unittest.TestCase):
    def test_each_corruption(self):
        for name, klass, world, edits in corruptions.ALL:
            with self.subTest(name):
                self.assertEqual(outcome(world(edits=edits).build()), klass)

    def test_each_class_occurs(self):
        self.assertEqual({case[1] for case in corruptions.ALL}, set(CLASSES))

    def check_flips(self, raw, sample, seed):
        bits = range(8 * len(raw))
        chosen = bits if os.environ.get("ALL_BITS") else random.Random(seed).sample(bits, sample)
        for bit in chosen:
            broken = bytearray(raw)
            broken[bit // 8] ^= 1 << bit % 8
            self.assertIn(outcome(bytes(broken)), CLASSES, f"bit {bit} of seed {seed}")

    def test_flipped_bits(self):
        self.check_flips(World().build(), 3_000, 1)

    def test_flipped_bits_of_more(self):
        self.check_flips(rich_world().build(), 1_000, 2)
        self.check_flips(corruptions.VALID_CHAIN().build(), 500, 3)
        self.check_flips(World(device_alg=P256, org_alg=P256).build(), 500, 4)

    def test_random_bytes_inside(self):
        """Changed bytes inside the encoded members are refused, never a crash."""
        raw, chance = rich_world().build(), random.Random(5)
        for _ in range(1_500):
            bundle = json.loads(raw)
            rows = [bundle["policy"]] + bundle["headers"] + bundle["keys"] + bundle["statements"]
            row = chance.choice(rows)
            name = chance.choice([name for name in ("entry", "record", "statement", "refused") if name in row])
            row[name] = base64.b64encode(scrambled(base64.b64decode(row[name]), chance)).decode()
            broken = json.dumps(bundle, separators=(",", ":")).encode()
            self.assertIn(outcome(broken), CLASSES)

    def test_random_cbor(self):
        """Whatever the bytes are, they are read or are `Bad`."""
        chance, read = random.Random(6), 0
        for _ in range(20_000):
            data = bytes(
                chance.choice(b"\x00\x01\x18\x20\x40\x41\x60\x61\x80\x81\x82\xa0\xa1\xc2\xf6") for _ in range(6)
            )
            data = data[: chance.randrange(1, 7)]
            with contextlib.suppress(Bad):
                cbor.decode(data)
                read += 1
        self.assertGreater(read, 100)


def scrambled(data, chance):
    """The bytes with one of them changed, doubled or taken away."""
    at = chance.randrange(len(data))
    way = chance.randrange(3)
    if way == 0:
        return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]
    return data[:at] + data[at : at + 1] * 2 + data[at + 1 :] if way == 1 else data[:at] + data[at + 1 :]


class Parts(unittest.TestCase):
    def test_json_values(self):
        for text, value in (
            ("-0", 0.0),
            ("-0.0", 0.0),
            ("1e-400", 0.0),
            ("9007199254740991", 9007199254740991.0),
            ("9007199254740993.0", 9007199254740992.0),
            ("1E+2", 100.0),
            ('"\\ud83d\\ude00"', "\U0001f600"),
            ('"\\\\uDC00"', "\\uDC00"),
            ('"\ufeff\u007f"', "\ufeff\u007f"),
            ("[ 1 ,\t2\r\n]", [1.0, 2.0]),
            ('{ "a" : { } , "b" : [ ] }', {"a": {}, "b": []}),
            ("[" * 31 + "]" * 31, None),
            ("true", True),
            ("null", None),
        ):
            parsed = ijson.member_value(text.encode())
            if not text.startswith("[["):
                self.assertEqual(parsed, value, text)

    def test_json_agrees_with_python(self):
        """On what both accept, the scanner reads what Python's `json` reads."""
        chance, accepted = random.Random(7), 0
        pieces = [
            '"',
            "\\",
            "u0041",
            "a",
            "1",
            "0",
            "-",
            ".",
            "e",
            "[",
            "]",
            "{",
            "}",
            ":",
            ",",
            " ",
            '"a"',
            "null",
            "ud800",
        ]
        for _ in range(30_000):
            text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 8)))
            with contextlib.suppress(Bad):
                value = ijson.member_value(text.encode())
                accepted += 1
                self.assertEqual(json.loads(text), value, text)
        self.assertGreater(accepted, 500)

    def test_trees(self):
        for count in range(1, 40):
            leaves = [filler(count, i) for i in range(count)]
            entries = [b"%d" % i for i in range(count)]
            hashes = [trees.H(b"\x00", entry) for entry in entries]
            self.assertEqual(trees.complete_root(leaves), complete_root(leaves))
            for i in range(count):
                trees.check_complete_path(leaves[i], i, count, complete_path(leaves, i), complete_root(leaves))
                trees.check_log_path(entries[i], i, count, log_path(hashes, i), log_root(hashes))
                for other in range(count + 2):
                    if other != i:
                        path = complete_path(leaves, i)
                        self.assertRaises(
                            Bad, trees.check_complete_path, leaves[i], other, count, path, complete_root(leaves)
                        )
                        path = log_path(hashes, i)
                        self.assertRaises(Bad, trees.check_log_path, entries[i], other, count, path, log_root(hashes))

    def test_known_trees_and_signatures(self):
        """RFC 8032 section 7.1 test 2, and the generator of P-256 as a key."""
        key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        signature = bytes.fromhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
        self.assertTrue(signing.verifies(-19, key, b"\x72", signature))
        self.assertFalse(signing.verifies(-19, key, b"\x73", signature))
        generator = bytes.fromhex("036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
        self.assertTrue(signing.on_p256(generator))
        self.assertFalse(signing.on_p256(b"\x04" + generator[1:]))
        self.assertFalse(signing.on_p256(b"\x02" + signing.P256_P.to_bytes(32, "big")))

    def test_offsets(self):
        for text, good in (("+14:00", True), ("-14:00", True), ("-00:00", True), ("+13:59", True), ("+14:01", False)):
            self.assertEqual(rules.is_offset(text), good)


class Command(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_with(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = verify_bundle.main([str(word) for word in argv])
            except SystemExit as stop:
                status = stop.code
        return status, out.getvalue(), err.getvalue()

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def test_json_lines_and_list(self):
        good, bad = self.write("good.json", World().build()), self.write("bad.json", b"{}")
        listed = self.write("list.txt", f"{good}\n{bad}\n".encode())
        status, out, _ = self.run_with("--json", "--list", listed)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual((status, [line["verdict"] for line in lines]), (1, ["verified", "refused"]))
        self.assertEqual((lines[0]["class"], lines[0]["log_size"], lines[1]["class"]), (None, 5, "format"))
        self.assertEqual(self.run_with(good)[0], 0)

    def test_trusted_policy(self):
        world = World()
        good = self.write("good.json", world.build())
        entry = base64.b64encode(world.policy_entry()).decode()
        policy = self.write("policy.json", json.dumps({"tracebond": "policy/v1", "entry": entry}).encode())
        status, out, _ = self.run_with("--policy", policy, good)
        self.assertEqual(status, 0)
        self.assertIn("which is the trusted one", out)
        self.assertEqual(self.run_with("--policy", good, good)[0], 2)

    def test_usage(self):
        self.assertEqual(self.run_with()[0], 2)
        self.assertEqual(self.run_with("--unknown")[0], 2)
        self.assertEqual(self.run_with(self.folder / "missing.json")[0], 2)


if __name__ == "__main__":
    unittest.main()
