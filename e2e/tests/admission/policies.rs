//! The policies themselves: they fail closed, deny, hold everywhere, and know the same kinds as the code.

use std::{fs, time::Duration};

use anyhow::Context as _;
use domicile_crds::{ALLOWED_KINDS, yaml};
use domicile_e2e::{fleet::wait::eventually, stage::root};
use serde_json::{Value, json};

use crate::{asking::Ask, ground::Ground};

const NAMES: [&str; 10] = [
    "domicile-bindings",
    "domicile-decisions",
    "domicile-exposed-endpointslices",
    "domicile-exposed-services",
    "domicile-installations",
    "domicile-manifests",
    "domicile-migrations",
    "domicile-namespaces",
    "domicile-tenants",
    "domicile-tokens",
];

/// The only one that is about namespaces of tenants: Secrets elsewhere are none of ours.
const SELECTIVE: &str = "domicile-tokens";

pub(crate) fn documents(folder: &str) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join(folder)).with_context(|| format!("cannot read {folder}"))? {
        all.extend(yaml::documents(&fs::read_to_string(entry?.path())?)?);
    }
    all.sort_by_key(|object| object["metadata"]["name"].to_string());
    Ok(all)
}

#[test]
fn they_fail_closed_and_hold_everywhere() -> anyhow::Result<()> {
    let all = documents("charts/domicile/admission")?;
    let of = |kind: &str| all.iter().filter(|object| object["kind"] == kind).cloned().collect::<Vec<_>>();
    let (policies, bindings) = (of("ValidatingAdmissionPolicy"), of("ValidatingAdmissionPolicyBinding"));
    assert_eq!(policies.len() + bindings.len(), all.len());
    let names: Vec<_> = policies.iter().filter_map(|policy| policy["metadata"]["name"].as_str()).collect();
    assert_eq!(names, NAMES);
    for policy in &policies {
        assert_eq!(policy["spec"]["failurePolicy"], "Fail", "{policy}");
        let everywhere = policy["spec"]["matchConstraints"]["namespaceSelector"].is_null();
        assert_eq!(everywhere, policy["metadata"]["name"] != SELECTIVE, "{policy}");
        assert!(policy["spec"]["matchConstraints"]["objectSelector"].is_null(), "{policy}");
        let rule = &policy["spec"]["matchConstraints"]["resourceRules"][0];
        assert_eq!(rule["apiVersions"], json!(["*"]), "a newer version must not be a way around: {policy}");
    }
    for (binding, name) in bindings.iter().zip(NAMES) {
        assert_eq!(binding["spec"], json!({"policyName": name, "validationActions": ["Deny"]}));
    }
    Ok(())
}

/// The definition refuses other kinds before the policy is asked, so no request shows that the two agree.
#[test]
fn they_know_the_same_kinds_as_the_code() -> anyhow::Result<()> {
    let all = documents("charts/domicile/admission")?;
    let policy =
        all.iter().find(|object| object["metadata"]["name"] == "domicile-manifests").context("it is gone")?;
    let variables = policy["spec"]["variables"].as_array().context("no variables")?;
    let strange = variables.iter().find(|variable| variable["name"] == "strange").context("no kinds")?;
    let words = strange["expression"].as_str().context("no expression")?.split('\'');
    // Group and kind are joined by a blank before they are looked for.
    let known: Vec<_> = words.skip(1).step_by(2).filter(|word| *word != " ").map(str::to_owned).collect();
    assert_eq!(known, ALLOWED_KINDS.map(|(api, kind, _)| format!("{api} {kind}")));
    Ok(())
}

/// The API server checks the types in expressions, and tells of what it finds in the policy's status.
pub(crate) async fn unchecked(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let mut warnings = Vec::new();
    for name in NAMES {
        let path = format!("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{name}");
        let status = eventually(Duration::from_secs(30), &format!("{name} to be checked"), || async {
            let policy = Ask::get(&path).to(&ground.admin).await.map_err(anyhow::Error::msg)?;
            let status = policy["status"].clone();
            Ok((status["observedGeneration"] == policy["metadata"]["generation"]).then_some(status))
        })
        .await?;
        let found = &status["typeChecking"]["expressionWarnings"];
        warnings.extend((!found.is_null()).then(|| format!("{name}: {found}")));
    }
    Ok(warnings)
}
