//! The list of reasons that officers refuse by.

use schemas::ids::Slug;

use super::{Actor, Desk, DeskError};
use crate::audit::Action;
use crate::loan::RefusalReason;
use crate::loan::reason::REASONS_KEPT_MAX;

impl Desk {
    /// Adds a reason to the list.
    ///
    /// # Errors
    /// [`DeskError::NotAllowed`], [`DeskError::ReasonTaken`], [`DeskError::ReasonsFull`],
    /// [`DeskError::Store`].
    pub async fn add_reason(&self, by: &Actor, reason: RefusalReason) -> Result<(), DeskError> {
        if !by.role.keeps_reasons() {
            return Err(DeskError::NotAllowed);
        }
        let store = self.credit.store();
        if store.reasons().await?.len() >= REASONS_KEPT_MAX {
            return Err(DeskError::ReasonsFull);
        }
        let words = format!("{} / {}", reason.en, reason.zh);
        let entry = self.entry(
            by.name.as_str(),
            Action::AddReason,
            reason.code.as_str(),
            &words,
        );
        if store.add_reason(&reason, &entry).await? {
            Ok(())
        } else {
            Err(DeskError::ReasonTaken(reason.code))
        }
    }

    /// Retires a reason: kept decisions still name it.
    ///
    /// # Errors
    /// [`DeskError::NotAllowed`], [`DeskError::Reason`], [`DeskError::ReasonChanged`],
    /// [`DeskError::Store`].
    pub async fn retire_reason(&self, by: &Actor, code: Slug) -> Result<(), DeskError> {
        if !by.role.keeps_reasons() {
            return Err(DeskError::NotAllowed);
        }
        let reasons = self.credit.store().reasons().await?;
        if !reasons.iter().any(|one| one.code == code) {
            return Err(DeskError::Reason(code));
        }
        let entry = self.entry(by.name.as_str(), Action::RetireReason, code.as_str(), "");
        if self.credit.store().retire_reason(&code, &entry).await? {
            Ok(())
        } else {
            Err(DeskError::ReasonChanged(code))
        }
    }
}
