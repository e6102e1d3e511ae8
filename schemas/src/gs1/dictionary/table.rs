//! The table: GS1's Barcode Syntax Dictionary in our own notation (a test compares the two).

use super::super::charset::Set;
use super::super::lint::{self, Lint};
use super::{Entry, Part};

const fn part(set: Set, min: usize, max: usize, lints: &'static [&'static Lint]) -> Part {
    Part {
        set,
        min,
        max,
        optional: false,
        lints,
    }
}

const fn maybe(set: Set, min: usize, max: usize, lints: &'static [&'static Lint]) -> Part {
    Part {
        set,
        min,
        max,
        optional: true,
        lints,
    }
}

// Forms that several identifiers share or that need a line of their own.
const N18_C2: &[Part] = &[part(Set::Digits, 18, 18, &[&lint::CSUM, &lint::GCPPOS2])];
const N14_C2: &[Part] = &[part(Set::Digits, 14, 14, &[&lint::CSUM, &lint::GCPPOS2])];
const X_TO_20: &[Part] = &[part(Set::Set82, 1, 20, &[])];
const N6_YYMMD0: &[Part] = &[part(Set::Digits, 6, 6, &[&lint::YYMMD0])];
const N2: &[Part] = &[part(Set::Digits, 2, 2, &[])];
const X_TO_28: &[Part] = &[part(Set::Set82, 1, 28, &[])];
const X_TO_30: &[Part] = &[part(Set::Set82, 1, 30, &[])];
const N_TO_6: &[Part] = &[part(Set::Digits, 1, 6, &[])];
const N13_C1_OR_X_TO_17: &[Part] = &[
    part(Set::Digits, 13, 13, &[&lint::CSUM, &lint::GCPPOS1]),
    maybe(Set::Set82, 1, 17, &[]),
];
const N13_C1_OR_N_TO_12: &[Part] = &[
    part(Set::Digits, 13, 13, &[&lint::CSUM, &lint::GCPPOS1]),
    maybe(Set::Digits, 1, 12, &[]),
];
const N_TO_8: &[Part] = &[part(Set::Digits, 1, 8, &[])];
const N6: &[Part] = &[part(Set::Digits, 6, 6, &[])];
const N_TO_15: &[Part] = &[part(Set::Digits, 1, 15, &[])];
const N3_ISO4217_N_TO_15: &[Part] = &[
    part(Set::Digits, 3, 3, &[&lint::ISO4217]),
    part(Set::Digits, 1, 15, &[]),
];
const N4: &[Part] = &[part(Set::Digits, 4, 4, &[])];
const X_TO_30_GCPPOS1: &[Part] = &[part(Set::Set82, 1, 30, &[&lint::GCPPOS1])];
const N17_C1: &[Part] = &[part(Set::Digits, 17, 17, &[&lint::CSUM, &lint::GCPPOS1])];
const N13_C1: &[Part] = &[part(Set::Digits, 13, 13, &[&lint::CSUM, &lint::GCPPOS1])];
const N3_ISO3166_X_TO_9: &[Part] = &[
    part(Set::Digits, 3, 3, &[&lint::ISO3166]),
    part(Set::Set82, 1, 9, &[]),
];
const N3_ISO3166: &[Part] = &[part(Set::Digits, 3, 3, &[&lint::ISO3166])];
const COUNTRIES: &[Part] = &[
    part(Set::Digits, 3, 3, &[&lint::ISO3166]),
    maybe(Set::Digits, 3, 3, &[&lint::ISO3166]),
    maybe(Set::Digits, 3, 3, &[&lint::ISO3166]),
    maybe(Set::Digits, 3, 3, &[&lint::ISO3166]),
    maybe(Set::Digits, 3, 3, &[&lint::ISO3166]),
];
const X_TO_3: &[Part] = &[part(Set::Set82, 1, 3, &[])];
const X_TO_35_PCENC: &[Part] = &[part(Set::Set82, 1, 35, &[&lint::PCENC])];
const X_TO_70_PCENC: &[Part] = &[part(Set::Set82, 1, 70, &[&lint::PCENC])];
const X2_ISO3166ALPHA2: &[Part] = &[part(Set::Set82, 2, 2, &[&lint::ISO3166ALPHA2])];
const N10_LATITUDE_N10_LONGITUDE: &[Part] = &[
    part(Set::Digits, 10, 10, &[&lint::LATITUDE]),
    part(Set::Digits, 10, 10, &[&lint::LONGITUDE]),
];
const N1_YESNO: &[Part] = &[part(Set::Digits, 1, 1, &[&lint::YESNO])];
const N6_YYMMD0_N4_HHMI: &[Part] = &[
    part(Set::Digits, 6, 6, &[&lint::YYMMD0]),
    part(Set::Digits, 4, 4, &[&lint::HHMI]),
];
const N6_YYMMDD: &[Part] = &[part(Set::Digits, 6, 6, &[&lint::YYMMDD])];
const N6_OR_X1_HYPHEN: &[Part] = &[
    part(Set::Digits, 6, 6, &[]),
    maybe(Set::Set82, 1, 1, &[&lint::HYPHEN]),
];
const N13: &[Part] = &[part(Set::Digits, 13, 13, &[])];
const N6_YYMMDD_N4_HHMI: &[Part] = &[
    part(Set::Digits, 6, 6, &[&lint::YYMMDD]),
    part(Set::Digits, 4, 4, &[&lint::HHMI]),
];
const N_TO_4: &[Part] = &[part(Set::Digits, 1, 4, &[])];
const X_TO_12: &[Part] = &[part(Set::Set82, 1, 12, &[])];
const N6_YYMMDD_OR_N6_YYMMDD: &[Part] = &[
    part(Set::Digits, 6, 6, &[&lint::YYMMDD]),
    maybe(Set::Digits, 6, 6, &[&lint::YYMMDD]),
];
const X_TO_10: &[Part] = &[part(Set::Set82, 1, 10, &[])];
const X_TO_2: &[Part] = &[part(Set::Set82, 1, 2, &[])];
const N6_YYMMDD_OR_N4_HHMI: &[Part] = &[
    part(Set::Digits, 6, 6, &[&lint::YYMMDD]),
    maybe(Set::Digits, 4, 4, &[&lint::HHMI]),
];
const N3_ISO3166999_X_TO_27: &[Part] = &[
    part(Set::Digits, 3, 3, &[&lint::ISO3166999]),
    part(Set::Set82, 1, 27, &[]),
];
const N1_X1_X1_X1_IMPORTERIDX: &[Part] = &[
    part(Set::Digits, 1, 1, &[]),
    part(Set::Set82, 1, 1, &[]),
    part(Set::Set82, 1, 1, &[]),
    part(Set::Set82, 1, 1, &[&lint::IMPORTERIDX]),
];
const X_TO_4_PACKAGETYPE: &[Part] = &[part(Set::Set82, 1, 4, &[&lint::PACKAGETYPE])];
const X2_X_TO_28: &[Part] = &[part(Set::Set82, 2, 2, &[]), part(Set::Set82, 1, 28, &[])];
const N2_MEDIATYPE: &[Part] = &[part(Set::Digits, 2, 2, &[&lint::MEDIATYPE])];
const X_TO_25: &[Part] = &[part(Set::Set82, 1, 25, &[])];
const N8_YYYYMMDD: &[Part] = &[part(Set::Digits, 8, 8, &[&lint::YYYYMMDD])];
const N8_YYYYMMDD_N4_HHMI: &[Part] = &[
    part(Set::Digits, 8, 8, &[&lint::YYYYMMDD]),
    part(Set::Digits, 4, 4, &[&lint::HHMI]),
];
const N1_ISO5218: &[Part] = &[part(Set::Digits, 1, 1, &[&lint::ISO5218])];
const X_TO_40_PCENC: &[Part] = &[part(Set::Set82, 1, 40, &[&lint::PCENC])];
const X_TO_90_PCENC: &[Part] = &[part(Set::Set82, 1, 90, &[&lint::PCENC])];
const X3_POSINSEQSLASH: &[Part] = &[part(Set::Set82, 3, 3, &[&lint::POSINSEQSLASH])];
const N4_NONZERO_N5_NONZERO_N3_NONZERO_N1_WINDING_N1: &[Part] = &[
    part(Set::Digits, 4, 4, &[&lint::NONZERO]),
    part(Set::Digits, 5, 5, &[&lint::NONZERO]),
    part(Set::Digits, 3, 3, &[&lint::NONZERO]),
    part(Set::Digits, 1, 1, &[&lint::WINDING]),
    part(Set::Digits, 1, 1, &[]),
];
const N1_ZERO_N13_C1_OR_X_TO_16: &[Part] = &[
    part(Set::Digits, 1, 1, &[&lint::ZERO]),
    part(Set::Digits, 13, 13, &[&lint::CSUM, &lint::GCPPOS1]),
    maybe(Set::Set82, 1, 16, &[]),
];
const N14_C2_N4_PIECEOFTOTAL: &[Part] = &[
    part(Set::Digits, 14, 14, &[&lint::CSUM, &lint::GCPPOS2]),
    part(Set::Digits, 4, 4, &[&lint::PIECEOFTOTAL]),
];
const X_TO_34_IBAN: &[Part] = &[part(Set::Set82, 1, 34, &[&lint::IBAN])];
const N6_YYMMDD_N2_HH_OR_N2_MI_OR_N2_SS: &[Part] = &[
    part(Set::Digits, 6, 6, &[&lint::YYMMDD]),
    part(Set::Digits, 2, 2, &[&lint::HH]),
    maybe(Set::Digits, 2, 2, &[&lint::MI]),
    maybe(Set::Digits, 2, 2, &[&lint::SS]),
];
const X_TO_50: &[Part] = &[part(Set::Set82, 1, 50, &[])];
const Y_TO_30_GCPPOS1: &[Part] = &[part(Set::Set39, 1, 30, &[&lint::GCPPOS1])];
const N_TO_12_NOZEROPREFIX: &[Part] = &[part(Set::Digits, 1, 12, &[&lint::NOZEROPREFIX])];
const X_TO_25_CSUMALPHA_GCPPOS1: &[Part] =
    &[part(Set::Set82, 1, 25, &[&lint::CSUMALPHA, &lint::GCPPOS1])];
const X_TO_25_CSUMALPHA_GCPPOS1_HASNONDIGIT: &[Part] = &[part(
    Set::Set82,
    1,
    25,
    &[&lint::CSUMALPHA, &lint::GCPPOS1, &lint::HASNONDIGIT],
)];
const N18_C1: &[Part] = &[part(Set::Digits, 18, 18, &[&lint::CSUM, &lint::GCPPOS1])];
const N_TO_10: &[Part] = &[part(Set::Digits, 1, 10, &[])];
const Z_TO_90: &[Part] = &[part(Set::Set64, 1, 90, &[])];
const N15: &[Part] = &[part(Set::Digits, 15, 15, &[])];
const N32: &[Part] = &[part(Set::Digits, 32, 32, &[])];
const N18_OR_N_TO_2: &[Part] = &[
    part(Set::Digits, 18, 18, &[]),
    maybe(Set::Digits, 1, 2, &[]),
];
const X_TO_70_COUPONCODE: &[Part] = &[part(Set::Set82, 1, 70, &[&lint::COUPONCODE])];
const X_TO_70_COUPONPOSOFFER: &[Part] = &[part(Set::Set82, 1, 70, &[&lint::COUPONPOSOFFER])];
const X_TO_70: &[Part] = &[part(Set::Set82, 1, 70, &[])];
const X_TO_90: &[Part] = &[part(Set::Set82, 1, 90, &[])];

// What an element stands beside: alternatives, each of one or more identifiers.
const CONTENT: &str = "01,02";
const UNIT: &str = "00";
const LOGISTIC: &str = "00,01";
const ITEM: &str = "01";
const CERTIFIED: &str = "01,8004";
const TRADE: &str = "01,02,03,8006,8026";
const MADE: &str = "01,02,03";
const SERVICE: &str = "8017,8018";
const RECIPIENT: &str = "8018";
const INSTANCE: &str = "01,03,8006";
const DEVICE: &str = "01+21+8040";

const fn row(range: &'static str, parts: &'static [Part], requires: &'static str) -> Entry {
    Entry {
        range,
        parts,
        requires,
        excludes: "",
        fixed: false,
        attribute: false,
        qualifiers: None,
    }
}

/// May stand in the query of a Digital Link.
const fn open(range: &'static str, parts: &'static [Part], requires: &'static str) -> Entry {
    Entry {
        attribute: true,
        ..row(range, parts, requires)
    }
}

/// Needs no FNC1 behind it, and may stand in the query of a Digital Link.
const fn fixed(range: &'static str, parts: &'static [Part], requires: &'static str) -> Entry {
    Entry {
        fixed: true,
        ..open(range, parts, requires)
    }
}

/// Not together with these.
const fn not(excludes: &'static str, entry: Entry) -> Entry {
    Entry { excludes, ..entry }
}

/// A primary key with its qualifiers: sequences, of which one applies.
const fn key(qualifiers: &'static str, entry: Entry) -> Entry {
    Entry {
        qualifiers: Some(qualifiers),
        ..entry
    }
}

/// Every application identifier, by number.
pub(super) static ENTRIES: [Entry; 224] = [
    key("", fixed("00", N18_C2, "")),
    key("22,10,21|235", not("255,37", fixed("01", N14_C2, ""))),
    not("01,03", fixed("02", N14_C2, "37")),
    not(
        "01,02,37,235",
        Entry {
            attribute: false,
            ..fixed("03", N14_C2, "")
        },
    ),
    open("10", X_TO_20, TRADE),
    fixed("11", N6_YYMMD0, TRADE),
    fixed("12", N6_YYMMD0, "8020"),
    fixed("13", N6_YYMMD0, TRADE),
    fixed("15", N6_YYMMD0, TRADE),
    fixed("16", N6_YYMMD0, TRADE),
    fixed("17", N6_YYMMD0, "01,02,03,255,8006,8026"),
    fixed("20", N2, TRADE),
    not("235", row("21", X_TO_20, INSTANCE)),
    row("22", X_TO_20, ITEM),
    row("235", X_TO_28, ITEM),
    open("240", X_TO_30, TRADE),
    open("241", X_TO_30, TRADE),
    open("242", N_TO_6, "01,02,8006,8026"),
    open("243", X_TO_20, "01,03"),
    open("250", X_TO_30, "01+21,03+21,8006+21"),
    open("251", X_TO_30, INSTANCE),
    key("", open("253", N13_C1_OR_X_TO_17, "")),
    row("254", X_TO_20, "414"),
    key(
        "",
        not(
            "01,02,415,8006,8020,8026",
            open("255", N13_C1_OR_N_TO_12, ""),
        ),
    ),
    open("30", N_TO_8, CONTENT),
    not("310n", fixed("3100-3105", N6, CONTENT)),
    not("311n", fixed("3110-3115", N6, CONTENT)),
    not("312n", fixed("3120-3125", N6, CONTENT)),
    not("313n", fixed("3130-3135", N6, CONTENT)),
    not("314n", fixed("3140-3145", N6, CONTENT)),
    not("315n", fixed("3150-3155", N6, CONTENT)),
    not("316n", fixed("3160-3165", N6, CONTENT)),
    not("320n", fixed("3200-3205", N6, CONTENT)),
    not("321n", fixed("3210-3215", N6, CONTENT)),
    not("322n", fixed("3220-3225", N6, CONTENT)),
    not("323n", fixed("3230-3235", N6, CONTENT)),
    not("324n", fixed("3240-3245", N6, CONTENT)),
    not("325n", fixed("3250-3255", N6, CONTENT)),
    not("326n", fixed("3260-3265", N6, CONTENT)),
    not("327n", fixed("3270-3275", N6, CONTENT)),
    not("328n", fixed("3280-3285", N6, CONTENT)),
    not("329n", fixed("3290-3295", N6, CONTENT)),
    not("330n", fixed("3300-3305", N6, LOGISTIC)),
    not("331n", fixed("3310-3315", N6, LOGISTIC)),
    not("332n", fixed("3320-3325", N6, LOGISTIC)),
    not("333n", fixed("3330-3335", N6, LOGISTIC)),
    not("334n", fixed("3340-3345", N6, LOGISTIC)),
    not("335n", fixed("3350-3355", N6, LOGISTIC)),
    not("336n", fixed("3360-3365", N6, LOGISTIC)),
    not("337n", fixed("3370-3375", N6, ITEM)),
    not("340n", fixed("3400-3405", N6, LOGISTIC)),
    not("341n", fixed("3410-3415", N6, LOGISTIC)),
    not("342n", fixed("3420-3425", N6, LOGISTIC)),
    not("343n", fixed("3430-3435", N6, LOGISTIC)),
    not("344n", fixed("3440-3445", N6, LOGISTIC)),
    not("345n", fixed("3450-3455", N6, LOGISTIC)),
    not("346n", fixed("3460-3465", N6, LOGISTIC)),
    not("347n", fixed("3470-3475", N6, LOGISTIC)),
    not("348n", fixed("3480-3485", N6, LOGISTIC)),
    not("349n", fixed("3490-3495", N6, LOGISTIC)),
    not("350n", fixed("3500-3505", N6, CONTENT)),
    not("351n", fixed("3510-3515", N6, CONTENT)),
    not("352n", fixed("3520-3525", N6, CONTENT)),
    not("353n", fixed("3530-3535", N6, LOGISTIC)),
    not("354n", fixed("3540-3545", N6, LOGISTIC)),
    not("355n", fixed("3550-3555", N6, LOGISTIC)),
    not("356n", fixed("3560-3565", N6, CONTENT)),
    not("357n", fixed("3570-3575", N6, CONTENT)),
    not("360n", fixed("3600-3605", N6, CONTENT)),
    not("361n", fixed("3610-3615", N6, CONTENT)),
    not("362n", fixed("3620-3625", N6, LOGISTIC)),
    not("363n", fixed("3630-3635", N6, LOGISTIC)),
    not("364n", fixed("3640-3645", N6, CONTENT)),
    not("365n", fixed("3650-3655", N6, CONTENT)),
    not("366n", fixed("3660-3665", N6, CONTENT)),
    not("367n", fixed("3670-3675", N6, LOGISTIC)),
    not("368n", fixed("3680-3685", N6, LOGISTIC)),
    not("369n", fixed("3690-3695", N6, LOGISTIC)),
    open("37", N_TO_8, "00+02,00+8026"),
    not(
        "390n,391n,394n,8111",
        open("3900-3909", N_TO_15, "255,8020"),
    ),
    not("391n", open("3910-3919", N3_ISO4217_N_TO_15, "8020")),
    not(
        "392n,393n",
        open(
            "3920-3929",
            N_TO_15,
            "01+30,01+31nn,01+32nn,01+35nn,01+36nn",
        ),
    ),
    not(
        "393n",
        open("3930-3939", N3_ISO4217_N_TO_15, "30,31nn,32nn,35nn,36nn"),
    ),
    not("394n,8111", open("3940-3943", N4, "255")),
    not(
        "392n,393n,395n,8005",
        open("3950-3955", N6, "30,31nn,32nn,35nn,36nn"),
    ),
    open("400", X_TO_30, ""),
    key("", open("401", X_TO_30_GCPPOS1, "")),
    key("", open("402", N17_C1, "")),
    open("403", X_TO_30, UNIT),
    fixed("410", N13_C1, ""),
    fixed("411", N13_C1, ""),
    fixed("412", N13_C1, ""),
    fixed("413", N13_C1, ""),
    key("254|7040", fixed("414", N13_C1, "")),
    key("8020", fixed("415", N13_C1, "8020")),
    fixed("416", N13_C1, ""),
    key("7040", fixed("417", N13_C1, "")),
    not("421", open("420", X_TO_20, "")),
    not("4307", open("421", N3_ISO3166_X_TO_9, "")),
    not("426", open("422", N3_ISO3166, TRADE)),
    not("426", open("423", COUNTRIES, MADE)),
    not("426", open("424", N3_ISO3166, MADE)),
    not("426", open("425", COUNTRIES, MADE)),
    open("426", N3_ISO3166, MADE),
    open("427", X_TO_3, "01+422,02+422,03+422"),
    open("4300", X_TO_35_PCENC, UNIT),
    open("4301", X_TO_35_PCENC, UNIT),
    open("4302", X_TO_70_PCENC, UNIT),
    open("4303", X_TO_70_PCENC, "4302"),
    open("4304", X_TO_70_PCENC, UNIT),
    open("4305", X_TO_70_PCENC, UNIT),
    open("4306", X_TO_70_PCENC, UNIT),
    open("4307", X2_ISO3166ALPHA2, UNIT),
    open("4308", X_TO_30, UNIT),
    open("4309", N10_LATITUDE_N10_LONGITUDE, UNIT),
    open("4310", X_TO_35_PCENC, UNIT),
    open("4311", X_TO_35_PCENC, UNIT),
    open("4312", X_TO_70_PCENC, UNIT),
    open("4313", X_TO_70_PCENC, "4312"),
    open("4314", X_TO_70_PCENC, UNIT),
    open("4315", X_TO_70_PCENC, UNIT),
    open("4316", X_TO_70_PCENC, UNIT),
    open("4317", X2_ISO3166ALPHA2, UNIT),
    open("4318", X_TO_20, UNIT),
    open("4319", X_TO_30, UNIT),
    open("4320", X_TO_35_PCENC, UNIT),
    open("4321", N1_YESNO, UNIT),
    open("4322", N1_YESNO, UNIT),
    open("4323", N1_YESNO, UNIT),
    open("4324", N6_YYMMD0_N4_HHMI, UNIT),
    open("4325", N6_YYMMD0_N4_HHMI, UNIT),
    open("4326", N6_YYMMDD, UNIT),
    not("4331", open("4330", N6_OR_X1_HYPHEN, UNIT)),
    not("4330", open("4331", N6_OR_X1_HYPHEN, UNIT)),
    not("4333", open("4332", N6_OR_X1_HYPHEN, UNIT)),
    not("4332", open("4333", N6_OR_X1_HYPHEN, UNIT)),
    open("7001", N13, "01,02,8006,8026"),
    open("7002", X_TO_30, CONTENT),
    open("7003", N6_YYMMDD_N4_HHMI, MADE),
    open("7004", N_TO_4, "01+10,03+10"),
    open("7005", X_TO_12, CONTENT),
    open("7006", N6_YYMMDD, CONTENT),
    open("7007", N6_YYMMDD_OR_N6_YYMMDD, CONTENT),
    open("7008", X_TO_3, CONTENT),
    open("7009", X_TO_10, CONTENT),
    open("7010", X_TO_2, MADE),
    open("7011", N6_YYMMDD_OR_N4_HHMI, MADE),
    open("7020", X_TO_20, "01+416,03+416,8006+416"),
    open("7021", X_TO_20, INSTANCE),
    open("7022", X_TO_20, "01+7021,03+7021,8006+7021"),
    open("7023", X_TO_30_GCPPOS1, ""),
    open("7030", N3_ISO3166999_X_TO_27, CONTENT),
    open("7031", N3_ISO3166999_X_TO_27, CONTENT),
    open("7032", N3_ISO3166999_X_TO_27, CONTENT),
    open("7033", N3_ISO3166999_X_TO_27, CONTENT),
    open("7034", N3_ISO3166999_X_TO_27, CONTENT),
    open("7035", N3_ISO3166999_X_TO_27, CONTENT),
    open("7036", N3_ISO3166999_X_TO_27, CONTENT),
    open("7037", N3_ISO3166999_X_TO_27, CONTENT),
    open("7038", N3_ISO3166999_X_TO_27, CONTENT),
    open("7039", N3_ISO3166999_X_TO_27, CONTENT),
    row("7040", N1_X1_X1_X1_IMPORTERIDX, ""),
    row("7041", X_TO_4_PACKAGETYPE, UNIT),
    open("710", X_TO_20, ITEM),
    open("711", X_TO_20, ITEM),
    open("712", X_TO_20, ITEM),
    open("713", X_TO_20, ITEM),
    open("714", X_TO_20, ITEM),
    open("715", X_TO_20, ITEM),
    open("716", X_TO_20, ITEM),
    open("717", X_TO_20, ITEM),
    open("7230", X2_X_TO_28, CERTIFIED),
    open("7231", X2_X_TO_28, CERTIFIED),
    open("7232", X2_X_TO_28, CERTIFIED),
    open("7233", X2_X_TO_28, CERTIFIED),
    open("7234", X2_X_TO_28, CERTIFIED),
    open("7235", X2_X_TO_28, CERTIFIED),
    open("7236", X2_X_TO_28, CERTIFIED),
    open("7237", X2_X_TO_28, CERTIFIED),
    open("7238", X2_X_TO_28, CERTIFIED),
    open("7239", X2_X_TO_28, CERTIFIED),
    not("03", open("7240", X_TO_20, "01,8006")),
    open("7241", N2_MEDIATYPE, SERVICE),
    open("7242", X_TO_25, SERVICE),
    not("7251", open("7250", N8_YYYYMMDD, RECIPIENT)),
    not("7250", open("7251", N8_YYYYMMDD_N4_HHMI, RECIPIENT)),
    open("7252", N1_ISO5218, RECIPIENT),
    not("7256,7259", open("7253", X_TO_40_PCENC, SERVICE)),
    not("7256,7259", open("7254", X_TO_40_PCENC, SERVICE)),
    not("7256,7259", open("7255", X_TO_10, SERVICE)),
    open("7256", X_TO_90_PCENC, SERVICE),
    open("7257", X_TO_70_PCENC, RECIPIENT),
    open("7258", X3_POSINSEQSLASH, "8018+7259"),
    not("7256", open("7259", X_TO_40_PCENC, RECIPIENT)),
    open("8001", N4_NONZERO_N5_NONZERO_N3_NONZERO_N1_WINDING_N1, ITEM),
    open("8002", X_TO_20, ""),
    key("", open("8003", N1_ZERO_N13_C1_OR_X_TO_16, "")),
    key("7040", open("8004", X_TO_30_GCPPOS1, "")),
    open("8005", N6, CONTENT),
    key(
        "22,10,21",
        not("01,03,37", open("8006", N14_C2_N4_PIECEOFTOTAL, "")),
    ),
    open("8007", X_TO_34_IBAN, "415"),
    open("8008", N6_YYMMDD_N2_HH_OR_N2_MI_OR_N2_SS, MADE),
    open("8009", X_TO_50, "00,01,03"),
    key("8011", open("8010", Y_TO_30_GCPPOS1, "")),
    row("8011", N_TO_12_NOZEROPREFIX, "8010"),
    open("8012", X_TO_20, INSTANCE),
    key("", open("8013", X_TO_25_CSUMALPHA_GCPPOS1, "")),
    row("8014", X_TO_25_CSUMALPHA_GCPPOS1_HASNONDIGIT, ITEM),
    key("8019", not("8018", open("8017", N18_C1, ""))),
    key("8019", not("8017", open("8018", N18_C1, ""))),
    row("8019", N_TO_10, SERVICE),
    row("8020", X_TO_25, "415"),
    not("02,03,8006", open("8026", N14_C2_N4_PIECEOFTOTAL, "37")),
    open(
        "8030",
        Z_TO_90,
        "00,01+21,03+21,253,255,8003,8004,8006+21,8010+8011,8017,8018",
    ),
    row("8040", N15, "01+21"),
    row("8041", N15, DEVICE),
    row("8042", N32, DEVICE),
    row("8043", N18_OR_N_TO_2, DEVICE),
    open("8110", X_TO_70_COUPONCODE, ""),
    open("8111", N4, "255"),
    open("8112", X_TO_70_COUPONPOSOFFER, ""),
    row("8200", X_TO_70, ITEM),
    open("90", X_TO_30, ""),
    open("91-99", X_TO_90, ""),
];
