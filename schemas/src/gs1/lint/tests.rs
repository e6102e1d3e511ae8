use super::*;

#[track_caller]
fn judge(lint: &Lint, good: &[&str], bad: &[&str]) {
    for value in good {
        assert_eq!((lint.check)(value), Ok(()), "{} {value:?}", lint.name);
    }
    for value in bad {
        assert!((lint.check)(value).is_err(), "{} {value:?}", lint.name);
    }
    // The character sets are judged before; whatever comes must not panic.
    for value in ["", "é", "日本語日本語", "1é", "12345678é"] {
        let _ = (lint.check)(value);
    }
}

#[test]
fn check_digits_and_pairs() {
    judge(
        &CSUM,
        &["09521001000017", "095210010000000017"],
        &["09521001000018", "7x", "x"],
    );
    let good = [
        "1987654Ad4X4bL5ttr2310c2K",
        "12345_0123456789:;<=>?62",
        "97850l6KZm0yCD",
        "22",
    ];
    judge(
        &CSUMALPHA,
        &good,
        &[
            "1987654Ad4X4bL5ttr2310cXK",
            "1987654Ad4X4bL5ttr2310c2X",
            "33",
        ],
    );
    judge(&GCPPOS1, &["1234", "1234A"], &["123", "123A"]);
    judge(&GCPPOS2, &["X1234"], &["1234"]);
    judge(&HASNONDIGIT, &["12A"], &["123"]);
    judge(&NOZEROPREFIX, &["0", "10"], &["01"]);
}

#[test]
fn dates_are_real() {
    let both = ["000606", "200131", "200229", "240229", "000229", "960229"];
    let neither = [
        "200132", "200230", "210229", "200431", "200010", "201310", "2001", "2001311",
    ];
    judge(&YYMMDD, &both, &[&neither[..], &["200600"]].concat());
    judge(
        &YYMMD0,
        &[&both[..], &["200600"]].concat(),
        &[&neither[..], &["200000"]].concat(),
    );
    let long = ["19000228", "20000229", "21001231"];
    judge(
        &YYYYMMDD,
        &long,
        &["19000229", "21000229", "20001301", "200001"],
    );
    judge(&HHMI, &["0000", "2359"], &["2400", "2360", "12", "123"]);
    judge(&HH, &["23"], &["24", "1"]);
    judge(&MI, &["59"], &["60"]);
    judge(&SS, &["00"], &["60"]);
}

#[test]
fn codes_of_other_bodies() {
    judge(&ISO3166, &["156", "276", "840"], &["999", "000", "1"]);
    judge(&ISO3166999, &["999", "156"], &["998"]);
    judge(&ISO3166ALPHA2, &["CN", "DE"], &["XX", "cn", "C"]);
    judge(&ISO4217, &["156", "978"], &["000", "15"]);
    judge(&ISO5218, &["0", "1", "2", "9"], &["3"]);
    judge(
        &PACKAGETYPE,
        &["9", "1A", "BRI", "ZZ"],
        &["0", "00", "_9", "A A"],
    );
    judge(
        &MEDIATYPE,
        &["01", "10", "80", "99"],
        &["00", "11", "79", "1"],
    );
    let accounts = [
        "DE91100000000123456789",
        "GB98MIDL07009312345678",
        "BE71096123456769",
    ];
    judge(
        &IBAN,
        &accounts,
        &[
            "BE71096123456760",
            "XX361234567890",
            "BE71",
            "DE9110000000012345678é",
        ],
    );
}

#[test]
fn small_things() {
    judge(
        &LATITUDE,
        &["0000000000", "1800000000"],
        &["1800000001", "180000000"],
    );
    judge(&LONGITUDE, &["3600000000"], &["3600000001"]);
    judge(&YESNO, &["0", "1"], &["2"]);
    judge(&HYPHEN, &["-"], &["+"]);
    judge(&WINDING, &["0", "1", "9"], &["2", "01"]);
    judge(&NONZERO, &["0100"], &["0000"]);
    judge(&IMPORTERIDX, &["-", "_", "a", "Z", "0"], &["!", "aa"]);
    judge(&PIECEOFTOTAL, &["0101", "0299"], &["0001", "0201", "01"]);
    judge(
        &POSINSEQSLASH,
        &["1/1", "9/10", "99/99"],
        &["0/1", "2/1", "10/9", "1/02", "1//2", "1/"],
    );
    assert!((ZERO.check)("0").is_ok() && (ZERO.check)("1").is_err());
    assert!((PCENC.check)("a%20b").is_ok() && (PCENC.check)("a%2").is_err());
}

#[test]
fn coupons() {
    let offers = [
        "001234561234560123456",
        "0012345612345611234567",
        "061234567890121234569123456789012345",
    ];
    let broken = [
        "201234561234560123456",
        "0712",
        "0012345612345601234567",
        "001234561234560",
    ];
    judge(&COUPONPOSOFFER, &offers, &broken);
    // company 0 123456, offer 123456, saves 1 digit, buys 1 digit by 0 of family 123
    let basic = "0123456123456".to_owned() + "15" + "11" + "0" + "123";
    let with = |field: &str| format!("{basic}{field}");
    let good = [
        with(""),
        with("3261231"),
        with("32612314260101"),
        with("50123456"),
        with("90000"),
        with("101101239"),
    ];
    let bad = [
        with("3261331"),
        with("32601014260102"),
        with("93000"),
        with("7"),
        with("9000"),
        with("50123456320260101"),
        with("3"),
    ];
    judge(
        &COUPONCODE,
        &good.each_ref().map(|text| &**text),
        &bad.each_ref().map(|text| &**text),
    );
}
