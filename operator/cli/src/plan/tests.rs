use std::path::Path;

use domicile_core::snapshot::Snapshot;
use serde_json::json;

use super::*;
use crate::facts::lay_over;
use crate::output::Paint;

mod asked;
mod over;
mod reasons;

/// The examples as they are before the vendor is barred, with everything where it was placed.
fn benelux() -> Facts {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut snapshot = Snapshot::default();
    let files =
        ["01-providers", "02-sites", "03-clusters", "10-vendor-approved", "11-tenants", "12-workloads"];
    for file in files {
        lay_over(&mut snapshot, &root.join(format!("examples/benelux/{file}.yaml"))).unwrap();
    }
    lay_over(&mut snapshot, &root.join("charts/domicile/countrysets")).unwrap();
    snapshot.assume();
    let mut facts = Facts { snapshot, now: "2026-11-29T12:00:00Z".parse().unwrap() };
    settle(&mut facts);
    facts
}

/// What is to be placed or moved is where it was to go.
fn settle(facts: &mut Facts) {
    for step in plan(facts, &PlanArgs::default(), &[]).unwrap().steps {
        let Some(to) = step.to else { continue };
        let (namespace, name) = step.workload.split_once('/').unwrap();
        let seat =
            json!({"ordinal": step.copy, "cluster": to, "epoch": 1, "generation": 1, "phase": "Active"});
        facts.snapshot.put(json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "Assignment",
            "metadata": {"namespace": namespace, "name": name}, "spec": {"tenant": step.tenant, "seats": [seat]},
        }));
    }
}

fn args(words: &[&str]) -> PlanArgs {
    use clap::Parser as _;
    let cli = crate::args::Cli::parse_from(["kubectl-domicile", "plan"].iter().chain(words));
    match cli.command {
        crate::args::Command::Plan(args) => args,
        other => panic!("{other:?}"),
    }
}

fn told(facts: &Facts, words: &[&str]) -> String {
    text::text(&plan(facts, &args(words), &[]).unwrap(), false, Paint::plain())
}

#[test]
fn with_nothing_to_do_it_says_so() {
    let facts = benelux();
    let text =
        "At 2026-11-29T12:00:00Z, what is yet to do:\n\nNothing would happen; 8 copies stay as they are.\n";
    assert_eq!(told(&facts, &[]), text);
}

#[test]
fn that_moves_are_paused_is_said() {
    let mut facts = benelux();
    facts.snapshot.put(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"}, "spec": {"paused": true},
    }));
    let paused = "Moves are paused by Installation/default: none of them begins until that is lifted.";
    for words in [&[][..], &["--revoke", "meridian-cloud"]] {
        assert!(told(&facts, words).contains(paused), "{words:?}");
    }
}

#[test]
fn a_freeze_moves_nothing() {
    let text = told(&benelux(), &["--freeze", "meridian-cloud"]);
    insta::assert_snapshot!(text);
}

#[test]
fn a_revocation_says_what_has_nowhere_to_go() {
    insta::assert_snapshot!(told(&benelux(), &["--revoke", "meridian-cloud", "--approve", "schelde-maas"]));
}

#[test]
fn a_site_that_comes_online_draws_whom_it_may() {
    insta::assert_snapshot!(told(&benelux(), &["--online", "ch-zrh", "--approve", "limmat"]));
}

#[test]
fn what_waits_for_a_minute_only_is_told_at_once() {
    let mut facts = benelux();
    let mut member = facts.snapshot.get("MemberCluster", "", "ch-zrh-1").unwrap().clone();
    member["status"]["conditions"][0]["lastTransitionTime"] = json!("2026-11-29T11:59:30Z");
    facts.snapshot.put(member);
    let text = told(&facts, &["--online", "ch-zrh", "--approve", "limmat"]);
    let why = "\n  Site/ch-zrh is preferred and available, once ch-zrh-1 has been Ready for a minute\n";
    assert!(text.contains("moves from us-va-1 to ch-zrh-1: 3\n") && text.contains(why), "{text}");
}

/// A workload that may be nowhere, of a tenant that names a set which isn't there.
fn homeless() -> Facts {
    let mut facts = benelux();
    let mut tenant = facts.snapshot.get("Tenant", "", "archive").unwrap().clone();
    tenant["spec"]["residency"] = json!({"allowed": [{"countrySet": "nowhere"}]});
    facts.snapshot.put(tenant);
    let record =
        facts.snapshot.of_kind("Assignment").map(|(key, _)| key.clone()).find(|key| key.1 == "archive");
    facts.snapshot.remove(&record.unwrap());
    facts
}

#[test]
fn what_has_no_place_is_told_why() {
    let text = told(&homeless(), &[]);
    insta::assert_snapshot!(text);
    let plan = plan(&homeless(), &args(&[]), &[]).unwrap();
    let step = plan.steps.iter().find(|step| step.what == What::Wait).unwrap();
    assert!(text.contains(&step.why) && text.contains(step.nearest.as_ref().unwrap()), "{step:?}");
    assert_eq!(plan.missing.iter().collect::<Vec<_>>(), ["CountrySet/nowhere"]);
}

#[test]
fn many_reasons_are_summed_up() {
    let mut facts = homeless();
    let spec =
        facts.snapshot.of_kind("TenantWorkload").find(|(key, _)| key.1 == "archive").unwrap().1["spec"]
            .clone();
    for at in 0..40 {
        let metadata = json!({"namespace": "archive", "name": format!("w-{at}")});
        facts.snapshot.put(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "metadata": metadata, "spec": spec}));
        // Of each, another decision is told.
        let suspended = json!({
            "subject": {"kind": "TenantWorkload", "name": format!("archive/w-{at}")}, "decision": "Suspended", "basis": "Request",
            "authority": "x", "decidedBy": "x", "reason": "r",
        });
        facts.snapshot.put(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": format!("d-{at}")}, "spec": suspended}));
    }
    let mut tenant = facts.snapshot.get("Tenant", "", "archive").unwrap().clone();
    tenant["spec"]["residency"] = json!({"allowed": [{"country": "US"}]});
    facts.snapshot.put(tenant);
    let text = told(&facts, &[]);
    assert!(text.contains("\nno place: 35 for other reasons, which -o wide tells\n"), "{text}");
    assert!(text.lines().count() < 30, "{text}");
}

#[test]
fn several_folders_are_read_and_the_last_counts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let [benelux, sets] =
        ["examples/benelux", "charts/domicile/countrysets"].map(|it| root.join(it).display().to_string());
    let asked = args(&["--from", &benelux, "--from", &sets]);
    assert_eq!(asked.facts.from.len(), 2);
    let mut snapshot = Snapshot::default();
    for path in &asked.facts.from {
        lay_over(&mut snapshot, path).unwrap();
    }
    assert_eq!(missing_sets(&snapshot), BTreeSet::new());
    let state = snapshot.get("Site", "", "ch-zrh").unwrap()["spec"]["state"].clone();
    assert_eq!(state, "Online", "51-swiss-online.yaml is the later of two");
    let mut alone = Snapshot::default();
    lay_over(&mut alone, Path::new(&benelux)).unwrap();
    assert!(missing_sets(&alone).contains("CountrySet/eu"));
}

#[test]
fn what_is_lifted_says_what_it_does() {
    let mut facts = benelux();
    let decide = |facts: &mut Facts, verdict: &str| {
        facts.snapshot.put(json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": "barred"},
            "spec": {
                "subject": {"kind": "HostingProvider", "name": "meridian-cloud"}, "decision": verdict, "basis": "Request",
                "authority": "x", "decidedBy": "x", "reason": "r",
            },
        }));
        told(facts, &["--approve", "meridian-cloud"])
    };
    for (verdict, why) in [
        ("Frozen", "it is thawed: what is new is applied"),
        ("Suspended", "it is started again"),
        ("Revoked", "it may be there again"),
    ] {
        let text = decide(&mut facts, verdict);
        let wanted = format!("\n  {why}\n\n8 copies go on where they are.\n");
        assert!(text.contains("stays at us-va-1: 8\n") && text.ends_with(&wanted), "{text}");
    }
}

#[test]
fn a_provider_may_have_a_long_name() {
    let (mut facts, long) = (benelux(), "m".repeat(63));
    let mut provider = facts.snapshot.get("HostingProvider", "", "meridian-cloud").unwrap().clone();
    provider["metadata"]["name"] = json!(long);
    facts.snapshot.put(provider);
    let mut site = facts.snapshot.get("Site", "", "us-va").unwrap().clone();
    site["spec"]["ownedBy"] = json!(long);
    facts.snapshot.put(site);
    assert!(told(&facts, &["--freeze", &long]).contains("frozen at us-va-1: 8\n"));
}

#[test]
fn a_new_tenant_is_planned_with_its_workload() {
    let facts = benelux();
    let tenant = json!({"namespaces": ["mill"], "residency": {"allowed": [{"country": "US"}]}});
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let object = |kind: &str, metadata: Value, spec: Value| json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
    let objects = vec![
        object("Tenant", json!({"name": "mill"}), tenant),
        object(
            "TenantWorkload",
            json!({"namespace": "mill", "name": "web"}),
            json!({"manifests": [manifest]}),
        ),
    ];
    let files = [Applied { file: "new.yaml".to_owned(), objects }];
    let plan = plan(&facts, &args(&[]), &files).unwrap();
    let [step] = plan.steps.as_slice() else { panic!("{:?}", plan.steps) };
    let near = "us-va-1: MemberCluster/us-va-1 hasn't admitted the tenant: its owner can, with `kubectl domicile admit`";
    assert_eq!((step.what, step.nearest.as_deref()), (What::Wait, Some(near)));
}

#[test]
fn time_alone_changes_something() {
    let mut facts = benelux();
    facts.snapshot.put(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": "from-march"},
        "spec": {
            "subject": {"kind": "Tenant", "name": "hospital"}, "decision": "Suspended", "basis": "Request", "authority": "x",
            "decidedBy": "x", "reason": "ends", "validFrom": "2027-03-01T00:00:00Z",
        },
    }));
    assert_eq!(plan(&facts, &args(&["--at", "2027-02-28"]), &[]).unwrap().steps, []);
    let steps = plan(&facts, &args(&["--at", "2027-03-01"]), &[]).unwrap().steps;
    assert!(!steps.is_empty() && steps.iter().all(|step| step.what == What::Suspend), "{steps:?}");
}

#[test]
fn an_approval_is_planned_as_if_two_had_made_it() {
    let mut facts = benelux();
    // What one alone has approved doesn't count then, so that the vendor is approved anew, too.
    let words = ["--online", "ch-zrh", "--approve", "limmat", "--approve", "meridian-cloud"];
    let place = |facts: &Facts| plan(facts, &args(&words), &[]).unwrap().steps;
    let one = place(&facts).into_iter().filter(|step| step.to.is_some()).count();
    let object = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"},
        "spec": {"twoPersonRule": true},
    });
    facts.snapshot.put(object);
    let two = place(&facts).into_iter().filter(|step| step.to.is_some()).count();
    assert!(one > 0 && one == two, "{one} and {two}");
    let wanted =
        "\n- limmat were approved, by two users (twoPersonRule), and nothing else decided about it\n";
    assert!(told(&facts, &words).contains(wanted));
}

#[test]
fn what_isnt_there_is_named_with_what_is() {
    let error = plan(&benelux(), &args(&["--revoke", "nobody"]), &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no HostingProvider nobody; there are limmat, maasland, meridian-cloud, rhein-main, schelde-maas"
    );
}

#[test]
fn thousands_of_workloads_are_one_line() {
    let mut facts = benelux();
    let model = facts.snapshot.get("TenantWorkload", "webshop", "shop").cloned();
    let model = model.unwrap_or_else(|| {
        facts.snapshot.of_kind("TenantWorkload").find(|((_, ns, _), _)| ns == "webshop").unwrap().1.clone()
    });
    for at in 0..10_000 {
        let mut object = model.clone();
        object["metadata"]["name"] = json!(format!("w-{at}"));
        facts.snapshot.put(object);
    }
    settle(&mut facts);
    let text = told(&facts, &["--revoke", "meridian-cloud", "--approve", "schelde-maas"]);
    assert!(text.lines().count() < 20, "{text}");
    assert!(text.contains("waves, by its spec.migration.maxConcurrent"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}
