//! What facts, decisions, members and moves say in each of their states, kept in files: Argo CD's health check is tried on
//! them, and kstatus' own code (e2e/tests/chart/health.rs). `UPDATE=1 cargo test -p domicile-operator health` writes them.

use std::sync::Arc;

use domicile_core::{Change, Engine, decisions::DecisionFact, moves::Wait};
use domicile_crds::{
    CountrySet, Decision, HostingProvider, Installation, MemberCluster, Migration, MigrationStatus,
    MigrationStep, Relocation, RelocationStatus, Site, Tenant,
};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{claim::Claim, decisions, facts, fleet, moves};
use crate::member::Probe;
use kept::keep;

#[path = "../../../core/tests/rules/kept.rs"]
mod kept;

const GENERATION: Option<i64> = Some(1);

fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn object<T: DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> T {
    let meta =
        json!({"name": name, "uid": "uid-1", "generation": 1, "creationTimestamp": "2026-05-01T12:00:00Z"});
    read(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}))
}

/// Keeps a fact of which this is said.
macro_rules! keep_fact {
    ($file:expr, $object:expr, $claims:expr) => {{
        let mut object = $object.clone();
        object.status = Some(facts::status($claims, &[], GENERATION, noon()));
        keep($file, &json!(object));
    }};
}

fn europe() -> CountrySet {
    let member = json!({"country": "NL", "basis": "Membership", "source": "treaty"});
    object("CountrySet", "benelux", &json!({"members": [member]}))
}

fn provider() -> HostingProvider {
    object("HostingProvider", "polder", &json!({"legalName": "Polder B.V.", "registeredIn": "NL"}))
}

fn site(state: &str) -> Site {
    let spec = json!({"operatedBy": "polder", "ownedBy": "polder", "country": "NL", "state": state});
    object("Site", "nl-ams", &spec)
}

fn tenant() -> Tenant {
    let residency = json!({"allowed": [{"countrySet": "benelux"}]});
    object("Tenant", "shop", &json!({"namespaces": ["shop"], "residency": residency}))
}

fn approval(subject: &str) -> Decision {
    let spec = json!({"subject": {"kind": "HostingProvider", "name": subject}, "decision": "Approved", "basis": "Contract",
                      "authority": "compliance", "decidedBy": "clara", "reason": "audited"});
    object("Decision", "polder-1", &spec)
}

/// A hub that knows a provider.
fn engine() -> Engine {
    let mut engine = Engine::default();
    let provider = provider();
    engine.apply(
        Change::Provider(provider.name_any().parse().unwrap(), Some(read(json!(provider.spec)))),
        noon(),
    );
    engine
}

#[test]
fn facts() {
    let mut engine = engine();
    engine.apply(Change::CountrySet("benelux".parse().unwrap(), Some(read(json!(europe().spec)))), noon());
    keep_fact!("CountrySet-used", europe(), &facts::country_set(engine.world(), &europe(), noon()));
    keep_fact!(
        "HostingProvider-not-approved",
        provider(),
        &facts::provider(engine.world(), &provider(), noon())
    );
    let decision = approval("polder");
    let fact = Arc::new(decision.spec.clone());
    engine.apply(Change::Decision("polder-1".parse().unwrap(), Some(fact)), noon());
    keep_fact!("HostingProvider-approved", provider(), &facts::provider(engine.world(), &provider(), noon()));
    let hub: Installation = object("Installation", "default", &json!({}));
    keep_fact!("Installation-used", hub, &[facts::installation(None)]);
    keep_fact!("Installation-unreadable", hub, &[facts::installation(Some("unknown variant"))]);
}

#[test]
fn sites() {
    let engine = engine();
    for (file, state) in [("online", "Online"), ("planned", "Planned"), ("closing", "Closing")] {
        let site = site(state);
        keep_fact!(&format!("Site-{file}"), site, &facts::site(engine.world(), &site, noon()));
    }
    let site = site("Online");
    keep_fact!("Site-without-provider", site, &facts::site(Engine::default().world(), &site, noon()));
}

#[test]
fn decisions_of_people() {
    let mut engine = engine();
    for (file, subject) in [("used", "polder"), ("about-nobody", "polter")] {
        let decision = approval(subject);
        let fact = DecisionFact { name: "polder-1".parse().unwrap(), spec: Arc::new(decision.spec.clone()) };
        engine.apply(Change::Decision(fact.name.clone(), Some(fact.spec)), noon());
        let claims =
            decisions::decision(engine.world(), &decision, &mut decisions::Strictest::default(), noon());
        keep_fact!(&format!("Decision-{file}"), decision, &claims);
    }
}

#[test]
fn tenants() {
    let (mut engine, tenant) = (engine(), tenant());
    let name: domicile_crds::TenantName = "shop".parse().unwrap();
    engine.apply(Change::Tenant(name.clone(), Some(Box::new(tenant.spec.clone()))), noon());
    keep_fact!("Tenant-new-namespace", tenant, &facts::tenant(engine.world(), &tenant, None));
    engine.apply(Change::Namespace("shop".parse().unwrap(), Some(Some(name))), noon());
    keep_fact!("Tenant-without-country-set", tenant, &facts::tenant(engine.world(), &tenant, None));
    engine.apply(Change::CountrySet("benelux".parse().unwrap(), Some(read(json!(europe().spec)))), noon());
    keep_fact!("Tenant-used", tenant, &facts::tenant(engine.world(), &tenant, None));
}

#[test]
fn members() {
    let probe = Probe {
        version: "v1.36.3".to_owned(),
        cluster_id: "uid-2".to_owned(),
        tenants: vec!["shop".parse().unwrap()],
        inventory: None,
    };
    for (file, claim) in [
        ("ready", ("True", "Ready", "it answers and can be used")),
        ("unreachable", ("Unknown", "Unreachable", "it doesn't answer within 15 s")),
        ("without-access", ("False", "KubeconfigInvalid", "the kubeconfig has no server")),
    ] {
        let spec = json!({"site": "nl-ams", "connection": {"kubeconfigSecret": "nl-ams-1"}});
        let mut member: MemberCluster = object("MemberCluster", "nl-ams-1", &spec);
        let old = member.status.take().unwrap_or_default();
        member.status = Some(fleet::member_status(&old, Some(&probe), claim, (GENERATION, noon())));
        keep(&format!("MemberCluster-{file}"), &json!(member));
    }
}

#[test]
fn moves_of_copies() {
    let spec = json!({"workload": "web", "tenant": "shop", "seat": 0, "from": "ams-1", "to": "bru-1", "epoch": 2, "generation": 1,
                      "cause": {"kind": "PreferredPlace", "subject": "Site/be-bru"}, "compulsory": false,
                      "digest": "0123456789abcdef"});
    let keep = |file: &str, status: Option<MigrationStatus>| {
        let mut migration: Migration = object("Migration", "web-0", &spec);
        migration.metadata.namespace = Some("shop".to_owned());
        migration.status = status;
        keep(&format!("Migration-{file}"), &json!(migration));
    };
    // What goes on by itself is written of at its end only; until then, the definition's default is shown.
    let unobserved = MigrationStatus { observed_generation: Some(-1), ..MigrationStatus::default() };
    keep("new", Some(unobserved));
    let away = Wait::Unreachable("ams-1".parse().unwrap());
    for (file, step, wait, message) in [
        ("asks", MigrationStep::Waiting, Some(Wait::Answer), String::new()),
        ("cut-off", MigrationStep::Switched, Some(away), String::new()),
        ("completed", MigrationStep::Completed, None, "it has moved".to_owned()),
        ("rolled-back", MigrationStep::RolledBack, None, "it stays where it is".to_owned()),
    ] {
        let message = wait.as_ref().map_or(message, ToString::to_string);
        let stalled = wait.as_ref().and_then(moves::must_act);
        let migration: Migration = object("Migration", "web-0", &spec);
        let conditions = moves::conditions(&migration, step, stalled, &message, noon());
        let status = MigrationStatus {
            observed_generation: GENERATION,
            step: Some(step),
            message: Some(message),
            conditions,
            ..MigrationStatus::default()
        };
        keep(file, Some(status));
    }
}

#[test]
fn campaigns() {
    let cause = json!({"kind": "SiteClosing", "subject": "Site/nl-ams"});
    for (file, pending, done, held) in [("moving", 2, 1, 0), ("done", 0, 3, 0), ("held", 0, 2, 1)] {
        let mut status = RelocationStatus { pending, done, held, ..RelocationStatus::default() };
        let claim: Claim = moves::campaign(&status);
        status.observed_generation = GENERATION;
        status.conditions = vec![claim.merge(&[], GENERATION, noon())];
        let mut relocation: Relocation = object("Relocation", "nl-ams-closes", &json!({"cause": cause}));
        relocation.status = Some(status);
        keep(&format!("Relocation-{file}"), &json!(relocation));
    }
}
