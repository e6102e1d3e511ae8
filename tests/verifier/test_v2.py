"""Tests of the verifier with bundles of version 2."""

import random
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import broken_v2  # noqa: E402, F401 (adds its cases)
import cases_v2  # noqa: E402
import trees  # noqa: E402
import verify_bundle  # noqa: E402
from builder import Spec, filler, log_consistency, log_root  # noqa: E402
from builder_v2 import Chain, Era  # noqa: E402
from errors import CLASSES, Bad, Refusal  # noqa: E402


def outcome(raw, trusted=None):
    """The verdict, or the class of the refusal."""
    try:
        return verify_bundle.verify(raw, trusted).verdict
    except Refusal as refusal:
        return refusal.klass


class Good(unittest.TestCase):
    def test_verdicts_and_marks(self):
        for name, verdict, marks, world in cases_v2.GOOD:
            with self.subTest(name):
                report = verify_bundle.verify(world().build())
                self.assertEqual((report.verdict, report.marks), (verdict, marks))

    def test_key_state(self):
        world = cases_v2.revoked("fresh")
        state = verify_bundle.verify(world.build()).key_states[0]
        self.assertEqual((state.state, state.registry, state.time), ("revoked", 2, 1_770_000_002_000_000))
        state = verify_bundle.verify(Chain(specs=[Spec(), Spec(seq=1, batch=1)], registries=[4, 7]).build()).key_states[
            0
        ]
        self.assertEqual((state.state, state.registry, state.time), ("active", 7, None))

    def test_made_after_what_was_seen(self):
        report = verify_bundle.verify(cases_v2.seen().build())
        self.assertEqual(report.made_after, [None, 1_770_000_001])

    def test_anchored_under_its_own_quorum(self):
        times = (1_780_000_003, 1_780_000_002, 1_780_000_001)
        world = cases_v2.two_eras(eras=[Era(), Era(before=1, quorum=3, times=times)])
        report = verify_bundle.verify(world.build())
        self.assertEqual((report.anchored, report.log_size), (1_780_000_003, 8))
        late = [["late"], []]
        events = [cases_v2.event_at("2026-01-30T00:00:00Z"), cases_v2.event_at("2026-06-01T00:00:00Z")]
        world.specs = [Spec(events=events[:1]), Spec(seq=1, batch=1, events=events[1:])]
        self.assertEqual(verify_bundle.verify(world.build()).marks, late)

    def test_any_trusted_policy_of_the_chain(self):
        world = cases_v2.three_eras()
        raw = world.build()
        for entry in world.policies:
            self.assertEqual(outcome(raw, entry), "verified")
        self.assertEqual(outcome(raw, cases_v2.two_eras(origin="log.example.org/other").build()), "policy")
        self.assertEqual(verify_bundle.verify(raw).policy, trees.H(world.policies[-1]))

    def test_consistency_of_all_sizes(self):
        leaves = [filler(i) for i in range(34)]
        for second in range(1, 35):
            root = log_root(leaves[:second])
            for first in range(1, second + 1):
                path, old = log_consistency(first, leaves[:second]), log_root(leaves[:first])
                trees.check_consistency(first, old, second, root, path)
                for bad in (path[:-1], path + path[:1], [filler("x")] + path[1:]):
                    if bad != path:
                        self.assertRaises(Bad, trees.check_consistency, first, old, second, root, bad)
                if first < second:
                    self.assertRaises(Bad, trees.check_consistency, first, filler("x"), second, root, path)
                    self.assertRaises(Bad, trees.check_consistency, second, root, first, old, path)
        self.assertRaises(Bad, trees.check_consistency, 0, filler("x"), 4, log_root(leaves[:4]), [])


class Broken(unittest.TestCase):
    def test_each_case(self):
        for name, klass, world, edits in cases_v2.BROKEN:
            with self.subTest(name):
                self.assertEqual(outcome(world(edits=edits).build()), klass)

    def check_flips(self, raw, sample, seed):
        for bit in random.Random(seed).sample(range(8 * len(raw)), sample):
            broken = bytearray(raw)
            broken[bit // 8] ^= 1 << bit % 8
            self.assertIn(outcome(bytes(broken)), CLASSES, f"bit {bit} of seed {seed}")

    def test_flipped_bits(self):
        self.check_flips(cases_v2.seen(fresh=True).build(), 1_500, 1)
        self.check_flips(cases_v2.three_eras().build(), 500, 2)


if __name__ == "__main__":
    unittest.main()
