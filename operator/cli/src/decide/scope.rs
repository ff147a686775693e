//! Where and for whom decisions hold, in words, and whether others hold there, too.

use domicile_crds::{CountryCode, Scope, SiteName, TenantName};
use jiff::Timestamp;

use crate::facts::Facts;

/// In words.
pub(super) fn told(scope: &Scope) -> String {
    fn names<T: ToString>(all: &[T]) -> String {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
    let whom = match scope.tenants.as_slice() {
        [] => "for all tenants".to_owned(),
        [one] => format!("for tenant {one}"),
        all => format!("for tenants {}", names(all)),
    };
    let sites = match scope.sites.as_slice() {
        [] => String::new(),
        [one] => format!(" at site {one}"),
        all => format!(" at sites {}", names(all)),
    };
    let countries =
        if scope.countries.is_empty() { String::new() } else { format!(" in {}", names(&scope.countries)) };
    let everywhere = if scope.is_empty() { ", everywhere" } else { "" };
    format!("{whom}{sites}{countries}{everywhere}")
}

/// With its end, if it has one.
pub(super) fn until(scope: &Scope, end: Option<Timestamp>) -> String {
    let end = end.map(|end| format!(", until {end}")).unwrap_or_default();
    told(scope) + &end
}

/// Whether each part of a scope is within one of others.
pub(super) fn is_covered(facts: &Facts, scope: &Scope, others: &[&Scope]) -> bool {
    fn each<T>(all: &[T]) -> Vec<Option<&T>> {
        if all.is_empty() { vec![None] } else { all.iter().map(Some).collect() }
    }
    let (sites, countries, tenants) = (each(&scope.sites), each(&scope.countries), each(&scope.tenants));
    let covered = |part| others.iter().any(|other| contains(facts, other, part));
    sites.iter().all(|site| {
        countries.iter().all(|country| tenants.iter().all(|tenant| covered((*site, *country, *tenant))))
    })
}

fn contains(
    facts: &Facts,
    scope: &Scope,
    (site, country, tenant): (Option<&SiteName>, Option<&CountryCode>, Option<&TenantName>),
) -> bool {
    // Of a site, its country is told by the Site.
    let of_site = site.and_then(|site| facts.snapshot.get("Site", "", site.as_str()));
    let of_site = of_site.and_then(|site| site.pointer("/spec/country")?.as_str());
    let is_there = |it: &CountryCode| Some(it) == country || Some(it.as_str()) == of_site;
    (scope.sites.is_empty() || site.is_some_and(|site| scope.sites.contains(site)))
        && (scope.countries.is_empty() || scope.countries.iter().any(is_there))
        && (scope.tenants.is_empty() || tenant.is_some_and(|tenant| scope.tenants.contains(tenant)))
}

#[cfg(test)]
mod tests {
    use domicile_core::snapshot::Snapshot;
    use serde_json::{Value, json};

    use super::*;

    fn scope(spec: Value) -> Scope {
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn scopes_are_told_in_words() {
        let told = |spec| told(&scope(spec));
        assert_eq!(told(json!({})), "for all tenants, everywhere");
        assert_eq!(told(json!({"tenants": ["a"]})), "for tenant a");
        assert_eq!(told(json!({"tenants": ["a", "b"], "sites": ["s"]})), "for tenants a, b at site s");
        assert_eq!(
            told(json!({"sites": ["s", "t"], "countries": ["NL"]})),
            "for all tenants at sites s, t in NL"
        );
    }

    #[test]
    fn each_part_must_be_within_another() {
        let mut snapshot = Snapshot::default();
        let spec = json!({"operatedBy": "v", "ownedBy": "v", "country": "NL", "state": "Online"});
        snapshot.put(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Site", "metadata": {"name": "ams"}, "spec": spec}));
        let facts = Facts { snapshot, now: "2026-11-29T12:00:00Z".parse().unwrap() };
        let covered = |spec: Value, others: &[Value]| {
            let others: Vec<Scope> = others.iter().cloned().map(scope).collect();
            is_covered(&facts, &scope(spec), &others.iter().collect::<Vec<_>>())
        };
        let (a, b) = (json!({"tenants": ["a"]}), json!({"tenants": ["b"]}));
        assert!(covered(a.clone(), &[json!({})]) && !covered(json!({}), &[a.clone(), b.clone()]));
        assert!(covered(json!({"tenants": ["a", "b"]}), &[a.clone(), b]));
        assert!(!covered(json!({"tenants": ["a", "b"]}), &[a]));
        let (nl, ams) = (json!({"countries": ["NL"]}), json!({"sites": ["ams"]}));
        assert!(covered(ams.clone(), std::slice::from_ref(&nl)), "the site is there");
        assert!(!covered(nl.clone(), &[ams]) && !covered(json!({"sites": ["gone"]}), &[nl]));
        assert!(!covered(json!({}), &[]));
    }
}
