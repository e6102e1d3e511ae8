//! A supplier that grants and withdraws, in the log of [`World`].

use schemas::attestation::Kind;
use schemas::consent::{Act, Consent, Consents, Grant, KIND, Moment, Need, Purpose, SignedConsent};
use schemas::hash::{Hash, sha256};
use schemas::key::SecretKey;
use schemas::log::{Entry, entry_hash};
use schemas::note::{Checkpoint, Note};
use schemas::proof::{Bytes, DOCUMENT_PROOF, DocumentProof};
use schemas::time::Instant;
use schemas::tlog::LogTree;

use super::{Parties, Remembered, Shown, Signers, Unread, read};
use crate::evidence::{VerifiedEvidence, verify};
use crate::testing::*;

/// The key of a party of [`World`].
pub fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(name.as_bytes()).0)
}

/// Evidence of `qinghe` with its signers, and what the supplier has signed.
pub struct Supplier {
    pub world: World,
    pub signers: Signers,
    pub evidence: VerifiedEvidence,
    pub parties: Parties,
    pub signed: Vec<SignedConsent>,
}

pub fn grant(from: Instant, until: Instant) -> Grant {
    Grant {
        from,
        until,
        purposes: vec![Purpose::Assess],
        devices: vec![],
        steps: vec![],
        withheld: vec![],
        attestations: vec![Kind::TaxStanding, Kind::BuyerConfirmation],
    }
}

impl Supplier {
    /// Evidence up to the end of the day, and no consent.
    pub fn new() -> Self {
        let mut world = journey(&COLD);
        let bundle = world.pack(at(24, 0));
        let evidence = verify(&bundle, &world.trusted()).unwrap();
        let parties = Parties {
            log: world.trusted().policy().log,
            supplier: slug("qinghe"),
            bank: slug("first-bank"),
        };
        Self {
            signers: Signers::of(&bundle).unwrap(),
            world,
            evidence,
            parties,
            signed: Vec::new(),
        }
    }

    /// The same with a grant from the beginning of the day for ten days.
    pub fn granting() -> Self {
        let mut supplier = Self::new();
        supplier.sign(at(0, 0), Act::Grant(grant(at(0, 0), at(240, 0))));
        supplier
    }

    pub fn sign(&mut self, made: Instant, act: Act) -> Hash {
        let before = self.signed.last();
        let Parties {
            log,
            supplier,
            bank,
        } = self.parties.clone();
        let consent = Consent {
            log,
            supplier,
            bank,
            number: before.map_or(1, |before| before.consent.number + 1),
            prev: before.map_or(Hash::ZERO, SignedConsent::id),
            made,
            act,
        };
        let signed = SignedConsent::sign(&key("qinghe"), &consent).unwrap();
        let id = signed.id();
        self.signed.push(signed);
        id
    }

    /// Everything signed, each with its proof.
    pub fn shown(&self) -> Vec<Shown> {
        let shown = |signed: &SignedConsent| Shown {
            document: signed.bytes().to_vec(),
            proof: Some(self.proof(KIND, signed.hash())),
        };
        self.signed.iter().map(shown).collect()
    }

    /// A document proof of a hash in a log of this policy.
    pub fn proof(&self, kind: &str, hash: Hash) -> Vec<u8> {
        let policy = self.world.trusted().policy().clone();
        let (kind, time) = (kind.to_owned(), at(24, 0));
        let first = Entry::Policy(policy.clone()).encode();
        let entry = Entry::Document { kind, hash, time }.encode();
        let mut tree = LogTree::new();
        for bytes in [&first, &entry] {
            tree.push(entry_hash(bytes)).unwrap();
        }
        let (size, root) = (2, tree.root(2).unwrap());
        let origin = policy.origin;
        let mut note = Note::sign(Checkpoint { origin, size, root }, &key("log"));
        for n in 0..4 {
            let (name, key) = (format!("witness-{n}"), key(&format!("witness {n}")));
            note.lines.push(note.cosign(&name, &key, time));
        }
        let proof = DocumentProof {
            tracebond: DOCUMENT_PROOF.to_owned(),
            entry: Bytes(entry),
            index: 1,
            path: tree.inclusion(1, size).unwrap().into(),
            checkpoint: Bytes(note.encode()),
            policy: Bytes(first),
        };
        serde_json::to_vec(&proof).unwrap()
    }

    pub fn read(&self, shown: &[Shown], remembered: Remembered) -> Result<Consents, Unread> {
        let trusted = self.world.trusted();
        let now = at(1_000, 0);
        read(
            &self.parties,
            shown,
            &self.signers,
            &trusted,
            remembered,
            now,
        )
    }

    pub fn chain(&self) -> Consents {
        self.read(&self.shown(), Remembered::default()).unwrap()
    }

    /// Code of the answer for everything at a moment.
    pub fn answer(&self, chain: &Consents, moment: Moment) -> String {
        let need = Need::whole(Purpose::Assess);
        let found = chain.in_force(&need, moment, |kid| self.signers.record(kid));
        match found {
            Ok(_) => "granted".to_owned(),
            Err(refused) => crate::evidence::Refused::from(refused).class,
        }
    }
}
