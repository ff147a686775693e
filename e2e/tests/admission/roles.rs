//! The roles: no wildcards, no rights over rights, and nobody has more than its own part.

use std::collections::BTreeSet;

use domicile_crds::definitions;
use serde_json::Value;

use crate::policies::documents;

/// One right: role, group, resource, verb.
type Right = (String, String, String, String);

const READ: [&str; 3] = ["get", "list", "watch"];

fn rights() -> anyhow::Result<Vec<Right>> {
    let mut all = Vec::new();
    for role in documents("charts/domicile/roles")? {
        assert_eq!(role["kind"], "ClusterRole", "{role}");
        assert!(role["aggregationRule"].is_null(), "{role}");
        let name = role["metadata"]["name"].as_str().unwrap_or_default();
        for rule in role["rules"].as_array().into_iter().flatten() {
            assert!(rule["nonResourceURLs"].is_null(), "{rule}");
            for (group, resource, verb) in product(rule) {
                all.push((name.to_owned(), group, resource, verb));
            }
        }
    }
    Ok(all)
}

fn product(rule: &Value) -> Vec<(String, String, String)> {
    let list = |key: &str| -> Vec<String> {
        let values = rule[key].as_array().into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut all = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            all.extend(list("verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
        }
    }
    all
}

#[test]
fn nobody_gets_a_wildcard_or_rights_over_rights() -> anyhow::Result<()> {
    for (role, group, resource, verb) in rights()? {
        let right = format!("{role}: {verb} {group}/{resource}");
        assert!(!right.contains('*'), "{right}");
        assert!(["", "events.k8s.io", "domicile.dev"].contains(&group.as_str()), "{right}");
        let verbs = ["create", "update", "patch", "delete", "deletecollection"];
        assert!(READ.contains(&verb.as_str()) || verbs.contains(&verb.as_str()), "{right}");
        assert!(!resource.contains('/'), "subresources are the operator's: {right}");
        assert!(
            ["secrets", "events", "namespaces"].contains(&resource.as_str()) || group == "domicile.dev",
            "{right}"
        );
    }
    Ok(())
}

#[test]
fn everybody_writes_its_own_part_only() -> anyhow::Result<()> {
    let facts: BTreeSet<&str> = [
        "countrysets",
        "hostingproviders",
        "installations",
        "memberclusters",
        "relocations",
        "sites",
        "tenants",
    ]
    .into();
    let mut writers = BTreeSet::new();
    for (role, _, resource, verb) in rights()? {
        if READ.contains(&verb.as_str()) && resource != "secrets" {
            continue;
        }
        let role = role.trim_start_matches("domicile:");
        let its_own = match role {
            "platform-engineer" => facts.contains(resource.as_str()),
            "compliance-officer" => resource == "decisions" && verb == "create",
            "tenant" => match resource.as_str() {
                "tenantworkloads" | "secrets" => true,
                "migrations" => ["update", "patch"].contains(&verb.as_str()),
                _ => false,
            },
            _ => false,
        };
        assert!(its_own, "{role} may {verb} {resource}");
        writers.insert(role.to_owned());
    }
    assert_eq!(writers, ["compliance-officer", "platform-engineer", "tenant"].map(str::to_owned).into());
    Ok(())
}

#[test]
fn whoever_oversees_reads_everything_of_ours() -> anyhow::Result<()> {
    let all = rights()?;
    for role in ["auditor", "compliance-officer", "platform-engineer"] {
        for definition in definitions() {
            for verb in READ {
                let plural = &definition.spec.names.plural;
                let wanted =
                    (format!("domicile:{role}"), "domicile.dev".to_owned(), plural.clone(), verb.to_owned());
                assert!(all.contains(&wanted), "{role} can't {verb} {plural}");
            }
        }
    }
    Ok(())
}
