//! The second opinion on a world at rest, as an auditor would see it: from the API servers alone.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use anyhow::{Context as _, ensure};
use domicile_check::{Explained, Facts, Sighting, audit};
use domicile_crds::{
    Assignment, ClusterName, Migration, SeatPhase, TenantName, TenantWorkload, WorkloadKey, condition_of,
    keys,
};
use domicile_operator::second::REFUSAL;
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::{Api, Client, Resource, api::PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{sight::managed, world::World};

/// Who the operator is on the hub.
const OPERATOR: &str = "system:serviceaccount:domicile-system:domicile-operator";

/// Asserts that nothing forbidden can be seen anywhere, and that the operator tried nothing that is.
///
/// # Errors
///
/// What can be seen.
pub async fn nothing_is_forbidden(world: &World) -> anyhow::Result<()> {
    let hub = world.hub().client();
    let now = Timestamp::now();
    let mut facts = Facts::default();
    all(&hub).await?.for_each(|object| facts.country_set(object));
    all(&hub).await?.for_each(|object| facts.provider(object));
    all(&hub).await?.for_each(|object| facts.site(object));
    all(&hub).await?.for_each(|object| facts.installation(object));
    all(&hub).await?.for_each(|object| facts.member(object));
    all(&hub).await?.for_each(|object| facts.tenant(object));
    all(&hub).await?.for_each(|object| facts.decision(object));
    facts.hub_seen(now);
    let records = Records {
        workloads: all(&hub).await?.collect(),
        assignments: all(&hub).await?.collect(),
        migrations: all(&hub).await?.collect(),
    };
    let mut sightings = BTreeMap::new();
    for member in world.members() {
        let cluster = ClusterName::new(member.name())?;
        facts.member_seen(&cluster, now);
        for (name, object) in managed(member).await? {
            let sighting =
                records.sighting(&cluster, &object).with_context(|| format!("{name} is nobody's"))?;
            let copy = (cluster.clone(), sighting.workload.clone(), sighting.ordinal);
            let running = sighting.running;
            sightings.entry(copy).or_insert(sighting).running |= running;
        }
    }
    let sightings: Vec<Sighting> = sightings.into_values().collect();
    let violations = audit(&facts, &sightings, now);
    ensure!(violations.is_empty(), "the second opinion sees {violations:?}\nin {sightings:?}");
    // Of all replicas, also those that have ended.
    let log = std::fs::read_to_string(world.operator_log())?;
    let refused: Vec<&str> = log.lines().filter(|line| line.contains(REFUSAL)).collect();
    ensure!(refused.is_empty(), "the operator tried what is forbidden: {refused:#?}");
    rights_suffice(&hub, &log).await
}

/// Asserts that the operator was refused nothing that it may not do now either. An API server that has just started
/// doesn't know all roles yet; and a Secret may be asked for before the operator is bound to read it where that is new.
async fn rights_suffice(hub: &Client, log: &str) -> anyhow::Result<()> {
    let refused = format!("User \"{OPERATOR}\" cannot");
    for line in log.lines().map(|line| line.replace('\\', "")).filter(|line| line.contains(&refused)) {
        let asked = asked(&line).with_context(|| format!("a refusal in other words: {line}"))?;
        if asked.get("resource").is_some_and(|resource| resource == "secrets") {
            continue;
        }
        let review = json!({"spec": {"user": OPERATOR, "resourceAttributes": asked}});
        let review: SubjectAccessReview = serde_json::from_value(review)?;
        let answer = Api::all(hub.clone()).create(&PostParams::default(), &review).await?;
        ensure!(
            answer.status.is_some_and(|status| status.allowed),
            "the operator's rights don't suffice: {line}"
        );
    }
    Ok(())
}

/// What was asked for, of a refusal such as `sites.domicile.dev "a" is forbidden: User "u" cannot patch resource
/// "sites/status" in API group "domicile.dev" at the cluster scope`.
fn asked(line: &str) -> Option<Value> {
    let (before, rest) = line.split_once("\" cannot ")?;
    let after = |begin: &str| rest.split_once(begin)?.1.split_once('"').map(|(text, _)| text);
    let whole = after("resource \"")?;
    let (resource, subresource) = whole.split_once('/').unwrap_or((whole, ""));
    let named = before.split_once("\" is forbidden").and_then(|(before, _)| before.rsplit_once('"'));
    Some(json!({
        "verb": rest.split(' ').next(), "group": after("API group \"")?,
        "resource": resource, "subresource": subresource,
        "namespace": after("namespace \"").unwrap_or_default(), "name": named.map_or("", |(_, name)| name),
    }))
}

async fn all<K>(hub: &Client) -> anyhow::Result<impl Iterator<Item = Arc<K>>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    Ok(Api::<K>::all(hub.clone())
        .list(&kube::api::ListParams::default())
        .await?
        .items
        .into_iter()
        .map(Arc::new))
}

struct Records {
    workloads: Vec<Arc<TenantWorkload>>,
    assignments: Vec<Arc<Assignment>>,
    migrations: Vec<Arc<Migration>>,
}

impl Records {
    fn sighting(&self, cluster: &ClusterName, object: &Value) -> anyhow::Result<Sighting> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str);
        let label = |name: &str| {
            let label = object
                .pointer("/metadata/labels")
                .and_then(|labels| labels.get(name))
                .and_then(|l| l.as_str());
            label.with_context(|| format!("it has no label {name}"))
        };
        let namespace = text("/metadata/namespace").context("it has no namespace")?;
        let workload = WorkloadKey::new(namespace, label(keys::WORKLOAD_LABEL)?)?;
        let ordinal = label(keys::SEAT_LABEL)?.parse()?;
        Ok(Sighting {
            tenant: TenantName::new(label(keys::TENANT_LABEL)?)?,
            ordinal,
            epoch: label(keys::EPOCH_LABEL)?.parse()?,
            cluster: cluster.clone(),
            running: runs(object),
            explained: self.explained(&workload, ordinal, cluster),
            workload,
        })
    }

    fn explained(&self, workload: &WorkloadKey, ordinal: i32, cluster: &ClusterName) -> Explained {
        let is_it = |meta: &kube::api::ObjectMeta, name: &str| {
            meta.namespace.as_deref() == Some(workload.namespace.as_str()) && name == workload.name.as_str()
        };
        let moving = self.migrations.iter().any(|m| {
            let over =
                m.status.as_ref().and_then(|s| s.step).is_some_and(domicile_crds::MigrationStep::is_final);
            is_it(&m.metadata, m.spec.workload.as_str())
                && m.spec.seat == ordinal
                && !over
                && (m.spec.from == *cluster || m.spec.to == *cluster)
        });
        let leaving = self.assignments.iter().any(|a| {
            let seat = a.spec.seats.iter().find(|seat| seat.ordinal == ordinal && seat.cluster == *cluster);
            let going = a.metadata.deletion_timestamp.is_some();
            is_it(&a.metadata, a.metadata.name.as_deref().unwrap_or_default())
                && seat.is_some_and(|seat| going || seat.phase == SeatPhase::Leaving)
        });
        let held = self.workloads.iter().any(|w| {
            let conditions = w.status.as_ref().map_or(&[][..], |status| &status.conditions);
            let is = |kind: &str| condition_of(conditions, kind).map(|c| c.status.clone());
            is_it(&w.metadata, w.metadata.name.as_deref().unwrap_or_default())
                && (is("Stalled").as_deref() == Some("True") || is("Compliant").as_deref() != Some("True"))
        });
        match (moving || leaving, held) {
            (true, _) => Explained::Moving,
            (false, true) => Explained::Held,
            (false, false) => Explained::No,
        }
    }
}

/// Whether an object asks for pods.
fn runs(object: &Value) -> bool {
    let is = |path: &str, value: Value| object.pointer(path) == Some(&value);
    match object["kind"].as_str().unwrap_or_default() {
        "Deployment" | "StatefulSet" => !is("/spec/replicas", 0.into()),
        "Job" | "CronJob" => !is("/spec/suspend", true.into()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_asked_for() {
        let line = r#"WARN cannot read or take the lease error=leases.coordination.k8s.io "domicile-operator" is forbidden: User "u" cannot update resource "leases" in API group "coordination.k8s.io" in the namespace "domicile-system""#;
        let lease = json!({
            "verb": "update", "group": "coordination.k8s.io", "resource": "leases", "subresource": "",
            "namespace": "domicile-system", "name": "domicile-operator",
        });
        assert_eq!(asked(line), Some(lease));
        let line = r#"error=sites.domicile.dev is forbidden: User "u" cannot patch resource "sites/status" in API group "domicile.dev" at the cluster scope"#;
        let status = json!({
            "verb": "patch", "group": "domicile.dev", "resource": "sites", "subresource": "status", "namespace": "", "name": "",
        });
        assert_eq!(asked(line), Some(status));
    }
}
