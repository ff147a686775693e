//! Every example is read by the types without losing a field, and its invented identifiers are well formed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use domicile_crds::{
    CountrySet, Decision, HostingProvider, IdentifierScheme, Installation, MemberCluster, Site, SubjectKind,
    Tenant, TenantWorkload, yaml,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["examples/benelux", "examples/first-placement", "charts/domicile/countrysets"];
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        .collect();
    files.sort();
    files
}

fn documents() -> Vec<(String, Value)> {
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        yaml::documents(&text).unwrap().into_iter().map(move |value| (name.clone(), value))
    };
    files().iter().flat_map(read).collect()
}

fn of_kind<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    let ours = documents().into_iter().filter(|(_, value)| value["kind"] == kind);
    ours.map(|(_, value)| serde_json::from_value(value).unwrap()).collect()
}

/// What `value` has and `kept` doesn't, as paths. What the types add (defaults) is no loss.
fn lost(path: &str, value: &Value, kept: &Value, found: &mut Vec<String>) {
    match (value, kept) {
        (Value::Object(value), Value::Object(kept)) => {
            for (key, inner) in value {
                match kept.get(key) {
                    Some(kept) => lost(&format!("{path}.{key}"), inner, kept, found),
                    None => found.push(format!("{path}.{key}")),
                }
            }
        }
        (Value::Array(value), Value::Array(kept)) if value.len() == kept.len() => {
            for (index, (value, kept)) in value.iter().zip(kept).enumerate() {
                lost(&format!("{path}[{index}]"), value, kept, found);
            }
        }
        _ if value == kept || (value.is_number() && value.as_f64() == kept.as_f64()) => {}
        _ => found.push(path.to_owned()),
    }
}

fn round_trip<T: DeserializeOwned + Serialize>(file: &str, value: &Value) {
    let typed: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut found = Vec::new();
    lost("", value, &serde_json::to_value(typed).unwrap(), &mut found);
    assert!(
        found.is_empty(),
        "{file}: {} {}: no such field: {found:?}",
        value["kind"],
        value["metadata"]["name"]
    );
}

#[test]
fn no_field_of_an_example_is_unknown_to_the_types() {
    for (file, value) in documents() {
        match value["kind"].as_str().unwrap() {
            "CountrySet" => round_trip::<CountrySet>(&file, &value),
            "HostingProvider" => round_trip::<HostingProvider>(&file, &value),
            "Site" => round_trip::<Site>(&file, &value),
            "Installation" => round_trip::<Installation>(&file, &value),
            "MemberCluster" => round_trip::<MemberCluster>(&file, &value),
            "Decision" => round_trip::<Decision>(&file, &value),
            "Tenant" => round_trip::<Tenant>(&file, &value),
            "TenantWorkload" => round_trip::<TenantWorkload>(&file, &value),
            other => panic!("{file}: an example of {other}?"),
        }
    }
}

/// ISO 17442: with letters as 10 to 35, the whole number leaves 1 when divided by 97.
fn lei_is_valid(lei: &str) -> bool {
    let digits = lei.chars().map(|c| c.to_digit(36).unwrap());
    lei.len() == 20 && digits.fold(0, |rest, d| (rest * if d < 10 { 10 } else { 100 } + d) % 97) == 1
}

#[test]
fn invented_identifiers_have_valid_check_digits() {
    let mut seen = 0;
    for provider in of_kind::<HostingProvider>("HostingProvider") {
        for identifier in provider.spec.identifiers {
            if identifier.scheme == IdentifierScheme::Lei {
                assert!(lei_is_valid(&identifier.id), "{}", identifier.id);
                assert!(identifier.id.starts_with("EXAM"), "{} could be somebody's", identifier.id);
                seen += 1;
            }
        }
    }
    // One of the four is recorded anew when it is sold.
    assert_eq!(seen, 5);
    assert!(!lei_is_valid("EXAM00MERIDIANUS0059"));
}

#[test]
fn every_name_in_the_story_is_defined_in_it() {
    let name = |meta: &Option<String>| meta.clone().unwrap();
    let providers: BTreeSet<_> =
        of_kind::<HostingProvider>("HostingProvider").iter().map(|p| name(&p.metadata.name)).collect();
    let sites = of_kind::<Site>("Site");
    let site_names: BTreeSet<_> = sites.iter().map(|s| name(&s.metadata.name)).collect();
    let tenants = of_kind::<Tenant>("Tenant");
    let tenant_names: BTreeSet<_> = tenants.iter().map(|t| name(&t.metadata.name)).collect();
    let namespaces: BTreeSet<_> =
        tenants.iter().flat_map(|t| &t.spec.namespaces).map(ToString::to_string).collect();
    let decisions = of_kind::<Decision>("Decision");
    let decision_names: BTreeSet<_> = decisions.iter().map(|d| name(&d.metadata.name)).collect();

    for site in &sites {
        assert!(
            providers.contains(site.spec.operated_by.as_str())
                && providers.contains(site.spec.owned_by.as_str())
        );
    }
    for cluster in of_kind::<MemberCluster>("MemberCluster") {
        assert!(site_names.contains(cluster.spec.site.as_str()), "{}", cluster.spec.site);
    }
    for workload in of_kind::<TenantWorkload>("TenantWorkload") {
        assert!(namespaces.contains(&name(&workload.metadata.namespace)));
    }
    for decision in &decisions {
        let subjects = match decision.spec.subject.kind {
            SubjectKind::HostingProvider => &providers,
            SubjectKind::Site => &site_names,
            SubjectKind::Tenant | SubjectKind::TenantWorkload => &tenant_names,
        };
        assert!(subjects.contains(&decision.spec.subject.name), "{}", decision.spec.subject.name);
        for earlier in &decision.spec.supersedes {
            let earlier = decisions.iter().find(|d| name(&d.metadata.name) == earlier.as_str()).unwrap();
            let may_lift = earlier.spec.authority == decision.spec.authority
                || earlier.spec.liftable_by.contains(&decision.spec.authority);
            assert!(may_lift && earlier.spec.subject == decision.spec.subject);
        }
        for tenant in &decision.spec.scope.tenants {
            assert!(tenant_names.contains(tenant.as_str()), "{tenant}");
        }
    }
    assert_eq!(decision_names.len(), decisions.len());
}
