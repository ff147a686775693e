//! The place and what it has room for.

use domicile_core::{
    Change, Rule,
    render::{Mode, Target},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::fixture::{Fleet, NOON, claim, deployment, key, manifest, name};

fn site(patch: Value) -> String {
    let mut fleet = Fleet::lawful();
    fleet.site("nl-ams", "NL", patch);
    fleet.bars("ams-1")
}

fn cluster(patch: Value) -> String {
    let mut fleet = Fleet::lawful();
    fleet.cluster("ams-1", "nl-ams", patch);
    fleet.bars("ams-1")
}

#[test]
fn a_site_is_online_if_its_state_says_so_and_its_instant_has_come() {
    assert_eq!(site(json!({"state": "Online", "onlineFrom": NOON})), "");
    assert_eq!(
        site(json!({"state": "Online", "onlineFrom": "2026-06-01T12:00:00.000000001Z"})),
        "SiteNotOnline"
    );
    for state in ["Planned", "Closing", "Offline"] {
        assert_eq!(site(json!({"state": state})), "SiteNotOnline", "{state}");
    }
}

#[test]
fn a_tenant_must_be_admitted_by_a_member_that_was_observed() {
    assert_eq!(cluster(json!({"status": {"tenants": ["bank", "shop"]}})), "");
    assert_eq!(cluster(json!({"status": {"tenants": ["bank"]}})), "TenantNotAdmitted");
    assert_eq!(cluster(json!({"status": {"tenants": null}})), "TenantNotAdmitted");
    let never = "TenantNotAdmitted? KindNotServed?";
    assert_eq!(cluster(json!({"status": {"clusterId": null}})), never, "it was never observed");
    assert_eq!(cluster(json!({"status": null})), format!("{never} ClusterNotReady?"));
}

#[test]
fn a_namespace_must_be_the_tenants_here_and_there() {
    let mut fleet = Fleet::placed();
    fleet.apply(Change::NamespaceTaken(name("ams-1"), name("shop"), true));
    assert_eq!(fleet.bars("ams-1"), "NamespaceTaken");
    assert_eq!(fleet.bars("bru-1"), "");
    fleet.apply(Change::NamespaceTaken(name("ams-1"), name("shop"), false));
    assert_eq!(fleet.bars("ams-1"), "");
    fleet.apply(Change::NamespaceTaken(name("ams-1"), name("other"), true));
    assert_eq!(fleet.bars("ams-1"), "");
}

#[test]
fn whoevers_namespace_isnt_certain_gets_nothing_and_loses_nothing() {
    let mut fleet = Fleet::placed();
    fleet.label("shop", Some("bank"));
    assert_eq!(
        fleet.wish(),
        "blocked: the namespace is labelled domicile.dev/tenant=bank, which is another tenant"
    );
    fleet.label("shop", None);
    assert!(fleet.wish().starts_with("blocked: the namespace exists without the label"));
    fleet.apply(Change::Namespace(name("shop"), None));
    assert_eq!(fleet.wish(), "blocked: the namespace hasn't been observed yet");
    fleet.label("shop", Some("shop"));
    fleet.apply(Change::Tenant(
        name("bank"),
        Some(crate::fixture::read(json!({"namespaces": ["shop"], "residency": {}}))),
    ));
    assert!(fleet.wish().starts_with("blocked: Tenants bank and shop both list this namespace"));
    fleet.apply(Change::Tenant(name("bank"), None));
    assert_eq!(fleet.wish(), "stay");
    fleet.tenant(json!({"namespaces": ["shop-2"]}));
    assert_eq!(fleet.wish(), "blocked: no Tenant lists this namespace in spec.namespaces");
}

#[test]
fn a_kind_must_be_served() {
    assert_eq!(cluster(json!({"status": {"kindsNotServed": ["Deployment"]}})), "KindNotServed");
    assert_eq!(cluster(json!({"status": {"kindsNotServed": ["Ingress", "Unheard"]}})), "");
}

#[test]
fn a_class_that_is_named_must_be_there() {
    let needs = |manifest: Value, classes: Value| {
        let mut fleet = Fleet::lawful();
        fleet.workload(json!({"manifests": [manifest]}));
        fleet.cluster("ams-1", "nl-ams", json!({"spec": {"classes": classes}}));
        fleet.bars("ams-1")
    };
    let ingress =
        |class: Value| manifest("networking.k8s.io/v1", "Ingress", json!({"ingressClassName": class}));
    let stateful = manifest(
        "apps/v1",
        "StatefulSet",
        json!({"volumeClaimTemplates": [{"spec": {"storageClassName": "fast"}}]}),
    );
    for needing in [claim(), stateful.clone()] {
        assert_eq!(needs(needing.clone(), json!({})), "");
        assert_eq!(needs(needing.clone(), json!({"storage": null})), "ClassNotServed");
        assert_eq!(needs(needing, json!({"storage": {"fast": null, "slow": "x"}})), "ClassNotServed");
    }
    assert_eq!(needs(ingress(json!("web")), json!({})), "");
    assert_eq!(
        needs(ingress(json!("web")), json!({"ingress": null, "storage": {"web": "x"}})),
        "ClassNotServed"
    );
    assert_eq!(needs(ingress(json!(null)), json!({"ingress": null})), "", "no class is named");
}

#[test]
fn a_cordoned_or_draining_member_takes_nothing_new() {
    assert_eq!(cluster(json!({"spec": {"scheduling": "Open"}})), "");
    assert_eq!(cluster(json!({"spec": {"scheduling": "Cordoned"}})), "Cordoned");
    assert_eq!(cluster(json!({"spec": {"scheduling": "Draining"}})), "Cordoned");
}

#[test]
fn a_member_must_be_ready() {
    let ready = |status: &str| {
        let mut fleet = Fleet::lawful();
        fleet.ready("ams-1", "nl-ams", status, NOON);
        fleet.bars("ams-1")
    };
    assert_eq!(ready("True"), "");
    assert_eq!(ready("False"), "ClusterNotReady");
    assert_eq!(ready("Unknown"), "ClusterNotReady?");
    assert_eq!(cluster(json!({"status": {"conditions": null}})), "ClusterNotReady?");
    assert_eq!(
        cluster(json!({"metadata": {"deletionTimestamp": NOON}})),
        "ClusterNotReady?",
        "it is being deleted"
    );
}

#[test]
fn without_its_membercluster_nothing_is_known() {
    let mut fleet = Fleet::placed();
    fleet.apply(Change::Cluster(name("ams-1"), None));
    assert_eq!(
        fleet.bars("ams-1"),
        "CountryDenied? CountryNotAllowed? NotApproved? SiteNotOnline? TenantNotAdmitted? KindNotServed? \
         Cordoned? ClusterNotReady? ObservationStale"
    );
    fleet.decide("f", "Tenant/shop", "Frozen", json!({}));
    assert!(fleet.bars("ams-1").contains("ApprovalFrozen "), "what holds for the tenant doesn't need it");
}

#[test]
fn what_was_seen_more_than_ten_minutes_ago_is_stale() {
    let just = SignedDuration::from_mins(10);
    let more = just + SignedDuration::from_nanos(1);
    let mut fleet = Fleet::lawful();
    fleet.seen(just);
    assert_eq!(fleet.bars("ams-1"), "");
    fleet.seen(more);
    assert_eq!(fleet.bars("ams-1"), "ObservationStale");
    assert_eq!(fleet.wish(), "wait");
    fleet.seen(SignedDuration::ZERO);
    let long_ago = fleet.now - more;
    fleet.apply(Change::Seen(name("ams-1"), long_ago));
    assert_eq!((fleet.bars("ams-1"), fleet.bars("bru-1")), ("ObservationStale".to_owned(), String::new()));
    fleet.seen(SignedDuration::ZERO).apply(Change::HubSeen(long_ago));
    assert_eq!(fleet.bars("bru-1"), "ObservationStale", "the hub's own objects");
}

#[test]
fn a_member_that_was_never_seen_gets_nothing() {
    let mut fleet = Fleet::lawful();
    fleet.tenant(json!({"residency": {"allowed": [{"country": "DE"}]}}));
    fleet.site("de-ber", "DE", json!({})).cluster("ber-1", "de-ber", json!({}));
    assert_eq!(fleet.wish(), "place fra-1");
    fleet.apply(Change::Cluster(name("fra-1"), None));
    assert_eq!(fleet.wish(), "wait");
    let now = fleet.now;
    fleet.apply(Change::Seen(name("ber-1"), now));
    assert_eq!(fleet.wish(), "place ber-1");
}

/// Whether a workload of one pod and half a CPU finds a place where this much is given, and so much used.
fn fits(spec: Value, status: Value, used: &[&str]) -> bool {
    let mut fleet = Fleet::lawful();
    fleet.cluster("ams-1", "nl-ams", json!({"spec": {"capacity": spec}, "status": {"allocatable": status}}));
    fleet.apply(Change::Cluster(name("bru-1"), None));
    for (at, cpu) in used.iter().enumerate() {
        let other = format!("other-{at}");
        fleet.workload_named(&other, &other, json!({"manifests": [deployment(cpu)]}));
        fleet.seats_of(&other, &[("ams-1", "Active")]);
    }
    fleet.workload(json!({"manifests": [deployment("500m")]}));
    match fleet.wish().as_str() {
        "place ams-1" => true,
        "wait" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_asked_for_and_what_is_used_must_fit_together() {
    assert!(fits(json!({"cpu": "1"}), json!(null), &["500m"]));
    assert!(!fits(json!({"cpu": "1"}), json!(null), &["501m"]));
    assert!(!fits(json!({"cpu": "1"}), json!(null), &["300m", "300m"]));
    assert!(!fits(json!({"pods": 1}), json!(null), &["1m"]));
    assert!(fits(json!({"pods": 2}), json!(null), &["1m"]));
    assert!(fits(json!({"memory": "1Ki"}), json!(null), &["9"]), "who asks for no memory needs none");
}

#[test]
fn the_smaller_of_declared_and_observed_counts_for_each_amount() {
    assert!(!fits(json!({"cpu": "2"}), json!({"cpu": "499m"}), &[]));
    assert!(!fits(json!({"cpu": "499m"}), json!({"cpu": "2"}), &[]));
    assert!(!fits(json!({"cpu": "2"}), json!({"pods": 0}), &[]));
    assert!(fits(json!({"memory": "1Gi"}), json!({"pods": 1}), &[]), "cpu isn't limited");
    assert!(fits(json!(null), json!(null), &["1000"]), "nothing is limited");
    assert!(!fits(json!({"cpu": "many"}), json!(null), &[]), "what can't be read is nothing");
}

#[test]
fn what_is_on_its_way_or_still_leaving_takes_room_as_well() {
    let full = |prepare: &dyn Fn(&mut Fleet) -> &mut Fleet| {
        let mut fleet = Fleet::lawful();
        fleet.cluster("bru-1", "be-bru", json!({"spec": {"capacity": {"cpu": "1"}}}));
        fleet.workload(json!({"manifests": [deployment("600m")]}));
        prepare(&mut fleet);
        fleet.workload_named(
            "zz",
            "uid-2",
            json!({"manifests": [deployment("500m")], "residency": {"allowed": [{"country": "BE"}]}}),
        );
        fleet.wishes().ends_with("wait")
    };
    assert!(!full(&|fleet| fleet.seats(&[("ams-1", "Active")])));
    assert!(full(&|fleet| fleet.seats(&[("ams-1", "Active")]).moving("ams-1", "bru-1", "Draining", None)));
    assert!(!full(&|fleet| fleet.seats(&[("ams-1", "Active")]).moving(
        "ams-1",
        "bru-1",
        "Draining",
        Some("Completed")
    )));
    assert!(full(&|fleet| fleet.seats(&[("bru-1", "Leaving")])));
}

#[test]
fn places_given_to_one_are_not_given_to_the_next() {
    let mut fleet = Fleet::lawful();
    for (cluster, site) in [("ams-1", "nl-ams"), ("bru-1", "be-bru")] {
        fleet.cluster(cluster, site, json!({"spec": {"capacity": {"cpu": "1"}}}));
    }
    for workload in ["a", "b", "c"] {
        fleet.workload_named(workload, workload, json!({"manifests": [deployment("600m")]}));
    }
    let wishes = fleet.wishes();
    let mut three: Vec<_> = wishes.split("; ").take(3).collect();
    three.sort_unstable();
    assert_eq!(three, ["place ams-1", "place bru-1", "wait"]);
}

#[test]
fn the_rules_are_reported_in_the_order_of_the_page() {
    let page = include_str!("../../../../docs/rules.md");
    let order = page.split("## Order").nth(1).unwrap().split("## ").next().unwrap();
    let named: Vec<&str> = order.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, Rule::ALL.map(Rule::name));
}

#[test]
fn the_page_explains_each_rule() {
    let page = include_str!("../../../../docs/rules.md");
    let explained = page.lines().filter_map(|line| line.strip_prefix("### "));
    assert_eq!(explained.collect::<Vec<_>>(), Rule::ALL.map(Rule::name));
    assert_eq!(page.matches("- To change: ").count(), Rule::ALL.len());
}

#[test]
fn the_most_permanent_comes_first() {
    let mut fleet = Fleet::lawful();
    fleet.tenant(json!({"residency": {"allowed": [], "denied": [{"country": "NL"}]}}));
    fleet.decide("a", "Site/nl-ams", "Revoked", json!({})).decide("b", "Tenant/shop", "Suspended", json!({}));
    fleet.decide("c", "TenantWorkload/shop/web", "Frozen", json!({}));
    fleet.apply(Change::Decision(name("runs-1"), None));
    fleet.decide("owns-1", "owns", "Approved", json!({"validUntil": NOON}));
    fleet.site("nl-ams", "NL", json!({"state": "Offline"}));
    fleet.cluster(
        "ams-1",
        "nl-ams",
        json!({
            "spec": {"scheduling": "Cordoned", "classes": {"storage": null}},
            "status": {"tenants": ["bank"], "kindsNotServed": ["PersistentVolumeClaim"], "conditions": null},
        }),
    );
    fleet.apply(Change::NamespaceTaken(name("ams-1"), name("shop"), true));
    fleet.workload(json!({"manifests": [claim()]}));
    fleet.seen(SignedDuration::from_mins(11));
    assert_eq!(
        fleet.bars("ams-1"),
        "CountryDenied CountryNotAllowed NotApproved ApprovalRevoked ApprovalSuspended ApprovalFrozen \
         ApprovalExpired SiteNotOnline TenantNotAdmitted NamespaceTaken KindNotServed ClassNotServed Cordoned \
         ClusterNotReady? ObservationStale"
    );
}

#[test]
fn a_claim_that_a_pod_makes_is_of_the_members_class() {
    let claim = json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast"}}}});
    let scratch = json!({"template": {"spec": {"containers": [], "volumes": [{"emptyDir": {}}, claim]}}});
    let scratch = manifest("apps/v1", "Deployment", scratch);
    let mut fleet = Fleet::lawful();
    fleet.workload(json!({"manifests": [scratch]}));
    let rendered = |fleet: &Fleet| {
        let world = fleet.engine.world();
        let objects = &world.workloads[&key("shop/web")].manifests.as_ref().unwrap().objects;
        let cluster = world.find_cluster(&name("ams-1")).and_then(|id| world.cluster(id)?.fact.as_ref());
        let (tenant, key) = (name("shop"), key("shop/web"));
        let target = Target {
            tenant: &tenant,
            key: &key,
            ordinal: 0,
            epoch: 1,
            mode: Mode::Running,
            all_exclusive: false,
            completed_jobs: &[],
            cluster,
        };
        let out = target.render(&objects[0], &scratch);
        let class = "/spec/template/spec/volumes/1/ephemeral/volumeClaimTemplate/spec/storageClassName";
        (out.pointer(class).cloned(), target.digest(&objects[0]))
    };
    let classes = |to: &str| json!({"spec": {"classes": {"storage": {"fast": to}}}});
    fleet.cluster("ams-1", "nl-ams", classes("gp3"));
    let (class, digest) = rendered(&fleet);
    assert_eq!(class, Some(json!("gp3")));
    fleet.cluster("ams-1", "nl-ams", classes("gp4"));
    assert_ne!(rendered(&fleet).1, digest, "what it is called there has changed");
}
