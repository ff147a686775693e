use domicile_core::snapshot::Snapshot;
use serde_json::json;

use super::*;
use crate::output::Paint;

fn object(kind: &str, namespace: &str, name: &str, spec: &serde_json::Value) -> serde_json::Value {
    let metadata = if namespace.is_empty() {
        json!({"name": name})
    } else {
        json!({"namespace": namespace, "name": name})
    };
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// Three members: a lawful one, one whose provider a Russian controls through a parent, and one in Switzerland.
fn facts() -> Facts {
    let mut snapshot = Snapshot::default();
    let person = |name: &str, country: &str, share: u32| {
        ["Capital", "Votes"].map(|what| {
            json!({"holder": {"name": name, "country": country, "kind": "Person"}, "interest": what, "share": {"min": share, "max": share}})
        })
    };
    let parent = ["Capital", "Votes"].map(|what| {
        json!({"holder": {"name": "B", "provider": "b", "kind": "Entity"}, "interest": what, "share": {"min": 80, "max": 80}})
    });
    let members: Vec<_> =
        ["NL", "DE"].map(|c| json!({"country": c, "basis": "Membership", "source": "treaty"})).into();
    snapshot.put(object("CountrySet", "", "home", &json!({"members": members})));
    let provider = |ownership: Vec<serde_json::Value>| json!({"legalName": "x", "registeredIn": "NL", "headquarteredIn": "NL", "ownership": ownership});
    snapshot.put(object("HostingProvider", "", "good", &provider(person("Jansen", "NL", 100).into())));
    snapshot.put(object(
        "HostingProvider",
        "",
        "bad",
        &provider([parent.to_vec(), person("Jansen", "NL", 20).to_vec()].concat()),
    ));
    snapshot.put(object(
        "HostingProvider",
        "",
        "b",
        &provider([person("Holder A", "RU", 51), person("Jansen", "NL", 49)].concat()),
    ));
    for (at, name, country) in [("good", "ams-1", "NL"), ("bad", "fra-1", "DE"), ("good", "zrh-1", "CH")] {
        let site = json!({"operatedBy": at, "ownedBy": at, "country": country, "state": "Online"});
        snapshot.put(object("Site", "", &format!("site-{name}"), &site));
        snapshot.put(object(
            "MemberCluster",
            "",
            name,
            &json!({"site": format!("site-{name}"), "connection": {"kubeconfigSecret": "x"}}),
        ));
    }
    for provider in ["good", "bad"] {
        let spec = json!({
            "subject": {"kind": "HostingProvider", "name": provider}, "decision": "Approved", "basis": "Contract", "authority": "x",
            "decidedBy": "x", "reason": "audited",
        });
        snapshot.put(object("Decision", "", &format!("{provider}-1"), &spec));
    }
    let tenant = json!({
        "namespaces": ["shop"], "residency": {"allowed": [{"countrySet": "home"}]},
        "providers": {"homeCountrySet": "home"}, "preferences": [{"country": "DE"}],
    });
    snapshot.put(object("Tenant", "", "shop", &tenant));
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}});
    snapshot.put(object("TenantWorkload", "shop", "web", &json!({"manifests": [manifest]})));
    snapshot.assume();
    Facts { snapshot, now: "2026-11-29T12:00:00Z".parse().unwrap() }
}

fn told(words: &[&str], wide: bool) -> Result<String, ExplainError> {
    told_of(&facts(), words, wide)
}

fn told_of(facts: &Facts, words: &[&str], wide: bool) -> Result<String, ExplainError> {
    use clap::Parser as _;
    let cli = crate::args::Cli::parse_from(
        ["kubectl-domicile", "explain", "web", "-n", "shop"].iter().chain(words),
    );
    let crate::args::Command::Explain(args) = cli.command else { panic!("another command") };
    let key = WorkloadKey::new("shop", args.workload.as_str()).unwrap();
    let explanation = explanation(facts, &key, &args)?;
    Ok(text::text(&explanation, wide, Paint::plain()))
}

#[test]
fn every_candidate_is_held_against_every_rule() {
    insta::assert_snapshot!(told(&[], false).unwrap());
}

#[test]
fn the_rules_that_pass_are_named_if_wanted() {
    let text = told(&["--cluster", "zrh-1"], true).unwrap();
    assert!(text.contains("passes: CountryDenied, ProviderNotIndependent"), "{text}");
    let passes = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("passes: "))
        .flat_map(|line| line.split(", "))
        .count();
    assert_eq!(passes + text.matches("to change: ").count(), Rule::ALL.len());
}

#[test]
fn what_isnt_there_is_named() {
    assert_eq!(
        told(&["--cluster", "gone"], false).unwrap_err().to_string(),
        "there is no MemberCluster gone"
    );
}

#[test]
fn a_tenant_is_told_where_it_may_look() {
    use clap::Parser as _;
    let cli = crate::args::Cli::parse_from(["kubectl-domicile", "explain", "web", "-n", "shop"]);
    let crate::args::Command::Explain(args) = cli.command else { panic!("another command") };
    let call = |code: u16| {
        let status = kube::core::Status::failure("sites is forbidden", "Forbidden").with_code(code).boxed();
        let (doing, cluster) = ("list sites".to_owned(), "the hub".to_owned());
        FactsError::Cluster(ClusterError::Call { doing, cluster, source: Box::new(kube::Error::Api(status)) })
    };
    let told = |code| output::explained(&hidden(call(code), args.namespace.as_ref().unwrap(), &args));
    let text = told(403);
    assert!(
        text.contains("`kubectl -n shop describe tw web`") && text.ends_with("sites is forbidden"),
        "{text}"
    );
    assert!(!told(500).contains("describe"));
}

#[test]
fn what_stays_for_its_volumes_says_so() {
    let mut facts = facts();
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    facts.snapshot.put(object("TenantWorkload", "shop", "web", &json!({"manifests": [claim]})));
    let seat = json!({"ordinal": 0, "cluster": "ams-1", "epoch": 1, "generation": 1, "phase": "Active"});
    facts.snapshot.put(object("Assignment", "shop", "web", &json!({"tenant": "shop", "seats": [seat]})));
    let spec = json!({
        "subject": {"kind": "HostingProvider", "name": "good"}, "decision": "Revoked", "basis": "Finding", "authority": "x",
        "decidedBy": "x", "reason": "sold",
    });
    facts.snapshot.put(object("Decision", "", "good-2", &spec));
    let text = told_of(&facts, &[], false).unwrap();
    let wanted = "now: stuck at ams-1\n  VolumesNotMovable: HostingProvider/good was revoked, but it keeps data in volumes, which aren't moved yet\n";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn where_a_copy_is_leaving_is_told() {
    let mut facts = facts();
    let seat = json!({"ordinal": 0, "cluster": "ams-1", "epoch": 2, "generation": 1, "phase": "Active"});
    facts.snapshot.put(object("Assignment", "shop", "web", &json!({"tenant": "shop", "seats": [seat]})));
    let spec = json!({
        "workload": "web", "tenant": "shop", "seat": 0, "from": "fra-1", "to": "ams-1", "epoch": 2, "generation": 1,
        "cause": {"kind": "ApprovalRevoked", "subject": "HostingProvider/bad"}, "compulsory": true, "digest": "0123456789abcdef",
    });
    facts.snapshot.put(object("Migration", "shop", "web-0", &spec));
    let text = told_of(&facts, &[], false).unwrap();
    assert!(
        text.contains("now: stays at ams-1\n  a copy isn't gone yet from fra-1 (DE, bad), which"),
        "{text}"
    );
    assert!(text.contains("barred: fra-1 (DE, bad), which a copy is leaving"), "{text}");
}

#[test]
fn what_must_leave_again_goes_back_to_what_it_left() {
    let mut facts = facts();
    let seat = json!({"ordinal": 0, "cluster": "zrh-1", "epoch": 2, "generation": 1, "phase": "Active"});
    facts.snapshot.put(object("Assignment", "shop", "web", &json!({"tenant": "shop", "seats": [seat]})));
    let mut member = facts.snapshot.get("MemberCluster", "", "ams-1").unwrap().clone();
    member["spec"]["scheduling"] = json!("Cordoned");
    facts.snapshot.put(member);
    let spec = json!({
        "workload": "web", "tenant": "shop", "seat": 0, "from": "ams-1", "to": "zrh-1", "epoch": 2, "generation": 1,
        "cause": {"kind": "Draining", "subject": "MemberCluster/ams-1"}, "compulsory": true, "digest": "0123456789abcdef",
    });
    facts.snapshot.put(object("Migration", "shop", "web-0", &spec));
    let text = told_of(&facts, &[], false).unwrap();
    assert!(text.contains("next: must move from zrh-1 to ams-1\n"), "{text}");
}

/// Only the operator sees what is on a member: it says on the hub whose namespaces are somebody else's there.
#[test]
fn where_the_namespace_is_somebody_elses_bars() {
    let mut facts = facts();
    let mut member = facts.snapshot.get("MemberCluster", "", "ams-1").unwrap().clone();
    member["status"]["namespacesTaken"] = json!(["shop"]);
    facts.snapshot.put(member);
    let text = told_of(&facts, &["--cluster", "ams-1"], false).unwrap();
    assert!(text.contains("barred: ams-1 (NL, good)\n  NamespaceTaken: "), "{text}");
}

#[test]
fn what_changes_it_is_a_command_to_copy() {
    let mut facts = facts();
    let spec = json!({
        "subject": {"kind": "Site", "name": "site-ams-1"}, "decision": "Frozen", "basis": "Precaution", "authority": "x",
        "decidedBy": "x", "reason": "looked at",
    });
    facts.snapshot.put(object("Decision", "", "ams-frozen", &spec));
    let text = told_of(&facts, &["--cluster", "ams-1"], false).unwrap();
    let wanted = "\n      kubectl domicile reinstate site/site-ams-1 --authority x --reason TEXT\n";
    assert!(text.contains(wanted), "{text}");
    facts.snapshot.remove(&("Decision".to_owned(), String::new(), "good-1".to_owned()));
    let text = told_of(&facts, &["--cluster", "zrh-1"], false).unwrap();
    assert!(
        text.contains("\n      kubectl domicile approve good --authority NAME --reason TEXT\n"),
        "{text}"
    );
}

#[test]
fn each_command_that_is_told_is_one() {
    use clap::Parser as _;
    let (tenant, cluster) = (TenantName::new("shop").unwrap(), ClusterName::new("ams-1").unwrap());
    let mut told = 0;
    for rule in Rule::ALL {
        for object in [
            "HostingProvider/good",
            "Site/nl-ams",
            "Tenant/shop",
            "TenantWorkload/shop/web",
            "MemberCluster/ams-1",
        ] {
            let finding =
                Finding { rule, certain: true, object: object.to_owned(), because: None, authority: None };
            let Some(command) = command(&finding, (&tenant, &cluster)) else { continue };
            let words = command.strip_prefix("kubectl domicile ").unwrap().split_whitespace();
            let parsed = crate::args::Cli::try_parse_from(["kubectl-domicile"].into_iter().chain(words));
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
            told += 1;
        }
    }
    assert!(told > 10, "{told}");
}

#[test]
fn an_authority_of_several_words_is_one_word_of_the_command() {
    assert_eq!(quoted("ministry-of-justice"), "ministry-of-justice");
    assert_eq!(quoted("Garante d'Italia"), r"'Garante d'\''Italia'");
}
