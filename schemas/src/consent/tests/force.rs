//! Chains, and whether they are in force.

use super::*;

#[test]
fn a_grant_is_in_force_between_its_instants_and_until_it_is_withdrawn() {
    let later = Act::Grant(Grant {
        from: at(10),
        ..grant()
    });
    let one = sign(&Consent {
        act: later,
        ..first()
    });
    let granted = chain(&[&one], None);
    let answers = [0, 9, 10, 89, 90, 400].map(|day| answer(&granted, &need(), day));
    let expected = [
        "not-yet", "not-yet", "granted", "granted", "expired", "expired",
    ];
    assert_eq!(answers, expected);
    let two = next(&one, at(20), Act::Withdrawal);
    let withdrawn = chain(&[&one, &two], None);
    assert_eq!(answer(&withdrawn, &need(), 21), "withdrawn");
    let again = next(
        &two,
        at(30),
        Act::Grant(Grant {
            from: at(30),
            ..grant()
        }),
    );
    let regranted = chain(&[&one, &two, &again], None);
    assert_eq!(answer(&regranted, &need(), 31), "granted");
    assert!(regranted.standing(&one.id()).is_none());
    assert!(regranted.standing(&two.id()).is_none());
    assert!(regranted.standing(&again.id()).is_some());
}

#[test]
fn newest_grant_alone_counts_even_if_it_is_narrower() {
    let one = sign(&first());
    let narrow = Grant {
        from: at(5),
        until: at(6),
        ..grant()
    };
    let two = next(&one, at(5), Act::Grant(narrow));
    let replaced = chain(&[&one, &two], None);
    assert_eq!(answer(&replaced, &need(), 4), "not-yet");
    assert_eq!(answer(&replaced, &need(), 5), "granted");
    assert_eq!(answer(&replaced, &need(), 6), "expired");
    assert!(replaced.standing(&one.id()).is_some());
}

#[test]
fn without_documents_or_without_a_log_entry_nothing_is_granted() {
    assert_eq!(answer(&chain(&[], None), &need(), 1), "none");
    let one = sign(&first());
    let mut unlogged = chain(&[], None);
    unlogged.take(one.clone(), &record(), at(0)).unwrap();
    assert_eq!(answer(&unlogged, &need(), 1), "not-logged");
    assert!(!unlogged.prove_logged(&Hash([7; 32])));
    assert_eq!(answer(&unlogged, &need(), 1), "not-logged");
    assert!(unlogged.prove_logged(&one.hash()));
    assert_eq!(answer(&unlogged, &need(), 1), "granted");
    let two = next(&one, at(2), Act::Withdrawal);
    unlogged.take(two, &record(), at(2)).unwrap();
    assert_eq!(answer(&unlogged, &need(), 2), "withdrawn");
}

#[test]
fn older_state_than_known_is_rolled_back() {
    let one = sign(&first());
    let two = next(&one, at(1), Act::Withdrawal);
    let known = chain(&[&one, &two], None).mark();
    assert_eq!(known.unwrap().number, 2);
    for documents in [&[][..], &[&one][..]] {
        let shown = chain(documents, known);
        assert_eq!(answer(&shown, &need(), 2), "rolled-back");
        assert_eq!(shown.mark(), known, "the mark never falls");
    }
    let other = next(&one, at(2), Act::Withdrawal);
    assert_eq!(
        answer(&chain(&[&one, &other], known), &need(), 2),
        "rolled-back"
    );
    assert_eq!(
        answer(&chain(&[&one, &two], known), &need(), 2),
        "withdrawn"
    );
    let three = next(
        &two,
        at(3),
        Act::Grant(Grant {
            from: at(3),
            ..grant()
        }),
    );
    assert_eq!(
        answer(&chain(&[&one, &two, &three], known), &need(), 3),
        "granted"
    );
}

#[test]
fn two_documents_with_one_number_end_everything() {
    let one = sign(&first());
    let two = next(&one, at(1), Act::Withdrawal);
    let other = next(
        &one,
        at(1),
        Act::Grant(Grant {
            from: at(1),
            ..grant()
        }),
    );
    let mut forked = chain(&[&one, &two], None);
    assert_eq!(
        forked.take(two.clone(), &record(), at(1)),
        Ok(()),
        "the same again"
    );
    assert_eq!(
        forked.take(other, &record(), at(1)),
        Err(TakeError::Fork(2))
    );
    let three = next(
        &two,
        at(2),
        Act::Grant(Grant {
            from: at(2),
            ..grant()
        }),
    );
    forked.take(three, &record(), at(2)).unwrap();
    assert_eq!(answer(&forked, &need(), 3), "forked");
}

#[test]
fn a_forged_document_makes_no_fork() {
    let one = sign(&first());
    let stranger = SecretKey::from_seed(&[4; 32]);
    let forged = Consent {
        number: 2,
        prev: one.id(),
        made: at(1),
        act: Act::Withdrawal,
        ..first()
    };
    let forged = SignedConsent::sign(&stranger, &forged).unwrap();
    let mut chain = chain(&[&one], None);
    let refused = chain.take(forged, &record(), at(1));
    assert!(matches!(refused, Err(TakeError::Document(_))));
    assert_eq!(answer(&chain, &need(), 1), "granted");
}

#[test]
fn documents_of_another_chain_or_of_the_future_are_not_taken() {
    let mut empty = chain(&[], None);
    type Change = fn(&mut Consent);
    let changes: [(Change, &str); 3] = [
        (|c| c.log = Hash([9; 32]), "log"),
        (|c| c.supplier = "other".parse().unwrap(), "supplier"),
        (|c| c.bank = "other".parse().unwrap(), "bank"),
    ];
    for (change, field) in changes {
        let mut consent = first();
        change(&mut consent);
        let taken = empty.take(sign(&consent), &record(), at(0));
        assert_eq!(taken, Err(TakeError::Other(field)));
    }
    let early = at(0) - AHEAD_MAX;
    assert_eq!(empty.take(sign(&first()), &record(), early), Ok(()));
    let mut empty = chain(&[], None);
    let earlier = early - Duration::from_micros(1);
    let taken = empty.take(sign(&first()), &record(), earlier);
    assert!(matches!(taken, Err(TakeError::Ahead { .. })));
}

#[test]
fn state_of_the_signers_key_decides_about_a_grant_and_never_about_a_withdrawal() {
    let one = sign(&first());
    let granted = chain(&[&one], None);
    let withdrawn = chain(&[&one, &next(&one, at(1), Act::Withdrawal)], None);
    let moment = Moment::new(at(2), None);
    let code = |chain: &Consents, record: Option<&Record>| {
        let found = chain.in_force(&need(), moment, |_| record);
        found.map_or_else(|refused| refused.reason.code(), |_| "granted")
    };
    let revoked = State::Revoked {
        compromised_since: None,
    };
    let cases = [
        (State::Active, "granted"),
        (State::Retired { last: None }, "signer"),
        (State::Suspended, "signer"),
        (revoked, "signer"),
    ];
    for (state, expected) in cases {
        let record = record_of(&key(), state);
        assert_eq!(code(&granted, Some(&record)), expected);
        assert_eq!(code(&withdrawn, Some(&record)), "withdrawn");
    }
    assert_eq!(code(&granted, None), "signer");
    let retired = record_of(&key(), State::Retired { last: None });
    let known = chain(&[&one], granted.mark());
    assert_eq!(
        code(&known, Some(&retired)),
        "granted",
        "it was kept before"
    );
    let other = record_of(&SecretKey::from_seed(&[4; 32]), State::Active);
    assert_eq!(code(&granted, Some(&other)), "signer");
}

#[test]
fn clock_that_is_moved_back_brings_no_consent_back_and_the_answer_says_so() {
    let one = sign(&first());
    let chain = chain(&[&one], None);
    let record = record();
    let moment = Moment::new(at(10), Some(at(91)));
    let refused = chain
        .in_force(&need(), moment, |_| Some(&record))
        .unwrap_err();
    assert_eq!(refused.reason, NotInForce::Expired(at(90)));
    assert_eq!(moment.behind(), Some(DAY * 81));
    let said = refused.to_string();
    assert!(
        said.contains(&format!("is {} s behind", 81 * 24 * 3600)),
        "{said}"
    );
    let right = Moment::new(at(10), Some(at(9)));
    assert_eq!((right.counted, right.behind()), (at(10), None));
    let granted = chain.in_force(&need(), right, |_| Some(&record)).unwrap();
    assert_eq!((granted.id, granted.moment), (one.id(), right));
}

#[test]
fn a_grant_that_is_too_narrow_says_what_it_lacks() {
    let narrow = Grant {
        devices: vec!["line-1".parse().unwrap(), "store-1".parse().unwrap()],
        steps: vec!["shipping".into(), "storing".into()],
        ..grant()
    };
    let signed = sign(&Consent {
        act: Act::Grant(narrow.clone()),
        ..first()
    });
    let chain = chain(&[&signed], None);
    let only = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    let devices =
        |names: &[&str]| Reach::Only(names.iter().map(|name| name.parse().unwrap()).collect());
    let fits = Need {
        devices: devices(&["line-1"]),
        steps: Reach::Only(only(&["storing"])),
        members: only(&["epcList"]),
        attestations: BTreeSet::from([AttestationKind::TaxStanding]),
        ..need()
    };
    assert_eq!(answer(&chain, &fits, 1), "granted");
    let cases: [(Need, Lack); 7] = [
        (
            Need {
                purpose: Purpose::Model,
                ..fits.clone()
            },
            Lack::Purpose(Purpose::Model),
        ),
        (
            Need {
                devices: Reach::All,
                ..fits.clone()
            },
            Lack::Devices,
        ),
        (
            Need {
                devices: devices(&["line-1", "line-2"]),
                ..fits.clone()
            },
            Lack::Device("line-2".parse().unwrap()),
        ),
        (
            Need {
                steps: Reach::All,
                ..fits.clone()
            },
            Lack::Steps,
        ),
        (
            Need {
                steps: Reach::Only(only(&["packing"])),
                ..fits.clone()
            },
            Lack::Step("packing".into()),
        ),
        (
            Need {
                members: only(&["tb:invoiceAmount"]),
                ..fits.clone()
            },
            Lack::Member("tb:invoiceAmount".into()),
        ),
        (
            Need {
                attestations: BTreeSet::from([AttestationKind::TaxInvoices]),
                ..fits.clone()
            },
            Lack::Attestation(AttestationKind::TaxInvoices),
        ),
    ];
    let record = record();
    for (need, lack) in cases {
        let refused = chain.in_force(&need, Moment::new(at(1), None), |_| Some(&record));
        assert_eq!(refused.unwrap_err().reason, NotInForce::Scope(lack));
    }
    let (line, other) = ("line-1".parse().unwrap(), "line-2".parse().unwrap());
    assert!(narrow.covers(&line, Some("storing")));
    assert!(!narrow.covers(&line, None) && !narrow.covers(&line, Some("packing")));
    assert!(!narrow.covers(&other, Some("storing")));
    assert!(grant().covers(&other, None));
}

#[test]
fn a_chain_outlives_the_keys_that_signed_it() {
    let (old, new) = (key(), SecretKey::from_seed(&[5; 32]));
    let one = sign(&first());
    let second = Consent {
        number: 2,
        prev: one.id(),
        ..first()
    };
    let two = SignedConsent::sign(&new, &second).unwrap();
    let revoked = State::Revoked {
        compromised_since: None,
    };
    for state in [State::Retired { last: None }, State::Suspended, revoked] {
        let mut chain = chain(&[], None);
        let records = [record_of(&old, state), record_of(&new, State::Active)];
        let record = |kid: &Hash| records.iter().find(|one| one.kid() == *kid);
        for signed in [&one, &two] {
            let of = record(&signed.signer).unwrap();
            chain.take(signed.clone(), of, at(0)).unwrap();
            chain.prove_logged(&signed.hash());
        }
        let granted = chain.in_force(&need(), Moment::new(at(1), None), record);
        assert_eq!(granted.unwrap().id, two.id());
        assert!(one.verify_by(&records[0]).is_err(), "not when it is new");
    }
}
