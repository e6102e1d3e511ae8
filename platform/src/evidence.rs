//! What a bank may read of a supplier that has consented: every statement of every device of the
//! supplier, complete from the first, and the events by which others confirm its goods.

use std::collections::{BTreeMap, BTreeSet};

use schemas::disclosure::Audience;
use schemas::hash::Hash;
use schemas::ids::Slug;

use crate::bundle::{BundleError, Bundler, Choice, Chosen, Made};

/// Most items of a supplier that confirmations are looked up for.
const ITEMS_MAX: u32 = 100_000;

impl Bundler {
    /// The evidence of an organisation up to the newest witnessed checkpoint, as a bank sees it.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn evidence(&self, organisation: &Slug) -> Result<Made, BundleError> {
        self.evidence_for(organisation, Audience::Bank).await
    }

    /// The same as an audience sees it.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn evidence_for(
        &self,
        organisation: &Slug,
        audience: Audience,
    ) -> Result<Made, BundleError> {
        let mut choice = Choice::fresh();
        for device in self.store.devices(Some(organisation)).await? {
            for id in self.store.chain(&device).await? {
                choice.add_statement(id);
            }
        }
        self.keep_own(&mut choice, organisation).await?;
        let items = self.store.items_of(organisation, ITEMS_MAX).await?;
        let named: BTreeSet<&String> = items.iter().collect();
        for id in self.store.statements_naming(&items, organisation).await? {
            let places = self.places_naming(&id, &named).await?;
            choice.statements.insert(id, Chosen::Places(places));
        }
        self.make_for(&choice, audience).await
    }

    /// Leaves out statements that the platform signed for another organisation than this.
    pub(crate) async fn keep_own(
        &self,
        choice: &mut Choice,
        organisation: &Slug,
    ) -> Result<(), BundleError> {
        let ids: Vec<Hash> = choice.statements.keys().copied().collect();
        let declared = self.store.declarers(&ids).await?;
        let is_own = |id: &Hash| declared.get(id).is_none_or(|of| of == organisation);
        choice.statements.retain(|id, _| is_own(id));
        Ok(())
    }

    /// Places of a foreign statement's events that name any of the items; the rest stays unseen.
    async fn places_naming(
        &self,
        id: &Hash,
        items: &BTreeSet<&String>,
    ) -> Result<BTreeSet<u64>, BundleError> {
        let mut places = BTreeSet::new();
        for event in self.store.events_of_statement(id).await? {
            let Some((bytes, _)) = &event.content else {
                continue;
            };
            let value = serde_json::from_slice(bytes).map_err(|_| BundleError::Broken("event"))?;
            let things = schemas::epcis::items(&value).unwrap_or_default();
            if things
                .iter()
                .any(|thing| items.contains(&thing.key.as_str().to_owned()))
            {
                places.insert(event.position);
            }
        }
        Ok(places)
    }

    /// A bundle of chosen events, with what the public does not see withheld.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn public(
        &self,
        events: &BTreeMap<Hash, BTreeSet<u64>>,
    ) -> Result<Made, BundleError> {
        self.chosen(events, Some(Audience::Consumer)).await
    }
}
