//! Accounts and sessions: the tables are the kit's, log-ins and log-outs go into the trail.

use async_trait::async_trait;
use kit::people::tables::{KeepsPeople, PostgresPeople};
use kit::people::{FactorNoted, Noted, StoreFailed};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::Postgres;
use crate::audit::Entry;
use crate::store::Reviews as _;

#[async_trait]
impl KeepsPeople for Postgres {
    type Tables = PostgresPeople;

    fn tables(&self) -> PostgresPeople {
        PostgresPeople(self.pool.clone())
    }

    async fn note_at_the_door(
        &self,
        name: &Slug,
        what: Noted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        let entry = Entry::at_the_door(name, &what, at);
        let noted = self.note(&entry).await;
        noted.map_err(|error| StoreFailed(Box::new(error)))
    }

    async fn note_a_factor(
        &self,
        name: &Slug,
        what: FactorNoted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        let entry = Entry::of_factor(name, &what, at);
        let noted = self.note(&entry).await;
        noted.map_err(|error| StoreFailed(Box::new(error)))
    }
}
