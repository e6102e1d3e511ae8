//! The table, by property. Factors are those of Recommendation 20 where it states them exactly, else
//! made of the exact definitions (inch, pound, gallon, standard gravity, calorie, curie).

use std::f64::consts::{PI, TAU};

use super::Unit;

macro_rules! properties {
    ($($name:ident, $words:literal, $si:literal, [$($kind:literal)*], [$($code:literal = $factor:expr),*];)*) => {
        /// A physical property, as far as units tell it: what converts into each other.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Property {
            $(#[doc = concat!("Measured in `", $si, "` as its SI unit: ", $words, ".")] $name,)*
        }

        impl Property {
            /// All properties.
            pub const ALL: &'static [Property] = &[$(Property::$name),*];

            /// In words, for messages.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Property::$name => $words),* }
            }

            /// Code of its SI unit.
            #[must_use]
            pub fn si_unit(self) -> &'static str {
                match self { $(Property::$name => $si),* }
            }

            /// The property that a measurement type of CBV 2.0 (its bare word) names; `None` for a
            /// type that is not the standard's.
            #[must_use]
            pub fn of_measurement(kind: &str) -> Option<Self> {
                match kind { $($($kind)|* => Some(Property::$name),)* _ => None }
            }
        }

        pub(super) fn find(code: &str) -> Option<Unit> {
            let (code, property, factor): (&'static str, Property, f64) = match code {
                $($si => ($si, Property::$name, 1.0), $($code => ($code, Property::$name, $factor),)*)*
                _ => return temperature(code),
            };
            Some(Unit { code, property, factor, shift: 0.0 })
        }

        /// Every code, for tests.
        #[cfg(test)]
        pub(super) const CODES: &[&str] = &["CEL", "FAH", "A48", $($si, $($code,)*)*];
    };
}

/// Degrees, whose zero is not absolute zero.
fn temperature(code: &str) -> Option<Unit> {
    let (code, factor, shift) = match code {
        "CEL" => ("CEL", 1.0, 273.15),
        "FAH" => ("FAH", 5.0 / 9.0, 459.67),
        "A48" => ("A48", 5.0 / 9.0, 0.0),
        _ => return None,
    };
    let property = Property::Temperature;
    Some(Unit {
        code,
        property,
        factor,
        shift,
    })
}

properties! {
    Temperature, "temperature", "KEL", ["Temperature"],
        [];
    Pressure, "pressure", "PAL", ["Pressure"],
        ["H75" = 10.0, "74" = 1e-3, "A89" = 1e9, "A97" = 1e2, "B96" = 1e-6, "KPA" = 1e3, "MPA" =
        1e6, "BAR" = 1e5, "MBR" = 1e2, "C55" = 1.0, "C56" = 1e6, "B40" = 9.80665, "UA" = 101_325.0
        / 760.0, "ATT" = 98_066.5, "ATM" = 101_325.0, "E42" = 98_066.5, "HN" = 133.322_387_415,
        "PS" = 6_894.757_293_168_361, "HP" = 9.806_65, "H78" = 98.0665, "N23" = 9_806.65, "F79" =
        3_386.388_640_341];
    MassDensity, "mass in a volume", "KMQ", ["AbsoluteHumidity" "Density" "MassConcentration"],
        ["23" = 1e3, "D41" = 1e3, "GJ" = 1e3, "B35" = 1e3, "GL" = 1.0, "A93" = 1e-3, "GP" = 1e-6,
        "B72" = 1e3, "B34" = 1e3, "H29" = 1e-6, "M1" = 1e-3, "GQ" = 1e-9, "F23" = 1.0, "G31" =
        1e6, "87" = 0.453_592_37 / 0.028_316_846_592, "GE" = 0.453_592_37 / 0.003_785_411_784,
        "LA" = 0.453_592_37 / 0.000_016_387_064];
    SpecificVolume, "volume of a mass", "A39", ["SpecificVolume"],
        ["22" = 0.1, "H83" = 1e-3, "KX" = 1e-6, "N28" = 1e-3];
    Force, "force", "NEW", ["Force"],
        ["B47" = 1e3, "B73" = 1e6, "B92" = 1e-6, "C20" = 1e-3, "DU" = 1e-5, "C78" =
        4.448_221_615_260_5, "B37" = 9.80665, "B51" = 9.80665, "M78" = 9.80665e-3, "M77" = 1.0,
        "M75" = 4_448.221_615_260_5];
    LinearMomentum, "momentum", "B31", ["LinearMomentum"],
        ["C57" = 1.0, "M98" = 1e-2, "M99" = 1e-5];
    AngularMomentum, "angular momentum", "B33", ["AngularMomentum"],
        ["C53" = 1.0];
    Energy, "energy", "JOU", ["Energy"],
        ["KJO" = 1e3, "A68" = 1e18, "C68" = 1e15, "D30" = 1e12, "GV" = 1e9, "3B" = 1e6, "C15" =
        1e-3, "A70" = 1e-15, "A13" = 1e-18, "WHR" = 3.6e3, "KWH" = 3.6e6, "MWH" = 3.6e9, "GWH" =
        3.6e12, "D32" = 3.6e15, "A53" = 1.602_176_634e-19, "B29" = 1.602_176_634e-16, "B71" =
        1.602_176_634e-13, "A85" = 1.602_176_634e-10, "A57" = 1e-7, "85" =
        1.355_817_948_331_400_4, "E14" = 4_186.8, "K53" = 4_184.0, "BTU" = 1_055.055_852_62, "J55"
        = 1.0];
    Torque, "torque", "NU", ["Torque"],
        ["F88" = 1e-2, "B74" = 1e6, "B48" = 1e3, "D83" = 1e-3, "B93" = 1e-6, "DN" = 0.1, "J72" =
        1e-2, "J94" = 1e-7, "M92" = 1.355_817_948_331_400_4, "M97" = 1e-5];
    Power, "power", "WTT", ["Power" "RadiantFlux"],
        ["KWT" = 1e3, "MAW" = 1e6, "A90" = 1e9, "D31" = 1e12, "C31" = 1e-3, "D80" = 1e-6, "C49" =
        1e-9, "C75" = 1e-12, "A63" = 1e-7, "HJ" = 735.498_75, "A25" = 735.498_75, "N12" =
        735.498_75, "D46" = 1.0, "P14" = 1.0, "P18" = 1e3, "J45" = 1_055.055_852_62, "K43" =
        746.0];
    ElectricCharge, "electric charge", "COU", ["ElectricCharge"],
        ["A8" = 1.0, "AMH" = 3.6e3, "TAH" = 3.6e6, "D77" = 1e6, "D86" = 1e-3, "B26" = 1e3, "B86" =
        1e-6, "C40" = 1e-9, "C71" = 1e-12, "E09" = 3.6, "N95" = 60.0];
    ElectricCurrent, "electric current", "AMP", ["ElectricCurrent"],
        ["B22" = 1e3, "H38" = 1e6, "4K" = 1e-3, "B84" = 1e-6, "C39" = 1e-9, "C70" = 1e-12, "N96" =
        10.0];
    CurrentDensity, "electric current through an area", "A41", ["ElectricCurrentDensity"],
        ["A4" = 1e4, "A7" = 1e6, "B23" = 1e3];
    FieldStrength, "strength of an electric field", "D50", ["ElectricFieldStrength"],
        ["B79" = 1e6, "B55" = 1e3, "C30" = 1e-3];
    Resistance, "electric resistance", "OHM", ["Resistance"],
        ["A87" = 1e9, "B75" = 1e6, "H44" = 1e12, "B49" = 1e3, "E45" = 1e-3, "B94" = 1e-6, "P22" =
        1e-9];
    Resistivity, "electric resistivity", "C61", ["Resistivity"],
        ["A88" = 1e9, "B76" = 1e6, "B50" = 1e3, "C23" = 1e-3, "B95" = 1e-6, "C46" = 1e-9, "C60" =
        1e-2];
    Conductance, "electric conductance", "SIE", ["Conductance"],
        ["B53" = 1e3, "C27" = 1e-3, "B99" = 1e-6, "N92" = 1e-12, "NQ" = 1.0, "NR" = 1e-6];
    Conductivity, "electric conductivity", "D10", ["Conductivity"],
        ["B77" = 1e6, "B54" = 1e3];
    Voltage, "voltage", "VLT", ["Voltage"],
        ["N99" = 1e-12, "2Z" = 1e-3, "B78" = 1e6, "D82" = 1e-6, "KVT" = 1e3];
    Capacitance, "capacitance", "FAR", ["Capacitance"],
        ["H48" = 1e-18, "C10" = 1e-3, "4O" = 1e-6, "C41" = 1e-9, "4T" = 1e-12, "N90" = 1e3];
    Inductance, "inductance", "81", ["Inductance"],
        ["C14" = 1e-3, "B90" = 1e-6, "C43" = 1e-9, "C73" = 1e-12, "P24" = 1e3];
    FluxDensity, "density of a magnetic flux", "D33", ["MagneticFluxDensity"],
        ["C29" = 1e-3, "D81" = 1e-6, "C48" = 1e-9, "P13" = 1e3, "P12" = 1e-9];
    MagneticFlux, "magnetic flux", "WEB", ["MagneticFlux"],
        ["C33" = 1e-3, "P11" = 1e3];
    VectorPotential, "magnetic vector potential", "D59", ["MagneticVectorPotential"],
        ["B56" = 1e3, "D60" = 1e3];
    Angle, "angle", "C81", ["Angle"],
        ["C25" = 1e-3, "B97" = 1e-6, "A91" = PI / 200.0, "DD" = PI / 180.0, "D61" = PI / 10_800.0,
        "D62" = PI / 648_000.0, "M43" = PI / 3_200.0, "M44" = TAU];
    SolidAngle, "solid angle", "D27", ["SolidAngle"],
        [];
    AngularVelocity, "angular velocity", "2A", ["AngularVelocity"],
        [];
    AngularAcceleration, "angular acceleration", "2B", ["AngularAcceleration"],
        [];
    Mass, "mass", "KGM", ["Mass"],
        ["KTN" = 1e6, "2U" = 1e3, "TNE" = 1e3, "DTN" = 1e2, "HGM" = 0.1, "DJ" = 1e-2, "GRM" =
        1e-3, "DG" = 1e-4, "CGM" = 1e-5, "MGM" = 1e-6, "MC" = 1e-9, "LBR" = 0.453_592_37, "ONZ" =
        0.028_349_523_125, "APZ" = 0.031_103_476_8, "STI" = 6.350_293_18, "LTN" = 1_016.046_908_8,
        "STN" = 907.184_74, "CWI" = 50.802_345_44, "CWA" = 45.359_237, "M86" = 0.5];
    Length, "length", "MTR", ["Length" "Altitude"],
        ["A11" = 1e-10, "A71" = 1e-15, "C45" = 1e-9, "4H" = 1e-6, "MMT" = 1e-3, "CMT" = 1e-2,
        "DMT" = 0.1, "A45" = 10.0, "HMT" = 1e2, "KMT" = 1e3, "INH" = 0.0254, "FOT" = 0.3048, "YRD"
        = 0.9144, "SMI" = 1_609.344, "NMI" = 1_852.0, "AK" = 1.8288, "A12" = 149_597_870_700.0];
    Wavenumber, "number of waves in a length", "C92", ["Wavenumber"],
        ["E90" = 1e2];
    Area, "area", "MTK", ["Area"],
        ["KMK" = 1e6, "H30" = 1e-12, "DAA" = 1e3, "CMK" = 1e-4, "DMK" = 1e-2, "H16" = 1e2, "H18" =
        1e4, "MMK" = 1e-6, "ARE" = 1e2, "HAR" = 1e4, "INK" = 6.4516e-4, "FTK" = 0.092_903_04,
        "YDK" = 0.836_127_36, "MIK" = 2_589_988.110_336];
    Volume, "volume", "MTQ", ["Volume"],
        ["MAL" = 1e3, "LTR" = 1e-3, "MMQ" = 1e-9, "CMQ" = 1e-6, "DMQ" = 1e-3, "MLT" = 1e-6, "HLT"
        = 0.1, "CLT" = 1e-5, "DMA" = 1e3, "H19" = 1e6, "H20" = 1e9, "DLT" = 1e-4, "4G" = 1e-9,
        "K6" = 1.0, "A44" = 1e-2, "INQ" = 1.638_706_4e-5, "FTQ" = 0.028_316_846_592, "YDQ" =
        0.764_554_857_984, "GLI" = 0.004_546_09, "GLL" = 0.003_785_411_784, "PTI" =
        5.682_612_5e-4, "PTL" = 4.731_764_73e-4, "QTI" = 1.136_522_5e-3, "QTL" = 9.463_529_46e-4,
        "OZI" = 2.841_306_25e-5, "OZA" = 2.957_352_956_25e-5, "BLL" = 0.158_987_294_928, "G26" =
        1.0];
    Speed, "speed", "MTS", ["Speed"],
        ["KMH" = 1.0 / 3.6, "HM" = 0.44704, "KNT" = 1_852.0 / 3_600.0, "M62" = 1e3, "2M" = 1e-2,
        "C16" = 1e-3, "2X" = 1.0 / 60.0, "FR" = 0.3048 / 60.0, "FS" = 0.3048, "IU" = 0.0254, "H49"
        = 1e-2 / 3_600.0, "M58" = 1_609.344];
    Acceleration, "acceleration", "MSK", ["Acceleration"],
        ["A76" = 1e-2, "C11" = 1e-5, "M38" = 1e3, "M39" = 1e-2, "M41" = 1e-3, "A73" = 0.3048, "IV"
        = 0.0254, "K40" = 9.80665, "M40" = 0.9144];
    Frequency, "frequency", "HTZ", ["Frequency"],
        ["KHZ" = 1e3, "MHZ" = 1e6, "A86" = 1e9, "D29" = 1e12];
    Time, "time", "SEC", ["Time"],
        ["MIN" = 60.0, "HUR" = 3.6e3, "DAY" = 86_400.0, "WEE" = 604_800.0, "B52" = 1e3, "C26" =
        1e-3, "B98" = 1e-6, "C47" = 1e-9, "H70" = 1e-12, "ANN" = 31_557_600.0, "MON" =
        2_629_800.0];
    LuminousIntensity, "luminous intensity", "CDL", ["LuminousIntensity"],
        ["P33" = 1e3, "P34" = 1e-3];
    LuminousFlux, "luminous flux", "LUM", ["LuminousFlux"],
        [];
    Luminance, "luminance", "A24", ["Luminance"],
        [];
    Illuminance, "illuminance", "LUX", ["Illuminance"],
        ["B60" = 1.0, "KLX" = 1e3, "P26" = 1e4, "P25" = 1.0 / 0.092_903_04, "P27" = 1.0 /
        0.092_903_04];
    Irradiance, "radiant power on an area", "D54", ["Irradiance"],
        ["C32" = 1e-3, "D85" = 1e-6, "C76" = 1e-12];
    RadiantIntensity, "radiant intensity", "D57", ["RadiantIntensity"],
        [];
    AmountOfSubstance, "amount of substance", "C34", ["AmountOfSubstance"],
        ["B45" = 1e3, "C18" = 1e-3, "FH" = 1e-6];
    MolarMass, "molar mass", "D74", ["MolarMass"],
        ["A94" = 1e-3];
    MolarConcentration, "amount of substance in a volume", "C36", ["AmountOfSubstancePerUnitVolume"],
        ["M33" = 1.0, "C38" = 1e3, "C35" = 1e3, "B46" = 1e3];
    Molality, "amount of substance in a mass", "C19", ["MolalityOfSolute"],
        [];
    MolarVolume, "molar volume", "A40", ["MolarVolume"],
        ["A37" = 1e-3, "A36" = 1e-6, "B58" = 1e-3];
    MolarEnergy, "molar energy", "B15", ["MolarEnergy"],
        ["B44" = 1e3];
    Number, "number or ratio", "C62", ["Count" "Dimensionless" "RelativeHumidity" "VolumeFraction"],
        ["H87" = 1.0, "EA" = 1.0, "DZN" = 12.0, "GRO" = 144.0, "PR" = 2.0, "MIL" = 1e3, "CEN" =
        1e2, "P1" = 1e-2, "59" = 1e-6, "61" = 1e-9, "60" = 1e-2, "E40" = 1e-5, "NX" = 1e-3, "GK" =
        1e-3, "NA" = 1e-6, "J33" = 1e-9, "L32" = 1e-12, "M29" = 1.0, "K62" = 1.0, "L19" = 1e-3,
        "J36" = 1e-6, "H65" = 1e-6, "J87" = 1e-6, "L21" = 1e-9, "J91" = 1e-3];
    Radioactivity, "radioactivity", "BQL", ["Radioactivity"],
        ["CUR" = 3.7e10, "MCU" = 3.7e7, "M5" = 3.7e4, "2R" = 3.7e13, "GBQ" = 1e9, "2Q" = 1e3, "4N"
        = 1e6, "H08" = 1e-6];
    Exposure, "exposure to radiation", "C8", ["Exposure"],
        ["2C" = 2.58e-4, "2Y" = 2.58e-7];
    AbsorbedDose, "absorbed dose", "A95", ["AbsorbedDose"],
        ["C13" = 1e-3, "C80" = 1e-2, "A61" = 1e-4];
    AbsorbedDoseRate, "rate of absorbed dose", "A96", ["AbsorbedDoseRate"],
        ["P54" = 1e-3, "P55" = 1e-6, "P56" = 1e-9, "P57" = 1.0 / 60.0, "P58" = 1e-3 / 60.0, "P59"
        = 1e-6 / 60.0, "P60" = 1e-9 / 60.0, "P61" = 1.0 / 3_600.0, "P62" = 1e-3 / 3_600.0, "P63" =
        1e-6 / 3_600.0, "P64" = 1e-9 / 3_600.0];
    DoseEquivalent, "dose equivalent", "D13", ["DoseEquivalent"],
        ["C28" = 1e-3, "D91" = 1e-2, "L31" = 1e-5];
    DoseEquivalentRate, "rate of dose equivalent", "P65", ["DoseEquivalentRate"],
        ["P66" = 1e-3, "P67" = 1e-6, "P68" = 1e-9, "P69" = 1e-2, "P70" = 1.0 / 3_600.0, "P71" =
        1e-3 / 3_600.0, "P72" = 1e-6 / 3_600.0, "P73" = 1e-9 / 3_600.0, "P74" = 1.0 / 60.0, "P75"
        = 1e-3 / 60.0, "P76" = 1e-6 / 60.0, "P77" = 1e-9 / 60.0];
    VolumeFlow, "flow of a volume", "MQS", ["VolumeFlowRate"],
        ["2J" = 1e-6, "40" = 1e-6, "41" = 1e-6 / 60.0, "4X" = 1.0 / 3_600.0, "E32" = 1e-3 /
        3_600.0, "L2" = 1e-3 / 60.0, "LD" = 1e-3 / 86_400.0, "MQH" = 1.0 / 3_600.0, "G51" = 1e-3,
        "J93" = 1e-3, "J92" = 1e-3 / 60.0, "G2" = 0.003_785_411_784 / 60.0, "G3" = 0.004_546_09 /
        60.0, "E17" = 0.028_316_846_592, "2L" = 0.028_316_846_592 / 60.0, "2K" = 0.028_316_846_592
        / 3_600.0];
    MassFlow, "flow of a mass", "KGS", ["MassFlowRate"],
        [];
    MassFlux, "flow of a mass through an area", "H56", ["MassPerAreaTime"],
        [];
    VolumetricFlux, "flow of a volume through an area", "P87", ["VolumetricFlux"],
        [];
    DynamicViscosity, "dynamic viscosity", "C65", ["DynamicViscosity"],
        ["C24" = 1e-3, "89" = 0.1, "C7" = 1e-3];
    KinematicViscosity, "kinematic viscosity", "S4", ["KinematicViscosity"],
        ["91" = 1e-4, "4C" = 1e-6, "C17" = 1e-6];
    SurfaceTension, "surface tension", "4P", ["SurfaceTension"],
        ["C22" = 1e-3, "DX" = 1e-3];
    SurfaceDensity, "mass on an area", "28", ["SurfaceDensity"],
        ["GM" = 1e-3, "25" = 10.0, "GO" = 1e-6, "ON" = 0.028_349_523_125 / 0.836_127_36];
    Memory, "capacity of a memory", "AD", ["MemoryCapacity"],
        ["A99" = 0.125, "2P" = 1e3, "4L" = 1e6, "E34" = 1e9, "E35" = 1e12, "E36" = 1e15];
}
