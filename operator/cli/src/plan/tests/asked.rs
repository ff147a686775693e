//! What can be asked, by whom, and for when.

use serde_json::{Value, json};

use super::{Applied, FactsError, args, benelux, hidden, plan, text, with};
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
