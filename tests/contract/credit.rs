//! What the bank's store promises, on both engines.

mod made;
mod people;
mod reviews;
mod store;

use std::sync::Arc;

use credit::store::{Postgres, Sqlite, Tables};
use tempfile::TempDir;

use super::engine::Database;

/// The bank's tables and what they stand on.
pub struct Bank {
    /// The store that is tested.
    pub store: Arc<dyn Tables>,
    place: Place,
}

enum Place {
    File(TempDir),
    Server(Box<Database>),
}

impl Bank {
    /// SQLite in a temporary folder.
    async fn sqlite() -> Self {
        Self::at(Place::File(tempfile::tempdir().unwrap())).await
    }

    /// PostgreSQL, as the service's role.
    async fn postgres() -> Self {
        Self::at(Place::Server(Box::new(Database::of_the_bank().await))).await
    }

    async fn at(place: Place) -> Self {
        let store = place.open().await;
        Self { store, place }
    }

    /// The same database as another process has it.
    pub async fn second(&self) -> Arc<dyn Tables> {
        self.place.open().await
    }
}

impl Place {
    async fn open(&self) -> Arc<dyn Tables> {
        match self {
            Place::File(folder) => {
                let file = folder.path().join("credit.sqlite");
                Arc::new(Sqlite::open(&file).await.unwrap())
            }
            Place::Server(database) => Arc::new(Postgres::open(&database.service).await.unwrap()),
        }
    }
}

contract! { Bank:
    store:
        offers_at_once_never_overshoot
        stale_view_of_the_limits_cannot_reserve
        application_is_decided_once
        application_by_many_at_once_is_decided_once
        limits_only_change_with_a_higher_version
        limits_declared_by_many_at_once
        decisions_are_listed_newest_first
        refusals_are_kept_once;
    reviews:
        evidence_is_kept_by_its_hash
        offers_move_between_shelves
        step_is_taken_once_and_by_no_person_twice
        steps_of_many_officers_at_once_have_one_winner
        refused_offer_gives_its_room_back_once
        undecided_applications_are_found_behind_decided_ones
        reasons_are_added_and_retired_once
        trail_of_many_writers_has_no_gap
        trail_is_read_from_both_ends;
    people:
        accounts_are_made_once
        sessions_end;
}
