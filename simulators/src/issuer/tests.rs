use credit::evidence::attestation::Issuers;
use schemas::attestation::{Day, Period, StandingFacts, Sum, TaxGrade};
use schemas::log::{Party, Policy};

use super::*;

const LOG: Hash = Hash([1; 32]);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

fn at(seconds: i64) -> Instant {
    Instant::from_seconds(1_795_305_600 + seconds)
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn issuer() -> Issuer {
    let slug = "tax-office".parse().unwrap();
    Issuer::with_key(slug, "Tax \"office\" \u{5317}\u{4eac}", LOG, key())
}

fn about() -> About {
    About {
        subject: "qinghe".parse().unwrap(),
        code: "91350100M000100Y43".parse().unwrap(),
        consent: Hash([2; 32]),
    }
}

fn facts() -> Facts {
    Facts::Standing(StandingFacts {
        arrears: Sum {
            amount: 0,
            currency: *b"CNY",
        },
        period: Period {
            from: Day::new(20_635).unwrap(),
            to: Day::new(20_726).unwrap(),
        },
        grade: TaxGrade::A,
        document: None,
    })
}

fn policy() -> Policy {
    let party = |name: &str, seed: u8| Party {
        name: name.to_owned(),
        key: SecretKey::from_seed(&[seed; 32]).public(),
    };
    let origin: schemas::ids::Origin = "log.test/issuer".parse().unwrap();
    let log_key = SecretKey::from_seed(&[1; 32]);
    Policy {
        log: origin.log_id(&log_key.public_bytes()),
        origin,
        log_key: log_key.public(),
        witnesses: vec![party("witness", 2)],
        quorum: 1,
        registrars: vec![party("registrar", 3)],
        prev: None,
        time: at(0),
    }
}

#[test]
fn attestations_are_numbered_and_verify_under_the_key_that_the_bank_lists() {
    let mut issuer = issuer();
    let kinds = BTreeSet::from([Kind::TaxStanding, Kind::TaxInvoices]);
    let text = format!(
        "format = \"issuers/v1\"\nversion = 1\n{}",
        issuer.entry(&kinds)
    );
    let list = Issuers::parse("issuers.toml", &text, &policy()).unwrap();
    let listed = list.find(&"tax-office".parse().unwrap()).unwrap();
    assert_eq!(listed.name, "Tax \"office\" \u{5317}\u{4eac}");
    assert_eq!(listed.kinds, kinds);
    for number in 1..=3 {
        let signed = issuer.attest(&about(), facts(), at(0), MONTH).unwrap();
        assert_eq!(signed.attestation.number, number);
        assert_eq!(signed.verify(listed.key(&signed.signer).unwrap()), Ok(()));
        assert_eq!(
            SignedAttestation::parse(signed.bytes().to_vec()).unwrap(),
            signed
        );
    }
    let forever = issuer.attest(&about(), facts(), at(0), MONTH * 13);
    assert!(matches!(forever, Err(IssuerError::Document(_))));
    let next = issuer.attest(&about(), facts(), at(0), MONTH).unwrap();
    assert_eq!(next.attestation.number, 4, "a refusal uses no number");
}

#[test]
fn its_service_answers_with_the_attestation_then_with_its_revocation() {
    let mut issuer = issuer();
    let signed = issuer.attest(&about(), facts(), at(0), MONTH).unwrap();
    let path = format!("/v1/attestations/{}", signed.id());
    let answer = issuer.answer(&path);
    assert_eq!((answer.status, &*answer.body), (200, signed.bytes()));
    let worded = issuer.revoke(signed.id(), at(60), "By mistake");
    assert!(matches!(worded, Err(IssuerError::Document(_))));
    assert_eq!(issuer.answer(&path).status, 200);
    let revocation = issuer.revoke(signed.id(), at(60), "by-mistake").unwrap();
    assert_eq!(revocation.verify(&key().public()), Ok(()));
    let again = issuer.revoke(signed.id(), at(90), "other").unwrap();
    assert_eq!(again, revocation);
    let answer = issuer.answer(&path);
    assert_eq!((answer.status, &*answer.body), (410, revocation.bytes()));
    for path in [
        "/v1/attestations/",
        "/v1/attestations/00",
        "/",
        &format!("{path}/"),
    ] {
        assert_eq!(
            issuer.answer(path),
            Answer {
                status: 404,
                body: vec![]
            }
        );
    }
    let unknown = issuer.revoke(Hash([7; 32]), at(60), "by-mistake");
    assert!(matches!(unknown, Err(IssuerError::Unknown(_))));
}

#[test]
fn documents_are_left_as_files() {
    let mut issuer = issuer();
    let one = issuer.attest(&about(), facts(), at(0), MONTH).unwrap();
    let two = issuer.attest(&about(), facts(), at(0), MONTH).unwrap();
    let ended = issuer.revoke(two.id(), at(60), "by-mistake").unwrap();
    let folder = tempfile::tempdir().unwrap();
    issuer.write(folder.path()).unwrap();
    let read = |name: String| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read(format!("{}.attestation", one.id())), one.bytes());
    assert_eq!(read(format!("{}.attestation", two.id())), two.bytes());
    assert_eq!(read(format!("{}.revocation", two.id())), ended.bytes());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    let missing = issuer.write(&folder.path().join("nowhere"));
    assert!(matches!(missing, Err(IssuerError::File { .. })));
}

#[test]
fn what_a_hostile_one_signs_is_refused_or_shows_itself() {
    let mut issuer = issuer();
    let first = issuer.attest(&about(), facts(), at(0), MONTH).unwrap();
    let holds = |bytes: Vec<u8>, key: &SecretKey| {
        SignedAttestation::parse(bytes).is_ok_and(|one| one.verify(&key.public()).is_ok())
    };
    assert!(holds(first.bytes().to_vec(), &key()));
    assert!(Hostile::flipped(&first).all(|bytes| !holds(bytes, &key())));
    let mut said = first.attestation.clone();
    said.expires = said.issued + MONTH * 13;
    assert!(!holds(issuer.hostile().sign(&said), &key()));
    for bytes in issuer.hostile().sign_as_others(&first.attestation) {
        assert!(!holds(bytes, &key()));
    }
    // It holds by itself; a bank that has both sees one number twice.
    let second = issuer.hostile().same_number(&first);
    let second = SignedAttestation::parse(second).unwrap();
    assert_eq!(second.attestation.number, first.attestation.number);
    assert_ne!(second.id(), first.id());
    let stranger = SecretKey::from_seed(&[8; 32]);
    let forged = Hostile::of(&stranger).sign(&first.attestation);
    assert!(!holds(forged, &key()));
}
