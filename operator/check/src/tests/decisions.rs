//! The section "Decisions" of `docs/rules.md`.

use serde_json::json;

use super::*;
use crate::Halt;

const PAST: &str = "2026-06-01T11:59:59Z";
const FUTURE: &str = "2026-06-01T12:00:01Z";

/// What a provider without any decision, given these, means for a new seat in Amsterdam.
#[track_caller]
fn provider(decisions: &[(&str, &str, Value)], wanted: &str) {
    about("HostingProvider/runs", decisions, wanted);
}

/// As `provider`, for any subject.
#[track_caller]
fn about(subject: &str, decisions: &[(&str, &str, Value)], wanted: &str) {
    let world = after(|w| {
        if subject == "HostingProvider/runs" {
            w.facts.remove_decision("runs-1");
        }
        for (decision, verdict, patch) in decisions {
            w.decide(decision, subject, verdict, patch.clone());
        }
    });
    assert_eq!(world.place(), wanted, "{decisions:?}");
}

fn plain() -> Value {
    json!({})
}

fn over(predecessors: &[&str]) -> Value {
    json!({"supersedes": predecessors})
}

#[test]
fn what_one_decision_means_for_a_provider() {
    provider(&[], "NotApproved");
    provider(&[("a", "Approved", plain())], "");
    provider(&[("a", "Frozen", plain())], "ApprovalFrozen");
    provider(&[("a", "Suspended", plain())], "ApprovalSuspended");
    provider(&[("a", "Revoked", plain())], "ApprovalRevoked");
}

#[test]
fn what_one_decision_means_for_who_needs_none() {
    for subject in ["Site/nl-ams", "Tenant/shop", "TenantWorkload/shop/web", "Tenant/*"] {
        about(subject, &[], "");
        about(subject, &[("a", "Approved", plain())], "");
        about(subject, &[("a", "Approved", json!({"validUntil": PAST}))], "");
        about(subject, &[("a", "Approved", json!({"scope": {"countries": ["BE"]}}))], "");
        about(subject, &[("a", "Frozen", plain())], "ApprovalFrozen");
        about(subject, &[("a", "Suspended", plain())], "ApprovalSuspended");
        about(subject, &[("a", "Revoked", plain())], "ApprovalRevoked");
    }
    for subject in ["Site/be-bru", "Tenant/other", "TenantWorkload/shop/api", "HostingProvider/else"] {
        about(subject, &[("a", "Revoked", plain())], "");
    }
}

#[test]
fn the_strictest_holds_whatever_the_order() {
    let all = [("a", "Approved"), ("b", "Frozen"), ("c", "Suspended"), ("d", "Revoked")];
    let names = ["", "ApprovalFrozen", "ApprovalSuspended", "ApprovalRevoked"];
    for strictest in 0..all.len() {
        let mut decisions: Vec<_> = all[..=strictest].iter().map(|(n, v)| (*n, *v, plain())).collect();
        provider(&decisions, names[strictest]);
        decisions.reverse();
        provider(&decisions, names[strictest]);
    }
}

#[test]
fn owner_and_operator_must_both_pass() {
    let owner = |verdict: &str| after(|w| w.decide("o", "HostingProvider/owns", verdict, plain()));
    assert_eq!(owner("Revoked").place(), "ApprovalRevoked");
    assert_eq!(after(|w| w.facts.remove_decision("owns-1")).place(), "NotApproved");
    assert_eq!(after(|w| w.facts.remove_decision("runs-1")).place(), "NotApproved");
    let neither = after(|w| {
        w.facts.remove_decision("owns-1");
        w.facts.remove_decision("runs-1");
    });
    assert_eq!(neither.place(), "NotApproved NotApproved");
}

#[test]
fn who_owns_and_operates_is_looked_at_once() {
    let world = after(|w| {
        w.site("nl-ams", "NL", json!({"ownedBy": "runs"}));
        w.facts.remove_decision("runs-1");
    });
    assert_eq!(world.place(), "NotApproved");
}

#[test]
fn a_decision_begins_at_its_first_instant() {
    provider(&[("a", "Approved", json!({"validFrom": PAST}))], "");
    provider(&[("a", "Approved", json!({"validFrom": NOON}))], "");
    provider(&[("a", "Approved", json!({"validFrom": FUTURE}))], "NotApproved");
    about("Tenant/shop", &[("a", "Frozen", json!({"validFrom": NOON}))], "ApprovalFrozen");
    about("Tenant/shop", &[("a", "Frozen", json!({"validFrom": FUTURE}))], "");
}

#[test]
fn a_decision_has_ended_at_its_last_instant() {
    provider(&[("a", "Approved", json!({"validUntil": FUTURE}))], "");
    provider(&[("a", "Approved", json!({"validUntil": NOON}))], "ApprovalExpired");
    provider(&[("a", "Approved", json!({"validUntil": PAST}))], "ApprovalExpired");
    about("Tenant/shop", &[("a", "Frozen", json!({"validUntil": FUTURE}))], "ApprovalFrozen");
    about("Tenant/shop", &[("a", "Frozen", json!({"validUntil": NOON}))], "");
}

#[test]
fn each_part_of_a_scope_must_contain_the_candidate() {
    for inside in [
        json!({"sites": ["nl-ams", "be-bru"]}),
        json!({"countries": ["NL"]}),
        json!({"tenants": ["shop"]}),
        json!({"sites": ["nl-ams"], "countries": ["BE", "NL"], "tenants": ["other", "shop"]}),
    ] {
        provider(&[("a", "Approved", json!({"scope": inside}))], "");
        about("Tenant/shop", &[("a", "Frozen", json!({"scope": inside}))], "ApprovalFrozen");
        about("Site/nl-ams", &[("a", "Frozen", json!({"scope": inside}))], "ApprovalFrozen");
    }
    for outside in [
        json!({"sites": ["be-bru"]}),
        json!({"countries": ["BE"]}),
        json!({"tenants": ["other"]}),
        json!({"sites": ["nl-ams"], "countries": ["NL"], "tenants": ["other"]}),
    ] {
        provider(&[("a", "Approved", json!({"scope": outside}))], "ApprovalOutOfScope");
        provider(&[("a", "Frozen", json!({"scope": outside}))], "NotApproved");
        about("Tenant/shop", &[("a", "Frozen", json!({"scope": outside}))], "");
    }
}

#[test]
fn out_of_scope_is_said_only_of_an_approval_that_would_count() {
    let elsewhere = json!({"countries": ["BE"]});
    provider(&[("a", "Approved", json!({"scope": elsewhere, "validUntil": NOON}))], "NotApproved");
    provider(&[("a", "Approved", json!({"scope": elsewhere, "validFrom": FUTURE}))], "NotApproved");
    provider(&[("a", "Approved", json!({"scope": elsewhere, "supersedes": ["gone"]}))], "NotApproved");
    provider(
        &[
            ("a", "Approved", json!({"scope": elsewhere})),
            ("b", "Revoked", json!({"supersedes": ["a"], "validUntil": NOON})),
        ],
        "NotApproved",
    );
    let expired = ("b", "Approved", json!({"validUntil": PAST}));
    provider(&[("a", "Approved", json!({"scope": elsewhere})), expired], "ApprovalExpired");
}

#[test]
fn only_who_names_it_lifts_it() {
    provider(&[("a", "Revoked", plain()), ("b", "Approved", plain())], "ApprovalRevoked");
    provider(&[("a", "Revoked", plain()), ("b", "Approved", over(&["a"]))], "");
    about("Tenant/shop", &[("a", "Frozen", plain()), ("b", "Approved", over(&["a"]))], "");
}

#[test]
fn only_the_same_authority_or_one_that_it_names_lifts_it() {
    let by = |authority: &str| json!({"authority": authority, "supersedes": ["a"]});
    let ministry = json!({"authority": "ministry", "liftableBy": ["court"]});
    provider(&[("a", "Revoked", ministry.clone()), ("b", "Approved", by("compliance"))], "ApprovalRevoked");
    provider(&[("a", "Revoked", ministry.clone()), ("b", "Approved", by("ministry"))], "");
    provider(&[("a", "Revoked", ministry.clone()), ("b", "Approved", by("court"))], "");
    provider(&[("a", "Revoked", ministry), ("b", "Approved", by("Court"))], "ApprovalRevoked");
}

#[test]
fn who_lifts_must_have_begun_and_be_in_scope() {
    let begins = |from: &str| json!({"supersedes": ["a"], "validFrom": from});
    provider(&[("a", "Revoked", plain()), ("b", "Approved", begins(FUTURE))], "ApprovalRevoked");
    provider(&[("a", "Revoked", plain()), ("b", "Approved", begins(NOON))], "");
    let elsewhere = json!({"supersedes": ["a"], "scope": {"tenants": ["other"]}});
    provider(&[("a", "Revoked", plain()), ("b", "Approved", elsewhere)], "ApprovalRevoked");
}

#[test]
fn who_lifts_must_be_about_the_same_subject() {
    let world = after(|w| {
        w.decide("a", "Tenant/shop", "Frozen", plain());
        w.decide("b", "Tenant/other", "Approved", over(&["a"]));
        w.decide("c", "TenantWorkload/shop/web", "Approved", over(&["a"]));
    });
    assert_eq!(world.place(), "ApprovalFrozen");
}

#[test]
fn what_was_superseded_never_comes_back() {
    let ended = json!({"supersedes": ["a"], "validUntil": NOON});
    provider(&[("a", "Approved", plain()), ("b", "Approved", ended.clone())], "ApprovalExpired");
    provider(&[("a", "Approved", plain()), ("b", "Frozen", ended)], "NotApproved");
    provider(
        &[("a", "Revoked", plain()), ("b", "Approved", over(&["a"])), ("c", "Frozen", over(&["b"]))],
        "ApprovalFrozen",
    );
    provider(
        &[("a", "Revoked", plain()), ("b", "Approved", over(&["a"])), ("c", "Approved", over(&["b"]))],
        "",
    );
}

#[test]
fn a_circle_takes_all_its_members_out_of_force() {
    provider(&[("a", "Approved", over(&["a"]))], "NotApproved");
    provider(&[("a", "Approved", over(&["b"])), ("b", "Approved", over(&["a"]))], "NotApproved");
    provider(
        &[("a", "Approved", over(&["c"])), ("b", "Approved", over(&["a"])), ("c", "Approved", over(&["b"]))],
        "NotApproved",
    );
    about("Tenant/shop", &[("a", "Frozen", over(&["b"])), ("b", "Frozen", over(&["a"]))], "");
    provider(
        &[("a", "Approved", over(&["b"])), ("b", "Approved", over(&["a"])), ("c", "Approved", plain())],
        "",
    );
}

#[test]
fn an_approval_with_a_missing_predecessor_does_not_count_and_anything_stricter_does() {
    provider(&[("a", "Approved", over(&["gone"]))], "NotApproved");
    provider(&[("a", "Approved", json!({"supersedes": ["gone"], "validUntil": NOON}))], "NotApproved");
    provider(&[("a", "Frozen", over(&["gone"]))], "ApprovalFrozen");
    provider(&[("a", "Revoked", over(&["gone"]))], "ApprovalRevoked");
    provider(&[("a", "Approved", over(&["gone"])), ("b", "Approved", plain())], "");
}

#[test]
fn an_approval_with_a_missing_predecessor_takes_nobodys_place() {
    about(
        "Tenant/shop",
        &[("a", "Frozen", plain()), ("b", "Approved", over(&["a", "gone"]))],
        "ApprovalFrozen",
    );
    provider(&[("a", "Revoked", plain()), ("b", "Approved", over(&["a", "gone"]))], "ApprovalRevoked");
    provider(&[("a", "Approved", plain()), ("b", "Approved", over(&["a", "gone"]))], "");
    provider(&[("a", "Revoked", plain()), ("b", "Frozen", over(&["a", "gone"]))], "ApprovalFrozen");
}

#[test]
fn a_predecessor_about_somebody_else_exists_and_is_not_touched() {
    let world = after(|w| {
        w.decide("runs-1", "HostingProvider/runs", "Approved", over(&["owns-1"]));
    });
    assert_eq!(world.place(), "");
}

#[test]
fn a_provider_that_does_not_exist_is_unknown_whatever_approves_it() {
    let world = after(|w| w.facts.remove_provider("runs"));
    assert_eq!(world.place(), "NotApproved?");
    for (verdict, wanted) in
        [("Frozen", "ApprovalFrozen"), ("Suspended", "ApprovalSuspended"), ("Revoked", "ApprovalRevoked")]
    {
        let world = after(|w| {
            w.facts.remove_provider("runs");
            w.decide("a", "HostingProvider/runs", verdict, plain());
        });
        assert_eq!(world.place(), format!("NotApproved? {wanted}"));
    }
    let ended = after(|w| {
        w.facts.remove_provider("runs");
        w.decide("runs-1", "HostingProvider/runs", "Approved", json!({"validUntil": NOON}));
    });
    assert_eq!(ended.place(), "NotApproved?");
}

#[test]
fn without_a_site_the_others_are_looked_at_all_the_same() {
    let missing = "CountryDenied? CountryNotAllowed? NotApproved?";
    for subject in ["Site/nl-ams", "Tenant/shop", "TenantWorkload/shop/web"] {
        let world = after(|w| {
            w.facts.remove_site("nl-ams");
            w.decide("a", subject, "Frozen", plain());
        });
        assert_eq!(world.place(), format!("{missing} ApprovalFrozen SiteNotOnline?"));
    }
}

#[test]
fn a_decision_that_is_gone_counts_no_more() {
    let world = after(|w| {
        w.decide("a", "Tenant/shop", "Frozen", plain());
        w.facts.remove_decision("a");
    });
    assert_eq!(world.place(), "");
    let replaced = after(|w| {
        w.decide("a", "Tenant/shop", "Frozen", plain());
        w.decide("a", "Tenant/other", "Frozen", plain());
    });
    assert_eq!(replaced.place(), "");
}

#[test]
fn the_reports_come_in_the_order_of_the_rules() {
    let world = after(|w| {
        w.decide("a", "TenantWorkload/shop/web", "Frozen", plain());
        w.decide("b", "Tenant/shop", "Suspended", plain());
        w.decide("c", "Site/nl-ams", "Revoked", plain());
        w.facts.remove_decision("runs-1");
        w.decide("owns-1", "HostingProvider/owns", "Approved", json!({"validUntil": NOON}));
        w.tenant(json!({"residency": {"allowed": [], "denied": [{"country": "NL"}]}}));
    });
    let wanted = "CountryDenied CountryNotAllowed NotApproved ApprovalRevoked ApprovalSuspended ApprovalFrozen ApprovalExpired";
    assert_eq!(world.place(), wanted);
}

#[test]
fn the_two_person_rule_wants_a_second_user_for_approvals_and_lifts() {
    let strict = |change: &dyn Fn(&mut World)| {
        after(|w| {
            w.installation(json!({"twoPersonRule": true}));
            change(w);
        })
    };
    let bob = json!({"decidedBy": "bob"});
    let confirmed = |w: &mut World| {
        w.decide("runs-2", "HostingProvider/runs", "Approved", bob.clone());
        w.decide("owns-2", "HostingProvider/owns", "Approved", bob.clone());
    };
    assert_eq!(strict(&|_| {}).place(), "SecondPersonMissing SecondPersonMissing");
    assert_eq!(strict(&confirmed).place(), "");
    let frozen = |w: &mut World| {
        confirmed(w);
        w.decide("a", "Tenant/shop", "Frozen", plain());
        w.decide("b", "Tenant/shop", "Approved", over(&["a"]));
    };
    assert_eq!(strict(&frozen).place(), "ApprovalFrozen", "what one alone lifted is in force");
    let lifted = |w: &mut World| {
        frozen(w);
        w.decide("c", "Tenant/shop", "Approved", json!({"decidedBy": "bob", "supersedes": ["a"]}));
    };
    assert_eq!(strict(&lifted).place(), "");
    let stricter = |w: &mut World| {
        confirmed(w);
        w.decide("a", "Tenant/shop", "Frozen", plain());
        w.decide("b", "Tenant/shop", "Suspended", over(&["a"]));
    };
    assert_eq!(strict(&stricter).place(), "ApprovalSuspended", "and replaces it alone");
}

#[test]
fn with_two_persons_one_alone_ends_no_restriction() {
    let held = |change: &dyn Fn(&mut World)| {
        after(|w| {
            w.installation(json!({"twoPersonRule": true}));
            w.decide("runs-2", "HostingProvider/runs", "Approved", json!({"decidedBy": "bob"}));
            w.decide("owns-2", "HostingProvider/owns", "Approved", json!({"decidedBy": "bob"}));
            w.decide("f", "Tenant/shop", "Suspended", plain());
            change(w);
        })
        .place()
    };
    let by = |who: &str, names: &[&str], until: Option<&str>| {
        let mut patch = json!({"decidedBy": who, "supersedes": names});
        if let Some(until) = until {
            patch["validUntil"] = json!(until);
        }
        patch
    };
    let suspended = |w: &mut World, name: &str, patch| w.decide(name, "Tenant/shop", "Suspended", patch);
    let ended = |w: &mut World| suspended(w, "x", by("eve", &["f"], Some(PAST)));
    assert_eq!(held(&ended), "ApprovalSuspended", "what took its place has ended");
    let circle = |w: &mut World| {
        suspended(w, "x", by("eve", &["f", "y"], None));
        suspended(w, "y", by("eve", &["x"], None));
    };
    assert_eq!(held(&circle), "ApprovalSuspended", "a circle");
    let line = |w: &mut World| {
        suspended(w, "x", by("eve", &["f"], None));
        suspended(w, "y", by("eve", &["x"], Some(PAST)));
    };
    assert_eq!(held(&line), "ApprovalSuspended", "the last in a line has ended");
    let lifted = |w: &mut World| {
        suspended(w, "x", by("eve", &["f"], None));
        w.decide("l", "Tenant/shop", "Approved", by("eve", &["x"], None));
        w.decide("m", "Tenant/shop", "Approved", by("ann", &["x"], None));
    };
    assert_eq!(held(&lifted), "", "two have lifted what took its place");
}

#[test]
fn a_suspension_that_one_alone_lifts_may_be_carried_out() {
    let lifted = |second: Option<&str>| {
        after(|w| {
            w.installation(json!({"twoPersonRule": true}));
            w.decide("a", "TenantWorkload/shop/web", "Suspended", plain());
            w.decide("b", "TenantWorkload/shop/web", "Approved", over(&["a"]));
            if let Some(who) = second {
                w.decide(
                    "c",
                    "TenantWorkload/shop/web",
                    "Approved",
                    json!({"decidedBy": who, "supersedes": ["a"]}),
                );
            }
        })
    };
    let suspend = What::ScaleToZero { objects: &[], because: Halt::Suspended };
    assert_eq!(lifted(None).verdict("ams-1", suspend), "");
    assert_eq!(lifted(Some("bob")).verdict("ams-1", suspend), "NotSuspended");
}
