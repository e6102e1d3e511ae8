//! Standard words of CBV 2.0 (sections 7.1 to 7.6) and of the GS1 Web Vocabulary.

use super::violation::{Problem, excerpt};
use crate::gs1::is_absolute_uri;

/// One list of words. In JSON a standard word stands bare; every other word must be a URI.
pub(super) struct Vocabulary {
    /// What a word of it is, for messages.
    name: &'static str,
    /// What the full URI of a standard word may begin with.
    prefixes: &'static [&'static str],
    words: &'static [&'static str],
}

impl Vocabulary {
    /// A word without the prefix of its full form; any other URI comes back as it is.
    pub(super) fn bare<'a>(&self, word: &'a str) -> &'a str {
        self.prefixes
            .iter()
            .find_map(|prefix| word.strip_prefix(prefix))
            .unwrap_or(word)
    }

    /// A bare word as the vocabulary has it; `None` for any other text.
    pub(super) fn word(&self, bare: &str) -> Option<&'static str> {
        self.words.iter().copied().find(|word| *word == bare)
    }

    /// Writes the full URI of a standard word; any other text as it is.
    pub(super) fn write_full(&self, word: &str, out: &mut String) {
        let bare = self.bare(word);
        match self.prefixes.first() {
            Some(prefix) if self.words.contains(&bare) => {
                out.push_str(prefix);
                out.push_str(bare);
            }
            _ => out.push_str(word),
        }
    }

    /// All standard words.
    #[cfg(test)]
    pub(super) fn words(&self) -> &'static [&'static str] {
        self.words
    }

    pub(super) fn check(&self, word: &str) -> Result<(), Problem> {
        let bare = self.bare(word);
        let foreign = bare.len() == word.len() && is_absolute_uri(word);
        if foreign || self.words.contains(&bare) {
            return Ok(());
        }
        Err(Problem::UnknownWord {
            vocabulary: self.name,
            word: excerpt(word),
        })
    }
}

/// Business steps, CBV 2.0 section 7.1.
pub(super) static STEPS: Vocabulary = Vocabulary {
    name: "business step",
    prefixes: &super::rule::STEP_PREFIXES,
    words: &[
        "accepting",
        "arriving",
        "assembling",
        "collecting",
        "commissioning",
        "consigning",
        "creating_class_instance",
        "cycle_counting",
        "decommissioning",
        "departing",
        "destroying",
        "disassembling",
        "dispensing",
        "encoding",
        "entering_exiting",
        "holding",
        "inspecting",
        "installing",
        "killing",
        "loading",
        "other",
        "packing",
        "picking",
        "receiving",
        "removing",
        "repackaging",
        "repairing",
        "replacing",
        "reserving",
        "retail_selling",
        "sampling",
        "sensor_reporting",
        "shipping",
        "staging_outbound",
        "stock_taking",
        "stocking",
        "storing",
        "transporting",
        "unloading",
        "unpacking",
        "void_shipping",
    ],
};

/// Dispositions, CBV 2.0 section 7.2.
pub(super) static DISPOSITIONS: Vocabulary = Vocabulary {
    name: "disposition",
    prefixes: &["https://ref.gs1.org/cbv/Disp-", "urn:epcglobal:cbv:disp:"],
    words: &[
        "active",
        "available",
        "completeness_inferred",
        "completeness_verified",
        "conformant",
        "container_closed",
        "container_open",
        "damaged",
        "destroyed",
        "dispensed",
        "disposed",
        "encoded",
        "expired",
        "in_progress",
        "in_transit",
        "inactive",
        "mismatch_class",
        "mismatch_instance",
        "mismatch_quantity",
        "needs_replacement",
        "no_pedigree_match",
        "non_conformant",
        "non_sellable_other",
        "partially_dispensed",
        "recalled",
        "reserved",
        "retail_sold",
        "returned",
        "sellable_accessible",
        "sellable_not_accessible",
        "stolen",
        "unavailable",
        "unknown",
    ],
};

/// Business transaction types, CBV 2.0 section 7.3.
pub(super) static TRANSACTION_TYPES: Vocabulary = Vocabulary {
    name: "business transaction type",
    prefixes: &["https://ref.gs1.org/cbv/BTT-", "urn:epcglobal:cbv:btt:"],
    words: &[
        "bol",
        "cert",
        "desadv",
        "inv",
        "pedigree",
        "po",
        "poc",
        "prodorder",
        "recadv",
        "rma",
        "testprd",
        "testres",
        "upevt",
    ],
};

/// Source and destination types, CBV 2.0 section 7.4.
pub(super) static PARTY_TYPES: Vocabulary = Vocabulary {
    name: "source or destination type",
    prefixes: &["https://ref.gs1.org/cbv/SDT-", "urn:epcglobal:cbv:sdt:"],
    words: &["location", "owning_party", "possessing_party"],
};

/// Error reasons, CBV 2.0 section 7.5.
pub(super) static ERROR_REASONS: Vocabulary = Vocabulary {
    name: "error reason",
    prefixes: &["https://ref.gs1.org/cbv/ER-", "urn:epcglobal:cbv:er:"],
    words: &["did_not_occur", "incorrect_data"],
};

/// Components of a measurement, CBV 2.0 section 7.6.
pub(super) static COMPONENTS: Vocabulary = Vocabulary {
    name: "measurement component",
    prefixes: &["https://ref.gs1.org/cbv/Comp-", "urn:epcglobal:cbv:comp:"],
    words: &[
        "altitude",
        "axial_distance",
        "azimuth",
        "easting",
        "elevation_angle",
        "height",
        "latitude",
        "longitude",
        "northing",
        "polar_angle",
        "spherical_radius",
        "x",
        "y",
        "z",
    ],
};

const WEB_VOCABULARY: &[&str] = &["https://gs1.org/voc/", "https://www.gs1.org/voc/", "gs1:"];

/// Alert types of the GS1 Web Vocabulary.
pub(super) static ALERTS: Vocabulary = Vocabulary {
    name: "sensor alert",
    prefixes: WEB_VOCABULARY,
    words: &["ALARM_CONDITION", "ERROR_CONDITION"],
};

/// Measurement types of the GS1 Web Vocabulary.
pub(super) static MEASUREMENTS: Vocabulary = Vocabulary {
    name: "measurement type",
    prefixes: WEB_VOCABULARY,
    words: &[
        "AbsoluteHumidity",
        "AbsorbedDose",
        "AbsorbedDoseRate",
        "Acceleration",
        "Altitude",
        "AmountOfSubstance",
        "AmountOfSubstancePerUnitVolume",
        "Angle",
        "AngularAcceleration",
        "AngularMomentum",
        "AngularVelocity",
        "Area",
        "Capacitance",
        "Conductance",
        "Conductivity",
        "Count",
        "Density",
        "Dimensionless",
        "DoseEquivalent",
        "DoseEquivalentRate",
        "DynamicViscosity",
        "ElectricCharge",
        "ElectricCurrent",
        "ElectricCurrentDensity",
        "ElectricFieldStrength",
        "Energy",
        "Exposure",
        "Force",
        "Frequency",
        "Illuminance",
        "Inductance",
        "Irradiance",
        "KinematicViscosity",
        "Length",
        "LinearMomentum",
        "Luminance",
        "LuminousFlux",
        "LuminousIntensity",
        "MagneticFlux",
        "MagneticFluxDensity",
        "MagneticVectorPotential",
        "Mass",
        "MassConcentration",
        "MassFlowRate",
        "MassPerAreaTime",
        "MemoryCapacity",
        "MolalityOfSolute",
        "MolarEnergy",
        "MolarMass",
        "MolarVolume",
        "Power",
        "Pressure",
        "RadiantFlux",
        "RadiantIntensity",
        "Radioactivity",
        "RelativeHumidity",
        "Resistance",
        "Resistivity",
        "SolidAngle",
        "SpecificVolume",
        "Speed",
        "SurfaceDensity",
        "SurfaceTension",
        "Temperature",
        "Time",
        "Torque",
        "Voltage",
        "Volume",
        "VolumeFlowRate",
        "VolumeFraction",
        "VolumetricFlux",
        "Wavenumber",
    ],
};
