//! What every store promises, written once and run on each engine: SQLite in a file, and
//! PostgreSQL under the role of a service that was given no more than it needs.
//!
//! To add a store method: test it in the module of its trait, and name the test in the list below.

/// Makes one test on each engine of every function named, with what `$engine` opens.
macro_rules! contract {
    ($engine:ident: $($module:ident: $($name:ident)*;)*) => {
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$module::$name(&super::$engine::sqlite().await).await;
                }
            )*)*
        }

        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    if !simulators::parts::Part::Postgres.skip() {
                        super::$module::$name(&super::$engine::postgres().await).await;
                    }
                }
            )*)*
        }
    };
}

mod batches;
mod captures;
mod chains;
mod consents;
mod credit;
mod doubt;
pub mod engine;
mod erasure;
mod handed;
mod ingest;
mod lint;
mod log;
pub mod made;
mod operation;
mod partitions;
mod readers;
mod registry;
mod roles;
mod search;
mod trace;

use engine::Engine;

contract! { Engine:
    batches:
        batches_of_several_processes
        queue_gives_the_oldest_registry_version_in_order
        batch_takes_its_statements_from_the_queue;
    captures:
        capture_is_kept_whole
        capture_that_came_second_keeps_nothing
        captures_at_once_have_one_winner
        newest_attempt_counts;
    chains:
        chain_heads_move_and_say_who_is_silent
        links_are_read_in_the_order_of_the_log
        open_gaps_are_found;
    consents:
        consents_are_kept_once_by_their_number
        consents_wait_for_the_log;
    handed:
        handed_documents_are_kept_once
        handed_documents_wait_for_the_log
        readers_hand_over_so_many_a_day;
    erasure:
        erased_event_is_gone_and_the_others_stay
        captured_document_goes_with_its_event
        erased_event_does_not_come_back
        what_a_backup_brings_back_is_noticed_and_goes_again
        archived_event_is_said_until_it_is_erased
        writers_and_eraser_at_once_leave_nothing
        lists_and_documents_wait_for_the_log
        disclosure_documents_are_kept_by_version;
    ingest:
        statement_is_stored_once
        equal_statements_of_one_call_are_one
        events_come_back_as_they_went_in
        refused_events_keep_their_leaf_and_name_nothing
        many_rows_of_one_call_keep_their_order
        same_statements_by_many_writers_are_each_new_once
        two_statements_in_one_place_are_a_fork
        forks_by_two_writers_at_once_are_all_seen
        quarantine_keeps_each_message_once_and_to_its_limit
        null_character_does_not_stop_the_write_path
        empty_commit_changes_nothing;
    log:
        lease_is_held_renewed_and_taken_over
        lease_is_given_to_one_of_many
        lease_that_was_given_back_is_free
        leases_are_listed_and_end_with_their_holder
        stale_ingest_adds_nothing
        worker_stores_while_somebody_leads
        take_over_waits_for_ingest_or_ingest_fails
        stale_writer_fails_at_insert
        take_over_and_append_do_not_mix
        one_of_two_appends_at_one_position_wins
        failed_append_leaves_nothing
        entries_heads_and_roots
        checkpoints_first_note_of_a_size_stays
        handover_is_kept_once;
    operation:
        waiting_tells_queue_and_open_gaps
        quarantine_is_read_by_its_organisation_only;
    readers:
        report_is_kept_once_and_comes_back
        reports_have_limits_by_item_and_in_all
        contact_is_kept_apart_and_erased
        steps_of_a_report_have_one_winner_each
        scans_are_counted_and_unknown_codes_are_limited;
    registry:
        records_as_of_each_version
        credentials_are_replaced
        enrolment_goes_one_step_at_a_time
        enrolment_steps_have_one_winner;
    search:
        things_are_found_in_order_of_time
        chain_is_read_on_after_any_place
        accepted_events_of_statements_come_with_their_facts;
    trace:
        events_of_items_in_order_with_their_anchor
        statement_in_two_batches_counts_at_the_earlier
        items_devices_and_products
        text_sorts_by_bytes
        chain_is_read_in_order
        chain_events_are_kept_once
        scans_are_counted_one_by_one
        times_are_kept_to_the_microsecond
        totals_count_everything;
}
