//! Choosing among the lawful: tier, spread, free capacity, hash.

use std::collections::BTreeSet;

use domicile_core::Change;
use serde_json::{Value, json};

use crate::fixture::{Fleet, deployment, name};

/// All three clusters are lawful.
fn open() -> Fleet {
    let mut fleet = Fleet::lawful();
    fleet.tenant(all_allowed(json!({})));
    fleet
}

fn all_allowed(patch: Value) -> Value {
    let mut tenant =
        json!({"residency": {"allowed": [{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]}});
    tenant.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    tenant
}

fn preferring(preferences: Value) -> Fleet {
    let mut fleet = Fleet::lawful();
    fleet.tenant(all_allowed(json!({"preferences": preferences})));
    fleet
}

#[test]
fn the_first_preference_that_contains_a_place_decides() {
    for preference in [json!({"country": "BE"}), json!({"countrySet": "small"}), json!({"site": "be-bru"})] {
        let mut fleet = preferring(json!([preference]));
        fleet.set("small", &["BE"]);
        assert_eq!(fleet.wish(), "place bru-1", "{preference}");
    }
    assert_eq!(preferring(json!([{"provider": "other"}])).wish(), "place fra-1");
    assert_eq!(preferring(json!([{"country": "DE"}, {"country": "BE"}])).wish(), "place fra-1");
    assert_eq!(preferring(json!([{"country": "CH"}, {"country": "BE"}])).wish(), "place bru-1");
}

#[test]
fn a_provider_is_preferred_where_it_operates_not_where_it_owns() {
    let mut fleet = preferring(json!([{"provider": "owns"}, {"country": "DE"}]));
    assert_eq!(fleet.wish(), "place fra-1");
}

#[test]
fn what_no_preference_contains_comes_last_and_may_be_chosen() {
    let mut fleet = preferring(json!([{"country": "BE"}]));
    fleet.cluster("bru-1", "be-bru", json!({"spec": {"scheduling": "Cordoned"}}));
    assert!(["place ams-1", "place fra-1"].contains(&fleet.wish().as_str()));
}

#[test]
fn the_workloads_own_preferences_replace_the_tenants() {
    let mut fleet = preferring(json!([{"country": "BE"}]));
    fleet.workload(json!({"preferences": [{"country": "DE"}]}));
    assert_eq!(fleet.wish(), "place fra-1");
    fleet.workload(json!({"preferences": []}));
    assert_eq!(fleet.wish(), "place bru-1");
}

#[test]
fn a_better_tier_beats_spread_and_room() {
    let mut fleet = preferring(json!([{"country": "BE"}]));
    fleet.cluster("bru-1", "be-bru", json!({"spec": {"capacity": {"cpu": "200m"}}}));
    fleet.cluster("bru-2", "be-bru", json!({}));
    let now = fleet.now;
    fleet.apply(Change::Seen(name("bru-2"), now));
    fleet.workload(json!({"clusters": {"count": 2}}));
    fleet.seats(&[("bru-2", "Active")]);
    assert_eq!(fleet.wish(), "stay; place bru-1");
}

#[test]
fn copies_are_spread_by_site_provider_or_country() {
    let second = |spread: &str, crowded: &str, site: &str, country: &str, patch: Value| {
        let mut fleet = open();
        fleet.site("de-fra", "DE", json!({"operatedBy": "other", "ownedBy": "other"}));
        fleet.site(site, country, patch);
        fleet.cluster(crowded, site, json!({}));
        let now = fleet.now;
        fleet.apply(Change::Seen(name(crowded), now));
        for cluster in ["ams-1", "bru-1", "fra-1"] {
            if cluster != "ams-1" && cluster != "fra-1" {
                fleet.apply(Change::Cluster(name(cluster), None));
            }
        }
        fleet.workload(json!({"clusters": {"count": 2, "spreadBy": spread}}));
        fleet.seats(&[("ams-1", "Active")]);
        fleet.wish()
    };
    assert_eq!(second("Site", "ams-2", "nl-ams", "NL", json!({})), "stay; place fra-1");
    assert_eq!(second("Provider", "bru-2", "be-bru", "BE", json!({})), "stay; place fra-1");
    let other = json!({"operatedBy": "other", "ownedBy": "other"});
    assert_eq!(second("Country", "rot-1", "nl-rot", "NL", other), "stay; place fra-1");
}

#[test]
fn the_freer_is_chosen_in_steps_of_an_eighth() {
    let chosen = |used: &str| -> BTreeSet<String> {
        let mut fleet = open();
        fleet.apply(Change::Cluster(name("fra-1"), None));
        for (cluster, site) in [("ams-1", "nl-ams"), ("bru-1", "be-bru")] {
            fleet.cluster(cluster, site, json!({"spec": {"capacity": {"cpu": "8"}}}));
        }
        fleet.workload_named("a", "a", json!({"manifests": [deployment(used)]}));
        fleet.seats_of("a", &[("ams-1", "Active")]);
        fleet.workload_named("b", "b", json!({"manifests": [deployment("100m")]}));
        fleet.seats_of("b", &[("bru-1", "Active")]);
        for other in 0..20 {
            fleet.workload_named(&format!("x{other}"), "x", json!({"manifests": [deployment("1m")]}));
        }
        let wishes = fleet.wishes();
        wishes.split("; ").filter(|wish| wish.starts_with("place")).map(str::to_owned).collect()
    };
    let one = |wish: &str| BTreeSet::from([wish.to_owned()]);
    assert_eq!(chosen("1100m"), one("place bru-1"), "a step less is free in Amsterdam");
    assert_eq!(chosen("900m").len(), 2, "within a step the hash decides");
}

#[test]
fn a_cluster_that_states_no_capacity_counts_as_wholly_free() {
    let mut fleet = open();
    for (cluster, site) in [("ams-1", "nl-ams"), ("fra-1", "de-fra")] {
        fleet.cluster(cluster, site, json!({"spec": {"capacity": {"cpu": "8"}}}));
    }
    for (workload, cluster) in [("a", "ams-1"), ("b", "bru-1"), ("c", "fra-1")] {
        fleet.workload_named(workload, workload, json!({"manifests": [deployment("2")]}));
        fleet.seats_of(workload, &[(cluster, "Active")]);
    }
    assert_eq!(fleet.wishes().split("; ").last(), Some("place bru-1"));
}

#[test]
fn the_hash_of_the_name_decides_the_rest_evenly_and_always_alike() {
    let mut fleet = open();
    let mut placed = |uid: &str| {
        for other in 0..300 {
            fleet.workload_named(&format!("x{other}"), &format!("{uid}-{other}"), json!({}));
        }
        fleet.wishes()
    };
    let wishes = placed("first");
    assert_eq!(placed("second"), wishes, "whatever the uid, which a plan can't know");
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for wish in wishes.split("; ") {
        *counts.entry(wish).or_default() += 1;
    }
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|count| (60..140).contains(count)), "{counts:?}");
}
