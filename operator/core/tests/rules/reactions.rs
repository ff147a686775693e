//! What becomes of what runs.

use domicile_core::Change;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::fixture::{Fleet, NOON, claim, name, read};

/// What becomes of a copy in Amsterdam after a change.
fn after(change: impl FnOnce(&mut Fleet) -> &mut Fleet) -> String {
    let mut fleet = Fleet::placed();
    change(&mut fleet);
    fleet.wish()
}

fn decided(subject: &'static str, verdict: &'static str) -> impl Fn(&mut Fleet) -> &mut Fleet {
    move |fleet| fleet.decide(&verdict.to_lowercase(), subject, verdict, json!({}))
}

fn amsterdam(patch: Value) -> impl FnOnce(&mut Fleet) -> &mut Fleet {
    move |fleet| fleet.cluster("ams-1", "nl-ams", patch)
}

/// The last is what a decision is about whose subject can't be read.
const SUBJECTS: [&str; 6] =
    ["runs", "owns", "Site/nl-ams", "Tenant/shop", "TenantWorkload/shop/web", "Tenant/*"];

#[test]
fn suspended_is_scaled_to_zero() {
    for subject in SUBJECTS {
        assert_eq!(after(decided(subject, "Suspended")), "suspend", "{subject}");
    }
}

#[test]
fn frozen_is_left_alone() {
    for subject in SUBJECTS {
        assert_eq!(after(decided(subject, "Frozen")), "freeze", "{subject}");
    }
}

#[test]
fn revoked_must_move_and_the_cause_names_what_was_revoked() {
    assert_eq!(after(decided("Site/nl-ams", "Revoked")), "must move to bru-1, ApprovalRevoked Site/nl-ams");
    let elsewhere = json!({"scope": {"countries": ["NL"]}});
    for (subject, named) in [
        ("runs", "HostingProvider/runs"),
        ("owns", "HostingProvider/owns"),
        ("Tenant/shop", "Tenant/shop"),
        ("TenantWorkload/shop/web", "TenantWorkload/shop/web"),
    ] {
        let wish = after(|fleet| fleet.decide("r", subject, "Revoked", elsewhere.clone()));
        assert_eq!(wish, format!("must move to bru-1, ApprovalRevoked {named}"));
    }
}

#[test]
fn a_country_that_is_no_longer_lawful_must_be_left() {
    let denied = json!({"residency": {"denied": [{"country": "NL"}]}});
    let wish = after(|fleet| fleet.tenant(denied));
    assert_eq!(wish, "must move to bru-1, ResidencyChanged Site/nl-ams");
    let allowed = json!({"residency": {"allowed": [{"country": "BE"}]}});
    let moved = "must move to bru-1, ResidencyChanged Site/nl-ams";
    assert_eq!(after(|fleet| fleet.tenant(allowed.clone())), moved);
    assert_eq!(after(|fleet| fleet.workload(allowed)), moved);
}

#[test]
fn a_closing_site_and_a_draining_member_must_be_left() {
    let closing = after(|fleet| fleet.site("nl-ams", "NL", json!({"state": "Closing"})));
    assert_eq!(closing, "must move to bru-1, SiteClosing Site/nl-ams");
    let draining = after(amsterdam(json!({"spec": {"scheduling": "Draining"}})));
    assert_eq!(draining, "must move to bru-1, Draining MemberCluster/ams-1");
}

#[test]
fn what_becomes_of_an_expired_approval_is_the_tenants_choice() {
    let expired = |choice: Value| {
        after(|fleet| {
            fleet.decide("owns-1", "owns", "Approved", json!({"validUntil": NOON}));
            fleet.decide("owns-2", "owns", "Approved", json!({"scope": {"countries": ["BE"]}}));
            fleet.tenant(choice)
        })
    };
    assert_eq!(expired(json!({})), "hold");
    assert_eq!(expired(json!({"onApprovalExpired": "Hold"})), "hold");
    let evacuated = expired(json!({"onApprovalExpired": "Evacuate"}));
    assert_eq!(evacuated, "must move to bru-1, ApprovalExpired HostingProvider/owns");
}

#[test]
fn an_approval_that_was_never_given_or_is_for_elsewhere_moves_nothing() {
    assert_eq!(after(|fleet| fleet.apply(Change::Decision(name("runs-1"), None))), "hold");
    let elsewhere = json!({"scope": {"countries": ["BE"]}});
    assert_eq!(after(|fleet| fleet.decide("runs-1", "runs", "Approved", elsewhere)), "hold");
}

#[test]
fn what_bars_every_new_byte_holds_what_runs() {
    assert_eq!(after(amsterdam(json!({"status": {"tenants": ["bank"]}}))), "hold");
    assert_eq!(after(amsterdam(json!({"status": {"clusterId": null}}))), "hold", "it isn't known");
    let taken = Change::NamespaceTaken(name("ams-1"), name("shop"), true);
    assert_eq!(after(|fleet| fleet.apply(taken)), "hold");
    assert_eq!(after(|fleet| fleet.seen(SignedDuration::from_mins(11))), "hold");
    assert_eq!(after(amsterdam(json!({"metadata": {"deletionTimestamp": NOON}}))), "hold");
}

#[test]
fn what_bars_only_new_placements_leaves_what_runs_in_care() {
    for patch in [
        json!({"spec": {"scheduling": "Cordoned"}}),
        json!({"status": {"kindsNotServed": ["Deployment"]}}),
        json!({"spec": {"capacity": {"pods": 0}}}),
        json!({"status": {"conditions": null}}),
    ] {
        assert_eq!(after(amsterdam(patch.clone())), "stay", "{patch}");
    }
    assert_eq!(after(|fleet| fleet.ready("ams-1", "nl-ams", "False", NOON)), "stay");
    for state in ["Planned", "Offline"] {
        assert_eq!(after(|fleet| fleet.site("nl-ams", "NL", json!({"state": state}))), "stay");
    }
}

#[test]
fn suspended_comes_before_frozen_before_moving_before_holding() {
    let all: [(&str, &str); 4] =
        [("Suspended", "suspend"), ("Frozen", "freeze"), ("Revoked", "must move"), ("Approved", "hold")];
    // Each by another subject, since the strictest decision about one subject hides its others.
    let subjects = ["Site/nl-ams", "owns", "TenantWorkload/shop/web"];
    for first in 0..4 {
        let wish = after(|fleet| {
            fleet.apply(Change::Decision(name("runs-1"), None));
            for ((verdict, _), subject) in all.iter().zip(subjects).skip(first) {
                let scope = json!({"scope": {"countries": ["NL"]}});
                fleet.decide(&verdict.to_lowercase(), subject, verdict, scope);
            }
            fleet.decide("runs-2", "runs", "Approved", json!({"scope": {"countries": ["BE"]}}))
        });
        assert!(wish.starts_with(all[first].1), "{wish}");
    }
}

#[test]
fn a_freeze_stays_on_what_is_closing_and_draining() {
    let wish = after(|fleet| {
        fleet.decide("f", "Tenant/shop", "Frozen", json!({}));
        fleet.site("nl-ams", "NL", json!({"state": "Closing"}));
        fleet.cluster("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}))
    });
    assert_eq!(wish, "freeze");
}

#[test]
fn a_frozen_place_receives_nothing() {
    let stuck = after(|fleet| {
        fleet.site("nl-ams", "NL", json!({"state": "Closing"}));
        fleet.decide("f", "Site/be-bru", "Frozen", json!({}))
    });
    assert_eq!(stuck, "stuck, SiteClosing Site/nl-ams, NoLawfulPlace");
}

#[test]
fn without_a_lawful_target_a_compulsory_move_is_stuck() {
    let stuck = after(|fleet| {
        fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
        fleet.cluster("bru-1", "be-bru", json!({"spec": {"scheduling": "Cordoned"}}))
    });
    assert_eq!(stuck, "stuck, ApprovalRevoked Site/nl-ams, NoLawfulPlace");
    let full = after(|fleet| {
        fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
        fleet.cluster("bru-1", "be-bru", json!({"spec": {"capacity": {"cpu": "99m"}}}))
    });
    assert_eq!(full, "stuck, ApprovalRevoked Site/nl-ams, NoLawfulPlace");
}

#[test]
fn what_keeps_data_in_volumes_doesnt_move() {
    let stuck = after(|fleet| {
        fleet.workload(json!({"manifests": [claim()]}));
        fleet.decide("r", "Site/nl-ams", "Revoked", json!({}))
    });
    assert_eq!(stuck, "stuck, ApprovalRevoked Site/nl-ams, VolumesNotMovable");
    let preferred =
        after(|fleet| fleet.workload(json!({"manifests": [claim()], "preferences": [{"country": "BE"}]})));
    assert_eq!(preferred, "stay");
}

#[test]
fn a_source_that_isnt_seen_any_more_can_be_left() {
    let wish = after(|fleet| {
        let long_ago = fleet.now - SignedDuration::from_mins(11);
        fleet.apply(Change::Seen(name("ams-1"), long_ago));
        fleet.decide("r", "Site/nl-ams", "Revoked", json!({}))
    });
    assert_eq!(wish, "must move to bru-1, ApprovalRevoked Site/nl-ams");
}

#[test]
fn no_fact_that_is_missing_makes_anything_move() {
    let gone: [(&str, Change); 7] = [
        ("site", Change::Site(name("nl-ams"), None)),
        ("provider", Change::Provider(name("runs"), None)),
        ("set", Change::CountrySet(name("benelux"), None)),
        ("cluster", Change::Cluster(name("ams-1"), None)),
        ("approval", Change::Decision(name("runs-1"), None)),
        ("namespace", Change::Namespace(name("shop"), None)),
        ("tenant", Change::Tenant(name("shop"), None)),
    ];
    for (what, change) in gone {
        let wish = after(|fleet| fleet.apply(change));
        assert!(wish == "hold" || wish.starts_with("blocked: "), "{what}: {wish}");
    }
    let mut denied = Fleet::placed();
    denied.tenant(json!({"residency": {"denied": [{"countrySet": "gone"}]}}));
    assert_eq!(denied.wish(), "hold", "a set that is denied and missing");
}

#[test]
fn a_missing_site_lifts_no_freeze() {
    for (verdict, wish) in [("Frozen", "freeze"), ("Suspended", "suspend")] {
        for (change, what) in [
            (Change::Site(name("nl-ams"), None), "site"),
            (Change::Cluster(name("ams-1"), None), "cluster"),
            (Change::Provider(name("runs"), None), "provider"),
        ] {
            let found = after(|fleet| fleet.decide("f", "Tenant/shop", verdict, json!({})).apply(change));
            assert_eq!(found, wish, "{what}");
        }
    }
}

#[test]
fn nothing_is_driven_out_of_a_place_that_may_be_frozen() {
    let wish = after(|fleet| {
        fleet.decide("f", "runs", "Frozen", json!({}));
        fleet.cluster("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}));
        fleet.decide("r", "Tenant/shop", "Revoked", json!({})).apply(Change::Site(name("nl-ams"), None))
    });
    assert_eq!(wish, "hold", "its providers aren't known without the Site");
}

#[test]
fn a_set_that_is_preferred_and_missing_makes_nothing_move() {
    let mut fleet = Fleet::placed();
    fleet.set("near", &["NL"]);
    fleet.tenant(json!({"preferences": [{"countrySet": "near"}, {"country": "BE"}]}));
    assert_eq!(fleet.wish(), "stay");
    fleet.apply(Change::CountrySet(name("near"), None));
    assert_eq!(fleet.wish(), "stay");
}

#[test]
fn what_fails_and_what_cant_be_told_is_said_of_each_copy() {
    let mut fleet = Fleet::placed();
    fleet.decide("f", "TenantWorkload/shop/web", "Frozen", json!({}));
    fleet.tenant(json!({"residency": {"denied": [{"countrySet": "gone"}]}}));
    fleet.seen(SignedDuration::from_mins(11));
    assert_eq!(fleet.fails(), "CountryDenied? ApprovalFrozen ObservationStale");
}

#[test]
fn manifests_that_cant_be_run_leave_what_runs_alone() {
    let wish = after(|fleet| fleet.workload(json!({"manifests": [{"kind": "Secret"}]})));
    assert!(wish.starts_with("blocked: spec.manifests[0] is `Secret`"), "{wish}");
}

#[test]
fn a_copy_that_must_leave_and_cant_is_looked_at_again_when_its_place_is_another() {
    let mut fleet = Fleet::placed();
    fleet.site("nl-rtm", "NL", json!({})).workload(json!({"manifests": [claim()]}));
    fleet.tenant(json!({"residency": {"denied": [{"country": "NL"}]}}));
    assert_eq!(fleet.decided_anew(), "stuck, ResidencyChanged Site/nl-ams, VolumesNotMovable");
    // Every rule answers the same there, but the cause names the site.
    fleet.cluster("ams-1", "nl-rtm", json!({}));
    assert_eq!(fleet.decided_anew(), "stuck, ResidencyChanged Site/nl-rtm, VolumesNotMovable");
    assert_eq!(fleet.decided_anew(), "");
}

/// Nothing is recorded of a move that may not begin, so that only the brakes can tell that it may now.
#[test]
fn whoever_waits_for_a_pause_to_end_is_looked_at_when_it_ends() {
    let mut fleet = Fleet::placed();
    fleet.cluster("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}));
    let moves = fleet.decided_anew();
    assert!(moves.contains("move to"), "{moves}");
    let installation = |paused: bool| Change::Installation(Some(read(json!({"paused": paused}))));
    let campaign = |paused: bool| {
        let cause = json!({"kind": "Draining", "subject": "MemberCluster/ams-1"});
        let spec = json!({"cause": cause, "paused": paused});
        let object = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "Relocation", "metadata": {"name": "all"}, "spec": spec,
        });
        Change::Relocation(name("all"), Some(Box::new(read(object))))
    };
    for brake in [&installation as &dyn Fn(bool) -> Change, &campaign] {
        for paused in [true, false] {
            assert_eq!(fleet.apply(brake(paused)).decided_anew(), moves, "{paused}");
            assert_eq!(fleet.apply(brake(paused)).decided_anew(), "", "nothing is new");
        }
    }
}
