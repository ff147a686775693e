//! What runs on a member already, and is handed over: on record where it is, lawful or not, and touched only by a move.

use std::collections::HashSet;

use domicile_core::{
    manifests::{Kind, ObjectRef},
    moves::Memory,
    observed::{NO_EPOCH, ObjectView, Observed},
    orders::{Desk, Order, orders},
    render::{Mode, Target},
};
use domicile_crds::ADOPTED;
use serde_json::{Value, json};

use crate::{
    fixture::{Fleet, deployment, key, name},
    outdated::said,
    yard::Yard,
};

/// `shop/past` runs on a member already; nobody has labelled it.
fn newcomer(cluster: &str, patch: Value) -> Yard {
    let mut yard = Yard::new();
    let mut spec = json!({"adopt": cluster, "manifests": [deployment("1"), config()]});
    spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    yard.fleet.workload_named("past", "uid-2", spec);
    yard
}

fn config() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})
}

fn epochs(yard: &Yard) -> Vec<i64> {
    yard.record("past")
        .map_or_else(Vec::new, |record| record.spec.seats.iter().map(|seat| seat.epoch).collect())
}

#[test]
fn it_is_placed_nowhere_until_all_of_it_is_handed_over() {
    let mut yard = newcomer("ams-1", json!({}));
    yard.calm();
    assert!(yard.record("past").is_none(), "nobody has handed anything over");
    yard.hand_over("past", "ams-1");
    let map = ObjectRef { kind: Kind::of("v1", "ConfigMap").unwrap(), name: "x".into() };
    let there = yard.observed.seat(&name("ams-1"), &key("shop/past"), 0)[&map];
    yard.sees(("past", "ams-1"), map.clone(), None).calm();
    assert!(yard.record("past").is_none(), "its ConfigMap is missing");
    let terminating = ObjectView { terminating: true, ..there };
    yard.sees(("past", "ams-1"), map.clone(), Some(terminating)).calm();
    assert!(yard.record("past").is_none(), "its ConfigMap is going");
    yard.sees(("past", "ams-1"), map, Some(there)).rest();
    assert_eq!((yard.place("past").as_str(), epochs(&yard)), ("ams-1", vec![ADOPTED]));
}

#[test]
fn nothing_is_written_where_it_stays() {
    let mut yard = newcomer("ams-1", json!({}));
    yard.hand_over("past", "ams-1");
    assert_eq!(yard.round(), 1, "the record");
    assert_eq!(yard.calm().round(), 0);
    assert_eq!((yard.place("past").as_str(), yard.there("past").as_str()), ("ams-1", "ams-1"));
}

#[test]
fn where_it_may_not_be_it_is_on_record_and_leaves() {
    let mut yard = newcomer("fra-1", json!({}));
    yard.hand_over("past", "fra-1").calm();
    assert_eq!(yard.there("past"), "ams-1", "the tenant is at home in the Benelux");
    assert_eq!((yard.place("past").as_str(), epochs(&yard)), ("ams-1", vec![1]));
}

#[test]
fn with_nowhere_to_go_it_stays_as_it_is() {
    let mut yard = newcomer("fra-1", json!({"residency": {"allowed": [{"country": "LU"}]}}));
    yard.hand_over("past", "fra-1").calm();
    assert_eq!((yard.place("past").as_str(), yard.there("past").as_str()), ("fra-1", "fra-1"));
    assert_eq!(epochs(&yard), [ADOPTED]);
}

#[test]
fn what_must_never_run_twice_stops_first() {
    let mut yard = newcomer("fra-1", json!({"overlap": "Forbid"}));
    yard.busy.insert("fra-1");
    yard.hand_over("past", "fra-1").rest();
    assert_eq!(yard.runs("past"), "fra-1", "its pods haven't ended");
    yard.busy.clear();
    yard.end_pods("past", "fra-1").calm();
    assert_eq!(yard.there("past"), "ams-1");
}

#[test]
fn its_other_copies_are_placed_elsewhere() {
    let mut yard = newcomer("ams-1", json!({"clusters": {"count": 2}}));
    yard.calm();
    assert!(yard.record("past").is_none());
    yard.hand_over("past", "ams-1").rest();
    assert_eq!((yard.place("past").as_str(), epochs(&yard)), ("ams-1,bru-1", vec![ADOPTED, 1]));
}

#[test]
fn what_domicile_had_before_is_no_find() {
    let mut yard = newcomer("ams-1", json!({}));
    yard.hand_over("past", "ams-1");
    let view = yard.observed.seat(&name("ams-1"), &key("shop/past"), 0).clone();
    for (object, seen) in view {
        let seen = ObjectView { epoch: 1, ..seen };
        yard.sees(("past", "ams-1"), object, Some(seen));
    }
    assert!(
        yard.calm().record("past").is_none(),
        "a hub that was restored has forgotten that it placed it there"
    );
}

#[test]
fn another_copy_of_it_elsewhere_holds_it_up() {
    let mut yard = newcomer("ams-1", json!({}));
    yard.hand_over("past", "ams-1").hand_over("past", "bru-1");
    assert!(yard.calm().record("past").is_none());
}

#[test]
fn its_pods_go_without_labels_until_it_moves() {
    let fleet = Fleet::lawful();
    let world = fleet.engine.world();
    let objects = &world.workloads[&key("shop/web")].manifests.as_ref().unwrap().objects;
    let (tenant, key) = (name("shop"), key("shop/web"));
    let target = |epoch| Target {
        tenant: &tenant,
        key: &key,
        ordinal: 0,
        epoch,
        mode: Mode::Running,
        all_exclusive: false,
        completed_jobs: &[],
        cluster: None,
    };
    let rendered = |epoch| target(epoch).render(&objects[0], &deployment("1"));
    let template = "/spec/template/metadata/labels";
    assert_eq!(rendered(ADOPTED).pointer(template), None);
    assert_eq!(rendered(ADOPTED).pointer("/metadata/labels/domicile.dev~1epoch"), Some(&json!("0")));
    assert_eq!(rendered(1).pointer(&format!("{template}/domicile.dev~1epoch")), Some(&json!("1")));
    assert_ne!(target(ADOPTED).digest(&objects[0]), target(1).digest(&objects[0]));
}

#[test]
fn its_status_says_what_is_missing() {
    let mut fleet = Fleet::lawful();
    fleet.workload(json!({"adopt": "ams-1"}));
    let mut observed = Observed::default();
    for cluster in ["ams-1", "bru-1", "fra-1"] {
        let member = observed.member_mut(&name(cluster));
        (member.reachable, member.synced) = (cluster != "ams-1", true);
    }
    let told = said(&mut fleet, &observed, "Placed");
    assert_eq!(
        told,
        "False Adopting: spec.adopt says that it runs on MemberCluster/ams-1 already, which can't be asked; nothing is placed \
         until it is adopted. If nothing of it is there, remove spec.adopt, and it is placed anew"
    );
    observed.member_mut(&name("ams-1")).reachable = true;
    let told = said(&mut fleet, &observed, "Placed");
    assert!(
        told.contains(
            "already, where Deployment/x isn't seen with its labels: `kubectl domicile adopt` gives them"
        ),
        "{told}"
    );
    fleet.workload(json!({"adopt": "ams-9"}));
    assert!(
        said(&mut fleet, &observed, "Placed").contains("MemberCluster/ams-9 already, which doesn't exist")
    );
}

#[test]
fn what_has_its_labels_and_is_not_of_it_is_no_part_of_it() {
    let mut yard = newcomer("fra-1", json!({}));
    yard.hand_over("past", "fra-1");
    let legacy = ObjectRef { kind: Kind::of("apps/v1", "Deployment").unwrap(), name: "legacy".into() };
    yard.sees(("past", "fra-1"), legacy.clone(), Some(ObjectView::default())).calm();
    assert!(yard.record("past").is_none(), "it would be removed with it");
    let job = ObjectRef { kind: Kind::of("batch/v1", "Job").unwrap(), name: "nightly-1".into() };
    let made = ObjectView { made_by: 1, ..ObjectView::default() };
    yard.sees(("past", "fra-1"), legacy, None).sees(("past", "fra-1"), job, Some(made)).rest();
    assert!(yard.record("past").is_some(), "its CronJob has made that");
}

#[test]
fn what_was_labelled_and_never_recorded_is_not_removed() {
    // Somebody labels another original of that name, after it was adopted here, and is refused on the hub.
    let mut yard = newcomer("ams-1", json!({}));
    yard.hand_over("past", "ams-1").rest().hand_over("past", "bru-1").calm();
    assert_eq!((yard.place("past").as_str(), yard.there("past").as_str()), ("ams-1", "ams-1,bru-1"));
}

#[test]
fn what_a_restored_member_has_again_is_removed() {
    let mut yard = newcomer("fra-1", json!({}));
    yard.hand_over("past", "fra-1").calm();
    assert_eq!(yard.there("past"), "ams-1");
    yard.hand_over("past", "fra-1").calm();
    assert_eq!(yard.there("past"), "ams-1", "a record says that it has left");
}

fn deploy() -> ObjectRef {
    ObjectRef { kind: Kind::of("apps/v1", "Deployment").unwrap(), name: "x".into() }
}

fn seen_in(epoch: i64) -> ObjectView {
    ObjectView { epoch, ready: true, digest: 1, ..ObjectView::default() }
}

fn epochs_at(yard: &Yard, cluster: &str) -> Vec<i64> {
    yard.observed.seat(&name(cluster), &key("shop/past"), 0).values().map(|seen| seen.epoch).collect()
}

#[test]
fn it_is_not_recorded_before_everything_there_was_listed() {
    let mut yard = newcomer("fra-1", json!({}));
    let now = yard.fleet.now;
    yard.hand_over("past", "fra-1").fleet.engine.advance(now);
    let mut orders_once = |synced: bool, listed: bool| {
        for cluster in ["ams-1", "bru-1", "fra-1"] {
            let member = yard.observed.member_mut(&name(cluster));
            (member.reachable, member.synced) = (true, synced || cluster != "fra-1");
            member.verified = listed.then(|| name("shop")).into_iter().collect();
        }
        let verdicts = yard.fleet.engine.decide(&[key("shop/past")].into(), now);
        let (world, classes) = (yard.fleet.engine.world(), yard.fleet.engine.classes());
        let (mut memory, gone) = (Memory::default(), HashSet::new());
        let observed = &yard.observed;
        let mut desk = Desk { world, classes, observed, memory: &mut memory, gone: &gone, now };
        orders(&mut desk, &verdicts[0]).orders
    };
    for (synced, listed) in [(false, false), (false, true), (true, false)] {
        let found = orders_once(synced, listed);
        assert!(
            matches!(&found[..], [Order::Verify(at)] if at.as_str() == "fra-1"),
            "{synced} {listed}: {found:?}"
        );
    }
    assert!(matches!(orders_once(true, true)[..], [Order::CreateAssignment(_)]));
}

#[test]
fn where_originals_are_labelled_nothing_moves_and_nothing_is_removed() {
    let mut yard = newcomer("fra-1", json!({}));
    yard.hand_over("past", "fra-1").round();
    yard.hand_over("past", "ams-1").hand_over("past", "bru-1").calm();
    assert_eq!((yard.place("past").as_str(), yard.there("past").as_str()), ("fra-1", "ams-1,bru-1,fra-1"));
    assert_eq!(epochs_at(&yard, "ams-1"), [ADOPTED, ADOPTED], "as they were");
    let told = yard.told_of("past", "Stalled");
    assert!(
        told.contains("OriginalRemains: ConfigMap/x on MemberCluster/ams-1 has this workload's labels"),
        "{told}"
    );
    // What must leave goes where there is nothing of the kind, as soon as there is such a place.
    for (object, _) in yard.observed.seat(&name("bru-1"), &key("shop/past"), 0).clone() {
        yard.sees(("past", "bru-1"), object, None);
    }
    yard.calm();
    assert_eq!((yard.place("past").as_str(), yard.there("past").as_str()), ("bru-1", "ams-1,bru-1"));
}

#[test]
fn originals_labelled_under_a_move_outlive_its_end() {
    let mut yard = newcomer("fra-1", json!({}));
    yard.hand_over("past", "fra-1").round();
    yard.round();
    assert_eq!(yard.under_way().len(), 1);
    yard.hand_over("past", "ams-1");
    yard.fleet
        .tenant(json!({"residency": {"allowed": [{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]}}));
    yard.calm();
    assert_eq!((yard.place("past").as_str(), epochs_at(&yard, "ams-1")), ("fra-1", vec![ADOPTED, ADOPTED]));
}

#[test]
fn what_a_restored_member_has_again_is_removed_though_its_move_is_forgotten() {
    for overlap in ["Allow", "Forbid"] {
        let mut yard = newcomer("fra-1", json!({"overlap": overlap}));
        yard.hand_over("past", "fra-1").rest();
        yard.end_pods("past", "fra-1").calm();
        yard.delete_ended_moves().calm();
        yard.hand_over("past", "fra-1").calm();
        assert_eq!(yard.there("past"), "ams-1", "{overlap}");
    }
}

#[test]
fn moves_of_an_earlier_workload_of_that_name_say_nothing_of_what_is_labelled_now() {
    let mut yard = newcomer("fra-1", json!({}));
    yard.hand_over("past", "fra-1").calm();
    yard.fleet.apply(domicile_core::Change::Workload(key("shop/past"), None));
    yard.delete_record("past").calm();
    yard.fleet.workload_named("past", "uid-3", json!({"manifests": [deployment("1")]}));
    yard.calm().hand_over("past", "fra-1").calm();
    assert!(
        yard.place("past") != "fra-1" && yard.there("past").ends_with(",fra-1"),
        "{}",
        yard.there("past")
    );
}

#[test]
fn what_runs_beside_the_record_is_told_of() {
    let mut yard = newcomer("ams-1", json!({"overlap": "Forbid"}));
    yard.hand_over("past", "ams-1").rest();
    assert!(
        !yard.told_of("past", "Stalled").contains("OriginalRemains"),
        "{}",
        yard.told_of("past", "Stalled")
    );
    yard.sees(("past", "bru-1"), deploy(), Some(seen_in(ADOPTED))).calm();
    assert!(
        yard.told_of("past", "Stalled").contains("OriginalRemains"),
        "{}",
        yard.told_of("past", "Stalled")
    );
}

#[test]
fn a_label_that_cannot_be_read_adopts_nothing_and_keeps_no_stray() {
    let mut yard = newcomer("ams-1", json!({}));
    yard.hand_over("past", "ams-1");
    let view = yard.observed.seat(&name("ams-1"), &key("shop/past"), 0).clone();
    for (object, seen) in view {
        yard.sees(("past", "ams-1"), object, Some(ObjectView { epoch: NO_EPOCH, ..seen }));
    }
    assert!(yard.calm().record("past").is_none(), "nobody has handed that over");
    let mut yard = newcomer("fra-1", json!({}));
    yard.hand_over("past", "fra-1").calm();
    let claim = ObjectRef { kind: Kind::of("v1", "PersistentVolumeClaim").unwrap(), name: "data-x-0".into() };
    yard.sees(("past", "bru-1"), deploy(), Some(seen_in(1)));
    yard.sees(("past", "bru-1"), claim, Some(seen_in(NO_EPOCH)));
    yard.calm();
    let left = yard.observed.seat(&name("bru-1"), &key("shop/past"), 0);
    assert!(left.keys().all(|object| object.kind.name() == "PersistentVolumeClaim"), "{left:?}");
}
