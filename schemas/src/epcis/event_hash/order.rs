//! The canonical order of members (CBV 2.0 section 8.9, table of the property order).

use crate::epcis::vocabulary::{
    ALERTS, COMPONENTS, DISPOSITIONS, MEASUREMENTS, PARTY_TYPES, STEPS, TRANSACTION_TYPES,
    Vocabulary,
};

/// Most members that one of the tables below has (a test counts).
pub(super) const MAX_FIELDS: usize = 32;

/// A member and how it is written.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) form: Form,
}

pub(super) enum Form {
    /// Not part of the hash.
    LeftOut,
    /// `name=value`, once for each entry of a list; identifiers in their canonical form.
    Text,
    /// `name=value`, an instant.
    Time,
    /// `name=value`, a standard word by its full URI.
    Word(&'static Vocabulary),
    /// The list's name, then `label=value` for each entry.
    Things(&'static str),
    /// The name, then the members.
    Object(&'static [Field]),
    /// A heading, then for each entry a label and its members.
    Objects {
        heading: &'static str,
        label: &'static str,
        fields: &'static [Field],
    },
}

const fn text(name: &'static str) -> Field {
    Field {
        name,
        form: Form::Text,
    }
}

const fn time(name: &'static str) -> Field {
    Field {
        name,
        form: Form::Time,
    }
}

const fn word(name: &'static str, vocabulary: &'static Vocabulary) -> Field {
    Field {
        name,
        form: Form::Word(vocabulary),
    }
}

const fn left_out(name: &'static str) -> Field {
    Field {
        name,
        form: Form::LeftOut,
    }
}

const fn things(name: &'static str) -> Field {
    Field {
        name,
        form: Form::Things("epc"),
    }
}

const fn object(name: &'static str, fields: &'static [Field]) -> Field {
    Field {
        name,
        form: Form::Object(fields),
    }
}

const fn quantities(name: &'static str) -> Field {
    objects(name, "quantityElement", QUANTITY)
}

const fn objects(name: &'static str, label: &'static str, fields: &'static [Field]) -> Field {
    Field {
        name,
        form: Form::Objects {
            heading: name,
            label,
            fields,
        },
    }
}

pub(super) static EVENT: &[Field] = &[
    left_out("type"),
    left_out("eventID"),
    left_out("recordTime"),
    left_out("errorDeclaration"),
    time("eventTime"),
    text("eventTimeZoneOffset"),
    text("certificationInfo"),
    things("epcList"),
    text("parentID"),
    things("inputEPCList"),
    things("childEPCs"),
    quantities("quantityList"),
    quantities("childQuantityList"),
    quantities("inputQuantityList"),
    things("outputEPCList"),
    quantities("outputQuantityList"),
    text("action"),
    text("transformationID"),
    word("bizStep", &STEPS),
    word("disposition", &DISPOSITIONS),
    object("persistentDisposition", PERSISTENT),
    object("readPoint", PLACE),
    object("bizLocation", PLACE),
    objects("sensorElementList", "sensorElement", SENSOR_ELEMENT),
    objects("bizTransactionList", "", TRANSACTION),
    objects("destinationList", "", DESTINATION),
    objects("sourceList", "", SOURCE),
    object("ilmd", &[]),
];

static QUANTITY: &[Field] = &[text("epcClass"), text("quantity"), text("uom")];

static PERSISTENT: &[Field] = &[word("set", &DISPOSITIONS), word("unset", &DISPOSITIONS)];

static PLACE: &[Field] = &[text("id")];

static TRANSACTION: &[Field] = &[word("type", &TRANSACTION_TYPES), text("bizTransaction")];

static DESTINATION: &[Field] = &[word("type", &PARTY_TYPES), text("destination")];

static SOURCE: &[Field] = &[word("type", &PARTY_TYPES), text("source")];

static SENSOR_ELEMENT: &[Field] = &[
    object("sensorMetadata", SENSOR_METADATA),
    Field {
        name: "sensorReport",
        form: Form::Objects {
            heading: "",
            label: "sensorReport",
            fields: SENSOR_REPORT,
        },
    },
];

static SENSOR_METADATA: &[Field] = &[
    time("time"),
    time("startTime"),
    time("endTime"),
    text("deviceID"),
    text("deviceMetadata"),
    text("rawData"),
    text("dataProcessingMethod"),
    text("bizRules"),
];

static SENSOR_REPORT: &[Field] = &[
    word("type", &MEASUREMENTS),
    word("exception", &ALERTS),
    text("deviceID"),
    text("deviceMetadata"),
    text("rawData"),
    text("dataProcessingMethod"),
    // The standard's table has no place for it; this is its place in the metadata.
    text("bizRules"),
    time("time"),
    text("microorganism"),
    text("chemicalSubstance"),
    text("value"),
    word("component", &COMPONENTS),
    text("stringValue"),
    text("booleanValue"),
    text("hexBinaryValue"),
    text("uriValue"),
    text("minValue"),
    text("maxValue"),
    text("meanValue"),
    text("sDev"),
    text("percRank"),
    text("percValue"),
    text("uom"),
    text("coordinateReferenceSystem"),
];
