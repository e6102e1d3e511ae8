//! What the bank's store promises, on both engines.

mod cases;
mod desk;
mod ledger;
mod lending;
mod made;
mod models;
mod papers;
mod people;
mod pledge;
mod reviews;
mod sandbox;
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
    cases:
        place_of_an_invoice_is_taken_once
        invoice_by_many_at_once_has_one_order
        said_about_parties_counts_where_they_or_the_applicant_said_it
        passage_is_kept_with_its_decision_and_nobody_decides_on_it
        passage_beyond_its_line_is_refused_by_the_table;
    models:
        models_come_back_with_their_steps_and_cards
        nobody_acts_twice_on_a_model
        tables_in_use_and_shadow_scores_are_kept_once;
    papers:
        attestations_are_held_once_and_found_by_id
        what_was_seen_of_a_consent_never_falls;
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
    desk:
        rows_beside_a_decision_are_added_once_with_their_row_in_the_trail
        newest_assignment_counts
        assignment_by_many_at_once_is_taken_by_one
        open_tasks_are_those_that_nobody_has_done
        documents_come_back_byte_by_byte_where_they_were_put
        decision_before_and_what_was_offered;
    people:
        accounts_are_made_once
        sessions_end;
    ledger:
        entries_come_back_as_they_went_in
        repeated_entries_change_nothing
        key_of_another_entry_is_refused_whole
        corrections_take_back_once_and_from_their_day
        sums_beyond_64_bits_are_right
        writers_at_once_neither_fork_nor_lose
        key_by_two_at_once_is_kept_once
        book_goes_on_after_a_restart
        change_of_any_row_is_found
        cut_end_gives_another_head;
    pledge:
        thing_is_pledged_once_until_it_is_released
        thing_offered_by_many_at_once_is_pledged_once
        request_is_answered_again_and_says_one_thing
        pallet_and_what_is_on_it_are_not_pledged_apart
        pallet_and_its_parts_by_many_at_once
        lot_is_pledged_up_to_what_is_shown
        lot_by_many_at_once_is_never_beyond_what_is_shown
        refused_offer_leaves_nothing
        step_is_taken_by_one_of_many
        substitute_covers_at_once_or_not_at_all
        substitute_that_moved_meanwhile_releases_nothing
        breach_freezes_and_a_restart_goes_on
        watch_is_kept_by_one_of_many
        streams_of_pledges_in_force_are_followed
        refusals_around_pledges_are_kept_once
        steps_of_pledges_stand_in_the_trail
        pledge_of_unknown_request_is_nothing
        changed_row_shows_and_stops_everything;
    lending:
        offer_becomes_one_loan
        offer_of_others_or_too_late_opens_nothing
        money_goes_out_once
        lost_answers_and_stops_pay_once
        refused_payment_allows_another_token
        cover_is_asked_before_money_moves
        intent_is_not_sent_while_frozen
        token_is_the_borrowers
        payments_come_once
        loan_is_repaid_and_closed
        room_is_told_later_and_once
        one_person_is_never_two
        motion_ends_once
        form_proposes_once_and_only_what_is_possible
        second_person_agrees_to_what_they_saw
        plan_says_what_became_of_every_instalment
        declined_offer_is_no_loan_and_holds_no_room
        offer_is_taken_or_declined_and_never_both
        offer_that_nobody_takes_holds_no_room
        loan_that_nobody_draws_is_closed_and_holds_no_room
        token_is_looked_at_before_others_are_asked
        payments_are_corrected_back_in_time
        bad_loan_is_restructured_given_up_and_recovered
        day_is_run_once_for_all
        run_that_was_stopped_goes_on
        rows_of_the_run_are_what_the_acts_give
        two_runs_at_once_do_no_harm
        day_that_has_not_begun_is_refused
        rows_are_told_with_their_acts
        loans_of_before_tell_once;
    sandbox:
        declarations_are_kept_once_in_their_order
        limits_need_two_people
        limits_approved_at_once_come_one_after_another
        steps_obey_their_guards
        stop_loss_stays_until_two_people_release_it
        records_are_kept_once_and_read_in_pages
        reservations_are_counted_like_the_model
        repayment_is_counted_once
        reservation_is_taken_once
        refusals_are_kept_with_limit_use_and_request
        borrower_is_one_user
        reservations_at_once_never_overshoot
        limits_and_stop_loss_change_in_the_race
        clock_moved_back_brings_nothing_back
        stage_that_does_not_lend_reserves_nothing
        amounts_at_the_end_of_the_number_pass_no_limit
        report_is_kept_once_with_its_hash
        offer_of_a_trial_is_kept_with_its_room_or_not_at_all
        offers_of_a_trial_at_once_never_overshoot
        what_was_open_before_a_trial_is_carried_over_once
        room_is_taken_again_for_a_payment_that_was_none
        report_byte_equal
        stop_loss_is_tripped_by_rows_and_only_repayment_works;
}
