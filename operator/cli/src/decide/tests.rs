use domicile_core::snapshot::Snapshot;
use serde_json::json;

use super::*;

fn facts(decisions: &[(&str, &str, &str, Value)]) -> Facts {
    let mut snapshot = Snapshot::default();
    snapshot.put(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "HostingProvider", "metadata": {"name": "vendor"},
        "spec": {"legalName": "Vendor", "registeredIn": "US"},
    }));
    for (name, authority, verdict, more) in decisions {
        let mut spec = json!({
            "subject": {"kind": "HostingProvider", "name": "vendor"}, "decision": verdict, "basis": "Finding",
            "authority": authority, "decidedBy": "somebody", "reason": "because",
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        snapshot.put(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": name}, "spec": spec}));
    }
    Facts { snapshot, now: "2026-11-29T12:00:00Z".parse().unwrap() }
}

fn args(words: &[&str]) -> DecideArgs {
    use clap::Parser as _;
    let start = ["kubectl-domicile", "freeze", "vendor", "--reason", "r", "--authority", "ministry"];
    let cli = crate::args::Cli::parse_from(start.iter().chain(words));
    match cli.command {
        crate::args::Command::Freeze(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_freeze_is_a_precaution_and_needs_no_predecessor() {
    let facts = facts(&[("vendor-frozen-2026-11-29", "ministry", "Frozen", json!({}))]);
    let made =
        decision(&facts, &args(&["--tenant", "a"]), Act::Verdict(Verdict::Frozen), "eve".to_owned()).unwrap();
    let expected = json!({
        "subject": {"kind": "HostingProvider", "name": "vendor"}, "decision": "Frozen", "basis": "Precaution",
        "scope": {"tenants": ["a"]}, "authority": "ministry", "decidedBy": "eve", "reason": "r",
    });
    assert_eq!(serde_json::to_value(&made.spec).unwrap(), expected);
    assert_eq!(made.metadata.name.as_deref(), Some("vendor-frozen-2026-11-29-2"), "the first name is taken");
}

#[test]
fn what_would_have_ended_before_it_begins_is_refused() {
    let made =
        |words: &[&str]| decision(&facts(&[]), &args(words), Act::Verdict(Verdict::Frozen), "eve".to_owned());
    let refused = |words: &[&str]| made(words).unwrap_err().to_string();
    let wanted = "--valid-until 2026-11-01T00:00:00Z isn't after 2026-11-29T12:00:00Z, when it would begin: it would never count";
    assert_eq!(refused(&["--valid-until", "2026-11-01"]), wanted);
    assert_eq!(
        refused(&["--valid-until", "2026-11-01", "--valid-from", "2026-10-01"]),
        wanted,
        "that is over, too"
    );
    let empty = refused(&["--valid-until", "2027-01-01", "--valid-from", "2027-01-01"]);
    assert!(
        empty.starts_with("--valid-until 2027-01-01T00:00:00Z isn't after 2027-01-01T00:00:00Z"),
        "{empty}"
    );
    assert!(made(&["--valid-until", "2027-01-02", "--valid-from", "2027-01-01"]).is_ok());
}

#[test]
fn what_is_approved_beyond_what_is_in_force_is_told() {
    let frozen = || ("f", "ministry", "Frozen", json!({}));
    let told = |all: &[(&str, &str, &str, Value)], what: Act, words: &[&str]| {
        let facts = facts(all);
        let made = decision(&facts, &args(words), what, "eve".to_owned()).unwrap();
        lift::beyond(&facts, &made, what).unwrap()
    };
    let lifts = |all: &[(&str, &str, &str, Value)]| told(all, Act::Reinstate, &[]);
    let never = "nobody has ever approved HostingProvider/vendor: what lifts this also approves it, for all tenants, everywhere";
    assert_eq!(lifts(&[frozen()]).as_deref(), Some(never));
    let approved = |more: Value| ("a", "compliance", "Approved", more);
    assert_eq!(lifts(&[frozen(), approved(json!({}))]), None);

    let narrow = approved(json!({"scope": {"tenants": ["hospital"]}}));
    let more = "this approves HostingProvider/vendor for all tenants, everywhere; that is more than what is in force: Decision/a \
                (for tenant hospital)";
    assert_eq!(lifts(&[frozen(), narrow.clone()]).as_deref(), Some(more));
    let for_it = ("f", "ministry", "Frozen", json!({"scope": {"tenants": ["hospital"]}}));
    assert_eq!(lifts(&[for_it, narrow.clone()]), None, "what it lifts and what was approved are the same");
    let longer = lifts(&[frozen(), approved(json!({"validUntil": "2027-01-01T00:00:00Z"}))]).unwrap();
    assert!(
        longer.ends_with("Decision/a (for all tenants, everywhere, until 2027-01-01T00:00:00Z)"),
        "{longer}"
    );
    let ended = lifts(&[frozen(), approved(json!({"validUntil": "2026-01-01T00:00:00Z"}))]).unwrap();
    assert!(ended.starts_with("no approval of HostingProvider/vendor is in force"), "{ended}");

    let approve = Act::Verdict(Verdict::Approved);
    assert_eq!(told(&[], approve, &[]), None, "that is what was asked for");
    assert_eq!(told(std::slice::from_ref(&narrow), approve, &[]).as_deref(), Some(more));
    assert_eq!(told(&[narrow], Act::Verdict(Verdict::Frozen), &[]), None);
}

#[test]
fn reinstating_lifts_what_the_authority_may_lift() {
    let all = [
        ("a", "ministry", "Frozen", json!({})),
        ("b", "court", "Revoked", json!({"liftableBy": ["ministry"]})),
        ("c", "court", "Suspended", json!({})),
        ("d", "ministry", "Frozen", json!({"validUntil": "2026-01-01T00:00:00Z"})),
        ("e", "ministry", "Approved", json!({})),
        ("f", "ministry", "Frozen", json!({})),
        ("g", "ministry", "Approved", json!({"supersedes": ["f"]})),
    ];
    let made = decision(&facts(&all), &args(&[]), Act::Reinstate, "eve".to_owned()).unwrap();
    let lifted: Vec<_> = made.spec.supersedes.iter().map(ToString::to_string).collect();
    assert_eq!((made.spec.decision, lifted), (Verdict::Approved, vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn what_would_do_nothing_is_an_error() {
    let reinstate =
        |facts: &Facts| decision(facts, &args(&[]), Act::Reinstate, String::new()).unwrap_err().to_string();
    assert_eq!(
        reinstate(&facts(&[])),
        "nothing is revoked, suspended or frozen about HostingProvider/vendor: there is nothing to reinstate"
    );
    assert_eq!(
        reinstate(&facts(&[("c", "court", "Frozen", json!({}))])),
        "ministry can't lift anything about HostingProvider/vendor: Decision/c (Frozen) is of court; whoever restricted it can, or an authority in \
         its liftableBy (--authority)"
    );
    let gone = Subject { kind: SubjectKind::Site, name: "gone".to_owned() };
    let missing = named::subject(&facts(&[]), &gone).unwrap_err().to_string();
    assert_eq!(missing, "there is no Site gone; there is none at all");
}

/// With two users asked for.
fn two_persons(decisions: &[(&str, &str, &str, Value)]) -> Facts {
    let mut facts = facts(decisions);
    facts.snapshot.put(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"}, "spec": {"twoPersonRule": true},
    }));
    facts
}

#[test]
fn what_waits_for_a_second_user_says_so() {
    let waits = |facts: &Facts, what: Act, words: &[&str]| {
        let made = decision(facts, &args(words), what, "eve".to_owned()).unwrap();
        standing::waits(facts, &made).unwrap().is_some()
    };
    let (approve, freeze) = (Act::Verdict(Verdict::Approved), Act::Verdict(Verdict::Frozen));
    assert!(!waits(&facts(&[]), approve, &[]), "one is enough");
    assert!(waits(&two_persons(&[]), approve, &[]));
    assert!(waits(&two_persons(&[]), approve, &["--valid-from", "2027-01-01"]), "it will wait then");
    assert!(!waits(&two_persons(&[]), freeze, &[]), "a freeze never waits");
    let frozen = ("a", "ministry", "Frozen", json!({}));
    assert!(waits(&two_persons(std::slice::from_ref(&frozen)), Act::Reinstate, &[]));
    let first = ("b", "ministry", "Approved", json!({"supersedes": ["a"]}));
    assert!(!waits(&two_persons(&[frozen, first]), Act::Reinstate, &[]), "somebody has made it");
}

#[test]
fn what_is_so_already_is_said() {
    let said = |facts: &Facts, words: &[&str]| {
        let made = decision(facts, &args(words), Act::Verdict(Verdict::Frozen), "eve".to_owned()).unwrap();
        standing::already(facts, &made).unwrap()
    };
    let same = facts(&[("a", "ministry", "Frozen", json!({}))]);
    let wanted = "HostingProvider/vendor is Frozen already, by Decision/a of ministry";
    assert_eq!(said(&same, &[]).as_deref(), Some(wanted));
    assert_eq!(said(&same, &["--tenant", "a"]).as_deref(), Some(wanted), "for all tenants is for one, too");
    let others = [
        ("b", "court", "Frozen", json!({})),
        ("c", "ministry", "Revoked", json!({"scope": {"tenants": ["c"]}})),
        ("d", "ministry", "Frozen", json!({"validUntil": "2026-01-01T00:00:00Z"})),
        ("e", "ministry", "Frozen", json!({"scope": {"tenants": ["b"]}})),
    ];
    assert_eq!(said(&facts(&others), &["--tenant", "a"]), None);
    let stricter = "Decision/c of ministry counts, too, by which it is Revoked, and that stays until it is lifted: `kubectl domicile reinstate`";
    assert_eq!(said(&facts(&others), &[]).as_deref(), Some(stricter), "a freeze of what is stricter held");

    let both = facts(&[("a", "ministry", "Approved", json!({})), ("b", "court", "Frozen", json!({}))]);
    let made = decision(&both, &args(&[]), Act::Verdict(Verdict::Approved), "eve".to_owned()).unwrap();
    assert_eq!(
        standing::already(&both, &made).unwrap().as_deref(),
        Some(
            "HostingProvider/vendor is Approved already, by Decision/a of ministry; but Decision/b of court counts, too, \
             by which it is Frozen, and that stays until it is lifted: `kubectl domicile reinstate`"
        )
    );

    let both = facts(&[("a", "ministry", "Approved", json!({})), ("b", "ministry", "Revoked", json!({}))]);
    let lifts = args(&["--supersedes", "b"]);
    let made = decision(&both, &lifts, Act::Verdict(Verdict::Approved), "eve".to_owned()).unwrap();
    let note = standing::already(&both, &made).unwrap();
    assert_eq!(
        note.as_deref(),
        Some("HostingProvider/vendor is Approved already, by Decision/a of ministry"),
        "what it takes the place of doesn't stay"
    );
}

#[test]
fn what_is_misspelt_is_refused_since_nobody_could_correct_it() {
    let mut facts = facts(&[("a", "ministry", "Frozen", json!({})), ("b", "court", "Frozen", json!({}))]);
    for (kind, name, spec) in [
        ("Tenant", "hospital", json!({"namespaces": ["hospital"], "residency": {}})),
        (
            "Site",
            "nl-ams",
            json!({"operatedBy": "vendor", "ownedBy": "vendor", "country": "NL", "state": "Online"}),
        ),
    ] {
        facts.snapshot.put(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}));
    }
    let refused = |words: &[&str]| named::others(&facts, &args(words)).unwrap_err().to_string();
    assert_eq!(refused(&["--tenant", "hopsital"]), "there is no Tenant hopsital; there are hospital");
    assert_eq!(refused(&["--site", "nosuch"]), "there is no Site nosuch; there are nl-ams");
    assert_eq!(
        refused(&["--supersedes", "nosuch"]),
        "there is no Decision nosuch about HostingProvider/vendor; there are a, b"
    );
    assert_eq!(
        refused(&["--supersedes", "b"]),
        "Decision/b is of court: ministry can't put anything in its place"
    );
    // What is decided of a workload outlasts it, and can be lifted.
    let gone = Subject { kind: SubjectKind::TenantWorkload, name: "shop/gone".to_owned() };
    let error = named::subject(&facts, &gone).unwrap_err().to_string();
    assert!(error.starts_with("there is no TenantWorkload shop/gone"), "{error}");
    let spec = json!({
        "subject": {"kind": "TenantWorkload", "name": "shop/gone"}, "decision": "Suspended", "basis": "Precaution",
        "authority": "ministry", "decidedBy": "x", "reason": "r",
    });
    facts.snapshot.put(
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": "gone"}, "spec": spec}),
    );
    assert!(named::subject(&facts, &gone).is_ok());
    let fine = ["--tenant", "hospital", "--site", "nl-ams", "--country", "NL", "--supersedes", "a"];
    assert!(named::others(&facts, &args(&fine)).is_ok());
}

#[test]
fn what_was_typed_is_what_is_asked_for() {
    use clap::Parser as _;
    for typed in ["vendor", "provider/vendor", "workload/bakery/shop", "tw/bakery/shop"] {
        let words = ["kubectl-domicile", "revoke", typed, "--reason", "r", "--authority", "ministry"];
        let crate::args::Command::Revoke(args) = crate::args::Cli::parse_from(words).command else {
            panic!("{typed}")
        };
        assert_eq!(args.about.typed, typed);
    }
}

#[test]
fn whoever_decides_twice_is_told_that_another_must() {
    let by = |user: &str, more: Value| {
        let mut spec = json!({"decidedBy": user});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let all = [("first", "compliance", "Approved", by("eve", json!({})))];
    let waits = |facts: &Facts, what: Act, words: &[&str]| {
        let made = decision(facts, &args(words), what, "eve".to_owned()).unwrap();
        standing::waits(facts, &made).unwrap().unwrap()
    };
    let approve = Act::Verdict(Verdict::Approved);
    let again = waits(&two_persons(&all), approve, &[]);
    assert_eq!(
        again.warning().as_deref(),
        Some("eve has decided the same already, by Decision/first: another user must, and this adds nothing")
    );
    assert!(again.told().ends_with(" So far only eve has, also by Decision/first.\n"), "{}", again.told());

    let first = waits(&two_persons(&[]), approve, &[]);
    let told =
        "It counts when a second user has made the same decision: run the same command as somebody else.\n";
    assert_eq!((first.warning(), first.told().as_str()), (None, told));
    let frozen = ("f", "ministry", "Frozen", json!({}));
    let lifts = waits(&two_persons(&[all[0].clone(), frozen.clone()]), Act::Reinstate, &[]);
    assert_eq!(lifts.warning(), None, "an approval is not what lifts");
    let lifted = ("l", "ministry", "Approved", by("eve", json!({"supersedes": ["f"]})));
    let lifts = waits(&two_persons(&[frozen, lifted]), Act::Reinstate, &[]);
    assert!(lifts.warning().unwrap().contains("by Decision/l:"));
}

#[test]
fn what_lifts_has_the_scope_of_what_it_lifts() {
    let scoped = json!({"scope": {"tenants": ["hospital"], "countries": ["NL"]}});
    let one = facts(&[("a", "ministry", "Frozen", scoped.clone()), ("b", "ministry", "Suspended", scoped)]);
    let made =
        |facts: &Facts, words: &[&str]| decision(facts, &args(words), Act::Reinstate, "eve".to_owned());
    let scope = |it: &Decision| serde_json::to_value(&it.spec.scope).unwrap();
    let lifted = |it: &Decision| it.spec.supersedes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let both = made(&one, &[]).unwrap();
    assert_eq!(
        (scope(&both), lifted(&both)),
        (json!({"tenants": ["hospital"], "countries": ["NL"]}), vec!["a".to_owned(), "b".to_owned()])
    );
    let own = made(&one, &["--country", "NL"]).unwrap();
    assert_eq!(scope(&own), json!({"countries": ["NL"]}), "as it was said");

    let several = facts(&[
        ("a", "ministry", "Frozen", json!({"scope": {"tenants": ["hospital"]}})),
        ("b", "ministry", "Suspended", json!({})),
    ]);
    assert_eq!(
        made(&several, &[]).unwrap_err().to_string(),
        "what ministry can lift about HostingProvider/vendor holds for different scopes: Decision/a (for tenant hospital), \
         Decision/b (for all tenants, everywhere); say with --tenant, --site or --country for which it is lifted, or lift one \
         at a time with --supersedes"
    );
    let one = made(&several, &["--supersedes", "a"]).unwrap();
    assert_eq!((scope(&one), lifted(&one)), (json!({"tenants": ["hospital"]}), vec!["a".to_owned()]));
    let elsewhere = made(&several, &["--tenant", "bakery"]).unwrap();
    assert_eq!(lifted(&elsewhere), ["b"], "the other is not about that tenant");
}

#[test]
fn what_has_not_begun_is_lifted_only_by_its_name() {
    let all = [
        ("frozen", "ministry", "Frozen", json!({})),
        ("ends", "ministry", "Revoked", json!({"validFrom": "2027-01-01T00:00:00Z"})),
    ];
    let lifted = |all: &[(&str, &str, &str, Value)], flags: &[&str]| {
        let made = decision(&facts(all), &args(flags), Act::Reinstate, "eve".to_owned())?;
        Ok::<_, DecideError>(made.spec.supersedes.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(lifted(&all, &[]).unwrap(), ["frozen"]);
    assert_eq!(
        lifted(&all, &["--supersedes", "frozen", "--supersedes", "ends"]).unwrap(),
        ["frozen", "ends"]
    );
    assert!(matches!(lifted(&all[1..], &[]), Err(DecideError::NothingToLift(_))));
}
