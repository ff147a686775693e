//! Nothing changes by itself but at the instants that were told.

use domicile_crds::WorkloadKey;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{
    follower::{Follower, plain},
    worlds::{Fact, config, world},
};

const MOMENT: SignedDuration = SignedDuration::from_nanos(1);

/// The verdict at another time, if what was fresh is seen again then.
fn at(facts: &[Fact], key: &WorkloadKey, now: Timestamp) -> Option<domicile_core::decide::Verdict> {
    let mut follower = Follower::new(facts);
    follower.now = now;
    for fact in facts {
        if matches!(fact, Fact::Seen(_, ago) | Fact::HubSeen(ago) if *ago <= 10) {
            follower.take(fact);
        }
    }
    follower.reference().remove(key)
}

proptest! {
    #![proptest_config(config(150))]

    /// A verdict holds until its horizon, as long as what is seen goes on being seen.
    #[test]
    fn a_verdict_holds_until_its_horizon(facts in world(false)) {
        let mut follower = Follower::new(&facts);
        follower.settle();
        for verdict in follower.last.values() {
            let horizon = verdict.next.unwrap_or(follower.now + SignedDuration::from_hours(24 * 365));
            prop_assert!(horizon > follower.now);
            let verdict = plain([verdict.clone()]).pop_first().unwrap().1;
            let half = horizon.duration_since(follower.now) / 2;
            for then in [horizon - MOMENT, horizon - half] {
                let later = at(&facts, &verdict.key, then);
                prop_assert_eq!(Some(&verdict), later.as_ref(), "at {}", then);
            }
        }
    }

    /// Whoever wakes when the engine says so misses nothing, also when nothing is seen any more.
    #[test]
    fn the_engine_wakes_when_something_changes_by_itself(facts in world(false)) {
        let mut follower = Follower::new(&facts);
        follower.settle();
        for _ in 0..60 {
            let next = follower.engine.next();
            let known = follower.known();
            prop_assert!(next.is_none_or(|next| next > follower.now));
            let horizon = next.unwrap_or(follower.now + SignedDuration::from_hours(24 * 365));
            follower.now = horizon - MOMENT;
            prop_assert_eq!(&known, &follower.reference(), "before {}", horizon);
            if next.is_none() {
                return Ok(());
            }
            follower.now = horizon;
            follower.settle();
            prop_assert_eq!(follower.known(), follower.reference(), "at {}", horizon);
        }
        prop_assert!(false, "it wakes for ever");
    }
}
