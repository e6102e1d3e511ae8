//! The example files, and what is refused.

use super::*;
use crate::schedule::tests::{calendar, cny, date};
use crate::schedule::{Across, Component, FeeTime, ShiftRule};

const CONFIRMING: &str = include_str!("../../products/receivable-confirming.toml");
const WITH_RECOURSE: &str = include_str!("../../products/factoring-with-recourse.toml");
const WITHOUT_RECOURSE: &str = include_str!("../../products/factoring-without-recourse.toml");
const PURCHASE_ORDER: &str = include_str!("../../products/purchase-order.toml");
const PLEDGED_STOCK: &str = include_str!("../../products/pledged-stock.toml");

fn product(text: &str) -> Definition {
    Definition::parse("product.toml", text).unwrap()
}

/// Due dates, and principal, interest and fees of each instalment in fen.
fn rows(schedule: &Schedule) -> Vec<(String, i64, i64, i64)> {
    let row = |one: &schedule::Instalment| {
        let [principal, interest, fees] = [one.principal, one.interest, one.fees].map(Money::fen);
        (one.period.due.to_string(), principal, interest, fees)
    };
    schedule.instalments.iter().map(row).collect()
}

#[test]
fn each_example_is_a_product_of_its_kind() {
    for (text, recourse, confirmed, lendable) in [
        (CONFIRMING, Recourse::None, true, 95_000),
        (WITH_RECOURSE, Recourse::Supplier, false, 80_000),
        (WITHOUT_RECOURSE, Recourse::None, true, 90_000),
        (PURCHASE_ORDER, Recourse::Supplier, true, 60_000),
        (PLEDGED_STOCK, Recourse::Supplier, false, 65_000),
    ] {
        let product = product(text);
        assert_eq!(product.kind.recourse(), recourse, "{}", product.id);
        assert_eq!(
            product.kind.needs_buyer_confirmation(),
            confirmed,
            "{}",
            product.id
        );
        assert_eq!(product.kind.lendable(cny(100_000)), Ok(cny(lendable)));
        let whole = product
            .schedule(
                product.maximum,
                product.instalments_max,
                date("2026-01-05"),
                &calendar(),
            )
            .unwrap();
        let last = whole.instalments.last().unwrap();
        let days = (last.period.end - date("2026-01-05")).num_days();
        assert!(
            days <= i64::from(product.kind.tenor_max_days()) + 3,
            "{days}"
        );
        assert_eq!(last.balance, cny(0));
    }
}

#[test]
fn a_definition_says_what_its_file_says() {
    let stock = product(PLEDGED_STOCK);
    assert_eq!(stock.kind.name(), kind::KindName::PledgedStock);
    assert_eq!(stock.hash, schemas::hash::sha256(PLEDGED_STOCK.as_bytes()));
    assert_eq!((stock.instalments_min, stock.longest.instalments), (4, 12));
    assert_eq!(stock.longest.shift.rule, ShiftRule::Following);
    assert!(stock.longest.shift.interest_follows && stock.longest.frequency.month_end);
    assert_eq!(stock.longest.fees[0].when, FeeTime::EachInstalment);
    let factoring = product(WITHOUT_RECOURSE);
    assert_eq!(
        factoring.allocation.order.components()[0],
        Component::Interest
    );
    assert_eq!(factoring.allocation.across, Across::Component);
    assert_eq!(
        (
            factoring.penalty.grace_days,
            factoring.longest.grace.interest
        ),
        (5, 1)
    );
}

#[test]
fn a_purchase_order_waits_a_month_and_avoids_holidays() {
    let product = product(PURCHASE_ORDER);
    let made = product.schedule(cny(10_000_000), 4, date("2026-01-18"), &calendar());
    let made = made.unwrap();
    // 6.85 % a year, a twelfth each month: 570.83. The interest of the first month comes with the
    // second; equal instalments of whole yuan run from there.
    assert_eq!(made.fees_at_disbursement, cny(5_000));
    assert_eq!(
        rows(&made),
        [
            ("2026-02-24".to_owned(), 0, 0, 0),
            ("2026-03-18".to_owned(), 3_314_417, 57_083 + 57_083, 0),
            ("2026-04-20".to_owned(), 3_333_336, 38_164, 0),
            ("2026-05-18".to_owned(), 3_352_247, 19_136, 0),
        ]
    );
}

#[test]
fn what_a_product_does_not_lend_is_refused() {
    let product = product(PURCHASE_ORDER);
    let ask = |fen, instalments, calendar: &Calendar| {
        product.schedule(cny(fen), instalments, date("2026-01-18"), calendar)
    };
    let cn = calendar();
    assert!(matches!(
        ask(499_999, 3, &cn),
        Err(ProductError::Amount { .. })
    ));
    assert!(matches!(
        ask(50_000_001, 3, &cn),
        Err(ProductError::Amount { .. })
    ));
    assert_eq!(
        ask(500_000, 2, &cn),
        Err(ProductError::Instalments(2, 3, 6))
    );
    assert_eq!(
        ask(500_000, 7, &cn),
        Err(ProductError::Instalments(7, 3, 6))
    );
    let other = ask(500_000, 3, &Calendar::every_day());
    assert_eq!(other, Err(ProductError::Calendar("cn".to_owned())));
    let eur = Money::from_fen(500_000, "EUR".parse().unwrap()).unwrap();
    let other = product.schedule(eur, 3, date("2026-01-18"), &cn);
    assert!(matches!(other, Err(ProductError::Money(_))));
}

/// Each pair is a line that is changed and what the error then says.
#[test]
fn a_wrong_file_says_which_field_and_what_was_expected() {
    for (text, old, new, expected) in [
        (
            CONFIRMING,
            "version = 1",
            "version = 0",
            "product.toml:6: version: versions begin at 1",
        ),
        (
            CONFIRMING,
            "version = 1",
            "version = 1\nnote = 1",
            "unknown field `note`",
        ),
        (
            CONFIRMING,
            "[security]",
            "[security]\nlimit = 1",
            "unknown field `limit`",
        ),
        (
            CONFIRMING,
            "[repayment]",
            "[repayment]\ngrace = 1",
            "unknown field `grace`",
        ),
        (
            CONFIRMING,
            "kind = \"receivable-confirming\"",
            "kind = \"forfaiting\"",
            "kind: unknown variant `forfaiting`, expected one of",
        ),
        (
            CONFIRMING,
            "minimum = \"1000.00\"",
            "minimum = \"1000\"",
            "minimum: `1000` is not an amount",
        ),
        (
            CONFIRMING,
            "minimum = \"1000.00\"",
            "minimum = \"0.00\"",
            "minimum: above 0.00",
        ),
        (
            CONFIRMING,
            "minimum = \"1000.00\"",
            "minimum = \"300000.01\"",
            "minimum: at most the maximum",
        ),
        (
            CONFIRMING,
            "annual_rate_percent = \"4.35\"",
            "annual_rate_percent = 4.35",
            "annual_rate_percent: invalid type: floating point",
        ),
        (
            CONFIRMING,
            "annual_rate_percent = \"4.35\"",
            "annual_rate_percent = \"435\"",
            "annual_rate_percent: `435` is not a percentage",
        ),
        (
            CONFIRMING,
            "buyer_confirmation = true",
            "buyer_confirmation = false",
            "security.buyer_confirmation: this kind has no recourse",
        ),
        (
            CONFIRMING,
            "advance_percent = \"95\"",
            "advance_percent = \"0\"",
            "security.advance_percent: above 0",
        ),
        (
            CONFIRMING,
            "advance_percent = \"95\"\n",
            "",
            "security.advance_percent: this kind needs it",
        ),
        (
            CONFIRMING,
            "tenor_max_days = 184",
            "tenor_max_days = 367",
            "Yinfa [2025] 77",
        ),
        (
            CONFIRMING,
            "tenor_max_days = 184",
            "tenor_max_days = 179",
            "repayment.instalments_max: they may take 180 days, the security at most 179",
        ),
        (
            CONFIRMING,
            "advance_percent = \"95\"",
            "advance_percent = \"95\"\nhaircut_percent = \"5\"",
            "security.haircut_percent: it is not for this kind",
        ),
        (
            CONFIRMING,
            "instalments_max = 1",
            "instalments_max = 0",
            "repayment.instalments_max: at least instalments_min",
        ),
        (
            CONFIRMING,
            "instalments_min = 1",
            "instalments_min = 0",
            "repayment.instalments_min: 1 to 1200",
        ),
        (
            CONFIRMING,
            "every = 180",
            "every = 0",
            "repayment.every: 1 to 366",
        ),
        (
            CONFIRMING,
            "calendar = \"cn\"\n",
            "",
            "holidays.calendar: a shift needs",
        ),
        (
            CONFIRMING,
            "interest_follows = true\n",
            "",
            "holidays.interest_follows: a shift needs it",
        ),
        (
            CONFIRMING,
            "shift = \"following\"",
            "shift = \"none\"",
            "holidays.shift: without a shift",
        ),
        (
            CONFIRMING,
            "of = \"principal\"\n",
            "",
            "fees.of: a percentage needs it",
        ),
        (
            CONFIRMING,
            "of = \"principal\"",
            "of = \"balance\"",
            "fees.of: `platform`: a share of the balance",
        ),
        (
            CONFIRMING,
            "percent = \"0.1\"\n",
            "",
            "fees.amount: `platform` needs either",
        ),
        (
            CONFIRMING,
            "name = \"platform\"",
            "name = \"\"",
            "fees.name: 1 to 64",
        ),
        (
            CONFIRMING,
            "\"interest\", \"principal\"]",
            "\"interest\"]",
            "order: penalty, fees, interest and principal are each needed once",
        ),
        (
            WITH_RECOURSE,
            "repurchase_after_days = 30\n",
            "",
            "security.repurchase_after_days: this kind needs it",
        ),
        (
            WITHOUT_RECOURSE,
            "buyer_confirmation = true\n",
            "",
            "security.buyer_confirmation: this kind needs it: true",
        ),
        (
            WITHOUT_RECOURSE,
            "interest = 1",
            "interest = 2",
            "grace.interest: fewer than the 2 instalments",
        ),
        (
            PURCHASE_ORDER,
            "instalments_min = 3",
            "instalments_min = 1",
            "grace.principal: fewer than the 1 instalments",
        ),
        (
            PURCHASE_ORDER,
            "every = 1",
            "every = 2",
            "repayment.instalments_max: they may take 366 days, the security at most 186",
        ),
        (
            PURCHASE_ORDER,
            "instalment_unit_fen = 100",
            "instalment_unit_fen = 0",
            "rounding.instalment_unit_fen: 1 to",
        ),
        (
            PLEDGED_STOCK,
            "haircut_percent = \"35\"",
            "haircut_percent = \"100\"",
            "security.haircut_percent: below 100",
        ),
        (
            PLEDGED_STOCK,
            "margin_call_percent = \"75\"",
            "margin_call_percent = \"65\"",
            "security.margin_call_percent: above what is lent, 65 %",
        ),
        (
            PLEDGED_STOCK,
            "revaluation_days = 7",
            "revaluation_days = 0",
            "security.revaluation_days: a day at least",
        ),
        (
            PLEDGED_STOCK,
            "accrual = \"by-days\"",
            "accrual = \"daily\"",
            "accrual: unknown variant `daily`",
        ),
    ] {
        assert!(text.contains(old), "{old}");
        let changed = text.replacen(old, new, 1);
        let error = Definition::parse("product.toml", &changed)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{new}: {error}");
    }
}
