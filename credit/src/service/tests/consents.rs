//! Decisions under signed consents, and whoever wants one without.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use schemas::attestation::{
    Attestation, BuyerFacts, Day, Facts as Said, Period, Revocation, SignedAttestation,
    SignedRevocation, StandingFacts, Sum, TaxGrade,
};
use schemas::consent::{Act, SignedConsent};

use super::*;
use crate::evidence::Shown;
use crate::evidence::attestation::Issuers;
use crate::evidence::consent::fixture::{Supplier, grant, key};
use crate::evidence::offline::{Again, ScoreFile, replay_all};
use crate::evidence::weight::Weights;
use crate::loan::Inputs;
use crate::store::papers::PaperKept;

const CODE: &str = "91350100M000100Y43";

/// A bank that asks one supplier, with what it is shown.
struct Bank {
    supplier: Supplier,
    shown: Arc<Mutex<Vec<Shown>>>,
    /// How often evidence was asked for.
    asked: Arc<AtomicU32>,
    clock: Arc<MovedClock>,
    credit: Credit,
    folder: tempfile::TempDir,
}

fn issuers() -> String {
    let hexed = |name: &str| hex::encode(key(name).public_bytes());
    format!(
        "format = \"issuers/v1\"\nversion = 3\n\
         [[issuers]]\nslug = \"tax-office\"\nname = \"Tax office\"\nkinds = [\"tax-standing\"]\n\
         keys = [\"{}\"]\n\
         [[issuers]]\nslug = \"market\"\nname = \"A buyer\"\nkinds = [\"buyer-confirmation\"]\n\
         keys = [\"{}\"]\n",
        hexed("tax 1"),
        hexed("buyer 1"),
    )
}

fn terms(supplier: &Supplier, consenting: Consenting) -> Terms {
    Terms {
        policy: supplier.world.trusted(),
        rules: Rules::default(),
        evidence_max_age: Duration::from_secs(10_000 * 3_600),
        products: [(slug("receivable-90"), product())].into(),
        sandbox: slug("trial-1"),
        model: Model::built_in().unwrap(),
        consenting,
    }
}

fn asked(supplier: &Supplier) -> Consenting {
    let (text, trusted) = (issuers(), supplier.world.trusted());
    let issuers = Issuers::parse("issuers.toml", &text, trusted.policy()).unwrap();
    Consenting::Asked(Box::new(Asked {
        bank: slug("first-bank"),
        issuers: Some(IssuerList { text, issuers }),
        codes: [(slug("qinghe"), CODE.parse().unwrap())].into(),
        weights: Weights::built_in().unwrap(),
    }))
}

impl Bank {
    async fn of(mut supplier: Supplier) -> Self {
        let bundle = supplier.world.pack(at(24, 0));
        let shown = Arc::new(Mutex::new(supplier.shown()));
        let counted = Arc::<AtomicU32>::default();
        let (documents, count) = (Arc::clone(&shown), Arc::clone(&counted));
        let evidence = InProcess::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let bundle = bundle.clone();
            Box::pin(async move { Ok(EvidencePack { bundle }) })
        });
        let evidence = evidence.with_consents(move |_, _| {
            let documents = documents.lock().unwrap().clone();
            Box::pin(async move { Ok(documents) })
        });
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("credit.sqlite")).await;
        let store = store.unwrap();
        let limits = limits(1, "500000.00", "900000.00");
        store.declare(&limits, at(0, 0)).await.unwrap();
        let clock = Arc::new(MovedClock(Mutex::new(at(25, 0))));
        let credit = Credit::new(
            terms(&supplier, asked(&supplier)),
            Arc::new(store),
            Arc::new(evidence),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        Self {
            supplier,
            shown,
            asked: counted,
            clock,
            credit,
            folder,
        }
    }

    async fn granted() -> Self {
        Self::of(Supplier::granting()).await
    }

    fn show(&self, shown: Vec<Shown>) {
        *self.shown.lock().unwrap() = shown;
    }

    /// The class by which an application is refused, which must be kept, too; `decided` otherwise.
    async fn answer(&self, id: &str) -> String {
        let applied = self.credit.apply(application(id, "4000.00")).await;
        let kept = self.credit.store().refusals(&id.parse().unwrap()).await;
        let kept = kept.unwrap().pop().map(|refusal| refusal.class);
        match applied {
            Ok(_) => "decided".to_owned(),
            Err(ApplyError::Refused(refused)) => {
                assert_eq!(kept.as_ref(), Some(&refused.class));
                refused.class
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn attestation(&self, number: u64, issuer: &str, by: &str, facts: Said) -> SignedAttestation {
        let said = Attestation {
            log: self.supplier.parties.log,
            issuer: slug(issuer),
            number,
            subject: slug("qinghe"),
            code: CODE.parse().unwrap(),
            consent: self.supplier.signed[0].id(),
            issued: at(24, 30),
            expires: at(200, 0),
            facts,
        };
        SignedAttestation::sign(&key(by), &said).unwrap()
    }

    fn standing(&self) -> SignedAttestation {
        let facts = Said::Standing(StandingFacts {
            arrears: cny(1_234_500),
            period: Period {
                from: Day::new(20_000).unwrap(),
                to: Day::new(20_089).unwrap(),
            },
            grade: TaxGrade::B,
            document: None,
        });
        self.attestation(1, "tax-office", "tax 1", facts)
    }

    fn inputs(record: &Record) -> Inputs {
        serde_json::from_slice(&record.inputs).unwrap()
    }

    fn facts(record: &Record) -> Facts {
        serde_json::from_slice(&record.facts).unwrap()
    }
}

fn cny(amount: u64) -> Sum {
    Sum {
        amount,
        currency: *b"CNY",
    }
}

#[tokio::test]
async fn decision_names_the_consent_the_attestations_the_issuers_and_the_weights() {
    let bank = Bank::granted().await;
    let standing = bank.standing();
    let taken = bank.credit.attest(standing.bytes().to_vec()).await.unwrap();
    assert_eq!(taken.1, PaperKept::New);
    let taken = bank.credit.attest(standing.bytes().to_vec()).await.unwrap();
    assert_eq!(taken.1, PaperKept::Before);
    let record = bank.credit.apply(application("A-1", "4000.00")).await;
    let record = record.unwrap();
    record.explain(&Model::built_in().unwrap()).unwrap();
    let inputs = Bank::inputs(&record);
    let basis = inputs.basis.unwrap();
    assert_eq!(inputs.format, "decision-inputs/v4");
    assert_eq!(basis.consent.id, bank.supplier.signed[0].id());
    assert_eq!(basis.consent.number, 1);
    assert_eq!(basis.attestations[0].id, standing.id());
    assert_eq!(basis.issuers.unwrap().version, 3);
    assert_eq!(basis.weights.hash, Weights::built_in().unwrap().hash);
    let facts = Bank::facts(&record);
    assert_eq!(facts.format, "facts/v3");
    let weights = facts.weights.unwrap();
    assert!(weights.events > 0 && weights.mean.is_some() && !weights.confirmed.is_empty());
    assert_eq!(facts.attested.unwrap()[0].hundredths, Some(1_234_500));
}

/// The weights of a supplier's events rise with a buyer's attestation, and by nothing else.
#[tokio::test]
async fn buyers_confirmation_raises_what_an_event_weighs() {
    let bank = Bank::granted().await;
    let before = bank.credit.facts_of(&slug("qinghe")).await.unwrap();
    let before = before.weights.unwrap();
    let own = bank.supplier.evidence.events.iter().find(|event| {
        let statement = bank.supplier.evidence.statement_of(event).unwrap();
        statement.device.organisation == slug("qinghe") && !before.confirmed.contains(&event.leaf)
    });
    let leaf = own.unwrap().leaf;
    let facts = Said::Buyer(BuyerFacts {
        owed: cny(1_200_000),
        document: sha256(b"invoice"),
        reference: None,
        due: None,
        leaves: vec![leaf],
    });
    let confirmed = bank.attestation(1, "market", "buyer 1", facts);
    let confirmed = confirmed.bytes().to_vec();
    bank.credit.attest(confirmed).await.unwrap();
    let after = bank.credit.facts_of(&slug("qinghe")).await.unwrap();
    let after = after.weights.unwrap();
    assert_eq!(after.thousandths, before.thousandths + 200);
    assert!(after.confirmed.contains(&leaf));
}

#[tokio::test]
async fn without_any_consent_no_evidence_is_even_asked_for() {
    let bank = Bank::of(Supplier::new()).await;
    assert_eq!(bank.answer("A-1").await, "no-consent");
    assert_eq!(bank.asked.load(Ordering::SeqCst), 0);
    assert_eq!(bank.credit.store().list(0, 10).await.unwrap().len(), 0);
    assert_eq!(bank.credit.sandbox().await.unwrap().used.fen(), 0);
}

fn flipped(mut shown: Vec<Shown>) -> Vec<Shown> {
    *shown[0].document.last_mut().unwrap() ^= 1;
    shown
}

fn unproven(mut shown: Vec<Shown>) -> Vec<Shown> {
    shown[0].proof = None;
    shown
}

#[tokio::test]
async fn consent_that_is_not_this_suppliers_to_this_bank_is_refused() {
    let bank = Bank::granted().await;
    let honest = bank.supplier.shown();
    let mut other_bank = Supplier::new();
    other_bank.parties.bank = slug("other-bank");
    other_bank.sign(at(0, 0), Act::Grant(grant(at(0, 0), at(240, 0))));
    let mut foreign = Supplier::new();
    foreign.parties.supplier = slug("market");
    foreign.sign(at(0, 0), Act::Grant(grant(at(0, 0), at(240, 0))));
    let by_another = {
        let consent = &bank.supplier.signed[0].consent;
        let document = SignedConsent::sign(&key("market"), consent).unwrap();
        let document = document.bytes().to_vec();
        vec![Shown {
            document,
            proof: None,
        }]
    };
    let cases = [
        ("forged", flipped(honest.clone()), "consent-document"),
        ("not-logged", unproven(honest.clone()), "consent-not-logged"),
        ("of-another-bank", other_bank.shown(), "consent-document"),
        ("of-another-supplier", foreign.shown(), "consent-document"),
        ("by-another", by_another, "consent-document"),
    ];
    for (name, shown, class) in cases {
        bank.show(shown);
        assert_eq!(bank.answer(name).await, class, "{name}");
    }
    bank.show(honest);
    assert_eq!(bank.answer("honest").await, "decided");
}

#[tokio::test]
async fn purpose_or_devices_too_narrow_are_refused() {
    for narrow in [
        |grant: &mut schemas::consent::Grant| {
            grant.purposes = vec![schemas::consent::Purpose::Model];
        },
        |grant: &mut schemas::consent::Grant| grant.devices = vec![slug("line-1")],
    ] {
        let mut supplier = Supplier::new();
        let mut narrowed = grant(at(0, 0), at(240, 0));
        narrow(&mut narrowed);
        supplier.sign(at(0, 0), Act::Grant(narrowed));
        let bank = Bank::of(supplier).await;
        assert_eq!(bank.answer("A-1").await, "consent-scope");
    }
}

#[tokio::test]
async fn withdrawal_ends_what_may_be_read_and_keeps_what_was_decided() {
    let mut bank = Bank::granted().await;
    assert_eq!(bank.answer("A-1").await, "decided");
    bank.supplier.sign(at(26, 0), Act::Withdrawal);
    let mut shown = bank.supplier.shown();
    shown[1].proof = None;
    bank.show(shown);
    bank.clock.set(at(27, 0));
    assert_eq!(bank.answer("A-2").await, "consent-withdrawn");
    let late = bank
        .credit
        .evaluate_late_deliveries(&[slug("qinghe")])
        .await;
    assert!(matches!(late, Err(ApplyError::Refused(_))));
    // An older state is shown: the withdrawal was seen.
    bank.show(bank.supplier.shown()[..1].to_vec());
    assert_eq!(bank.answer("A-3").await, "consent-rolled-back");
    bank.show(Vec::new());
    assert_eq!(bank.answer("A-4").await, "consent-rolled-back");
    // What was decided stays, with all that it was made from.
    let (trusted, model) = (bank.supplier.world.trusted(), Model::built_in().unwrap());
    let under = Again {
        policy: &trusted,
        rules: Rules::default(),
        model: &model,
    };
    let tally = replay_all(&**bank.credit.store(), &under).await.unwrap();
    assert!(tally.holds() && tally.decisions == 1, "{tally}");
}

#[tokio::test]
async fn clock_that_is_moved_back_brings_no_consent_back() {
    let bank = Bank::granted().await;
    bank.clock.set(at(250, 0));
    assert_eq!(bank.answer("A-1").await, "consent-expired");
    bank.clock.set(at(30, 0));
    assert_eq!(bank.answer("A-2").await, "consent-expired");
    let refusals = bank.credit.store().refusals(&"A-2".parse().unwrap()).await;
    let detail = &refusals.unwrap()[0].detail;
    assert!(detail.contains("behind what was seen"), "{detail}");
}

/// The decision on the same evidence as the program made it that asked no rules.
fn before_rules(id: &str, new: &Record, model: &Model) -> Record {
    let (inputs, mut facts) = (Bank::inputs(new), Bank::facts(new));
    facts.trade = None;
    facts.format = match inputs.basis {
        Some(_) => "facts/v2".to_owned(),
        None => "facts/v1".to_owned(),
    };
    let proof = Proven {
        policy: inputs.policy,
        evidence: inputs.evidence,
        basis: inputs.basis,
        books: None,
    };
    let (application, at) = (application(id, "100.00"), new.decision.decided_at);
    let (product, sandbox) = (&inputs.product, &inputs.sandbox);
    decide(&application, &facts, proof, model, product, sandbox, at).unwrap()
}

#[tokio::test]
async fn decisions_of_every_version_come_out_again() {
    let bank = Bank::granted().await;
    let standing = bank.standing().bytes().to_vec();
    bank.credit.attest(standing).await.unwrap();
    let record = bank.credit.apply(application("A-1", "4000.00")).await;
    let record = record.unwrap();
    // The same bank before it asked for consents.
    let store = Sqlite::open(&bank.folder.path().join("credit.sqlite")).await;
    let name = record.evidence().unwrap();
    let bundle = bank.credit.store().evidence(&name).await;
    let bundle = bundle.unwrap().unwrap();
    let waived = Consenting::Waived("before".to_owned());
    let old = Credit::new(
        terms(&bank.supplier, waived),
        Arc::new(store.unwrap()),
        in_process(bundle.clone()),
        Arc::clone(&bank.clock) as Arc<dyn Clock>,
    );
    let old = old.apply(application("A-0", "100.00")).await.unwrap();
    assert_eq!(Bank::inputs(&old).format, "decision-inputs/v4");
    assert_eq!(Bank::facts(&old).format, "facts/v3");
    let (trusted, model) = (bank.supplier.world.trusted(), Model::built_in().unwrap());
    let under = Again {
        policy: &trusted,
        rules: Rules::default(),
        model: &model,
    };
    // As they were made before the rules were asked: with and without a consent.
    for (id, new, format) in [("B-3", &record, 3), ("B-2", &old, 2)] {
        let before = before_rules(id, new, &model);
        let inputs = Bank::inputs(&before);
        assert_eq!(inputs.format, format!("decision-inputs/v{format}"));
        assert_eq!(before.decision.judged, None);
        let kept = bank.credit.store().record(&slug("trial-1"), &before).await;
        assert!(matches!(kept.unwrap(), Recorded::New));
    }
    let tally = replay_all(&**bank.credit.store(), &under).await.unwrap();
    assert!(tally.holds() && tally.decisions == 4, "{tally}");
    // In a file, with the papers and never without.
    let name = record.papers().unwrap();
    let papers = bank.credit.store().evidence(&name).await;
    let papers = papers.unwrap().unwrap();
    let file = |papers| {
        let file = ScoreFile::new(&record, (bundle.clone(), papers), Rules::default(), None);
        let file = ScoreFile::parse(&file.unwrap().to_bytes().unwrap()).unwrap();
        file.verify(&record.decision.decision_id, &trusted)
    };
    assert!(file(Some(papers.clone())).unwrap() > 0);
    let without = file(None).unwrap_err().to_string();
    assert!(without.starts_with("papers: "), "{without}");
    let text = String::from_utf8(papers).unwrap();
    let changed = text.replacen("first-bank", "other-bank", 1).into_bytes();
    let changed = file(Some(changed)).unwrap_err().to_string();
    assert!(changed.starts_with("papers: another hash"), "{changed}");
}

#[tokio::test]
async fn attestations_of_strangers_are_refused_by_field_and_revoked_ones_do_not_count() {
    let bank = Bank::granted().await;
    let honest = bank.standing();
    let mut flipped = honest.bytes().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let attested = |change: fn(&mut Attestation), by: &str| {
        let mut said = honest.attestation.clone();
        change(&mut said);
        let signed = SignedAttestation::sign(&key(by), &said).unwrap();
        signed.bytes().to_vec()
    };
    let cases = [
        (attested(|_| (), "buyer 1"), "issuer"),
        (
            attested(|said| said.issuer = slug("nobody"), "tax 1"),
            "issuer",
        ),
        (
            attested(|said| said.issuer = slug("market"), "buyer 1"),
            "kind",
        ),
        (attested(|said| said.log = Hash::ZERO, "tax 1"), "log"),
        (
            attested(|said| said.subject = slug("market"), "tax 1"),
            "subject",
        ),
        (
            attested(|said| said.expires = at(24, 40), "tax 1"),
            "expires",
        ),
        (flipped, "signature"),
    ];
    for (bytes, field) in cases {
        let refused = bank.credit.attest(bytes).await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{refused}");
    }
    let revocation = SignedRevocation::sign(
        &key("tax 1"),
        &Revocation {
            log: bank.supplier.parties.log,
            issuer: slug("tax-office"),
            attestation: honest.id(),
            made: at(25, 0),
            reason: "issued-in-error".to_owned(),
        },
    );
    let revocation = revocation.unwrap().bytes().to_vec();
    let early = bank.credit.attest(revocation.clone()).await.unwrap_err();
    assert_eq!(early.field(), Some("attestation"));
    bank.credit.attest(honest.bytes().to_vec()).await.unwrap();
    bank.credit.attest(revocation).await.unwrap();
    let record = bank.credit.apply(application("A-1", "4000.00")).await;
    let basis = Bank::inputs(&record.unwrap()).basis.unwrap();
    assert!(basis.attestations.is_empty());
    let left: Vec<&str> = basis.left.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(left, ["revoked"]);
}
