//! Clients of what is exposed: where they are sent, and that nobody is taken from them before.

use domicile_core::observed::{By, Observed, Reach};
use domicile_crds::condition_of;
use serde_json::json;

use crate::{
    fixture::{key, name},
    relocating::allowed,
    yard::{Yard, wanderer},
};

const AMS: &str = "ams-1 192.0.2.1:8080";
const BRU: &str = "bru-1 198.51.100.1:8080";

/// Exposed in Amsterdam; its tenant doesn't yearn for anywhere.
fn exposed() -> Yard {
    let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
    yard.expose(json!({})).rest().reached("ams-1", &["192.0.2.1"]).rest();
    assert_eq!(yard.clients(), AMS);
    yard
}

/// What the condition `Exposed` says, with its status.
fn told(yard: &mut Yard) -> String {
    let status = yard.fleet.status(&yard.observed.clone(), &mut domicile_core::moves::Memory::default());
    let told = condition_of(&status.conditions, "Exposed");
    told.map(|told| format!("{} {}: {}", told.status, told.reason, told.message)).unwrap_or_default()
}

#[test]
fn clients_are_sent_to_a_copy_that_is_ready_and_has_an_address() {
    let mut yard = wanderer("Manual", allowed(&["NL"]));
    yard.expose(json!({})).rest();
    assert_eq!(yard.clients(), "", "nobody has said where it can be reached");
    assert!(told(&mut yard).starts_with("False NoAddress: "), "{}", told(&mut yard));
    assert!(
        told(&mut yard).ends_with(": it needs the type NodePort, or LoadBalancer where the member has one")
    );
    let member = yard.observed.member_mut(&name("ams-1"));
    member.set_nodes(Vec::new());
    let reach = Reach { service: "x".to_owned(), by: By::Nodes, ports: vec![(80, 30080)] };
    member.set_reached(&key("shop/web"), 0, Some(vec![reach]));
    assert!(told(&mut yard).ends_with(": no node there that is Ready has an address"), "{}", told(&mut yard));
    yard.pods("ams-1", false, true).reached("ams-1", &["192.0.2.1"]).rest();
    assert_eq!(yard.clients(), "", "not all of it is ready");
    assert!(told(&mut yard).starts_with("False NotReady: "), "{}", told(&mut yard));
    yard.pods("ams-1", true, true).rest();
    assert_eq!(yard.clients(), AMS);
    assert_eq!(told(&mut yard), "True Exposed: x leads to ams-1");
}

#[test]
fn families_have_slices_of_their_own_and_what_means_another_machine_everywhere_is_in_none() {
    let mut yard = exposed();
    let many = [
        "2001:db8::1",
        "127.0.0.1",
        "169.254.0.1",
        "fe80::1",
        "::ffff:192.0.2.9",
        "lb.example",
        "192.0.2.2",
        "192.0.2.2",
    ];
    yard.reached("ams-1", &many).rest();
    assert_eq!(yard.clients(), "ams-1 192.0.2.2:8080; ams-1 2001:db8::1:8080");
    yard.reached("ams-1", &["127.0.0.1"]).rest();
    assert_eq!(yard.clients(), "", "the member says that it has no other");
}

#[test]
fn one_pod_of_several_is_enough_to_stay_and_none_is_not() {
    let mut yard = exposed();
    yard.pods("ams-1", false, true).rest();
    assert_eq!(yard.clients(), AMS);
    yard.reached("ams-1", &["192.0.2.3"]).rest();
    assert_eq!(yard.clients(), "ams-1 192.0.2.3:8080", "its address changes meanwhile");
    yard.pods("ams-1", false, false).rest();
    assert_eq!(yard.clients(), "");
}

#[test]
fn what_isnt_known_changes_nothing() {
    let mut yard = exposed();
    yard.lose("ams-1").rest();
    assert_eq!(yard.clients(), AMS, "the member doesn't answer");
    // The operator restarts, and has seen nothing of the member yet.
    yard.observed = Observed::default();
    yard.restart();
    let before = yard.published;
    yard.later(60).round();
    assert_eq!((yard.clients().as_str(), yard.published), (AMS, before));
}

#[test]
fn nothing_is_written_where_nothing_is_exposed_or_nothing_changed() {
    let mut yard = wanderer("Automatic", json!({}));
    yard.list_hub().calm();
    assert_eq!((yard.there("web").as_str(), yard.published), ("bru-1", 0), "it exposes nothing");
    let mut yard = exposed();
    let before = yard.published;
    yard.calm();
    assert_eq!(yard.published, before);
}

#[test]
fn clients_follow_at_the_switch_and_the_source_drains_from_then_on() {
    let mut yard = exposed();
    yard.revoke("nl-ams").rest();
    assert_eq!(yard.place("web"), "ams-1");
    assert_eq!(yard.waits("web"), "MemberCluster/bru-1 has no address yet for what it exposes");
    assert_eq!(yard.clients(), AMS, "the target is ready and can't be reached");
    yard.reached("bru-1", &["198.51.100.1"]).rest();
    let settles = "the copy on MemberCluster/bru-1 is ready, and has to stay so for a moment before clients are sent there";
    assert_eq!((yard.waits("web").as_str(), yard.place("web").as_str()), (settles, "ams-1"));
    // A moment in which it isn't begins another.
    yard.later(4).rest().unready("web", "bru-1").rest();
    yard.ready("web", "bru-1").rest().later(4).rest();
    assert_eq!((yard.waits("web").as_str(), yard.clients().as_str()), (settles, AMS));
    yard.later(1);
    while yard.place("web") == "ams-1" {
        assert_eq!(yard.clients(), AMS);
        assert_ne!(yard.round(), 0);
    }
    // The hub doesn't take it for a while: the source isn't even begun to be drained.
    yard.hub_refuses = true;
    yard.round();
    yard.later(300).round();
    assert_eq!((yard.clients().as_str(), yard.there("web").as_str()), (AMS, "ams-1,bru-1"));
    assert_eq!(yard.waits("web"), "clients are still sent to the copy on MemberCluster/ams-1");
    yard.hub_refuses = false;
    yard.rest();
    assert_eq!((yard.clients().as_str(), yard.there("web").as_str()), (BRU, "ams-1,bru-1"));
    assert!(yard.knows_when_moves_began());
    yard.later(29).rest();
    assert_eq!(
        (yard.waits("web").as_str(), yard.there("web").as_str()),
        ("the copy on MemberCluster/ams-1 drains", "ams-1,bru-1")
    );
    yard.later(1).rest();
    assert_eq!((yard.clients().as_str(), yard.there("web").as_str()), (BRU, "bru-1"));
    assert_eq!(yard.under_way(), [""; 0]);
}

#[test]
fn a_target_that_never_gets_an_address_is_given_up() {
    let mut yard = exposed();
    yard.revoke("nl-ams").rest().later(601).rest();
    assert_eq!((yard.there("web").as_str(), yard.clients().as_str()), ("ams-1", AMS));
    assert_eq!(yard.said("web"), "the copy at the target wasn't ready in time; the copy stays on ams-1");
}

#[test]
fn after_the_switch_clients_stay_where_they_are_answered() {
    let mut yard = exposed();
    yard.revoke("nl-ams").rest().reached("bru-1", &["198.51.100.1"]).rest().later(5);
    while yard.place("web") == "ams-1" {
        assert_ne!(yard.round(), 0);
    }
    // The operator restarts at this very moment: where the target can be reached has to be asked again.
    yard.observed.member_mut(&name("bru-1")).set_reached(&key("shop/web"), 0, None);
    yard.hub_refuses = true;
    yard.restart().round();
    yard.hub_refuses = false;
    yard.later(100).rest();
    assert_eq!((yard.clients().as_str(), yard.there("web").as_str()), (AMS, "ams-1,bru-1"));
    assert!(!yard.knows_when_moves_began(), "the operator that saw it is gone");
    yard.reached("bru-1", &["198.51.100.1"]).rest();
    assert_eq!((yard.clients().as_str(), yard.there("web").as_str()), (BRU, "ams-1,bru-1"));
    yard.later(30).rest();
    assert_eq!(yard.there("web"), "bru-1");
}

#[test]
fn a_suspended_copy_has_no_clients() {
    let mut yard = exposed();
    yard.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    yard.rest().pods("ams-1", false, false).rest();
    assert_eq!(yard.clients(), "");
}

#[test]
fn what_is_not_exposed_any_more_is_removed() {
    let mut yard = exposed();
    assert_eq!(yard.fleet.engine.world().exposure.of(&key("shop/web")).services.len(), 1);
    yard.expose(json!({"expose": []})).rest();
    let there = yard.fleet.engine.world().exposure.of(&key("shop/web"));
    assert_eq!((there.services.len(), there.slices.len()), (0, 0));
    assert_eq!(told(&mut yard), "");
}

#[test]
fn a_copy_that_is_not_asked_for_any_more_drains_too() {
    let mut yard = exposed();
    yard.expose(json!({"clusters": {"count": 2}})).rest().reached_by(1, "bru-1", &["198.51.100.1"]).rest();
    assert_eq!(yard.clients(), format!("{AMS}; {BRU}"));
    yard.expose(json!({})).rest();
    assert_eq!(
        (yard.clients().as_str(), yard.waits("web").as_str()),
        (AMS, "the copy on MemberCluster/bru-1 drains")
    );
    yard.later(29).rest();
    assert_eq!(yard.place("web"), "ams-1,bru-1");
    yard.later(1).rest();
    assert_eq!((yard.clients().as_str(), yard.place("web").as_str()), (AMS, "ams-1"));
}

#[test]
fn a_name_that_is_somebody_elses_is_left_alone_and_looked_at_again() {
    let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
    yard.foreign.insert("x");
    yard.expose(json!({})).rest().reached("ams-1", &["192.0.2.1"]).rest();
    assert_eq!(yard.clients(), "", "its slices would belong to that Service");
    let said = told(&mut yard);
    assert!(
        said.starts_with("False ExposeNameTaken: Service/x in namespace shop of the hub isn't Domicile's"),
        "{said}"
    );
    assert!(yard.told("Stalled").starts_with("ExposeNameTaken: "), "{}", yard.told("Stalled"));
    assert!(yard.told("Ready").starts_with("Ready: "), "what is on members has nothing to do with it");
    let before = yard.published;
    yard.later(59).rest();
    assert_eq!(yard.published, before, "it isn't asked all the time");
    yard.foreign.clear();
    yard.later(1).rest();
    assert_eq!((yard.clients().as_str(), told(&mut yard).as_str()), (AMS, "True Exposed: x leads to ams-1"));
    assert_eq!(yard.told("Stalled"), "");
    // It holds up no move.
    yard.revoke("nl-ams").rest().reached("bru-1", &["198.51.100.1"]).calm();
    assert_eq!((yard.clients().as_str(), yard.there("web").as_str()), (BRU, "bru-1"));
}

#[test]
fn an_entry_that_the_manifests_lack_exposes_nothing() {
    let mut yard = exposed();
    yard.expose(json!({"expose": [{"service": "x", "port": 81}]})).rest();
    assert_eq!(yard.clients(), "");
    assert!(
        told(&mut yard).starts_with("False ExposeInvalid: spec.expose[0] names port 81"),
        "{}",
        told(&mut yard)
    );
    assert!(yard.told("Stalled").starts_with("ExposeInvalid: "));
}

#[test]
fn while_nobody_knows_what_the_hub_has_nothing_is_written_or_removed() {
    let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
    yard.expose_unlisted().rest().reached("ams-1", &["192.0.2.1"]);
    yard.revoke("nl-ams").rest().reached("bru-1", &["198.51.100.1"]).calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("bru-1", "ams-1,bru-1"));
    assert_eq!((yard.published, told(&mut yard).as_str()), (0, ""));
    yard.list_hub().calm();
    assert_eq!((yard.clients().as_str(), yard.there("web").as_str()), (BRU, "bru-1"));
}
