//! Which decisions count, and what holds for a subject.

use domicile_core::{Change, Horizon, decisions::Effect};
use domicile_crds::SubjectKind;
use serde_json::{Value, json};

use crate::fixture::{Fleet, NOON, name};

const LATER: &str = "2026-06-01T12:00:00.000000001Z";
const YESTERDAY: &str = "2026-05-31T00:00:00Z";

/// A fleet whose operating provider has no decisions but these: name, verdict, and what else it says.
fn decided(decisions: &[(&str, &str, Value)]) -> Fleet {
    let mut fleet = Fleet::lawful();
    fleet.apply(Change::Decision(name("runs-1"), None));
    for (decision, verdict, patch) in decisions {
        fleet.decide(decision, "runs", verdict, patch.clone());
    }
    fleet
}

fn bars(decisions: &[(&str, &str, Value)]) -> String {
    decided(decisions).bars("ams-1")
}

#[test]
fn a_provider_needs_an_approval() {
    assert_eq!(bars(&[]), "NotApproved");
    assert_eq!(bars(&[("a", "Approved", json!({}))]), "");
}

#[test]
fn the_strictest_that_counts_holds() {
    let all = ["Approved", "Frozen", "Suspended", "Revoked"];
    let rules = ["", "ApprovalFrozen", "ApprovalSuspended", "ApprovalRevoked"];
    for (first, a) in all.iter().enumerate() {
        for (second, b) in all.iter().enumerate() {
            let found = bars(&[("a", a, json!({})), ("b", b, json!({}))]);
            assert_eq!(found, rules[first.max(second)], "{a} and {b}");
        }
    }
}

#[test]
fn a_decision_counts_from_its_beginning_and_until_just_before_its_end() {
    let frozen = |patch| bars(&[("a", "Approved", json!({})), ("f", "Frozen", patch)]);
    assert_eq!(frozen(json!({"validFrom": NOON})), "ApprovalFrozen");
    assert_eq!(frozen(json!({"validFrom": LATER})), "");
    assert_eq!(frozen(json!({"validUntil": LATER})), "ApprovalFrozen");
    assert_eq!(frozen(json!({"validUntil": NOON})), "");
    assert_eq!(bars(&[("a", "Approved", json!({"validFrom": LATER}))]), "NotApproved");
}

#[test]
fn each_non_empty_part_of_a_scope_must_contain_the_candidate() {
    for (scope, counts) in [
        (json!({}), true),
        (json!({"sites": ["nl-ams"]}), true),
        (json!({"sites": ["be-bru", "nl-ams"]}), true),
        (json!({"sites": ["be-bru"]}), false),
        (json!({"countries": ["NL"]}), true),
        (json!({"countries": ["BE"]}), false),
        (json!({"tenants": ["shop"]}), true),
        (json!({"tenants": ["bank"]}), false),
        (json!({"sites": ["nl-ams"], "countries": ["NL"], "tenants": ["shop"]}), true),
        (json!({"sites": ["nl-ams"], "countries": ["BE"], "tenants": ["shop"]}), false),
    ] {
        let frozen = ("f", "Frozen", json!({"scope": scope}));
        let found = bars(&[("a", "Approved", json!({})), frozen]);
        assert_eq!(found, if counts { "ApprovalFrozen" } else { "" }, "{scope}");
    }
}

#[test]
fn a_scope_is_judged_alike_for_every_kind_of_subject() {
    for subject in ["Site/nl-ams", "Tenant/shop", "TenantWorkload/shop/web", "owns", "Tenant/*"] {
        for (scope, counts) in [(json!({"countries": ["NL"]}), true), (json!({"sites": ["be-bru"]}), false)] {
            let mut fleet = Fleet::lawful();
            fleet.decide("f", subject, "Frozen", json!({"scope": scope}));
            assert_eq!(fleet.bars("ams-1"), if counts { "ApprovalFrozen" } else { "" }, "{subject} {scope}");
        }
    }
}

#[test]
fn every_subject_can_be_restricted_and_needs_no_approval_but_a_provider() {
    for subject in ["Site/nl-ams", "Tenant/shop", "TenantWorkload/shop/web", "runs", "owns"] {
        for (verdict, rule) in [
            ("Approved", ""),
            ("Frozen", "ApprovalFrozen"),
            ("Suspended", "ApprovalSuspended"),
            ("Revoked", "ApprovalRevoked"),
        ] {
            let mut fleet = Fleet::lawful();
            fleet.decide("d", subject, verdict, json!({}));
            assert_eq!(fleet.bars("ams-1"), rule, "{verdict} {subject}");
        }
    }
    // Their approval that has ended, or is for elsewhere, isn't missed.
    for patch in [json!({"validUntil": YESTERDAY}), json!({"scope": {"sites": ["be-bru"]}})] {
        for subject in ["Site/nl-ams", "Tenant/shop", "TenantWorkload/shop/web"] {
            let mut fleet = Fleet::lawful();
            fleet.decide("d", subject, "Approved", patch.clone());
            assert_eq!(fleet.bars("ams-1"), "", "{patch} {subject}");
        }
    }
}

#[test]
fn a_decision_is_about_its_own_subject_alone() {
    let mut fleet = Fleet::lawful();
    for subject in
        ["Site/be-bru", "Tenant/bank", "TenantWorkload/shop/other", "TenantWorkload/bank/web", "other"]
    {
        fleet.decide(&subject.replace('/', "-").to_lowercase(), subject, "Revoked", json!({}));
    }
    assert_eq!(fleet.bars("ams-1"), "");
    assert_eq!(fleet.bars("bru-1"), "ApprovalRevoked");
}

#[test]
fn operator_and_owner_are_both_looked_at() {
    let mut fleet = Fleet::lawful();
    fleet.apply(Change::Decision(name("owns-1"), None));
    assert_eq!(fleet.bars("ams-1"), "NotApproved");
    fleet.decide("runs-2", "runs", "Frozen", json!({}));
    assert_eq!(fleet.bars("ams-1"), "NotApproved ApprovalFrozen");
}

/// `old` revokes; `new` is an approval that names it. What is said of both decides whether it is lifted.
fn lifted(old: Value, new: Value) -> bool {
    let mut patch = json!({"supersedes": ["old"]});
    patch.as_object_mut().unwrap().extend(new.as_object().unwrap().clone());
    match bars(&[("old", "Revoked", old), ("new", "Approved", patch)]).as_str() {
        "" => true,
        "ApprovalRevoked" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn a_decision_takes_the_place_of_what_it_names_and_is_entitled_to() {
    assert!(lifted(json!({}), json!({})), "the same authority");
    assert!(!lifted(json!({}), json!({"authority": "sales"})), "another authority");
    assert!(lifted(json!({"liftableBy": ["court", "sales"]}), json!({"authority": "sales"})), "a listed one");
    assert!(!lifted(json!({}), json!({"authority": "sales", "liftableBy": ["sales"]})), "listed by itself");
    assert!(!lifted(json!({}), json!({"supersedes": []})), "it names nothing");
    assert!(!lifted(json!({}), json!({"validFrom": LATER})), "it hasn't begun");
    assert!(lifted(json!({}), json!({"validFrom": NOON})), "it has just begun");
}

#[test]
fn outside_its_own_scope_it_takes_no_place() {
    let new = ("new", "Approved", json!({"supersedes": ["old"], "scope": {"sites": ["be-bru"]}}));
    let mut fleet = decided(&[("old", "Revoked", json!({})), new]);
    assert_eq!(fleet.bars("bru-1"), "");
    assert_eq!(fleet.bars("ams-1"), "ApprovalRevoked");
}

#[test]
fn a_decision_about_another_subject_takes_no_place() {
    let mut fleet = decided(&[("old", "Revoked", json!({}))]);
    fleet.decide("new", "owns", "Approved", json!({"supersedes": ["old"]}));
    fleet.decide("runs-2", "runs", "Approved", json!({}));
    assert_eq!(fleet.bars("ams-1"), "ApprovalRevoked");
}

#[test]
fn a_stricter_decision_takes_a_place_too() {
    let new = ("new", "Frozen", json!({"supersedes": ["old"]}));
    assert_eq!(bars(&[("old", "Revoked", json!({})), new]), "ApprovalFrozen");
}

#[test]
fn what_was_superseded_never_comes_back() {
    let old = ("old", "Revoked", json!({}));
    let ended = ("new", "Approved", json!({"supersedes": ["old"], "validUntil": YESTERDAY}));
    assert_eq!(bars(&[old.clone(), ended]), "ApprovalExpired", "its successor has ended");
    let new = ("new", "Approved", json!({"supersedes": ["old"]}));
    let newer = ("newer", "Frozen", json!({"supersedes": ["new"]}));
    assert_eq!(bars(&[old.clone(), new.clone(), newer]), "ApprovalFrozen", "its successor was superseded");
    let newer = ("newer", "Approved", json!({"supersedes": ["new"], "validUntil": YESTERDAY}));
    assert_eq!(bars(&[old, new, newer]), "ApprovalExpired", "a chain has ended");
}

#[test]
fn a_circle_takes_all_its_members_out_of_force() {
    let a = ("a", "Revoked", json!({"supersedes": ["b"]}));
    let b = ("b", "Approved", json!({"supersedes": ["a"]}));
    assert_eq!(bars(&[a.clone(), b.clone()]), "NotApproved");
    let b = ("b", "Frozen", json!({"supersedes": ["c"]}));
    let c = ("c", "Suspended", json!({"supersedes": ["a"]}));
    assert_eq!(bars(&[a, b, c, ("d", "Approved", json!({}))]), "", "what stands beside it counts");
    assert_eq!(bars(&[("a", "Approved", json!({"supersedes": ["a"]}))]), "NotApproved", "of itself alone");
}

#[test]
fn an_approval_that_names_a_missing_decision_neither_counts_nor_takes_a_place() {
    let missing = |names: &[&str]| ("new", "Approved", json!({"supersedes": names}));
    assert_eq!(bars(&[missing(&["gone"])]), "NotApproved");
    assert_eq!(bars(&[("old", "Frozen", json!({})), missing(&["old", "gone"])]), "ApprovalFrozen");
    assert_eq!(bars(&[("old", "Approved", json!({})), missing(&["old", "gone"])]), "", "the old one stands");
    let ended = json!({"supersedes": ["gone"], "validUntil": YESTERDAY});
    assert_eq!(bars(&[("new", "Approved", ended)]), "NotApproved", "nor has it expired");
    let elsewhere = json!({"supersedes": ["gone"], "scope": {"sites": ["be-bru"]}});
    assert_eq!(bars(&[("new", "Approved", elsewhere)]), "NotApproved", "nor is it out of scope");
}

#[test]
fn a_stricter_decision_counts_though_it_names_a_missing_one() {
    let new = ("new", "Frozen", json!({"supersedes": ["gone"]}));
    assert_eq!(bars(&[("a", "Approved", json!({})), new]), "ApprovalFrozen");
    let new = ("new", "Frozen", json!({"supersedes": ["old", "gone"]}));
    assert_eq!(bars(&[("old", "Revoked", json!({})), new]), "ApprovalFrozen", "and takes a place");
}

#[test]
fn a_predecessor_about_somebody_else_is_no_missing_one() {
    assert_eq!(bars(&[("new", "Approved", json!({"supersedes": ["owns-1"]}))]), "");
}

#[test]
fn an_approval_that_has_ended_is_expired_unless_something_took_its_place() {
    let ended = |patch: Value| {
        let mut all = json!({"validUntil": NOON});
        all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        ("a", "Approved", all)
    };
    assert_eq!(bars(&[ended(json!({}))]), "ApprovalExpired");
    assert_eq!(bars(&[ended(json!({"scope": {"sites": ["be-bru"]}}))]), "NotApproved", "elsewhere");
    assert_eq!(bars(&[ended(json!({})), ("b", "Approved", json!({}))]), "", "another counts");
    let later = json!({"supersedes": ["a"], "scope": {"tenants": ["shop"]}, "validUntil": YESTERDAY, "validFrom": "2026-05-01T00:00:00Z"});
    assert_eq!(bars(&[ended(json!({})), ("b", "Frozen", later)]), "NotApproved", "its successor ended too");
    let both = [ended(json!({})), ("b", "Approved", json!({"scope": {"sites": ["be-bru"]}}))];
    assert_eq!(bars(&both), "ApprovalExpired", "that it expired comes before that another is for elsewhere");
}

#[test]
fn an_approval_in_force_for_others_is_out_of_scope() {
    for scope in [json!({"sites": ["be-bru"]}), json!({"countries": ["BE"]}), json!({"tenants": ["bank"]})] {
        assert_eq!(bars(&[("a", "Approved", json!({"scope": scope}))]), "ApprovalOutOfScope", "{scope}");
    }
    let elsewhere = json!({"sites": ["be-bru"]});
    let future = json!({"scope": elsewhere, "validFrom": LATER});
    assert_eq!(bars(&[("a", "Approved", future)]), "NotApproved", "it hasn't begun");
    let a = ("a", "Approved", json!({"scope": elsewhere}));
    let frozen = ("b", "Frozen", json!({"supersedes": ["a"], "validUntil": NOON, "validFrom": YESTERDAY}));
    assert_eq!(bars(&[a, frozen]), "NotApproved", "something took its place");
}

#[test]
fn a_provider_that_doesnt_exist_is_not_known_to_be_approved() {
    let mut fleet = Fleet::lawful();
    fleet.apply(Change::Provider(name("runs"), None));
    assert_eq!(fleet.bars("ams-1"), "NotApproved?");
    fleet.decide("runs-2", "runs", "Frozen", json!({}));
    assert_eq!(fleet.bars("ams-1"), "NotApproved? ApprovalFrozen", "what restricts it counts all the same");
    fleet.decide("runs-2", "runs", "Revoked", json!({}));
    assert_eq!(fleet.bars("ams-1"), "NotApproved? ApprovalRevoked");
}

#[test]
fn without_a_site_the_providers_are_not_looked_at_and_the_others_are() {
    let mut fleet = Fleet::lawful();
    fleet.decide("runs-2", "runs", "Frozen", json!({}));
    fleet.apply(Change::Site(name("nl-ams"), None));
    let unknown = "CountryDenied? CountryNotAllowed? NotApproved?";
    assert_eq!(fleet.bars("ams-1"), format!("{unknown} SiteNotOnline?"));
    for (subject, scope) in [
        ("Tenant/shop", json!({})),
        ("Site/nl-ams", json!({})),
        ("TenantWorkload/shop/web", json!({})),
        ("Tenant/*", json!({})),
        ("Tenant/shop", json!({"sites": ["nl-ams"]})),
    ] {
        fleet.decide("f", subject, "Frozen", json!({"scope": scope}));
        assert_eq!(
            fleet.bars("ams-1"),
            format!("{unknown} ApprovalFrozen SiteNotOnline?"),
            "{subject} {scope}"
        );
    }
    fleet.decide("f", "Tenant/shop", "Frozen", json!({"scope": {"countries": ["NL"]}}));
    assert_eq!(fleet.bars("ams-1"), format!("{unknown} SiteNotOnline?"), "its country isn't known");
}

/// A fleet in which approving and lifting takes two users; both providers are approved by two.
fn by_two(decisions: &[(&str, &str, &str, Value)]) -> String {
    fleet_of_two(decisions).bars("ams-1")
}

fn fleet_of_two(decisions: &[(&str, &str, &str, Value)]) -> Fleet {
    let mut fleet = Fleet::lawful();
    let spec = serde_json::from_value(json!({"twoPersonRule": true})).unwrap();
    fleet.apply(Change::Installation(Some(spec)));
    assert_eq!(fleet.bars("ams-1"), "NotApproved", "by one alone");
    for provider in ["runs", "owns"] {
        fleet.decide(&format!("{provider}-2"), provider, "Approved", json!({"decidedBy": "bob"}));
    }
    assert_eq!(fleet.bars("ams-1"), "");
    for (decision, by, verdict, patch) in decisions {
        let mut patch = patch.clone();
        patch["decidedBy"] = json!(by);
        fleet.decide(decision, "runs", verdict, patch);
    }
    fleet
}

#[test]
fn what_one_alone_has_approved_elsewhere_is_not_approved() {
    let mut fleet = Fleet::lawful();
    let spec = serde_json::from_value(json!({"twoPersonRule": true})).unwrap();
    fleet.apply(Change::Installation(Some(spec)));
    fleet.apply(Change::Decision(name("runs-1"), None));
    let elsewhere = |by: &str| json!({"scope": {"countries": ["BE"]}, "decidedBy": by});
    fleet.decide("owns-2", "owns", "Approved", json!({"decidedBy": "bob"}));
    fleet.decide("a", "runs", "Approved", elsewhere("ann"));
    assert_eq!(fleet.bars("ams-1"), "NotApproved");
    fleet.decide("b", "runs", "Approved", elsewhere("ann"));
    assert_eq!(fleet.bars("ams-1"), "NotApproved", "the same again");
    fleet.decide("c", "runs", "Approved", elsewhere("bob"));
    assert_eq!(fleet.bars("ams-1"), "ApprovalOutOfScope");
}

#[test]
fn who_alone_has_lifted_something_is_named() {
    let told = |decisions: &[(&str, &str, &str, Value)]| fleet_of_two(decisions).explained("ams-1");
    let frozen = ("f", "ann", "Frozen", json!({}));
    let over = |more: Value| {
        let mut patch = json!({"supersedes": ["f"]});
        patch.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        patch
    };
    let alone = told(std::slice::from_ref(&frozen));
    assert!(!alone.concat().contains("lifts"), "{alone:?}");
    let said = told(&[frozen.clone(), ("l", "eve", "Approved", over(json!({})))]);
    let second =
        "; Decision/l lifts it by eve alone: another user must decide the same (Installation, twoPersonRule)";
    assert!(matches!(said.as_slice(), [one] if one.ends_with(second)), "{said:?}");
    for over in [
        over(json!({"scope": {"countries": ["BE"]}})),
        over(json!({"validFrom": "2027-01-01T00:00:00Z"})),
        over(json!({"validUntil": "2026-01-01T00:00:00Z"})),
    ] {
        let said = told(&[frozen.clone(), ("l", "eve", "Approved", over.clone())]);
        assert!(!said.is_empty() && !said.concat().contains("lifts"), "{over}: {said:?}");
    }
}

#[test]
fn with_two_persons_a_freeze_never_waits_and_lifting_it_does() {
    let frozen = ("f", "ann", "Frozen", json!({}));
    let over = || json!({"supersedes": ["f"]});
    assert_eq!(by_two(std::slice::from_ref(&frozen)), "ApprovalFrozen");
    let lifted = ("l", "ann", "Approved", over());
    assert_eq!(by_two(&[frozen.clone(), lifted.clone()]), "ApprovalFrozen");
    assert_eq!(by_two(&[frozen.clone(), lifted.clone(), ("m", "ann", "Approved", over())]), "ApprovalFrozen");
    assert_eq!(by_two(&[frozen.clone(), lifted.clone(), ("m", "bob", "Approved", over())]), "");
    let elsewhere = ("m", "bob", "Approved", json!({"supersedes": ["f"], "scope": {"countries": ["BE"]}}));
    assert_eq!(by_two(&[frozen.clone(), lifted, elsewhere]), "ApprovalFrozen", "not for this place");
    let revoked = ("r", "ann", "Revoked", over());
    assert_eq!(by_two(&[frozen, revoked]), "ApprovalRevoked", "what is stricter takes its place alone");
    let milder = ("m", "ann", "Frozen", json!({"supersedes": ["r"]}));
    let revoked = ("r", "ann", "Revoked", json!({}));
    assert_eq!(by_two(&[revoked.clone(), milder.clone()]), "ApprovalRevoked");
    let second = ("n", "bob", "Frozen", json!({"supersedes": ["r"]}));
    assert_eq!(by_two(&[revoked, milder, second]), "ApprovalFrozen");
}

#[test]
fn with_two_persons_one_alone_ends_nothing() {
    let f = |verdict: &'static str| ("f", "ann", verdict, json!({}));
    let over = |names: &[&str]| json!({"supersedes": names});
    let ended = |names: &[&str]| json!({"supersedes": names, "validUntil": "2026-01-01T00:00:00Z"});
    for (verdict, rule) in
        [("Frozen", "ApprovalFrozen"), ("Suspended", "ApprovalSuspended"), ("Revoked", "ApprovalRevoked")]
    {
        let by_eve = |name: &'static str, patch: Value| (name, "eve", verdict, patch);
        assert_eq!(by_two(&[f(verdict), by_eve("x", ended(&["f"]))]), rule, "what took its place has ended");
        let line = [f(verdict), by_eve("x", over(&["f"])), by_eve("y", ended(&["x"]))];
        assert_eq!(by_two(&line), rule, "and so has what took that one's place");
        let circle = [f(verdict), by_eve("x", over(&["f", "y"])), by_eve("y", over(&["x"]))];
        assert_eq!(by_two(&circle), rule, "a circle");
        let alone = [f(verdict), by_eve("x", over(&["f"])), ("l", "eve", "Approved", over(&["x"]))];
        assert_eq!(by_two(&alone), rule, "lifted by one");
        let lifted = [alone.as_slice(), &[("m", "ann", "Approved", over(&["x"]))]].concat();
        assert_eq!(by_two(&lifted), "", "by two, who lift what took its place");
        let two = [f(verdict), by_eve("x", ended(&["f"])), ("y", "bob", verdict, ended(&["f"]))];
        assert_eq!(by_two(&two), "", "two ended it");
    }
    // What one alone put in place of approvals is milder than nothing: they don't come back.
    let shorter = json!({"supersedes": ["runs-1", "runs-2"], "validUntil": "2026-01-01T00:00:00Z"});
    assert_ne!(by_two(&[("s", "eve", "Approved", shorter)]), "");
}

/// What an approval says of itself is what it comes to: the other user's must still count, and somewhere for the same.
#[test]
fn an_approval_by_one_alone_says_so() {
    let renewed = |patch: Value| {
        let mut fleet = Fleet::lawful();
        let spec = serde_json::from_value(json!({"twoPersonRule": true})).unwrap();
        fleet.apply(Change::Installation(Some(spec)));
        fleet.decide(
            "runs-2",
            "runs",
            "Approved",
            json!({"decidedBy": "bob", "scope": {"countries": ["NL"]}}),
        );
        fleet.decide("runs-3", "runs", "Approved", patch);
        let decisions = &fleet.engine.world().decisions;
        let all = decisions.about_name(SubjectKind::HostingProvider, "runs").iter();
        let third = all.clone().find(|it| it.name.as_str() == "runs-3").unwrap();
        let others: Vec<_> = all.map(|it| it.name.to_string()).collect();
        (decisions.effect(third, &mut Horizon::new(fleet.now)), others)
    };
    let (effect, others) = renewed(json!({}));
    assert_eq!(effect, Effect::InForce);
    let both: Vec<_> = others.into_iter().filter(|name| name != "runs-3").collect();
    assert_eq!(renewed(json!({"supersedes": both})).0, Effect::ByOneAlone, "the other user's is replaced");
    assert_eq!(
        renewed(json!({"scope": {"countries": ["BE"]}})).0,
        Effect::ByOneAlone,
        "for nothing in common"
    );
    assert_eq!(renewed(json!({"scope": {"tenants": ["acme"]}})).0, Effect::InForce);
}

/// A freeze for tomorrow that was lifted today never comes.
#[test]
fn what_is_lifted_before_it_begins_is_over() {
    let effect = |others: &[(&str, &str, Value)]| {
        let later = ("f", "Frozen", json!({"validFrom": "2099-01-01T00:00:00Z"}));
        let fleet = decided(&[&[later][..], others].concat());
        let decisions = &fleet.engine.world().decisions;
        let mut all = decisions.about_name(SubjectKind::HostingProvider, "runs").iter();
        let frozen = all.find(|it| it.name.as_str() == "f").unwrap();
        decisions.effect(frozen, &mut Horizon::new(fleet.now))
    };
    assert_eq!(effect(&[]), Effect::NotYet);
    assert_eq!(effect(&[("l", "Approved", json!({"supersedes": ["f"]}))]), Effect::Superseded(name("l")));
    let part = ("l", "Approved", json!({"supersedes": ["f"], "scope": {"tenants": ["acme"]}}));
    assert_eq!(effect(&[part]), Effect::NotYet);
}

/// What is lifted wherever it held is over, and not lifted in part.
#[test]
fn a_decision_is_over_where_one_of_its_scope_has_taken_its_place() {
    let effect = |scope: Value, by: Value| {
        let fleet = decided(&[
            ("f", "Frozen", json!({"scope": scope})),
            ("l", "Approved", json!({"supersedes": ["f"], "scope": by})),
        ]);
        let decisions = &fleet.engine.world().decisions;
        let mut all = decisions.about_name(SubjectKind::HostingProvider, "runs").iter();
        let frozen = all.find(|it| it.name.as_str() == "f").unwrap();
        decisions.effect(frozen, &mut Horizon::new(fleet.now))
    };
    let (over, in_part) = (Effect::Superseded(name("l")), Effect::SupersededInPart(name("l")));
    let acme = || json!({"tenants": ["acme"]});
    assert_eq!(effect(acme(), acme()), over);
    assert_eq!(effect(acme(), json!({})), over);
    assert_eq!(effect(acme(), json!({"tenants": ["beta", "acme"]})), over);
    assert_eq!(effect(json!({}), acme()), in_part);
    assert_eq!(effect(json!({"tenants": ["beta", "acme"]}), acme()), in_part);
    assert_eq!(effect(acme(), json!({"tenants": ["acme"], "countries": ["NL"]})), in_part);
}
