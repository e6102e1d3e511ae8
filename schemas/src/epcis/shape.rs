//! The members of an event and of the objects in it, as tables (EPCIS 2.0 sections 7.3 and 7.4;
//! GS1's JSON schema is the same in another form).

use serde_json::Value;

use super::facts::EventType;
use super::rule::{self, Outcome};
use super::semantics::{self, InnerRule, Rule};
use super::vocabulary::{
    ALERTS, COMPONENTS, DISPOSITIONS, ERROR_REASONS, MEASUREMENTS, PARTY_TYPES, STEPS,
    TRANSACTION_TYPES, Vocabulary,
};

/// An object: its members, whether extensions may stand beside them, and what holds between them.
pub(super) struct Shape {
    groups: &'static [&'static [Member]],
    pub(super) extensible: bool,
    pub(super) rules: &'static [Rule],
    /// What holds between the object and the entries of its lists.
    pub(super) inner: Option<InnerRule>,
}

impl Shape {
    pub(super) fn members(&self) -> impl Iterator<Item = &'static Member> {
        self.groups.iter().copied().flatten()
    }
}

/// No shape has more members; one that had would not compile.
pub(super) const MEMBERS_MOST: usize = 32;

/// A member that the standard names.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What a value must be.
pub(super) enum Kind {
    /// Judged elsewhere.
    Any,
    /// A rule of rule set 1.
    Rule(fn(&Value) -> Outcome),
    /// `@context`: a URI, an object, or a list of them.
    Context,
    Time,
    Uri,
    UriOrUris,
    Item(Level),
    Word(&'static Vocabulary),
    Number,
    Text,
    Boolean,
    Hexadecimal,
    /// Unit of measure, UN/CEFACT Recommendation 20: 2 or 3 capitals and digits.
    Unit,
    Object(&'static Shape),
    List(&'static List),
}

/// Whether an identifier names one thing or a class of things.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Instance,
    Class,
    Either,
}

/// A list and what its entries must be.
pub(super) struct List {
    pub(super) of: Kind,
    pub(super) may_be_empty: bool,
    pub(super) unique: bool,
}

const fn any_of(of: Kind) -> List {
    List {
        of,
        may_be_empty: true,
        unique: false,
    }
}

const fn some_of(of: Kind) -> List {
    List {
        of,
        may_be_empty: false,
        unique: false,
    }
}

const fn may(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        required: false,
    }
}

const fn must(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        required: true,
    }
}

const fn count(groups: &[&[Member]]) -> usize {
    let (mut group, mut sum) = (0, 0);
    while group < groups.len() {
        sum += groups[group].len();
        group += 1;
    }
    sum
}

const fn open(groups: &'static [&'static [Member]], rules: &'static [Rule]) -> Shape {
    assert!(count(groups) <= MEMBERS_MOST);
    Shape {
        groups,
        extensible: true,
        rules,
        inner: None,
    }
}

const fn closed(groups: &'static [&'static [Member]], rules: &'static [Rule]) -> Shape {
    assert!(count(groups) <= MEMBERS_MOST);
    Shape {
        groups,
        extensible: false,
        rules,
        inner: None,
    }
}

/// The shape of an event of this type.
pub(super) fn of_event(event_type: EventType) -> &'static Shape {
    match event_type {
        EventType::Object => &OBJECT_EVENT,
        EventType::Aggregation => &AGGREGATION_EVENT,
        EventType::Transaction => &TRANSACTION_EVENT,
        EventType::Transformation => &TRANSFORMATION_EVENT,
        EventType::Association => &ASSOCIATION_EVENT,
    }
}

static COMMON: [Member; 15] = [
    must("type", Kind::Rule(rule::event_type)),
    must("eventTime", Kind::Rule(rule::event_time)),
    must("eventTimeZoneOffset", Kind::Rule(rule::time_zone_offset)),
    // Presence depends on the type: `rule::action` judges the two together.
    may("action", Kind::Any),
    may("@context", Kind::Context),
    may("eventID", Kind::Uri),
    may("recordTime", Kind::Time),
    may("certificationInfo", Kind::UriOrUris),
    may("errorDeclaration", Kind::Object(&ERROR_DECLARATION)),
    may("bizStep", Kind::Word(&STEPS)),
    may("disposition", Kind::Word(&DISPOSITIONS)),
    may("readPoint", Kind::Object(&PLACE)),
    may("bizLocation", Kind::Object(&PLACE)),
    may("sensorElementList", Kind::List(&SENSOR_ELEMENTS)),
    may("bizTransactionList", Kind::List(&TRANSACTIONS)),
];

static PARTIES: [Member; 2] = [
    may("sourceList", Kind::List(&SOURCES)),
    may("destinationList", Kind::List(&DESTINATIONS)),
];

static THINGS: [Member; 2] = [
    may("epcList", Kind::List(&UNIQUE_ITEMS)),
    may("quantityList", Kind::List(&QUANTITIES)),
];

static CHILDREN: [Member; 3] = [
    may("parentID", Kind::Item(Level::Instance)),
    may("childEPCs", Kind::List(&ITEMS)),
    may("childQuantityList", Kind::List(&QUANTITIES)),
];

static LIFE: [Member; 2] = [
    may("ilmd", Kind::Object(&EXTENSIONS)),
    may(
        "persistentDisposition",
        Kind::Object(&PERSISTENT_DISPOSITION),
    ),
];

static CHANGES: [Member; 5] = [
    may("inputEPCList", Kind::List(&UNIQUE_ITEMS)),
    may("inputQuantityList", Kind::List(&QUANTITIES)),
    may("outputEPCList", Kind::List(&UNIQUE_ITEMS)),
    may("outputQuantityList", Kind::List(&QUANTITIES)),
    may("transformationID", Kind::Uri),
];

static TRANSACTION_PARENT: [Member; 1] = [may("parentID", Kind::Item(Level::Instance))];

static OBJECT_EVENT: Shape = open(
    &[&COMMON, &PARTIES, &THINGS, &LIFE],
    &[semantics::object_event],
);
static AGGREGATION_EVENT: Shape = open(
    &[&COMMON, &PARTIES, &CHILDREN],
    &[
        semantics::aggregation_event,
        semantics::children,
        semantics::not_its_own_parent,
    ],
);
static ASSOCIATION_EVENT: Shape = open(
    &[&COMMON, &PARTIES, &CHILDREN],
    &[
        semantics::association_event,
        semantics::children,
        semantics::not_its_own_parent,
    ],
);
static TRANSACTION_EVENT: Shape = open(
    &[&COMMON, &PARTIES, &THINGS, &TRANSACTION_PARENT],
    &[semantics::transaction_event],
);
static TRANSFORMATION_EVENT: Shape = open(
    &[&COMMON, &PARTIES, &CHANGES, &LIFE],
    &[semantics::transformation_event],
);

static ITEMS: List = any_of(Kind::Item(Level::Instance));
static UNIQUE_ITEMS: List = List {
    of: Kind::Item(Level::Instance),
    may_be_empty: true,
    unique: true,
};
static QUANTITIES: List = any_of(Kind::Object(&QUANTITY));
static TRANSACTIONS: List = any_of(Kind::Object(&TRANSACTION));
static SOURCES: List = any_of(Kind::Object(&SOURCE));
static DESTINATIONS: List = any_of(Kind::Object(&DESTINATION));
static SENSOR_ELEMENTS: List = any_of(Kind::Object(&SENSOR_ELEMENT));
static SENSOR_REPORTS: List = some_of(Kind::Object(&SENSOR_REPORT));
static EVENT_IDS: List = any_of(Kind::Uri);
static DISPOSITION_WORDS: List = List {
    of: Kind::Word(&DISPOSITIONS),
    may_be_empty: false,
    unique: true,
};

static EXTENSIONS: Shape = open(&[], &[]);

static PLACE: Shape = open(&[&[must("id", Kind::Item(Level::Either))]], &[]);

static QUANTITY: Shape = closed(
    &[&[
        must("epcClass", Kind::Item(Level::Class)),
        may("quantity", Kind::Number),
        may("uom", Kind::Unit),
    ]],
    &[semantics::quantity],
);

static TRANSACTION: Shape = closed(
    &[&[
        may("type", Kind::Word(&TRANSACTION_TYPES)),
        must("bizTransaction", Kind::Item(Level::Either)),
    ]],
    &[],
);

static SOURCE: Shape = closed(
    &[&[
        must("type", Kind::Word(&PARTY_TYPES)),
        must("source", Kind::Item(Level::Either)),
    ]],
    &[],
);

static DESTINATION: Shape = closed(
    &[&[
        must("type", Kind::Word(&PARTY_TYPES)),
        must("destination", Kind::Item(Level::Either)),
    ]],
    &[],
);

static PERSISTENT_DISPOSITION: Shape = closed(
    &[&[
        may("set", Kind::List(&DISPOSITION_WORDS)),
        may("unset", Kind::List(&DISPOSITION_WORDS)),
    ]],
    &[semantics::persistent_disposition],
);

static ERROR_DECLARATION: Shape = open(
    &[&[
        must("declarationTime", Kind::Time),
        may("reason", Kind::Word(&ERROR_REASONS)),
        may("correctiveEventIDs", Kind::List(&EVENT_IDS)),
    ]],
    &[],
);

static SENSOR_ELEMENT: Shape = Shape {
    inner: Some(semantics::sensor_element),
    ..open(
        &[&[
            may("sensorMetadata", Kind::Object(&SENSOR_METADATA)),
            must("sensorReport", Kind::List(&SENSOR_REPORTS)),
        ]],
        &[],
    )
};

/// What metadata and report both may say of the device.
static SENSOR_ORIGIN: [Member; 6] = [
    may("time", Kind::Time),
    may("deviceID", Kind::Uri),
    may("deviceMetadata", Kind::Uri),
    may("rawData", Kind::Uri),
    may("dataProcessingMethod", Kind::Uri),
    may("bizRules", Kind::Uri),
];

static SENSOR_METADATA: Shape = open(
    &[
        &SENSOR_ORIGIN,
        &[may("startTime", Kind::Time), may("endTime", Kind::Time)],
    ],
    &[semantics::sensor_metadata],
);

static SENSOR_REPORT: Shape = open(
    &[
        &SENSOR_ORIGIN,
        &[
            must("type", Kind::Word(&MEASUREMENTS)),
            may("exception", Kind::Word(&ALERTS)),
            may("microorganism", Kind::Uri),
            may("chemicalSubstance", Kind::Uri),
            may("coordinateReferenceSystem", Kind::Uri),
            may("component", Kind::Word(&COMPONENTS)),
            may("value", Kind::Number),
            may("stringValue", Kind::Text),
            may("booleanValue", Kind::Boolean),
            may("hexBinaryValue", Kind::Hexadecimal),
            may("uriValue", Kind::Uri),
            may("minValue", Kind::Number),
            may("maxValue", Kind::Number),
            may("meanValue", Kind::Number),
            may("sDev", Kind::Number),
            may("percRank", Kind::Number),
            may("percValue", Kind::Number),
            may("uom", Kind::Unit),
        ],
    ],
    &[semantics::sensor_report],
);
