//! Rules of bare codes: words, keys and commands, and a trial of the whole rule.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rust_decimal::Decimal;
use schemas::gs1::{Identifier, Key};
use schemas::time::Instant;
use toml::Spanned;

use super::super::super::rule::raw::{RawPart, RawRule};
use super::super::super::source::Written;
use super::super::super::{
    ConfigError, DeskTarget, Ending, PARTS_MAX, Part, Party, SCANS_MAX, ScanKind, ScanMeaning,
    ScanRule, SourceConfig, TransactionRule,
};
use super::super::Place;
use super::DAY_S;
use crate::compose::code::is_of_goods;
use crate::compose::desk::Desk;
use crate::compose::line::Action;
use crate::compose::presence::Direction;
use crate::names;

/// Longest command code in bytes.
const COMMAND_MAX: usize = 64;
/// One thing scanned again within this is a stutter, where the rule does not say otherwise.
const REPEAT_MS: u64 = 2_000;

type Texts = Option<Spanned<BTreeMap<String, Spanned<String>>>>;

pub(super) fn check(
    at: &Place<'_>,
    raw: &RawRule,
    table: &Range<usize>,
    desk: DeskTarget<'_>,
) -> Result<(), ConfigError> {
    let rule = ScanRule {
        name: match &raw.name {
            Some(value) => at.text("rule.name", value)?,
            None => format!("{} {}", raw.type_name.get_ref(), desk.rules.len() + 1),
        },
        select: command(at, "rule.select", raw.select.as_ref())?,
        step: {
            let value = at.required(table, "rule.step", &raw.step)?;
            at.key("rule.step", value, names::step)?
        },
        disposition: match &raw.disposition {
            Some(value) => Some(at.text("rule.disposition", value)?),
            None => None,
        },
        place: match &raw.place {
            Some(value) => at.key("rule.place", value, names::place)?,
            None => desk.place.to_owned(),
        },
        biz_location: match &raw.biz_location {
            Some(value) => Some(at.key("rule.biz_location", value, names::place)?),
            None => desk.biz_location.map(str::to_owned),
        },
        presence: match &raw.presence {
            Some(value) => Some(at.key("rule.presence", value, direction)?),
            None => None,
        },
        transaction: transaction(at, raw)?,
        parties: parties(at, raw)?,
        kind: kind(at, raw, table)?,
    };
    beside(at, raw, table, &rule, desk.rules)?;
    trial(at, raw, table, &rule)?;
    desk.rules.push(rule);
    Ok(())
}

/// A step or disposition of the source beside rules that say theirs would be said of nothing.
pub(super) fn step_beside(
    at: &Place<'_>,
    source: &Written,
    wanted: &Spanned<String>,
) -> ConfigError {
    let given = source.step.clone();
    let (field, span) = given.unwrap_or_else(|| ("rule.source", wanted.span()));
    let problem = "stands beside a rule, and each rule says its own: leave it out here";
    at.error(span, field, problem)
}

/// Each scanner has a step of its own, or rules.
pub(super) fn all_mean_something(
    at: &Place<'_>,
    written: &[Written],
    sources: &[SourceConfig],
) -> Result<(), ConfigError> {
    let means_nothing = |source: &SourceConfig| match source {
        SourceConfig::Scanner(scanner) => scanner.meaning == ScanMeaning::Rules(Vec::new()),
        _ => false,
    };
    let mut both = sources.iter().zip(written);
    match both.find(|(source, _)| means_nothing(source)) {
        Some((_, written)) => {
            let problem = "is missing: what a scan means, unless a [[rule]] of type scan, pack, \
                           unpack or recipe says it";
            Err(at.error(written.table.clone(), "source.step", problem))
        }
        None => Ok(()),
    }
}

fn direction(text: &str) -> Result<Direction, String> {
    match text {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        _ => Err("is neither \"in\" nor \"out\"".to_owned()),
    }
}

/// A code that no goods could bear.
fn command(
    at: &Place<'_>,
    field: &str,
    value: Option<&Spanned<String>>,
) -> Result<Option<String>, ConfigError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let right = |text: &str| match text {
        _ if text.len() > COMMAND_MAX => Err(format!("is longer than {COMMAND_MAX} bytes")),
        _ if text.trim() != text || text.starts_with('{') => {
            Err("begins with { or has white space around it".to_owned())
        }
        _ if is_of_goods(text) => Err("is a code of goods".to_owned()),
        _ => Ok(text.to_owned()),
    };
    at.key(field, value, right).map(Some)
}

fn transaction(at: &Place<'_>, raw: &RawRule) -> Result<Option<TransactionRule>, ConfigError> {
    let Some(kind) = &raw.transaction else {
        let required = raw.transaction_required.as_ref().map(Spanned::span);
        let stray = [
            ("rule.transaction_required", required),
            (
                "rule.transaction_gln",
                raw.transaction_gln.as_ref().map(Spanned::span),
            ),
            (
                "rule.transaction_prefix",
                raw.transaction_prefix.as_ref().map(Spanned::span),
            ),
        ];
        return match stray.into_iter().find_map(|(name, at)| Some((name, at?))) {
            Some((field, span)) => {
                Err(at.error(span, field, "needs the type: transaction = \"po\""))
            }
            None => Ok(None),
        };
    };
    let gln = |text: &str| match Identifier::from_gln(text, None) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let rule = TransactionRule {
        kind: at.text("rule.transaction", kind)?,
        required: raw
            .transaction_required
            .as_ref()
            .is_some_and(|value| *value.get_ref()),
        gln: match &raw.transaction_gln {
            Some(value) => Some(at.key("rule.transaction_gln", value, gln)?),
            None => None,
        },
        prefix: command(
            at,
            "rule.transaction_prefix",
            raw.transaction_prefix.as_ref(),
        )?,
    };
    match (&raw.transaction_prefix, &rule.gln) {
        (Some(value), None) => {
            let problem = "needs transaction_gln: whose numbers they are";
            Err(at.error(value.span(), "rule.transaction_prefix", problem))
        }
        _ => Ok(Some(rule)),
    }
}

fn parties(at: &Place<'_>, raw: &RawRule) -> Result<Vec<Party>, ConfigError> {
    let mut parties = Vec::new();
    let lists: [(&str, bool, &Texts); 2] = [
        ("rule.sources", false, &raw.sources),
        ("rule.destinations", true, &raw.destinations),
    ];
    for (field, is_destination, list) in lists {
        let entries = list.as_ref().map(Spanned::get_ref);
        for (kind, value) in entries.into_iter().flatten() {
            parties.push(Party {
                is_destination,
                kind: kind.clone(),
                id: at.key(field, value, party)?,
            });
        }
    }
    Ok(parties)
}

fn party(text: &str) -> Result<String, String> {
    let found = Identifier::parse_any(text).map_err(|error| error.to_string())?;
    match found.key() {
        Key::Gln | Key::Party => Ok(found.canonical()),
        _ => Err(format!("{found} is neither a GLN (414) nor a party (417)")),
    }
}

fn kind(at: &Place<'_>, raw: &RawRule, table: &Range<usize>) -> Result<ScanKind, ConfigError> {
    match raw.type_name.get_ref().as_str() {
        "scan" => {
            let repeat = match &raw.repeat_ms {
                Some(value) => at.within("rule.repeat_ms", value, 0..=DAY_S * 1_000)?,
                None => REPEAT_MS,
            };
            Ok(ScanKind::Object {
                action: match &raw.action {
                    Some(value) => Some(at.key("rule.action", value, action)?),
                    None => None,
                },
                repeat: Duration::from_millis(repeat),
            })
        }
        "recipe" => {
            let inputs = parts(at, "rule.inputs", table, &raw.inputs)?;
            let outputs = parts(at, "rule.outputs", table, &raw.outputs)?;
            let both = |part: &&Part| inputs.iter().any(|input| input.gtin == part.gtin);
            if let Some(part) = outputs.iter().find(both) {
                let problem = format!("(01){} is an input too: a scan could be either", part.gtin);
                let span = raw.outputs.as_ref().map_or(table.clone(), Spanned::span);
                return Err(at.error(span, "rule.outputs", problem));
            }
            Ok(ScanKind::Recipe {
                inputs,
                outputs,
                ending: ending(at, raw, table)?,
            })
        }
        word => Ok(ScanKind::Packing {
            unpacks: word == "unpack",
            ending: ending(at, raw, table)?,
        }),
    }
}

fn action(text: &str) -> Result<Action, String> {
    match text {
        "ADD" => Ok(Action::Add),
        "OBSERVE" => Ok(Action::Observe),
        "DELETE" => Ok(Action::Delete),
        _ => Err("is none of \"ADD\", \"OBSERVE\", \"DELETE\"".to_owned()),
    }
}

fn ending(at: &Place<'_>, raw: &RawRule, table: &Range<usize>) -> Result<Ending, ConfigError> {
    let count = match &raw.count {
        Some(value) => Some(at.within("rule.count", value, 1..=SCANS_MAX as u64 - 1)?),
        None => None,
    };
    let timeout = match &raw.timeout_s {
        Some(value) => Some(at.within("rule.timeout_s", value, 1..=DAY_S)?),
        None => None,
    };
    let ending = Ending {
        close: command(at, "rule.close", raw.close.as_ref())?,
        count: count.and_then(|count| usize::try_from(count).ok()),
        timeout: timeout.map(Duration::from_secs),
        cancel: command(at, "rule.cancel", raw.cancel.as_ref())?,
    };
    if ending.close.is_none() && ending.count.is_none() && ending.timeout.is_none() {
        let problem = "never ends: it needs close, count or timeout_s";
        return Err(at.error(table.clone(), "rule.close", problem));
    }
    Ok(ending)
}

fn parts(
    at: &Place<'_>,
    field: &str,
    table: &Range<usize>,
    raw: &Option<Spanned<Vec<Spanned<RawPart>>>>,
) -> Result<Vec<Part>, ConfigError> {
    let list = at.required(table, field, raw)?;
    if list.get_ref().is_empty() || list.get_ref().len() > PARTS_MAX {
        return Err(at.error(list.span(), field, format!("1 to {PARTS_MAX} trade items")));
    }
    let mut parts: Vec<Part> = Vec::new();
    for raw in list.get_ref() {
        let part = part(at, field, raw.get_ref())?;
        if parts.iter().any(|known| known.gtin == part.gtin) {
            return Err(at.error(raw.span(), field, "names a trade item twice"));
        }
        parts.push(part);
    }
    Ok(parts)
}

fn part(at: &Place<'_>, field: &str, raw: &RawPart) -> Result<Part, ConfigError> {
    let gtin = at.key(&format!("{field}.item"), &raw.item, |text| {
        let found = Identifier::parse_any(text).map_err(|error| error.to_string())?;
        match found.gtin() {
            Some(gtin) if found.lot().is_none() && found.serial().is_none() => Ok(gtin.to_owned()),
            Some(_) => Err("names a lot or serial: the trade item alone is wanted".to_owned()),
            None => Err("is no trade item (01)".to_owned()),
        }
    })?;
    let name = format!("{field}.quantity");
    let quantity = match &raw.quantity {
        Some(value) => {
            let number = at.finite(&name, value)?;
            let decimal = number.to_string().parse::<Decimal>().ok();
            let positive = decimal.filter(|quantity| *quantity > Decimal::ZERO);
            let refuse = || at.error(value.span(), &name, "is not a positive number");
            Some(positive.ok_or_else(refuse)?)
        }
        None => None,
    };
    let uom = match &raw.uom {
        Some(value) => Some(at.text(&format!("{field}.uom"), value)?),
        None => None,
    };
    match (&raw.uom, &raw.quantity, quantity) {
        (Some(value), None, _) => Err(at.error(
            value.span(),
            &format!("{field}.uom"),
            "stands without a quantity",
        )),
        (None, Some(value), Some(quantity)) if !quantity.is_integer() => Err(at.error(
            value.span(),
            &name,
            "is no whole number, and there is no uom",
        )),
        _ => Ok(Part {
            gtin,
            quantity,
            uom,
            required: raw.required.unwrap_or(true),
        }),
    }
}

/// What must hold between the rules of one source: a scan means one thing.
fn beside(
    at: &Place<'_>,
    raw: &RawRule,
    table: &Range<usize>,
    rule: &ScanRule,
    others: &[ScanRule],
) -> Result<(), ConfigError> {
    if rule.select.is_none() && !others.is_empty() {
        let problem = "is missing: the source has another rule, and a command code chooses";
        return Err(at.error(table.clone(), "rule.select", problem));
    }
    let endings = |rule: &ScanRule| {
        let ending = rule.kind.ending().cloned().unwrap_or_default();
        [ending.close, ending.cancel]
    };
    let taken: Vec<&String> = others
        .iter()
        .filter_map(|other| other.select.as_ref())
        .collect();
    let elsewhere: Vec<String> = others.iter().flat_map(endings).flatten().collect();
    let fields = [
        ("rule.select", raw.select.as_ref()),
        ("rule.close", raw.close.as_ref()),
        ("rule.cancel", raw.cancel.as_ref()),
    ];
    for (index, (field, value)) in fields.iter().enumerate() {
        let Some(value) = value else { continue };
        let text = value.get_ref();
        let earlier = fields[..index]
            .iter()
            .any(|(_, other)| other.is_some_and(|other| other.get_ref() == text));
        let chooses = taken.contains(&text);
        let ends = *field == "rule.select" && elsewhere.contains(text);
        if earlier || chooses || ends {
            return Err(at.error(value.span(), field, "is the code of another command here"));
        }
    }
    Ok(())
}

/// A rule whose events nobody would accept is found out now, by making one.
fn trial(
    at: &Place<'_>,
    raw: &RawRule,
    table: &Range<usize>,
    rule: &ScanRule,
) -> Result<(), ConfigError> {
    let mut rule = rule.clone();
    let close = Some("close".to_owned());
    let mut codes = Vec::new();
    if rule.transaction.is_some() {
        codes.push("urn:epcglobal:cbv:bt:9521001000024:1".to_owned());
    }
    match &mut rule.kind {
        ScanKind::Object { .. } => codes.push("(01)09521001000017(21)1".to_owned()),
        ScanKind::Packing { ending, .. } => {
            codes.extend(["(00)095210010000000017", "(01)09521001000017(21)1"].map(str::to_owned));
            (ending.count, ending.close) = (None, close);
            codes.push("close".to_owned());
        }
        ScanKind::Recipe {
            inputs,
            outputs,
            ending,
        } => {
            let all = inputs.iter().chain(outputs.iter());
            codes.extend(all.map(|part| format!("(01){}(10)1", part.gtin)));
            (ending.count, ending.close) = (None, close);
            codes.push("close".to_owned());
        }
    }
    let mut desk = Desk::new(vec![rule], 0);
    let now = Instant::from_seconds(1_600_000_000);
    let mut made = 0;
    for (line, code) in (1..).zip(&codes) {
        let taken = desk.take(line, code, now);
        if let Some(refused) = taken.refused.first() {
            return Err(blame(at, raw, table, &refused.reason));
        }
        made += taken.events.len();
    }
    if made == 1 {
        return Ok(());
    }
    Err(at.error(table.clone(), "rule", "makes no event"))
}

/// Finds the field that an event's broken member comes from.
fn blame(at: &Place<'_>, raw: &RawRule, table: &Range<usize>, reason: &str) -> ConfigError {
    let member = reason
        .split([':', '[', '.', ' '])
        .next()
        .unwrap_or_default();
    let texts = |list: &Texts| list.as_ref().map(Spanned::span);
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(Spanned::span);
    let quantities =
        |list: &Option<Spanned<Vec<Spanned<RawPart>>>>| list.as_ref().map(Spanned::span);
    let (field, span) = match member {
        "bizStep" => ("rule.step", text(&raw.step)),
        "disposition" => ("rule.disposition", text(&raw.disposition)),
        "bizTransactionList" => ("rule.transaction", text(&raw.transaction)),
        "sourceList" => ("rule.sources", texts(&raw.sources)),
        "destinationList" => ("rule.destinations", texts(&raw.destinations)),
        "inputQuantityList" => ("rule.inputs", quantities(&raw.inputs)),
        "outputQuantityList" => ("rule.outputs", quantities(&raw.outputs)),
        _ => ("rule", None),
    };
    at.error(span.unwrap_or_else(|| table.clone()), field, reason)
}
