//! Who is approved, by group: the figures that show whether a table treats regions, sizes and ages
//! of firms alike. Groups are never features.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::artefact::{Artefact, scored};
use super::super::dataset::Dataset;
use super::super::metrics::{Pair, auc, share};
use super::super::number::{Number, figure};
use super::{CardError, GROUPINGS, check_group};

/// Below this share of the most approved group's rate a group is named: the four-fifths rule.
const FOUR_FIFTHS: f64 = 0.8;

/// What rows without a known group are called.
pub(crate) const NOT_KNOWN: &str = "not known";

/// The figures of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFigures {
    /// The group.
    pub group: String,
    /// Rows.
    pub rows: u64,
    /// Share of bad ones.
    pub bad_share: Number,
    /// Share that the table approves.
    pub approval_rate: Number,
    /// That share over that of the most approved group; absent if nobody is approved.
    pub approval_ratio: Option<Number>,
    /// True if the ratio is below four fifths.
    pub below_four_fifths: bool,
    /// How well the total tells good from bad within the group; absent without both outcomes.
    pub auc: Option<Number>,
}

/// The figures of one grouping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fairness {
    /// `region`, `size`, `age` or another one.
    pub grouping: String,
    /// By name of the group.
    pub groups: Vec<GroupFigures>,
}

/// Rows of one group by what the table makes of them.
#[derive(Default)]
struct Group {
    approved: u64,
    bad: u64,
    pairs: Vec<Pair>,
}

/// Measures every grouping of the rows.
///
/// # Errors
/// [`CardError::Grouping`] if one of [`GROUPINGS`] is missing.
pub(super) fn measure(
    artefact: &Artefact,
    data: &Dataset,
    approval_from: i32,
) -> Result<Vec<Fairness>, CardError> {
    let missing = GROUPINGS
        .into_iter()
        .find(|wanted| !data.groupings().iter().any(|there| there == wanted));
    if let Some(missing) = missing {
        return Err(CardError::Grouping(missing));
    }
    let totals: Vec<i32> = scored(&artefact.table, data)?
        .iter()
        .map(|row| row.0)
        .collect();
    let of = |(at, grouping): (usize, &String)| {
        let groups = collect(data, at, &totals, approval_from)?;
        Ok(Fairness {
            grouping: grouping.clone(),
            groups: figures(&groups),
        })
    };
    data.groupings().iter().enumerate().map(of).collect()
}

fn collect(
    data: &Dataset,
    at: usize,
    totals: &[i32],
    approval_from: i32,
) -> Result<BTreeMap<String, Group>, CardError> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (row, total) in data.rows().iter().zip(totals) {
        let name = match row.groups[at].as_str() {
            "" => NOT_KNOWN,
            name => name,
        };
        check_group(name)?;
        let group = groups.entry(name.to_owned()).or_default();
        group.approved += u64::from(*total >= approval_from);
        group.bad += u64::from(row.bad);
        // The lower the total, the more probable is the bad outcome.
        group.pairs.push((-f64::from(*total), row.bad));
    }
    Ok(groups)
}

fn figures(groups: &BTreeMap<String, Group>) -> Vec<GroupFigures> {
    let rate = |group: &Group| share(group.approved, group.pairs.len() as u64);
    let most = groups.values().map(rate).fold(0.0, f64::max);
    let six = |value| figure(Some(value)).unwrap_or_default();
    let of = |(name, group): (&String, &Group)| {
        let ratio = (most > 0.0).then(|| rate(group) / most);
        GroupFigures {
            group: name.clone(),
            rows: group.pairs.len() as u64,
            bad_share: six(share(group.bad, group.pairs.len() as u64)),
            approval_rate: six(rate(group)),
            approval_ratio: figure(ratio),
            below_four_fifths: ratio.is_some_and(|ratio| ratio < FOUR_FIFTHS),
            auc: figure(auc(&group.pairs)),
        }
    };
    groups.iter().map(of).collect()
}
