//! The real delivery lines of SCMS, as rows of a scorecard.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use credit::lateness::model::Parameters;
use credit::scorecard::Number;
use credit::scorecard::deliveries::{Delivery, History};
use schemas::time::Instant;

/// The file within the fixtures.
pub const FILE: &str = "suppliers/SCMS_Delivery_History_Dataset.csv";

/// First day of the test.
pub const SPLIT: &str = "2013-07-01T00:00:00Z";

/// As `credit/models/late-delivery-1.toml` says.
pub fn history() -> History {
    History {
        parameters: Parameters {
            half_life_days: Some(90),
            strength: 10,
            mean_ppm: 64_601,
        },
        horizon: Duration::from_secs(30 * 86_400),
        minimum_known: 5,
        simulated: false,
    }
}

/// Reads what vendors delivered themselves; a warehouse is none.
pub fn read(path: &Path) -> Result<Vec<Delivery>> {
    let mut file = csv::Reader::from_path(path)?;
    let names = file.headers()?.clone();
    let at = |name: &str| {
        let found = names
            .iter()
            .position(|one| one.trim_start_matches('\u{feff}') == name);
        found.with_context(|| format!("{name} is missing"))
    };
    let via = at("Fulfill Via")?;
    let columns = [
        at("Vendor")?,
        at("Country")?,
        at("Scheduled Delivery Date")?,
        at("Delivered to Client Date")?,
        at("Delivery Recorded Date")?,
        at("Line Item Value")?,
    ];
    let mut deliveries = Vec::new();
    for record in file.records() {
        let record = record?;
        if &record[via] == "Direct Drop" {
            deliveries.push(delivery(columns.map(|at| &record[at]))?);
        }
    }
    Ok(deliveries)
}

fn delivery([vendor, country, due, came, recorded, value]: [&str; 6]) -> Result<Delivery> {
    let delivered = day(came)?;
    Ok(Delivery {
        supplier: vendor.trim().to_owned(),
        destination: country.to_owned(),
        due: day(due)?,
        delivered,
        known: day(recorded)?.max(delivered),
        value: Some(value.parse::<Number>()?),
    })
}

fn day(text: &str) -> Result<Instant> {
    let day = NaiveDate::parse_from_str(text, "%d-%b-%y")?;
    let midnight = day.and_hms_opt(0, 0, 0).context("midnight")?;
    Ok(Instant::from_seconds(midnight.and_utc().timestamp()))
}
