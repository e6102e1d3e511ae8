//! Loans of before there were rows: they tell all of theirs once, at a start.

use schemas::time::Instant;

use super::rows::Named;
use super::{Lending, LendingError, Loaded};
use crate::audit::{self, Action};
use crate::ledger::LoanId;
use crate::loan::life::{Loan, Refused};
use crate::sandbox::indicators::Row;
use crate::store::StoreError;
use crate::store::lending::{LOANS_MAX, Which};

impl Lending {
    /// Tells the rows of loans that have none, from their acts; how many loans that were. Every other
    /// start finds a note and reads nothing.
    ///
    /// # Errors
    /// [`LendingError`]; the next start goes on.
    pub async fn tell_old(&self) -> Result<u64, LendingError> {
        if self.store.is_all_told(self.book()).await? {
            return Ok(0);
        }
        let (mut told, mut after) = (0, None::<LoanId>);
        loop {
            let heads = self
                .store
                .heads(&Which::All, after.as_ref(), LOANS_MAX)
                .await?;
            let Some(last) = heads.last() else {
                break;
            };
            after = Some(last.loan.clone());
            let lent = heads.iter().filter(|head| head.position.is_some());
            for head in lent {
                told += u64::from(self.tell_rows(&head.loan).await?);
            }
        }
        self.store.all_told(self.book(), self.clock.now()).await?;
        Ok(told)
    }

    async fn tell_rows(&self, id: &LoanId) -> Result<bool, LendingError> {
        let loaded = self.loan(id).await?;
        let asked = self.ports.room.buyer(id, &loaded.head.supplier).await;
        let asked = asked.map_err(|error| LendingError::Unavailable("the trial", error.into()));
        let named = Named::of(id, &loaded.head.supplier, Some(&asked?))?;
        let rows = rows(&named, &loaded)?;
        let note = audit::Entry {
            at: self.clock.now(),
            actor: "service".to_owned(),
            action: Action::LoanAct,
            subject: id.to_string(),
            detail: format!("told {} rows", rows.len()),
        };
        Ok(self.store.tell_all(self.book(), id, &rows, &note).await?)
    }
}

/// Every act's, one by one.
fn rows(named: &Named, loaded: &Loaded) -> Result<Vec<Row>, LendingError> {
    let broken = |_: Refused| StoreError::Row { what: "loan" };
    let file = loaded.loan.file();
    let mut acts = loaded.acts.iter().cloned();
    let first = acts.next().ok_or(StoreError::Row { what: "loan" })?;
    let opened = Loan::open(file.id().clone(), file.shared_conditions(), first);
    let (mut loan, mut rows) = (opened.map_err(broken)?, Vec::new());
    for (number, act) in (2..).zip(acts) {
        let booked: Instant = act.booked;
        let after = loan.clone().apply(act).map_err(broken)?.loan;
        let named = named.clone().with_file(&after);
        let between = (loan.position(), after.position());
        rows.extend(named.rows(between, number, booked)?);
        loan = after;
    }
    Ok(rows)
}
