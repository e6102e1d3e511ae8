//! `[[rule]]`: each is checked, tried, and put to the source that it is for.

mod scan;

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::super::place::Place;
use super::super::rule::raw::{OF_SCANS, RawRule};
use super::super::source::Written;
use super::super::{
    ConfigError, DeadBandRule, ExcursionRule, Figure, PERCENTILES_MAX, READINGS_WAITING_MAX,
    RULES_MAX, RuleTarget, SensorRule, SourceConfig, Telemetry, WindowRule,
};

/// A day in seconds.
const DAY_S: u64 = 86_400;
/// Most consecutive readings that begin or end an excursion.
const CONSECUTIVE_MAX: u64 = 1_000;

/// Puts every rule to its source.
pub(super) fn attach(
    at: &Place<'_>,
    rules: &[Spanned<RawRule>],
    raw: &[Written],
    sources: &mut [SourceConfig],
) -> Result<(), ConfigError> {
    if rules.len() > RULES_MAX {
        return Err(at.error(0..0, "rule", format!("more than {RULES_MAX} rules")));
    }
    for rule in rules {
        let (table, rule) = (rule.span(), rule.get_ref());
        let type_name = rule.type_name.get_ref().as_str();
        let of_readings = ["window", "dead_band", "excursion"];
        if !of_readings.contains(&type_name) && !OF_SCANS.contains(&type_name) {
            let problem = format!(
                "\"{type_name}\" is none of \"window\", \"dead_band\", \"excursion\", \"scan\", \
                 \"pack\", \"unpack\", \"recipe\""
            );
            return Err(at.error(rule.type_name.span(), "rule.type", problem));
        }
        if let Some((name, span)) = rule.foreign() {
            let problem = format!("does not belong to type \"{type_name}\"");
            return Err(at.error(span, &format!("rule.{name}"), problem));
        }
        let wanted = at.required(&table, "rule.source", &rule.source)?;
        let index = find(at, wanted, raw)?;
        let source = sources.get_mut(index).zip(raw.get(index));
        let Some((target, raw)) = source.map(|(source, raw)| (source.target(), raw)) else {
            return Err(at.error(wanted.span(), "rule.source", "is no source"));
        };
        match target {
            RuleTarget::Readings(sensors) if of_readings.contains(&type_name) => {
                for sensor in sensors {
                    of_reading(at, rule, &table, raw, sensor)?;
                }
            }
            RuleTarget::OwnStep | RuleTarget::Scans(_)
                if OF_SCANS.contains(&type_name) && raw.step.is_some() =>
            {
                return Err(scan::step_beside(at, raw, wanted));
            }
            RuleTarget::Scans(desk) if OF_SCANS.contains(&type_name) => {
                scan::check(at, rule, &table, desk)?;
            }
            RuleTarget::Neither => {
                let problem = "is a folder, whose files say the step of each row themselves: name \
                               steps in the source (step, steps, columns), and leave the rule out";
                return Err(at.error(wanted.span(), "rule.source", problem));
            }
            RuleTarget::Readings(_) => {
                let problem = format!("is a sensor, and \"{type_name}\" is for scans");
                return Err(at.error(wanted.span(), "rule.source", problem));
            }
            RuleTarget::Scans(_) | RuleTarget::OwnStep => {
                let problem = format!("gives scans, and \"{type_name}\" is for readings");
                return Err(at.error(wanted.span(), "rule.source", problem));
            }
        }
    }
    scan::all_mean_something(at, raw, sources)
}

/// The one source of this name, path, port or sensor.
fn find(at: &Place<'_>, wanted: &Spanned<String>, raw: &[Written]) -> Result<usize, ConfigError> {
    let is_it = |source: &Written| source.names.contains(wanted.get_ref());
    let mut found = (0..raw.len()).filter(|&index| is_it(&raw[index]));
    let refuse = |problem: &str| Err(at.error(wanted.span(), "rule.source", problem));
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(index),
        (None, _) => refuse("is the name, path, port or sensor of no source"),
        (Some(_), Some(_)) => refuse("is said of several sources: give them a name each"),
    }
}

fn of_reading(
    at: &Place<'_>,
    rule: &RawRule,
    table: &Range<usize>,
    raw: &Written,
    sensor: &mut SensorRule,
) -> Result<(), ConfigError> {
    let kind = &rule.type_name;
    if kind.get_ref() == "excursion" {
        if sensor.excursion.is_some() {
            return Err(at.error(
                kind.span(),
                "rule.type",
                "the source has such a rule already",
            ));
        }
        if sensor.alarm_min.is_none() && sensor.alarm_max.is_none() {
            let problem = "the source has neither alarm_min nor alarm_max";
            return Err(at.error(table.clone(), "rule.source", problem));
        }
        sensor.excursion = Some(excursion(at, rule)?);
        return Ok(());
    }
    if sensor.telemetry != Telemetry::Batch {
        let problem = "the source has a window or dead_band already: each reading is told once";
        return Err(at.error(kind.span(), "rule.type", problem));
    }
    if let Some(span) = &raw.readings_per_event {
        let problem = "goes with neither a window nor a dead_band";
        return Err(at.error(span.clone(), "source.readings_per_event", problem));
    }
    sensor.telemetry = if kind.get_ref() == "window" {
        Telemetry::Window(window(at, rule, table, sensor)?)
    } else {
        Telemetry::DeadBand(dead_band(at, rule, table, sensor)?)
    };
    Ok(())
}

fn excursion(at: &Place<'_>, rule: &RawRule) -> Result<ExcursionRule, ConfigError> {
    let count = |field: &str, value: &Option<Spanned<u64>>| match value {
        Some(value) => at
            .within(field, value, 1..=CONSECUTIVE_MAX)
            .map(|count| u32::try_from(count).unwrap_or(1)),
        None => Ok(1),
    };
    Ok(ExcursionRule {
        begin_after: count("rule.begin_after", &rule.begin_after)?,
        end_after: count("rule.end_after", &rule.end_after)?,
    })
}

fn window(
    at: &Place<'_>,
    rule: &RawRule,
    table: &Range<usize>,
    sensor: &SensorRule,
) -> Result<WindowRule, ConfigError> {
    let value = at.required(table, "rule.window_s", &rule.window_s)?;
    let seconds = at.within("rule.window_s", value, 1..=DAY_S)?;
    if !DAY_S.is_multiple_of(seconds) {
        let problem = format!("{seconds} seconds do not divide a day");
        return Err(at.error(value.span(), "rule.window_s", problem));
    }
    let length = Duration::from_secs(seconds);
    fits(at, "rule.window_s", value, length, sensor)?;
    Ok(WindowRule {
        length,
        figures: figures(at, rule)?,
    })
}

/// So many readings can wait, and there is at least one.
fn fits(
    at: &Place<'_>,
    field: &str,
    value: &Spanned<u64>,
    length: Duration,
    sensor: &SensorRule,
) -> Result<(), ConfigError> {
    let Some(interval) = sensor.interval else {
        return Ok(());
    };
    if length < interval {
        return Err(at.error(
            value.span(),
            field,
            "is shorter than the source's interval_s",
        ));
    }
    if length.as_micros() / interval.as_micros().max(1) > READINGS_WAITING_MAX as u128 {
        let problem = format!("is more than {READINGS_WAITING_MAX} readings of the source");
        return Err(at.error(value.span(), field, problem));
    }
    Ok(())
}

fn figures(at: &Place<'_>, rule: &RawRule) -> Result<Vec<Figure>, ConfigError> {
    let Some(list) = &rule.report else {
        return Ok(vec![Figure::Mean, Figure::Min, Figure::Max]);
    };
    let mut figures = Vec::new();
    for word in list.get_ref() {
        let figure = at.key("rule.report", word, figure)?;
        if figures.contains(&figure) {
            return Err(at.error(word.span(), "rule.report", "stands there twice"));
        }
        figures.push(figure);
    }
    let percentile = |figure: &&Figure| matches!(figure, Figure::Percentile(_));
    if figures.is_empty() || figures.iter().filter(percentile).count() > PERCENTILES_MAX {
        let problem = format!("names nothing, or more than {PERCENTILES_MAX} percentiles");
        return Err(at.error(list.span(), "rule.report", problem));
    }
    Ok(figures)
}

fn figure(word: &str) -> Result<Figure, String> {
    let rank = |word: &str| {
        let rank: u8 = word.strip_prefix('p')?.parse().ok()?;
        (1..=100)
            .contains(&rank)
            .then_some(Figure::Percentile(rank))
    };
    match word {
        "last" => Ok(Figure::Last),
        "mean" => Ok(Figure::Mean),
        "min" => Ok(Figure::Min),
        "max" => Ok(Figure::Max),
        "sdev" => Ok(Figure::Deviation),
        _ => rank(word).ok_or_else(|| {
            "is none of \"last\", \"mean\", \"min\", \"max\", \"sdev\", \"p1\" to \"p100\""
                .to_owned()
        }),
    }
}

fn dead_band(
    at: &Place<'_>,
    rule: &RawRule,
    table: &Range<usize>,
    sensor: &SensorRule,
) -> Result<DeadBandRule, ConfigError> {
    let value = at.required(table, "rule.band", &rule.band)?;
    let band = at.finite("rule.band", value)?;
    if band < 0.0 {
        return Err(at.error(value.span(), "rule.band", "is below zero"));
    }
    let value = at.required(table, "rule.every_s", &rule.every_s)?;
    let every = Duration::from_secs(at.within("rule.every_s", value, 1..=DAY_S)?);
    fits(at, "rule.every_s", value, every, sensor)?;
    Ok(DeadBandRule { band, every })
}
