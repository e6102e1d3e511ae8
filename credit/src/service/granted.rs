//! What a supplier lets this bank read, as its own signed documents say it: for the supplier's people,
//! who look at what they have granted.

use schemas::consent::{Consents, Purpose};
use schemas::ids::Slug;

use super::consented::{Asked, Consenting, nothing_shown};
use super::{ApplyError, Credit};
use crate::evidence::Shown;
use crate::evidence::consent::{self, Parties, Signers};
use crate::evidence::verify::Refused;

/// A supplier's consents to this bank.
#[derive(Clone, Debug)]
pub enum Granted {
    /// The bank asks for none; the operator says why.
    Waived(String),
    /// The supplier has signed nothing to this bank.
    Nothing,
    /// Documents are there, and the bank has no verified evidence yet whose records could show who
    /// signed them: so many.
    Unchecked(usize),
    /// The chain of the documents, each held against its signer's record.
    Chain(Box<Consents>),
    /// The documents make no chain: nothing of the supplier is read.
    Refused(Refused),
}

impl Credit {
    /// The consents of a supplier. `verified` is a bundle of its evidence whose proofs held, if the bank
    /// has one: in it are the records of who may sign.
    ///
    /// # Errors
    /// [`ApplyError::Evidence`] where the platform does not answer, [`ApplyError::Store`].
    pub async fn granted(
        &self,
        supplier: &Slug,
        verified: Option<&[u8]>,
    ) -> Result<Granted, ApplyError> {
        let asked = match &self.terms.consenting {
            Consenting::Waived(why) => return Ok(Granted::Waived(why.clone())),
            Consenting::Asked(asked) => asked,
        };
        let shown = self.evidence.consents(supplier, &asked.bank).await?;
        if shown.is_empty() {
            return self.nothing_granted(supplier, asked).await;
        }
        let Some(bundle) = verified else {
            return Ok(Granted::Unchecked(shown.len()));
        };
        let parties = Parties {
            log: self.terms.policy.policy().log,
            supplier: supplier.clone(),
            bank: asked.bank.clone(),
        };
        self.chain(&parties, &shown, bundle).await
    }

    /// There was never a document, or an older state is shown than this bank has seen.
    async fn nothing_granted(&self, supplier: &Slug, asked: &Asked) -> Result<Granted, ApplyError> {
        let remembered = self.store.remembered(supplier, &asked.bank).await?;
        if remembered.mark.is_none() {
            return Ok(Granted::Nothing);
        }
        let log = self.terms.policy.policy().log;
        let moment = remembered.moment(self.clock.now(), None);
        let purpose = Purpose::Assess;
        let refused = nothing_shown(log, supplier, asked, remembered, purpose, moment);
        Ok(Granted::Refused(refused))
    }

    async fn chain(
        &self,
        parties: &Parties,
        shown: &[Shown],
        bundle: &[u8],
    ) -> Result<Granted, ApplyError> {
        let signers = match Signers::of(bundle) {
            Ok(signers) => signers,
            Err(refused) => return Ok(Granted::Refused(refused)),
        };
        let (supplier, bank) = (&parties.supplier, &parties.bank);
        let remembered = self.store.remembered(supplier, bank).await?;
        let now = self.clock.now();
        let policy = &self.terms.policy;
        let read = consent::read(parties, shown, &signers, policy, remembered, now);
        Ok(match read {
            Ok(chain) => Granted::Chain(Box::new(chain)),
            Err(unread) => Granted::Refused(unread.into()),
        })
    }
}
