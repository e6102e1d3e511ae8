//! What was measured, for programs and for people.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::stage::Checks;
use super::{Anchoring, Latency, Outage, Rated};

/// Everything that was measured in one run.
#[derive(Debug, Clone)]
pub struct Measured {
    /// By size of statements.
    pub rates: Vec<Rated>,
    /// Anchoring on against off.
    pub anchoring: Option<Anchoring>,
    /// Time to the witnessed checkpoint.
    pub latency: Option<Latency>,
    /// Catching up after an outage.
    pub outage: Option<Outage>,
}

impl Measured {
    /// The way's rate for a size; 0 where it was not measured.
    #[must_use]
    pub fn rate_of(&self, size: u32) -> f64 {
        let found = self.rates.iter().find(|rated| rated.size == size);
        found.map_or(0.0, |rated| rated.rates.way)
    }

    /// One JSON object: the figures by name, each with its unit.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut all = Map::new();
        let mut put = |name: String, value: Value| drop(all.insert(name, value));
        for rated in &self.rates {
            let size = rated.size;
            put(format!("ratio_to_copy_{size}"), round(rated.ratio(), 3));
            put(format!("events_{size}"), json!(rated.events));
            let rates = &rated.rates;
            put(format!("events_per_second_{size}"), round(rates.way, 0));
            put(
                format!("events_per_second_thirds_{size}"),
                rounded(&rates.thirds),
            );
            put(
                format!("events_stored_per_second_{size}"),
                round(rates.stored, 0),
            );
            put(
                format!("copy_events_per_second_{size}"),
                round(rated.copy(), 0),
            );
            put(
                format!("copy_events_per_second_each_{size}"),
                rounded(&rates.copies),
            );
            put(format!("cpu_us_per_event_{size}"), cpu(rated));
            put(
                format!("checks_cpu_us_per_event_{size}"),
                checks(&rated.checks),
            );
            let stages = rated.stages.iter();
            let stages = stages.map(|(name, us)| (name.clone(), round(*us, 2)));
            put(
                format!("stage_wall_us_per_event_{size}"),
                Value::Object(stages.collect()),
            );
            put(
                format!("platform_rss_mib_start_{size}"),
                mib(rated.rss_kib.0),
            );
            put(format!("platform_rss_mib_end_{size}"), mib(rated.rss_kib.1));
            put(format!("rows_{size}"), json!(rated.rows));
        }
        if let Some(anchoring) = &self.anchoring {
            put(
                "anchoring_cost_percent".into(),
                round(anchoring.cost_percent(), 1),
            );
            put(
                "anchoring_cpu_percent".into(),
                round(anchoring.cpu_percent(), 1),
            );
            put(
                "anchoring_on_events_per_second".into(),
                rounded(&anchoring.on),
            );
            put(
                "anchoring_off_events_per_second".into(),
                rounded(&anchoring.off),
            );
        }
        if let Some(latency) = &self.latency {
            put("latency_events_per_second".into(), round(latency.rate, 0));
            put("latency_events".into(), json!(latency.events));
            let each = [
                ("to_witnessed", latency.witnessed),
                ("to_receipt", latency.receipt),
                ("to_inclusion", latency.inclusion),
            ];
            for (name, [p50, p99]) in each {
                put(format!("{name}_p50_ms"), round(p50, 0));
                put(format!("{name}_p99_ms"), round(p99, 0));
            }
        }
        if let Some(outage) = &self.outage {
            put("catch_up_ratio".into(), round(outage.ratio(), 2));
            put(
                "catch_up_live_events_per_second".into(),
                round(outage.live, 0),
            );
            put("catch_up_backlog_events".into(), json!(outage.backlog));
            put("catch_up_in_broker_events".into(), json!(outage.in_broker));
            if let Some(caught) = outage.caught_up {
                put("catch_up_seconds".into(), round(caught.seconds, 1));
                put("catch_up_events_per_second".into(), round(caught.rate, 0));
            }
        }
        Value::Object(all)
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

fn cpu(rated: &Rated) -> Value {
    let each = &rated.cpu;
    json!({
        "platform": round(each.platform, 1),
        "platform_checks_alone": round(rated.checks.sum(), 1),
        "postgres": round(each.postgres, 1),
        "broker": round(each.broker, 1),
        "witnesses": round(each.witnesses, 1),
        "publisher": round(each.publisher, 1),
        "copy_postgres": round(rated.copy_postgres_us, 1),
    })
}

fn checks(checks: &Checks) -> Value {
    json!({
        "form": round(checks.form, 2),
        "signature": round(checks.signature, 2),
        "root": round(checks.root, 2),
        "json": round(checks.json, 2),
        "facts": round(checks.facts, 2),
        "rules": round(checks.rules, 2),
    })
}

fn round(value: f64, digits: i32) -> Value {
    let unit = 10_f64.powi(digits);
    json!((value * unit).round() / unit)
}

fn rounded(values: &[f64]) -> Value {
    values.iter().map(|value| round(*value, 0)).collect()
}

fn mib(kib: u64) -> Value {
    round(kib as f64 / 1_024.0, 1)
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "PostgreSQL and Mosquitto from Debian, fsync and synchronous_commit on, one machine.\n\
             size   events/s  (thirds)               COPY/s  (each)                  ratio"
        )?;
        for rated in &self.rates {
            let thirds = rated.rates.thirds.map(|rate| format!("{rate:.0}"));
            let copies = rated.rates.copies.iter();
            let copies: Vec<String> = copies.map(|rate| format!("{rate:.0}")).collect();
            writeln!(
                f,
                "{:>4}  {:>9.0}  {:<20} {:>8.0}  {:<22} {:>6.2}",
                rated.size,
                rated.rates.way,
                thirds.join(" "),
                rated.copy(),
                copies.join(" "),
                rated.ratio()
            )?;
        }
        writeln!(
            f,
            "\nCPU us an event\n\
             size   platform (checks alone)  PostgreSQL (its COPY)  broker  witnesses  devices   RSS MiB"
        )?;
        for rated in &self.rates {
            let cpu = &rated.cpu;
            writeln!(
                f,
                "{:>4}  {:>9.1} {:>12.1}   {:>11.1} {:>10.1} {:>8.1} {:>10.1} {:>8.1}   {:.0} -> {:.0}",
                rated.size,
                cpu.platform,
                rated.checks.sum(),
                cpu.postgres,
                rated.copy_postgres_us,
                cpu.broker,
                cpu.witnesses,
                cpu.publisher,
                rated.rss_kib.0 as f64 / 1_024.0,
                rated.rss_kib.1 as f64 / 1_024.0,
            )?;
        }
        writeln!(f, "\nCPU us an event of the checks alone")?;
        for rated in &self.rates {
            let one = &rated.checks;
            writeln!(
                f,
                "{:>4}  form {:.1}, signature {:.1}, root {:.1}, JSON {:.1}, facts {:.1}, EPCIS {:.1}",
                rated.size, one.form, one.signature, one.root, one.json, one.facts, one.rules
            )?;
        }
        writeln!(f, "\nwall us an event by stage (beside each other)")?;
        for rated in &self.rates {
            let stages = rated.stages.iter();
            let stages: Vec<String> = stages
                .map(|(name, us)| format!("{} {us:.1}", short(name)))
                .collect();
            writeln!(f, "{:>4}  {}", rated.size, stages.join(", "))?;
        }
        self.rest(f)
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix("tracebond_").unwrap_or(name)
}

impl Measured {
    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(anchoring) = &self.anchoring {
            writeln!(
                f,
                "\nanchoring   {:.1} % of the rate, {:.1} % of CPU time (events/s on {:.0?}, off {:.0?})",
                anchoring.cost_percent(),
                anchoring.cpu_percent(),
                anchoring.on,
                anchoring.off
            )?;
        }
        if let Some(latency) = &self.latency {
            writeln!(
                f,
                "witnessed   p50 {:.0} ms, p99 {:.0} ms from the publication at {:.0} events/s (receipt {:.0}, {:.0}; inclusion {:.0}, {:.0})",
                latency.witnessed[0],
                latency.witnessed[1],
                latency.rate,
                latency.receipt[0],
                latency.receipt[1],
                latency.inclusion[0],
                latency.inclusion[1]
            )?;
        }
        if let (Some(outage), Some(caught)) = (
            &self.outage,
            self.outage.as_ref().and_then(|one| one.caught_up),
        ) {
            writeln!(
                f,
                "catch-up    {:.1} times the live rate of {:.0} events/s: {} events ({} in the broker) in {:.1} s at {:.0} events/s",
                outage.ratio(),
                outage.live,
                outage.backlog,
                outage.in_broker,
                caught.seconds,
                caught.rate
            )?;
        }
        Ok(())
    }
}
