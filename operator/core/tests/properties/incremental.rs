//! What is kept up to date piece by piece equals what is decided from nothing.

use domicile_core::decide::Wish;
use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*};

use crate::{
    follower::{Follower, Verdicts},
    worlds::{Fact, config, fact, world},
};

#[derive(Clone, Debug)]
enum Step {
    Fact(Fact),
    /// So many minutes pass.
    Pass(i64),
    See,
    Act,
}

fn steps(limits: bool) -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        6 => fact(limits).prop_map(Step::Fact),
        2 => (0..12_i64).prop_map(Step::Pass),
        2 => Just(Step::See),
        1 => Just(Step::Act),
    ];
    vec(vec(step, 1..4), 1..10)
}

fn take(follower: &mut Follower, step: &Step) {
    match step {
        Step::Fact(fact) => follower.take(fact),
        Step::Pass(minutes) => follower.pass(SignedDuration::from_mins(*minutes)),
        Step::See => follower.see(),
        Step::Act => drop(follower.act()),
    }
}

/// Wishes with all that depends on who came first left out: which cluster, and whether there was room in one.
fn apart_from_room(verdicts: Verdicts) -> Vec<String> {
    let wish = |wish: &Wish| match wish {
        Wish::Place(_) | Wish::Wait => "wants a place".to_owned(),
        Wish::Move { cause, compulsory: true, .. } | Wish::Stuck { cause, .. } => {
            format!("must leave, {cause}")
        }
        // A better place may have no room.
        Wish::Move { compulsory: false, .. } | Wish::Stay => "may stay".to_owned(),
        other => format!("{other:?}"),
    };
    let seats = verdicts.into_iter().flat_map(|(key, verdict)| {
        let blocked = format!("{key} {:?}", verdict.blocked);
        let seats = verdict.seats.into_iter().map(move |seat| {
            format!(
                "{key} {} at {:?} {:?} {:?} {}",
                seat.ordinal,
                seat.at,
                seat.failing,
                seat.unknown,
                wish(&seat.wish)
            )
        });
        std::iter::once(blocked).chain(seats)
    });
    seats.collect()
}

proptest! {
    #![proptest_config(config(300))]

    /// Where nothing is limited, nobody depends on who came first: the two are equal, but for the horizons.
    #[test]
    fn without_limits_the_engine_equals_the_reference(facts in world(false), groups in steps(false)) {
        let mut follower = Follower::new(&facts);
        follower.settle();
        prop_assert_eq!(follower.known(), follower.reference());
        for group in &groups {
            for step in group {
                take(&mut follower, step);
            }
            follower.settle();
            prop_assert_eq!(follower.known(), follower.reference(), "after {:?}", group);
        }
    }

    /// Where clusters are limited they are equal apart from who got the room. And nobody is promised room that isn't there.
    #[test]
    fn with_limits_they_are_equal_apart_from_room(facts in world(true), groups in steps(true)) {
        let mut follower = Follower::new(&facts);
        follower.settle();
        for group in &groups {
            for step in group {
                take(&mut follower, step);
            }
            follower.settle();
            prop_assert_eq!(apart_from_room(follower.known()), apart_from_room(follower.reference()), "after {:?}", group);
        }
    }

    /// Once all that could be placed and moved is on record, nobody depends on who came first any more: nobody waits
    /// who needn't, and they are equal.
    #[test]
    fn with_limits_they_are_equal_once_all_is_on_record(facts in world(true), groups in steps(true)) {
        let mut follower = Follower::new(&facts);
        for group in &groups {
            for step in group {
                take(&mut follower, step);
            }
            follower.settle();
        }
        for _ in 0..40 {
            let busy = follower.act();
            follower.settle();
            if !busy {
                prop_assert_eq!(follower.known(), follower.reference());
                return Ok(());
            }
        }
        prop_assert!(false, "it never comes to rest");
    }

    /// In which order facts are learnt makes no difference.
    #[test]
    fn the_order_of_facts_makes_no_difference(facts in world(false), shuffled in Just(()).prop_perturb(|(), rng| rng)) {
        // What is gone is told only to whoever knew it.
        let facts: Vec<_> = facts.into_iter().filter(|fact| !fact.is_gone()).collect();
        let mut rng = shuffled;
        let mut follower = Follower::new(&facts);
        follower.settle();
        let mut other = facts.clone();
        for at in (1..other.len()).rev() {
            other.swap(at, (rng.next_u32() as usize) % (at + 1));
        }
        let mut shuffled = Follower::new(&other);
        shuffled.settle();
        prop_assert_eq!(follower.known(), shuffled.known());
        prop_assert_eq!(follower.reference(), shuffled.reference());
    }
}

/// Worlds in which nothing ever happens prove nothing.
#[test]
fn the_worlds_that_are_drawn_are_lively() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..400 {
        let facts = world(true).new_tree(&mut runner).unwrap().current();
        let mut follower = Follower::new(&facts);
        follower.settle();
        for verdict in follower.last.values() {
            let wishes = verdict.seats.iter().map(|seat| format!("{:?}", seat.wish));
            let blocked = verdict.blocked.iter().map(|_| "Blocked".to_owned());
            for wish in wishes.chain(blocked) {
                let kind = if wish.contains("PreferredPlace") {
                    "Prefer"
                } else {
                    wish.split([' ', '(']).next().unwrap()
                };
                *counts.entry(kind.to_owned()).or_default() += 1;
            }
        }
    }
    for kind in
        ["Place", "Wait", "Stay", "Hold", "Suspend", "Freeze", "Move", "Prefer", "Stuck", "Leave", "Blocked"]
    {
        assert!(counts.get(kind).is_some_and(|count| *count >= 5), "{kind}: {counts:?}");
    }
}
