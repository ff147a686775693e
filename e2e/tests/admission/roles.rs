//! The roles: no wildcards, no rights over rights, and nobody has more than its own part.

use std::{collections::BTreeSet, fs};

use domicile_crds::{definitions, yaml};
use domicile_e2e::{least::excesses, stage::root};
use serde_json::{Value, json};

use crate::policies::documents;

/// One right: role, group, resource, verb.
type Right = (String, String, String, String);

const READ: [&str; 3] = ["get", "list", "watch"];
/// The operator's Lease, by which it is seen whether that runs.
const LEASE: &str = "domicile-operator";

fn is_lease(group: &str, resource: &str, verb: &str) -> bool {
    (group, resource, verb) == ("coordination.k8s.io", "leases", "get")
}

/// Those of the operator.
fn operators() -> anyhow::Result<Vec<Value>> {
    Ok(yaml::documents(&fs::read_to_string(root().join("charts/domicile/roles/operator.yaml"))?)?)
}

/// The rights of people.
fn rights() -> anyhow::Result<Vec<Right>> {
    let (mut all, others) = (Vec::new(), operators()?);
    for role in documents("charts/domicile/roles")?.into_iter().filter(|role| !others.contains(role)) {
        assert_eq!(role["kind"], "ClusterRole", "{role}");
        assert!(role["aggregationRule"].is_null(), "{role}");
        let name = role["metadata"]["name"].as_str().unwrap_or_default();
        for rule in role["rules"].as_array().into_iter().flatten() {
            assert!(rule["nonResourceURLs"].is_null(), "{rule}");
            // Of what others have in other namespaces as well, one object by its name.
            let is_ours = |group: &str| ["", "events.k8s.io", "domicile.dev"].contains(&group);
            let named = rule["resourceNames"] == json!([LEASE]);
            for (group, resource, verb) in product(rule) {
                assert!(is_ours(&group) || named, "{rule}");
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
        if is_lease(&group, &resource, &verb) {
            continue;
        }
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
        let sees_the_lease = all.iter().any(|(who, group, resource, verb)| {
            *who == format!("domicile:{role}") && is_lease(group, resource, verb)
        });
        assert!(sees_the_lease, "{role} can't tell whether the operator runs");
    }
    Ok(())
}

#[test]
fn the_operator_has_no_more_than_it_needs() -> anyhow::Result<()> {
    let all = operators()?;
    assert_eq!(excesses(&all), [""; 0]);
    // Where it may read Secrets, and where it is bound.
    let named: BTreeSet<String> = all
        .iter()
        .map(|object| {
            format!(
                "{} {}",
                object["kind"].as_str().unwrap_or_default(),
                object["metadata"]["name"].as_str().unwrap_or_default()
            )
        })
        .collect();
    let wanted = [
        "ClusterRole domicile:operator",
        "ClusterRole domicile:secret-reader",
        "ClusterRoleBinding domicile:operator",
        "Role domicile:operator",
        "RoleBinding domicile:operator",
        "ServiceAccount domicile-operator",
    ];
    assert_eq!(named, wanted.map(str::to_owned).into());
    for binding in all.iter().filter(|object| !object["subjects"].is_null()) {
        let account =
            json!([{"kind": "ServiceAccount", "name": "domicile-operator", "namespace": "domicile-system"}]);
        assert_eq!(binding["subjects"], account);
    }
    // It sees every kind of ours, and writes nothing that people write.
    let role =
        all.iter().find(|object| object["rules"][0]["resources"].as_array().is_some_and(|r| r.len() > 1));
    let rules = role.into_iter().flat_map(|role| role["rules"].as_array().into_iter().flatten());
    let rights: BTreeSet<_> = rules.flat_map(product).filter(|(group, ..)| group == "domicile.dev").collect();
    for definition in definitions() {
        let plural = definition.spec.names.plural;
        for verb in ["list", "watch"] {
            assert!(
                rights.contains(&("domicile.dev".to_owned(), plural.clone(), verb.to_owned())),
                "{verb} {plural}"
            );
        }
        let recorded = ["assignments", "migrations", "relocations"].contains(&plural.as_str());
        let writes =
            rights.iter().any(|(_, resource, verb)| *resource == plural && !READ.contains(&verb.as_str()));
        assert_eq!(writes, recorded, "{plural}");
    }
    Ok(())
}
