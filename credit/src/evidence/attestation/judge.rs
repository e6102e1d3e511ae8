//! Which attestations count (`attestation.md` section 5), in that section's order.

use std::collections::{BTreeMap, BTreeSet};

use schemas::attestation::{
    Attestation, AttestationError, Facts, Kind, SignedAttestation, SignedRevocation,
};
use schemas::causes::causes;
use schemas::consent::{self, Consents, Moment, Need, Purpose, Reach};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{Issuer, Issuers, Subject};
use crate::evidence::consent::Signers;

/// Everything that is held about one supplier, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// COSE bytes of attestations.
    pub attestations: Vec<Vec<u8>>,
    /// COSE bytes of revocations.
    pub revocations: Vec<Vec<u8>>,
}

/// An attestation that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its id.
    pub id: Hash,
    /// Who says it.
    pub issuer: Slug,
    /// When.
    pub issued: Instant,
    /// Up to and without this instant.
    pub expires: Instant,
    /// The grant that it rests on.
    pub consent: Hash,
    /// What is said.
    pub facts: Facts,
}

/// Why an attestation does not count, or a revocation is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Its bytes.
    #[error("{0}")]
    Form(String),
    /// Another log.
    #[error("log: it is of another log")]
    Log,
    /// An issuer or a key that the bank does not know.
    #[error("issuer: the bank's list has no key {kid} of `{issuer}`")]
    Issuer {
        /// Who it says it is.
        issuer: Slug,
        /// The key that it names.
        kid: Hash,
    },
    /// A key that has another role as well.
    #[error("kid: {0} has a record in the registry")]
    Role(Hash),
    /// The signature.
    #[error("signature: it does not verify")]
    Signature,
    /// The issuer may not attest this.
    #[error("kind: `{issuer}` may not attest `{}`", kind.word())]
    Kind {
        /// Who.
        issuer: Slug,
        /// What.
        kind: Kind,
    },
    /// Another organisation.
    #[error("subject: it is about `{slug}` with code {code}")]
    Subject {
        /// Its slug.
        slug: Slug,
        /// Its code.
        code: String,
    },
    /// Two attestations with one number.
    #[error("number: two different attestations of `{issuer}` have the number {number}")]
    Number {
        /// Whose.
        issuer: Slug,
        /// Which.
        number: u64,
    },
    /// It was revoked.
    #[error("revoked: by its issuer at {made}, reason `{reason}`")]
    Revoked {
        /// When, as the issuer says.
        made: Instant,
        /// The issuer's code.
        reason: String,
    },
    /// It begins later.
    #[error("issued: it counts from {0}")]
    NotYet(Instant),
    /// It has ended.
    #[error("expires: it ended at {0}")]
    Expired(Instant),
    /// No consent is in force for it.
    #[error("consent: {0}")]
    Consent(consent::Refused),
    /// It rests on no grant of the supplier to this bank that still stands.
    #[error("consent: {0} is no grant that stands, or was withdrawn since")]
    NotGranted(Hash),
    /// The grant that it rests on was not in force when it was issued, or not for this kind.
    #[error("consent: the grant {0} did not cover it when it was issued")]
    Uncovered(Hash),
    /// A revocation of something that is not held.
    #[error("attestation: {0} is not held")]
    NotHeld(Hash),
}

impl Why {
    /// Its code, as `attestation.md` section 5 has it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "form",
            Self::Log => "log",
            Self::Issuer { .. } | Self::Role(_) => "issuer",
            Self::Signature => "signature",
            Self::Kind { .. } => "kind",
            Self::Subject { .. } => "subject",
            Self::Number { .. } => "number",
            Self::Revoked { .. } => "revoked",
            Self::NotYet(_) => "not-yet",
            Self::Expired(_) => "expired",
            Self::Consent(_) | Self::NotGranted(_) | Self::Uncovered(_) => "consent",
            Self::NotHeld(_) => "not-held",
        }
    }
}

/// Something that does not count, with its reason: kept, so that it is never silently dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAttestation {
    /// SHA-256 of its bytes.
    pub hash: Hash,
    /// Why.
    pub why: Why,
}

/// What counts and what does not, each in the order of what was held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What counts.
    pub counted: Vec<Counted>,
    /// Attestations that do not, and revocations that are none.
    pub refused: Vec<RefusedAttestation>,
}

/// A reader with everything that it judges by.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'r> {
    /// Log id.
    pub log: &'r Hash,
    /// The bank's list.
    pub issuers: &'r Issuers,
    /// Whom the bank asks about.
    pub subject: &'r Subject,
    /// The supplier's consents to this bank.
    pub consents: &'r Consents,
    /// Records of the registry.
    pub signers: &'r Signers,
    /// What for.
    pub purpose: Purpose,
    /// At which instant.
    pub moment: Moment,
}

type Read = Result<SignedAttestation, Why>;

impl Reader<'_> {
    /// Judges everything that is held. The same bytes twice are judged twice, alike.
    #[must_use]
    pub fn judge(&self, held: &Held) -> Judged {
        let read: Vec<Read> = held.attestations.iter().map(|one| self.read(one)).collect();
        let forked = forked(&read);
        let mut judged = Judged::default();
        let revoked = self.revoked(held, &read, &mut judged);
        for (bytes, one) in held.attestations.iter().zip(read) {
            match one.and_then(|one| self.count(&one, &forked, &revoked)) {
                Ok(counted) => judged.counted.push(counted),
                Err(why) => judged.refuse(bytes, why),
            }
        }
        judged
    }

    /// Form, log, issuer, signature, kind, subject.
    fn read(&self, bytes: &[u8]) -> Read {
        let signed = SignedAttestation::parse(bytes.to_vec()).map_err(|error| form(&error))?;
        let said = &signed.attestation;
        let issuer = self.signed_by(&said.log, &said.issuer, &signed.signer)?;
        let key = issuer.key(&signed.signer).ok_or(Why::Signature)?;
        signed.verify(key).map_err(|_| Why::Signature)?;
        if !issuer.kinds.contains(&said.kind()) {
            return Err(Why::Kind {
                issuer: said.issuer.clone(),
                kind: said.kind(),
            });
        }
        if said.subject != self.subject.slug || said.code != self.subject.code {
            return Err(Why::Subject {
                slug: said.subject.clone(),
                code: said.code.to_string(),
            });
        }
        Ok(signed)
    }

    fn signed_by(&self, log: &Hash, slug: &Slug, kid: &Hash) -> Result<&Issuer, Why> {
        if log != self.log {
            return Err(Why::Log);
        }
        if self.signers.is_registered(kid) {
            return Err(Why::Role(*kid));
        }
        let known = self.issuers.find(slug);
        let known = known.filter(|issuer| issuer.key(kid).is_some());
        known.ok_or_else(|| Why::Issuer {
            issuer: slug.clone(),
            kid: *kid,
        })
    }

    /// Number, revocation, time, consent.
    fn count(
        &self,
        signed: &SignedAttestation,
        forked: &BTreeSet<(Slug, u64)>,
        revoked: &BTreeMap<Hash, Why>,
    ) -> Result<Counted, Why> {
        let (id, said) = (signed.id(), &signed.attestation);
        let (issuer, number) = (said.issuer.clone(), said.number);
        if forked.contains(&(issuer.clone(), number)) {
            return Err(Why::Number { issuer, number });
        }
        if let Some(why) = revoked.get(&id) {
            return Err(why.clone());
        }
        let at = self.moment.counted;
        if at < said.issued {
            return Err(Why::NotYet(said.issued));
        }
        if at >= said.expires {
            return Err(Why::Expired(said.expires));
        }
        self.consented(said)?;
        Ok(Counted {
            id,
            issuer,
            issued: said.issued,
            expires: said.expires,
            consent: said.consent,
            facts: said.facts.clone(),
        })
    }

    /// A consent is in force for this kind, and the grant that the attestation names stands and
    /// covered it when it was issued.
    fn consented(&self, said: &Attestation) -> Result<(), Why> {
        let nothing = Reach::Only(BTreeSet::new());
        let need = Need {
            devices: nothing,
            steps: Reach::Only(BTreeSet::new()),
            attestations: BTreeSet::from([said.kind()]),
            ..Need::whole(self.purpose)
        };
        let record = |kid: &Hash| self.signers.record(kid);
        let granted = self.consents.in_force(&need, self.moment, record);
        granted.map_err(Why::Consent)?;
        let named = self.consents.standing(&said.consent);
        let named = named.ok_or(Why::NotGranted(said.consent))?;
        let within = (named.from..named.until).contains(&said.issued);
        if within && named.attestations.contains(&said.kind()) {
            Ok(())
        } else {
            Err(Why::Uncovered(said.consent))
        }
    }

    /// Revocations that count, by the attestation's id; the others are refused.
    fn revoked(&self, held: &Held, read: &[Read], judged: &mut Judged) -> BTreeMap<Hash, Why> {
        let known = read.iter().flatten();
        let known: BTreeMap<Hash, &Slug> = known
            .map(|one| (one.id(), &one.attestation.issuer))
            .collect();
        let mut revoked = BTreeMap::new();
        for bytes in &held.revocations {
            match self.revocation(bytes, &known) {
                Ok((id, why)) => {
                    revoked.entry(id).or_insert(why);
                }
                Err(why) => judged.refuse(bytes, why),
            }
        }
        revoked
    }

    fn revocation(&self, bytes: &[u8], known: &BTreeMap<Hash, &Slug>) -> Result<(Hash, Why), Why> {
        let signed = SignedRevocation::parse(bytes.to_vec()).map_err(|error| form(&error))?;
        let said = &signed.revocation;
        let issuer = self.signed_by(&said.log, &said.issuer, &signed.signer)?;
        let key = issuer.key(&signed.signer).ok_or(Why::Signature)?;
        signed.verify(key).map_err(|_| Why::Signature)?;
        // Only the attestation's own issuer revokes it.
        if known.get(&said.attestation) != Some(&&said.issuer) {
            return Err(Why::NotHeld(said.attestation));
        }
        let why = Why::Revoked {
            made: said.made,
            reason: said.reason.clone(),
        };
        Ok((said.attestation, why))
    }
}

impl Judged {
    fn refuse(&mut self, bytes: &[u8], why: Why) {
        let hash = sha256(bytes);
        self.refused.push(RefusedAttestation { hash, why });
    }
}

fn form(error: &AttestationError) -> Why {
    Why::Form(causes(error))
}

/// Numbers that two different attestations of one issuer have.
fn forked(read: &[Read]) -> BTreeSet<(Slug, u64)> {
    let mut ids: BTreeMap<(Slug, u64), BTreeSet<Hash>> = BTreeMap::new();
    for one in read.iter().flatten() {
        let said = &one.attestation;
        let number = (said.issuer.clone(), said.number);
        ids.entry(number).or_default().insert(one.id());
    }
    ids.retain(|_, ids| ids.len() > 1);
    ids.into_keys().collect()
}
