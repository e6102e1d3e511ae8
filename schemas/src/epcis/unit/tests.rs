use proptest::prelude::*;

use super::*;
use crate::epcis::vocabulary::MEASUREMENTS;

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
}

#[test]
fn known_values_convert() {
    for (value, from, to, expected) in [
        (26.0, "CEL", "KEL", 299.15),
        (-40.0, "CEL", "FAH", -40.0),
        (212.0, "FAH", "CEL", 100.0),
        (491.67, "A48", "CEL", 0.0),
        (90.0, "KMH", "MTS", 25.0),
        (1.0, "A93", "KMQ", 0.001),
        (12.1, "A93", "GP", 12_100.0),
        (180.0, "DD", "C81", std::f64::consts::PI),
        (1.0, "BAR", "KPA", 100.0),
        (760.0, "UA", "ATM", 1.0),
        (1.0, "LBR", "GRM", 453.592_37),
        (1.0, "KWH", "3B", 3.6),
        (50.0, "P1", "C62", 0.5),
        (3.6, "P71", "P67", 1.0),
        (0.18, "C35", "C36", 180.0),
        (1.0, "GLL", "LTR", 3.785_411_784),
        (1.0, "KNT", "KMH", 1.852),
        (5.0, "LUX", "LUX", 5.0),
    ] {
        let found = convert(value, from, to).unwrap();
        assert!(near(found, expected), "{value} {from} in {to}: {found}");
    }
    assert_eq!(
        convert(1.0, "CEL", "KGM").unwrap_err().to_string(),
        "`CEL` measures temperature, `KGM` measures mass"
    );
    assert_eq!(
        convert(1.0, "XYZ", "KGM"),
        Err(UnitError::Unknown("XYZ".into()))
    );
}

#[test]
fn the_table_is_whole() {
    let mut codes = table::CODES.to_vec();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), table::CODES.len());
    for code in codes {
        let unit = find(code).unwrap();
        assert!(is_code(code) && unit.code == code);
        assert!(unit.factor.is_finite() && unit.factor > 0.0);
    }
    for property in Property::ALL {
        let unit = find(property.si_unit()).unwrap();
        assert_eq!(
            (unit.property, unit.factor, unit.shift),
            (*property, 1.0, 0.0)
        );
    }
    for kind in MEASUREMENTS.words() {
        assert!(Property::of_measurement(kind).is_some(), "{kind}");
    }
    assert_eq!(Property::of_measurement("Warmth"), None);
    assert!(!is_code("kg") && !is_code("K") && !is_code("KGMM") && !is_code(""));
}

proptest! {
    #[test]
    fn there_and_back_is_where_it_began(
        value in -1e6_f64..1e6, at in 0..table::CODES.len(), other in any::<proptest::sample::Index>(),
    ) {
        let unit = find(table::CODES[at]).unwrap();
        let same: Vec<&str> = table::CODES
            .iter()
            .copied()
            .filter(|code| find(code).is_some_and(|found| found.property == unit.property))
            .collect();
        let to = same[other.index(same.len())];
        let back = convert(convert(value, unit.code, to).unwrap(), to, unit.code).unwrap();
        // Degrees carry the error of the absolute temperature.
        let scale = value.abs() + unit.shift;
        prop_assert!((back - value).abs() <= 4e-15 * scale.max(1e-300), "{} {to}: {value} {back}", unit.code);
    }
}
