//! The monthly report: made from rows, kept once, made again to the same bytes.

use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::rows::problems;
use super::{ActError, Office};
use crate::audit::Action;
use crate::law::acceptance::china_day;
use crate::sandbox::indicators::Month;
use crate::sandbox::limits::in_force;
use crate::sandbox::report::{About, Report};
use crate::sandbox::stage::{Act, Trial};
use crate::store::StoreError;
use crate::store::sandbox::{Footing, Kind, LogEntry, OfficeError};

/// Who makes reports.
const SERVICE: &str = "service";

impl Office {
    /// The report of a month from the rows as they are now; nothing is kept.
    ///
    /// # Errors
    /// [`ActError::Report`] if the month is not over.
    pub async fn make_report(&self, month: Month) -> Result<Report, ActError> {
        let rows = self.rows().await?;
        let about = self.about(month).await?;
        let today = china_day(self.clock.now());
        Ok(Report::make(about, &rows, &problems(&rows), today)?)
    }

    /// Makes the report of a month and keeps it. A second run with the same bytes changes nothing.
    ///
    /// # Errors
    /// [`OfficeError::Differs`] with both hashes if the second run gave other bytes.
    pub async fn keep_report(&self, month: Month) -> Result<LogEntry, ActError> {
        let report = self.make_report(month).await?;
        let service: Slug = SERVICE
            .parse()
            .map_err(|_| StoreError::Row { what: "person" })?;
        let now = self.clock.now();
        let kept = self
            .trials
            .keep_report(self.trial(), &report, &service, now);
        Ok(kept.await?)
    }

    /// Keeps the reports of all months that are over and have none, from that of the first loan's
    /// day on; how many that were.
    ///
    /// # Errors
    /// [`ActError`]; those before it are kept.
    pub async fn keep_due(&self) -> Result<u32, ActError> {
        let footing = self.known().await?;
        let began = |step: &&crate::sandbox::stage::Step| matches!(step.act, Act::Begin(_));
        let Some(began) = footing.trial.steps().iter().find(began) else {
            return Ok(0);
        };
        let kept = self.months().await?;
        let first = Month::of(china_day(began.at));
        let mut month = kept.last().map_or(first, |last| last.next());
        let today = china_day(self.clock.now());
        let mut made = 0;
        while month.last() < today {
            let entry = self.keep_report(month).await?;
            let detail = format!("report {month} {}", entry.hash);
            self.note(SERVICE, Action::Trial, &detail).await?;
            (made, month) = (made + 1, month.next());
        }
        Ok(made)
    }

    /// Months with a report, oldest first.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn months(&self) -> Result<Vec<Month>, ActError> {
        let records = self.trials.all(self.trial(), Kind::Report).await?;
        let month = |name: &str| name.parse().map_err(|_| StoreError::Row { what: "report" });
        let months = records.iter().map(|record| month(&record.name));
        Ok(months.collect::<Result<_, _>>()?)
    }

    /// A kept report and its bytes.
    ///
    /// # Errors
    /// [`ActError::Unknown`] if there is none of the month.
    pub async fn report(&self, month: Month) -> Result<(Report, Vec<u8>), ActError> {
        let bytes = self.trials.report(self.trial(), month).await?;
        let bytes = bytes.ok_or(ActError::Unknown("report"))?;
        let report = Report::read(&bytes).ok_or(StoreError::Row { what: "report" })?;
        Ok((report, bytes))
    }

    async fn known(&self) -> Result<std::sync::Arc<Footing>, ActError> {
        let footing = self.trials.footing(self.trial()).await?;
        Ok(footing.ok_or_else(|| OfficeError::NoTrial(self.trial().clone()))?)
    }

    /// What was in force at the end of a month.
    async fn about(&self, month: Month) -> Result<About, ActError> {
        let footing = self.known().await?;
        let broken = |what| StoreError::Row { what };
        let declarations = self.trials.declarations(self.trial()).await?;
        let first = declarations.first().ok_or(broken("declaration"))?;
        let hash = first.hash().map_err(|_| broken("declaration"))?;
        let declared = Trial::declared(self.trial().clone(), hash, first.start, first.end);
        let steps = footing.trial.steps().iter();
        let steps = steps.filter(|step| month.knows(step.at)).cloned();
        let trial = declared.replay(steps).map_err(|_| broken("step"))?;
        let known =
            |version: &&crate::sandbox::limits::LimitsVersion| month.knows(version.approved_at);
        let versions: Vec<_> = footing.limits.iter().filter(known).cloned().collect();
        let limits = in_force(&versions, end_of(month)).map(|version| version.hash());
        let before = Month::of(month.first().pred_opt().unwrap_or(month.first()));
        let previous = self.trials.report(self.trial(), before).await?;
        Ok(About {
            project: self.trial().clone(),
            month,
            declaration: trial.declaration(),
            limits: limits.transpose().map_err(|_| broken("limits"))?,
            previous: previous.map(|bytes| sha256(&bytes)),
        })
    }
}

/// The last microsecond of a month, by China's clock.
fn end_of(month: Month) -> Instant {
    let begin = format!("{}T00:00:00+08:00", month.next().first());
    let begin = Instant::parse_rfc3339(&begin).unwrap_or(crate::store::sandbox::FAR);
    Instant::from_micros(begin.as_micros() - 1)
}
