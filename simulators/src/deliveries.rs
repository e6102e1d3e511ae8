//! Real deliveries from a file, replayed through every real part.
//!
//! The file is USAID's SCMS delivery history: a line a delivered item. Of it the lines fulfilled by
//! "Direct Drop" are taken, where a vendor delivers by itself. Each becomes two events and no more:
//! the vendor's gateway signs the confirmation of the order (promised day, quantity, value), the
//! gateway of the client's country signs the receipt at the delivered day, on the day on which the
//! file says that it was recorded. There is no shipping event, since the file has no such date; the
//! dates "PQ First Sent to Client" and "PO Sent to Vendor" are not read at all.
//!
//! What the file does not state and the replay needs is one of [`assumptions`]: each is a constant
//! here, stands in the summary of a run, and is named in the events that rest on it.

mod file;
mod replay;
mod world;

use std::time::Duration;

pub use file::{DIRECT_DROP, Deliveries, DeliveriesError, Line};
pub use replay::Replay;

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// Time of day at which goods count as received, in UTC: noon. The file states a day.
pub const DELIVERED_AT: Duration = Duration::from_secs(12 * 3_600);

/// Time of day until which a delivery is in time, in UTC: the last second of the scheduled day.
pub const DUE_AT: Duration = Duration::from_secs(DAY_SECONDS - 1);

/// Time of day at which a system exports what became known on a day, in UTC: 18:00.
pub const KNOWN_AT: Duration = Duration::from_secs(18 * 3_600);

/// Days before the scheduled day, or before the delivered one if that is earlier, by which an order
/// is confirmed; the confirmation is signed on the Monday of that week. The file has no such date.
/// It has to be before what it promises; no figure rests on it.
pub const PROMISE_LEAD_DAYS: u64 = 60;

/// Seconds within which a gateway promises to speak: a year, the most that a record can say. Most
/// vendors have a handful of lines in nine years.
pub const HEARTBEAT_SECONDS: u64 = 365 * DAY_SECONDS;

/// Currency of the line values; the file says "USD" of freight and insurance only.
pub const CURRENCY: &str = "USD";

/// Everything that the replay assumes, in words, in a fixed order.
pub fn assumptions() -> Vec<String> {
    let hour = |time: Duration| {
        format!(
            "{:02}:{:02}",
            time.as_secs() / 3_600,
            time.as_secs() / 60 % 60
        )
    };
    vec![
        format!(
            "the file states days: received is {} UTC of the delivered day, in time is until {} UTC of the scheduled day",
            hour(DELIVERED_AT),
            hour(DUE_AT)
        ),
        format!(
            "a receipt becomes known at {} UTC of the recorded day, or of the delivered day where the file has the record before the delivery",
            hour(KNOWN_AT)
        ),
        format!(
            "an order is confirmed on the Monday of the week {PROMISE_LEAD_DAYS} days before the scheduled or, if earlier, the delivered day; no figure rests on it"
        ),
        format!("line values are in {CURRENCY}; quantities are in packs"),
        "every spelling of a vendor's name is a vendor; its organisation, keys and GS1 prefix (952) are made from the name's place in the alphabet".to_owned(),
        "the file names no client, only a country: one organisation for each country signs its receipts".to_owned(),
        "the goods of line N are lot LINEN of the vendor's one GTIN; a receipt states no quantity, since the file states only the ordered one".to_owned(),
    ]
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_way;
