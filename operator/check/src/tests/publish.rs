//! Where clients are sent.

use super::*;

const FIRST: What<'_> = What::Publish { ordinal: 0 };

#[test]
fn clients_are_sent_where_the_copy_is_on_record_and_nowhere_else() {
    let mut world = World::placed();
    assert_eq!(world.verdict("ams-1", FIRST), "");
    assert_eq!(world.verdict("bru-1", FIRST), "NotRecorded", "it isn't there");
    assert_eq!(world.verdict("ams-1", What::Publish { ordinal: 1 }), "NotRecorded", "that is another copy");
    world.seats(&[("ams-1", "Leaving")]);
    assert_eq!(world.verdict("ams-1", FIRST), "NotRecorded", "it isn't asked for any more");
    assert_eq!(World::lawful().verdict("ams-1", FIRST), "NotRecorded", "nothing is on record");
}

#[test]
fn what_runs_where_it_may_not_any_more_is_served_there_until_it_has_moved() {
    let mut world = World::placed();
    world.decide("d", "HostingProvider/runs", "Revoked", json!({}));
    assert_eq!(world.verdict("ams-1", FIRST), "");
}

#[test]
fn clients_of_another_workload_of_that_name_are_sent_nowhere() {
    let mut world = World::placed();
    world.workload = None;
    assert_eq!(world.verdict("ams-1", FIRST), "WorkloadMismatch");
}
