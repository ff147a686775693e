//! What can be asked, by whom, and for when.

use domicile_core::moves::plan_digest;
use domicile_crds::{Cause, CauseKind, ClusterName};
use serde_json::{Value, json};

use super::{Applied, FactsError, args, benelux, hidden, plan, text, told, with};
use crate::output::{self, Paint};

#[test]
fn changes_that_contradict_each_other_are_refused() {
    let refused = |words: &[&str]| plan(&benelux(), &args(words), &[]).unwrap_err().to_string();
    assert_eq!(
        refused(&["--freeze", "limmat", "--revoke", "meridian-cloud", "--revoke", "limmat"]),
        "--revoke limmat and --freeze limmat contradict each other: leave one of them out"
    );
    assert_eq!(
        refused(&["--approve", "limmat", "--freeze", "limmat"]),
        "--freeze limmat and --approve limmat contradict each other: leave one of them out"
    );
    assert_eq!(
        refused(&["--online", "nl-ams", "--close", "nl-ams"]),
        "--online nl-ams and --close nl-ams contradict each other: leave one of them out"
    );
}

#[test]
fn a_tenant_is_told_where_it_may_look() {
    let call = |code: u16| {
        let status = kube::core::Status::failure("sites is forbidden", "Forbidden").with_code(code).boxed();
        let (doing, cluster) = ("list sites".to_owned(), "the hub".to_owned());
        let source = Box::new(kube::Error::Api(status));
        FactsError::Cluster(crate::cluster::ClusterError::Call { doing, cluster, source })
    };
    let told = |code| output::explained(&hidden(call(code)));
    let text = told(403);
    assert!(
        text.contains("`kubectl describe tw -n NAMESPACE`") && text.ends_with("sites is forbidden"),
        "{text}"
    );
    assert!(!told(500).contains("describe"));
}

/// A decision about a provider that begins in March.
fn from_march() -> Value {
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": "from-march"},
        "spec": {
            "subject": {"kind": "HostingProvider", "name": "meridian-cloud"}, "decision": "Frozen", "basis": "Request",
            "authority": "x", "decidedBy": "x", "reason": "r", "validFrom": "2027-03-01T00:00:00Z",
        },
    })
}

#[test]
fn a_decision_about_nobody_is_told_to_be_one() {
    let told = |name: &str| {
        let mut decision = from_march();
        decision["spec"]["subject"]["name"] = json!(name);
        decision["spec"]["validFrom"] = json!("2026-01-01T00:00:00Z");
        let files = [Applied { file: "my.yaml".to_owned(), objects: vec![decision] }];
        let plan = plan(&benelux(), &args(&[]), &files).unwrap();
        text::text(&plan, false, Paint::plain())
    };
    let typo = "HostingProvider/meridian-clod isn't there: what is decided about it concerns nobody until somebody makes one of that name.\n";
    assert!(told("meridian-clod").contains(typo), "{}", told("meridian-clod"));
    assert!(!told("meridian-cloud").contains("isn't there"), "{}", told("meridian-cloud"));
}

#[test]
fn what_is_decided_for_later_is_planned_when_it_begins() {
    let mut facts = benelux();
    let mut other = from_march();
    other["metadata"]["name"] = json!("of-another");
    other["spec"]["subject"] = json!({"kind": "Tenant", "name": "archive"});
    other["spec"]["validFrom"] = json!("2027-02-01T00:00:00Z");
    facts.snapshot.put(other);
    let text = crate::plan::told(&with(&facts, &from_march()).unwrap());
    let title = "At 2027-03-01T00:00:00Z, when it begins, if\n- Decision/from-march were applied\n\nfrozen at us-va-1: 7\n";
    assert!(text.starts_with(title), "{text}");
    assert!(
        text.contains("7 copies are frozen; 1 copy stays as it is."),
        "what another does isn't its doing: {text}"
    );
    let mut begun = from_march();
    begun["spec"]["validFrom"] = json!("2026-01-01T00:00:00Z");
    let text = crate::plan::told(&with(&facts, &begun).unwrap());
    assert!(text.starts_with("At 2026-11-29T12:00:00Z, if\n"), "{text}");
}

#[test]
fn a_file_with_what_begins_later_is_told_of() {
    let files = [Applied { file: "march.yaml".to_owned(), objects: vec![from_march()] }];
    let told =
        |words: &[&str]| text::text(&plan(&benelux(), &args(words), &files).unwrap(), false, Paint::plain());
    let later = "\nDecision/from-march only begins at 2027-03-01T00:00:00Z: see what it brings about then with --at 2027-03-01T00:00:00Z\n\n\
                 Nothing would happen;";
    let text = told(&[]);
    assert!(text.contains(later), "{text}");
    assert!(!told(&["--at", "2027-03-01"]).contains("only begins"));
}

/// What is told of a tenant that is asked, once it has answered to a move to a new site.
fn answered(answer: Option<&str>, digest: &str) -> String {
    let mut facts = benelux();
    let mut spec = json!({
        "workload": "records", "tenant": "archive", "seat": 0, "from": "us-va-1", "to": "ch-zrh-1", "epoch": 2, "generation": 1,
        "cause": {"kind": "PreferredPlace", "subject": "Site/ch-zrh"}, "compulsory": false, "digest": digest,
    });
    if let Some(answer) = answer {
        spec["answer"] = json!(answer);
        spec["answerFor"] = json!(digest);
    }
    facts.snapshot.put(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Migration",
        "metadata": {"namespace": "archive", "name": "records-0"}, "spec": spec,
    }));
    told(&facts, &["--online", "ch-zrh", "--approve", "limmat"])
}

#[test]
fn what_its_tenant_has_answered_is_not_asked_again() {
    let cause = Cause { kind: CauseKind::PreferredPlace, subject: "Site/ch-zrh".to_owned() };
    let place = |name: &str| ClusterName::new(name).unwrap();
    let digest = plan_digest(&place("us-va-1"), &place("ch-zrh-1"), &cause);
    let asked = answered(None, &digest);
    assert!(asked.contains("asks from us-va-1 to ch-zrh-1: 1\n"), "{asked}");
    let denied = answered(Some("Denied"), &digest);
    assert!(denied.contains("denied from us-va-1 to ch-zrh-1: 1\n"), "{denied}");
    assert!(denied.contains("1 copy stays, since its tenant has denied the move"), "{denied}");
    let approved = answered(Some("Approved"), &digest);
    assert!(approved.contains("moves from us-va-1 to ch-zrh-1: 4\n"), "{approved}");
    let other = answered(Some("Approved"), "0123456789abcdef");
    assert!(other.contains("asks from us-va-1 to ch-zrh-1: 1\n"), "that was to another plan: {other}");
}
