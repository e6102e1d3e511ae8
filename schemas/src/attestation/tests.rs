use super::*;
use crate::key::SecretKey;

fn key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn sum(amount: u64) -> Sum {
    Sum {
        amount,
        currency: *b"CNY",
    }
}

fn period() -> Period {
    Period {
        from: Day::new(20_000).unwrap(),
        to: Day::new(20_089).unwrap(),
    }
}

fn of(facts: Facts) -> Attestation {
    let issued = Instant::from_seconds(1_795_305_600);
    Attestation {
        log: Hash([1; 32]),
        issuer: "tax-office".parse().unwrap(),
        number: 7,
        subject: "qinghe".parse().unwrap(),
        code: "91350100M000100Y43".parse().unwrap(),
        consent: Hash([2; 32]),
        issued,
        expires: issued + Duration::from_secs(90 * 24 * 3600),
        facts,
    }
}

fn invoices() -> InvoiceFacts {
    InvoiceFacts {
        invoiced: sum(1_234_567),
        period: period(),
        count: 12,
        document: None,
    }
}

fn standing() -> StandingFacts {
    StandingFacts {
        arrears: sum(0),
        period: period(),
        grade: TaxGrade::M,
        document: Some(Hash([5; 32])),
    }
}

fn approval() -> ApprovalFacts {
    ApprovalFacts {
        reference: "京食药监〔2026〕12号".into(),
        period: period(),
        document: Hash([5; 32]),
    }
}

fn buyer() -> BuyerFacts {
    BuyerFacts {
        owed: sum(900),
        document: Hash([5; 32]),
        reference: Some("PO-7".into()),
        due: Day::new(20_120),
        leaves: vec![Hash([1; 32]), Hash([2; 32])],
    }
}

fn all() -> [Attestation; 6] {
    let bare = BuyerFacts {
        reference: None,
        due: None,
        leaves: vec![],
        ..buyer()
    };
    let listed = InvoiceFacts {
        document: Some(Hash([5; 32])),
        ..invoices()
    };
    [
        Facts::Invoices(invoices()),
        Facts::Invoices(listed),
        Facts::Standing(standing()),
        Facts::Approval(approval()),
        Facts::Buyer(buyer()),
        Facts::Buyer(bare),
    ]
    .map(of)
}

#[test]
fn attestation_of_each_kind_reads_back_and_no_flipped_bit_holds() {
    for attestation in all() {
        let signed = SignedAttestation::sign(&key(), &attestation).unwrap();
        assert_eq!(signed.attestation, attestation);
        assert_eq!(signed.verify(&key().public()), Ok(()));
        let bytes = signed.bytes().to_vec();
        for cut in 0..bytes.len() {
            assert!(SignedAttestation::parse(bytes[..cut].to_vec()).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let taken = SignedAttestation::parse(flipped);
            let holds = taken.is_ok_and(|one| one.verify(&key().public()).is_ok());
            assert!(!holds, "bit {bit}");
        }
    }
}

#[test]
fn longest_attestation_is_within_its_limit() {
    let leaves = (0..LEAVES_MAX).map(|n| Hash([u8::try_from(n).unwrap(); 32]));
    let most = Facts::Buyer(BuyerFacts {
        owed: sum(crate::cbor::UINT_MAX),
        reference: Some("r".repeat(REFERENCE_MAX)),
        due: Day::new(DAY_MAX),
        leaves: leaves.collect(),
        ..buyer()
    });
    let mut attestation = of(most);
    attestation.number = crate::cbor::UINT_MAX;
    attestation.issuer = "i".repeat(32).parse().unwrap();
    attestation.subject = "s".repeat(32).parse().unwrap();
    let signed = SignedAttestation::sign(&key(), &attestation).unwrap();
    assert!(signed.bytes().len() <= ATTESTATION_MAX);
}

#[test]
fn what_an_attestation_may_not_say_is_refused_and_named() {
    type Change = fn(&mut Attestation);
    let wrong: [(Change, &str); 14] = [
        (|a| a.number = 0, "number: "),
        (|a| a.subject = a.issuer.clone(), "subject: "),
        (|a| a.expires = a.issued, "expires: it is later"),
        (
            |a| a.expires = a.issued + LENGTH_MAX + Duration::from_micros(1),
            "expires: it is at most 366",
        ),
        (
            |a| {
                a.facts = Facts::Invoices(InvoiceFacts {
                    invoiced: sum(0),
                    ..invoices()
                })
            },
            "amount: ",
        ),
        (
            |a| {
                a.facts = Facts::Invoices(InvoiceFacts {
                    count: 0,
                    ..invoices()
                })
            },
            "count: ",
        ),
        (
            |a| {
                let arrears = Sum {
                    currency: *b"cny",
                    ..sum(0)
                };
                a.facts = Facts::Standing(StandingFacts {
                    arrears,
                    ..standing()
                });
            },
            "currency: ",
        ),
        (
            |a| {
                let Period { from, to } = period();
                let period = Period { from: to, to: from };
                a.facts = Facts::Standing(StandingFacts {
                    period,
                    ..standing()
                });
            },
            "to: ",
        ),
        (
            |a| {
                a.facts = Facts::Approval(ApprovalFacts {
                    reference: String::new(),
                    ..approval()
                })
            },
            "reference: ",
        ),
        (
            |a| {
                a.facts = Facts::Approval(ApprovalFacts {
                    reference: "a\u{85}".into(),
                    ..approval()
                })
            },
            "reference: ",
        ),
        (
            |a| {
                a.facts = Facts::Buyer(BuyerFacts {
                    owed: sum(0),
                    ..buyer()
                })
            },
            "amount: ",
        ),
        (
            |a| {
                a.facts = Facts::Buyer(BuyerFacts {
                    reference: Some("\n".into()),
                    ..buyer()
                })
            },
            "reference: ",
        ),
        (
            |a| {
                a.facts = Facts::Buyer(BuyerFacts {
                    leaves: vec![Hash([1; 32]); 2],
                    ..buyer()
                })
            },
            "leaves: ",
        ),
        (
            |a| {
                a.facts = Facts::Buyer(BuyerFacts {
                    owed: sum(1 << 53),
                    ..buyer()
                })
            },
            "amount: ",
        ),
    ];
    for (change, said) in wrong {
        let mut attestation = of(Facts::Invoices(invoices()));
        change(&mut attestation);
        let error = SignedAttestation::sign(&key(), &attestation).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        // A stranger's tool may sign it all the same.
        let signed = crate::cose::sign(&key(), TYP_ATTESTATION, &attestation.payload());
        assert!(SignedAttestation::parse(signed).is_err(), "{said}");
    }
}

/// Payloads of one kind's facts under another kind's number.
#[test]
fn members_of_another_kind_are_refused() {
    for attestation in all() {
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| *kind != attestation.kind())
        {
            let mut payload = attestation.payload();
            let head = [
                &[2, 7, 3][..],
                &[u8::try_from(attestation.kind().number()).unwrap()],
            ];
            let head = head.concat();
            let place = payload.windows(4).position(|part| part == head).unwrap();
            payload[place + 3] = u8::try_from(kind.number()).unwrap();
            let signed = crate::cose::sign(&key(), TYP_ATTESTATION, &payload);
            let refused = SignedAttestation::parse(signed).unwrap_err();
            assert!(
                matches!(refused, AttestationError::Form(CborError::Keys(_))),
                "{:?} as {kind:?}: {refused:?}",
                attestation.kind()
            );
        }
    }
}

#[test]
fn revocation_reads_back_and_no_flipped_bit_holds() {
    let attestation = SignedAttestation::sign(&key(), &all()[0]).unwrap();
    let revocation = Revocation {
        log: Hash([1; 32]),
        issuer: "tax-office".parse().unwrap(),
        attestation: attestation.id(),
        made: Instant::from_seconds(1_795_400_000),
        reason: "issued-in-error".into(),
    };
    let signed = SignedRevocation::sign(&key(), &revocation).unwrap();
    assert_eq!(signed.revocation, revocation);
    assert_eq!(signed.verify(&key().public()), Ok(()));
    let bytes = signed.bytes().to_vec();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let taken = SignedRevocation::parse(flipped);
        assert!(
            !taken.is_ok_and(|one| one.verify(&key().public()).is_ok()),
            "bit {bit}"
        );
    }
    for reason in ["", "Because", &"r".repeat(65)] {
        let reason = reason.to_owned();
        let worded = Revocation {
            reason,
            ..revocation.clone()
        };
        assert!(SignedRevocation::sign(&key(), &worded).is_err());
        let signed = crate::cose::sign(&key(), TYP_REVOCATION, &worded.payload());
        assert!(SignedRevocation::parse(signed).is_err());
    }
}

#[test]
fn no_kind_of_document_counts_for_another() {
    let attestation = SignedAttestation::sign(&key(), &all()[0]).unwrap();
    assert!(matches!(
        SignedRevocation::parse(attestation.bytes().to_vec()),
        Err(AttestationError::Typ(_))
    ));
    let other = crate::cose::sign(&key(), crate::consent::TYP_CONSENT, &all()[0].payload());
    assert!(matches!(
        SignedAttestation::parse(other),
        Err(AttestationError::Typ(_))
    ));
}
