//! The second opinion on a world at rest, as an auditor would see it: from the API servers alone.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use anyhow::{Context as _, ensure};
use domicile_check::{Explained, Facts, Sighting, audit};
use domicile_crds::{
    Assignment, ClusterName, Migration, SeatPhase, TenantName, TenantWorkload, WorkloadKey, condition_of,
    keys,
};
use domicile_e2e::{sight::managed, stage::Stage};
use domicile_operator::second::REFUSAL;
use jiff::Timestamp;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The hub's words where the operator has no right.
const OPERATOR_LACKS: &str = "system:serviceaccount:domicile-system:domicile-operator";

/// Asserts that nothing forbidden can be seen anywhere, and that the operator tried nothing that is.
pub(crate) async fn nothing_is_forbidden(stage: &Stage) -> anyhow::Result<()> {
    let hub = stage.fleet.hub()?.client();
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
    for member in stage.fleet.members() {
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
    let log = std::fs::read_to_string(stage.operator_log())?;
    let refused: Vec<&str> = log.lines().filter(|line| line.contains(REFUSAL)).collect();
    ensure!(refused.is_empty(), "the operator tried what is forbidden: {refused:#?}");
    // A Secret may be asked for before the operator is bound to read it in a namespace that is new.
    let lacks = |line: &&str| line.contains(OPERATOR_LACKS) && !line.contains("secrets");
    let rights: Vec<&str> = log.lines().filter(lacks).collect();
    ensure!(rights.is_empty(), "the operator's rights don't suffice: {rights:#?}");
    Ok(())
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
