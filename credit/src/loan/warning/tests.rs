use super::*;
use crate::money::Currency;

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn id(text: &str) -> ApplicationId {
    text.parse().unwrap()
}

fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn sale(seller: &str, buyer: &str, goods: &str, on: &str) -> Sale {
    Sale {
        seller: slug(seller),
        buyer: slug(buyer),
        goods: goods.to_owned(),
        on: on.parse().unwrap(),
    }
}

fn invoice(application: &str, fingerprint: u8, number: &str, fen: i64) -> Invoice {
    Invoice {
        application: id(application),
        fingerprint: Hash([fingerprint; 32]),
        number: number.to_owned(),
        seller: slug("tea"),
        amount: cny(fen),
    }
}

fn device(device: &str, supplier: &str, owner: Option<&str>) -> DeviceUse {
    DeviceUse {
        device: device.to_owned(),
        supplier: slug(supplier),
        owner: owner.map(slug),
    }
}

fn identifier(party: &str, kind: IdentifierKind, value: u8) -> Identifier {
    Identifier {
        party: slug(party),
        kind,
        value: Hash([value; 32]),
    }
}

/// Nothing is wrong, and nothing is missing.
fn clean() -> Case {
    Case {
        application: id("A-2"),
        supplier: slug("tea"),
        buyers: Some(vec![slug("shop")]),
        sales: Some(vec![
            sale("tea", "shop", "lot-1", "2026-03-01"),
            sale("shop", "cafe", "lot-1", "2026-03-05"),
        ]),
        invoices: Some(vec![
            invoice("A-1", 1, "17", 500),
            invoice("A-2", 2, "18", 500),
        ]),
        pledged: Some(Vec::new()),
        devices: Some(vec![device("scale", "tea", Some("tea"))]),
        identifiers: Some(vec![
            identifier("tea", IdentifierKind::Telephone, 1),
            identifier("shop", IdentifierKind::Telephone, 2),
            // The same value under another kind is nothing in common.
            identifier("shop", IdentifierKind::Address, 1),
        ]),
        links: Some(vec![Link {
            one: slug("shop"),
            other: slug("cafe"),
            kind: "shareholder".to_owned(),
        }]),
    }
}

fn finding(case: &Case, rule: RuleName) -> Finding {
    let judged = judge(case);
    let found = judged.into_iter().find(|one| one.rule == rule);
    found.unwrap().finding
}

fn seen(case: &Case, rule: RuleName) -> Vec<(Severity, String)> {
    match finding(case, rule) {
        Finding::Found { warnings } => {
            let told = |one: &Warning| (one.severity, one.saw.to_string());
            warnings.iter().map(told).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_to_warn_about_goes_straight_through_if_it_is_small() {
    let judged = judge(&clean());
    assert_eq!(judged.len(), 4);
    assert!(judged.iter().all(|one| one.finding == Finding::Clear));
    assert_eq!(route(&judged, cny(500), cny(500)), Route::StraightThrough);
    assert_eq!(route(&judged, cny(501), cny(500)), Route::Officer);
    let eur = Money::from_fen(1, "EUR".parse().unwrap()).unwrap();
    assert_eq!(route(&judged, eur, cny(500)), Route::Officer);
}

#[test]
fn what_is_missing_is_named_and_goes_to_an_officer() {
    let missing = |change: fn(&mut Case), rule, name| {
        let mut case = clean();
        change(&mut case);
        let unknown = Finding::Unknown { missing: name };
        assert_eq!(finding(&case, rule), unknown, "{name}");
        assert_eq!(route(&judge(&case), cny(1), cny(500)), Route::Officer);
    };
    missing(
        |case| case.sales = None,
        RuleName::CircularTrade,
        FactName::Sales,
    );
    missing(
        |case| case.invoices = None,
        RuleName::DuplicateInvoice,
        FactName::Invoices,
    );
    missing(
        |case| case.pledged = None,
        RuleName::DuplicateInvoice,
        FactName::Pledged,
    );
    missing(
        |case| case.buyers = None,
        RuleName::RelatedParties,
        FactName::Buyers,
    );
    missing(
        |case| case.devices = None,
        RuleName::SharedDevice,
        FactName::Devices,
    );
    missing(
        |case| case.links = None,
        RuleName::RelatedParties,
        FactName::Links,
    );
    missing(
        |case| case.identifiers = None,
        RuleName::RelatedParties,
        FactName::Identifiers,
    );
}

#[test]
fn too_much_is_not_looked_at() {
    let mut case = clean();
    case.devices = Some(vec![device("scale", "tea", None); ROWS_MAX + 1]);
    let fact = FactName::Devices;
    assert_eq!(
        finding(&case, RuleName::SharedDevice),
        Finding::TooMuch { fact }
    );
    assert_eq!(route(&judge(&case), cny(1), cny(500)), Route::Officer);
}

#[test]
fn goods_that_go_in_a_circle_are_refused() {
    let mut case = clean();
    case.sales = Some(vec![
        sale("tea", "shop", "lot-1", "2026-03-01"),
        sale("shop", "cafe", "lot-1", "2026-03-05"),
        sale("cafe", "tea", "lot-1", "2026-03-09"),
    ]);
    assert_eq!(
        seen(&case, RuleName::CircularTrade),
        [(
            Severity::Refuse,
            "lot-1 went tea > shop > cafe > tea, from 2026-03-01 to 2026-03-09".to_owned()
        )]
    );
    assert_eq!(route(&judge(&case), cny(1), cny(500)), Route::Refused);
}

#[test]
fn goods_that_come_straight_back_may_be_a_return() {
    let mut case = clean();
    case.sales = Some(vec![
        sale("tea", "shop", "lot-1", "2026-03-01"),
        sale("shop", "tea", "lot-1", "2026-03-09"),
    ]);
    assert_eq!(
        seen(&case, RuleName::CircularTrade)[0].0,
        Severity::ToOfficer
    );
    case.sales = Some(vec![sale("tea", "tea", "lot-1", "2026-03-01")]);
    assert_eq!(seen(&case, RuleName::CircularTrade)[0].0, Severity::Refuse);
}

#[test]
fn other_goods_another_time_or_other_people_are_no_circle() {
    let circle = |third: Sale| {
        let mut case = clean();
        case.sales = Some(vec![
            sale("tea", "shop", "lot-1", "2026-01-01"),
            sale("shop", "cafe", "lot-1", "2026-01-05"),
            third,
        ]);
        finding(&case, RuleName::CircularTrade) != Finding::Clear
    };
    // 180 days after the first one, and a day more.
    assert!(circle(sale("cafe", "tea", "lot-1", "2026-06-30")));
    assert!(!circle(sale("cafe", "tea", "lot-1", "2026-07-01")));
    assert!(!circle(sale("cafe", "tea", "lot-2", "2026-01-09")));
    // A circle that the supplier is no part of is not its own.
    assert!(!circle(sale("cafe", "shop", "lot-1", "2026-01-09")));
}

#[test]
fn the_same_invoice_is_lent_on_once() {
    let with = |more: Invoice| {
        let mut case = clean();
        case.invoices.as_mut().unwrap().push(more);
        case
    };
    let bytes = with(invoice("A-2", 1, "other", 900));
    assert_eq!(
        seen(&bytes, RuleName::DuplicateInvoice),
        [(
            Severity::Refuse,
            "invoice other was handed in before, with A-1".to_owned()
        )]
    );
    let number = with(invoice("A-2", 3, " 17", 500));
    assert_eq!(
        seen(&number, RuleName::DuplicateInvoice)[0].0,
        Severity::Refuse
    );
    let amount = with(invoice("A-2", 3, "17", 501));
    assert_eq!(
        seen(&amount, RuleName::DuplicateInvoice)[0].0,
        Severity::ToOfficer
    );
    // Twice in one application.
    let twice = with(invoice("A-2", 2, "18", 500));
    assert_eq!(
        seen(&twice, RuleName::DuplicateInvoice)[0].0,
        Severity::Refuse
    );
    // What others did among themselves is not this application's.
    let others = with(invoice("A-0", 1, "17", 500));
    assert_eq!(finding(&others, RuleName::DuplicateInvoice), Finding::Clear);
    let mut seller = invoice("A-2", 3, "17", 500);
    seller.seller = slug("silk");
    assert_eq!(
        finding(&with(seller), RuleName::DuplicateInvoice),
        Finding::Clear
    );
}

#[test]
fn a_pledged_invoice_is_lent_on_by_nobody_else() {
    let mut case = clean();
    case.pledged = Some(vec![Pledged {
        fingerprint: Hash([2; 32]),
        pledge: "p-1".to_owned(),
    }]);
    let said = "invoice 18 is pledged already, in p-1".to_owned();
    assert_eq!(
        seen(&case, RuleName::DuplicateInvoice),
        [(Severity::Refuse, said)]
    );
    // That of another application is another's.
    case.pledged.as_mut().unwrap()[0].fingerprint = Hash([1; 32]);
    assert_eq!(finding(&case, RuleName::DuplicateInvoice), Finding::Clear);
}

#[test]
fn a_device_under_two_suppliers_is_looked_at() {
    let shared = |owner, other_owner| {
        let mut case = clean();
        case.devices = Some(vec![
            device("scale", "tea", owner),
            device("scale", "silk", other_owner),
        ]);
        seen(&case, RuleName::SharedDevice)[0].0
    };
    assert_eq!(shared(Some("tea"), Some("tea")), Severity::ToOfficer);
    assert_eq!(shared(None, None), Severity::ToOfficer);
    assert_eq!(shared(Some("warehouse"), Some("silk")), Severity::ToOfficer);
    assert_eq!(shared(Some("warehouse"), Some("warehouse")), Severity::Note);
    let mut case = clean();
    case.devices = Some(vec![
        device("scale", "tea", None),
        device("lock", "silk", None),
        device("lock", "shop", None),
    ]);
    assert_eq!(finding(&case, RuleName::SharedDevice), Finding::Clear);
}

#[test]
fn a_note_alone_stops_nothing() {
    let mut case = clean();
    let owner = Some("warehouse");
    case.devices = Some(vec![
        device("scale", "tea", owner),
        device("scale", "silk", owner),
    ]);
    assert_eq!(
        route(&judge(&case), cny(1), cny(500)),
        Route::StraightThrough
    );
}

#[test]
fn a_buyer_who_is_no_stranger_is_looked_at() {
    let mut case = clean();
    case.links.as_mut().unwrap().push(Link {
        one: slug("shop"),
        other: slug("tea"),
        kind: "same parent".to_owned(),
    });
    let kinds = [
        (IdentifierKind::Representative, Severity::ToOfficer),
        (IdentifierKind::BankAccount, Severity::Refuse),
    ];
    assert_eq!(
        seen(&case, RuleName::RelatedParties)[0].0,
        Severity::ToOfficer
    );
    for (kind, severity) in kinds {
        let mut case = clean();
        let identifiers = case.identifiers.as_mut().unwrap();
        identifiers.push(identifier("tea", kind, 9));
        identifiers.push(identifier("shop", kind, 9));
        assert_eq!(
            seen(&case, RuleName::RelatedParties)[0].0,
            severity,
            "{kind:?}"
        );
    }
    let mut case = clean();
    case.buyers.as_mut().unwrap().push(slug("tea"));
    assert_eq!(seen(&case, RuleName::RelatedParties)[0].0, Severity::Refuse);
}

#[test]
fn findings_are_written_with_their_names() {
    let mut case = clean();
    case.devices = None;
    let written = serde_json::to_value(judge(&case)).unwrap();
    assert_eq!(written[0]["rule"], "circular-trade");
    assert_eq!(written[2]["finding"]["finding"], "unknown");
    assert_eq!(written[2]["finding"]["missing"], "devices");
}
