"""Consent and attestation documents, read from their documents alone, against the vectors and the
worked examples that the Rust code made."""

import json
import re
import sys
import unittest
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import attestation  # noqa: E402
import cbor  # noqa: E402
import consent  # noqa: E402
from errors import Bad  # noqa: E402

SCHEMAS = Path(__file__).parents[2] / "schemas"


def vectors(name):
    return json.loads((SCHEMAS / "testdata" / name).read_text(encoding="utf-8"))


def blocks(name):
    """The hex blocks of a document's example, in order."""
    text = (SCHEMAS / "docs" / name).read_text(encoding="utf-8")
    return [bytes.fromhex("".join(one.split())) for one in re.findall(r"bytes\):\n```\n([0-9a-f\n]+)```", text)]


def holds(read, raw, key):
    """Whether a reader takes the object and its signature verifies."""
    try:
        return read(raw).verifies(-19, key)
    except Bad:
        return False


def flips(raw):
    """The object with each of its bits flipped."""
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


READ = {
    "consent": lambda raw: consent.Consent(raw).signed,
    "attestation": lambda raw: attestation.parse(raw)[0],
    "revocation": lambda raw: attestation.parse_revocation(raw)[0],
}


class Documents(unittest.TestCase):
    def check(self, read, documents, key):
        self.assertGreater(len(documents), 5)
        for one in documents:
            with self.subTest(one["name"]):
                self.assertEqual(holds(read, bytes.fromhex(one["cose"]), key), one["holds"])

    def test_consents(self):
        told = vectors("consent-v1.json")
        self.check(READ["consent"], told["documents"], bytes.fromhex(told["key"]))

    def test_attestations_and_revocations(self):
        told = vectors("attestation-v1.json")
        key = bytes.fromhex(told["key"])
        self.check(READ["attestation"], told["attestations"], key)
        self.check(READ["revocation"], told["revocations"], key)

    def test_no_flipped_bit_holds(self):
        consents, attestations = vectors("consent-v1.json"), vectors("attestation-v1.json")
        samples = (
            ("consent", consents["documents"][0], consents["key"]),
            ("attestation", attestations["attestations"][0], attestations["key"]),
            ("revocation", attestations["revocations"][0], attestations["key"]),
        )
        for kind, sample, key in samples:
            raw, key = bytes.fromhex(sample["cose"]), bytes.fromhex(key)
            self.assertTrue(holds(READ[kind], raw, key))
            for changed in flips(raw):
                self.assertFalse(holds(READ[kind], changed, key))


class Chains(unittest.TestCase):
    def answer(self, told, case):
        known = case["known"] and (case["known"]["number"], bytes.fromhex(case["known"]["id"]))
        of = (bytes.fromhex(told["log"]), told["supplier"], told["bank"])
        chain = consent.Chain(*of, bytes.fromhex(told["key"]), known)
        for raw, logged in zip(case["documents"], case["logged"], strict=True):
            try:
                chain.take(bytes.fromhex(raw), logged, 2**52)
            except Bad:
                pass  # it is shown, and not taken
        return chain.answer(case["need"], case["signer"], case["clock"], case["seen"])

    def test_reasons(self):
        told = vectors("consent-chains-v1.json")
        for case in told["cases"]:
            with self.subTest(case["name"]):
                self.assertEqual(self.answer(told, case), case["answer"])
        answers = {case["answer"] for case in told["cases"]}
        reasons = "rolled-back none forked signer withdrawn not-logged not-yet expired scope granted"
        self.assertEqual(answers, set(reasons.split()))


class Examples(unittest.TestCase):
    def test_consent(self):
        grant, entry, withdrawal = blocks("consent.md")
        first, second = consent.Consent(grant), consent.Consent(withdrawal)
        self.assertEqual((second.number, second.prev), (2, first.id))
        text = (SCHEMAS / "docs" / "consent.md").read_text(encoding="utf-8")
        self.assertIn(first.id.hex(), text)
        self.assertIn(second.id.hex(), text)
        self.assertEqual(entry[0], 3)
        logged = cbor.decode(entry[1:])
        self.assertEqual((logged[0], logged[1]), ("consent", sha256(grant).digest()))

    def test_attestation(self):
        signed, entry, revoked = blocks("attestation.md")
        _, payload = attestation.parse(signed)
        _, revocation = attestation.parse_revocation(revoked)
        self.assertEqual(revocation[2], sha256(b"\0" + signed).digest())
        self.assertEqual(payload[6], consent.Consent(blocks("consent.md")[0]).id)
        logged = cbor.decode(entry[1:])
        self.assertEqual((logged[0], logged[1]), ("attestation", sha256(signed).digest()))


if __name__ == "__main__":
    unittest.main()
