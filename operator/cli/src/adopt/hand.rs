//! Handing objects over: their labels, and whose their fields are. Nothing else of them changes, which is tried before.

use std::fmt::Write as _;

use domicile_core::facts::ClusterFact;
use domicile_core::manifests::{Manifests, ObjectFact};
use domicile_core::render::{Mode, Target, digest_of_copy, secret_version, set};
use domicile_crds::{ADOPTED, MemberCluster, Overlap, TenantName, TenantWorkload, WorkloadKey, keys};
use kube::api::ListParams;
use serde_json::{Value, json};

use super::AdoptError;
use super::fields::{changes, left, taken_over};
use super::find::{called, check_history, text};
use crate::cluster::{Cluster, ClusterError, TRIES};

/// About how long a line of fields is.
const WIDTH: usize = 72;

/// An object as it is, and as Domicile applies it where it is.
#[derive(Debug)]
pub(super) struct Handed {
    fact: ObjectFact,
    live: Value,
    body: Value,
}

/// All objects of `workload`, each as it is in `live` and as it would be applied. What makes pods comes last: once that is there, all is.
///
/// # Errors
///
/// If a manifest isn't one that a tenant may have.
pub(super) fn render(
    workload: &TenantWorkload,
    (tenant, key): (&TenantName, &WorkloadKey),
    member: &MemberCluster,
    live: &[Value],
) -> Result<Vec<Handed>, AdoptError> {
    let manifests = Manifests::read(workload)?;
    let cluster = ClusterFact::from(member);
    let target = Target {
        tenant,
        key,
        ordinal: 0,
        epoch: ADOPTED,
        mode: Mode::Running,
        all_exclusive: workload.spec.overlap == Overlap::Forbid,
        completed_jobs: &[],
        cluster: Some(&cluster),
    };
    let mut all = Vec::new();
    for fact in manifests.objects {
        let (kind, name) = (fact.object.kind, &fact.object.name);
        let is_it = |object: &&Value| {
            text(object, "/kind") == kind.name() && text(object, "/metadata/name") == &**name
        };
        let Some(live) = live.iter().find(is_it).cloned() else { continue };
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": **name},
            "type": live.get("type"), "data": live.get("data"),
        });
        let manifest = fact.index.map_or(Some(&secret), |index| workload.spec.manifests.get(index));
        let mut body = target.render(&fact, manifest.unwrap_or(&Value::Null));
        // An object that is another by now isn't this one.
        set(&mut body, &["metadata", "uid"], json!(text(&live, "/metadata/uid")));
        all.push(Handed { fact, live, body });
    }
    all.sort_by_key(|handed| handed.fact.object.kind.runs_pods());
    Ok(all)
}

impl Handed {
    /// As kind/name.
    pub(super) fn called(&self) -> String {
        called(&self.live)
    }

    /// Whose fields it takes, field by field; empty if nobody else has set any.
    pub(super) fn told(&self) -> String {
        let mut out = String::new();
        for (manager, fields) in taken_over(&self.live, &self.body, keys::FIELD_MANAGER) {
            if out.is_empty() {
                out = format!("  {}\n", called(&self.live));
            }
            let _ = writeln!(out, "    {manager}:");
            let mut line = String::new();
            for field in fields {
                if !line.is_empty() && line.len() + field.len() > WIDTH {
                    let _ = writeln!(out, "      {line}");
                    line.clear();
                }
                line = if line.is_empty() { field } else { format!("{line}, {field}") };
            }
            let _ = writeln!(out, "      {line}");
        }
        out
    }

    /// Tries it, without changing anything.
    ///
    /// # Errors
    ///
    /// If the member wouldn't take it, or more would change than labels and annotations.
    pub(super) async fn rehearse(&self, member: &Cluster) -> Result<(), AdoptError> {
        let after = member.would_take_as(keys::FIELD_MANAGER, &self.body).await?;
        let fields = changes(&self.live, &after);
        if fields.is_empty() {
            return Ok(());
        }
        Err(AdoptError::WouldChange { object: called(&self.live), fields: fields.join(", ") })
    }

    /// Takes over its fields, and then labels it: what bears the label is handed over in full.
    ///
    /// # Errors
    ///
    /// If the member refuses, or somebody has changed it meanwhile: then it isn't labelled.
    pub(super) async fn hand_over(&self, member: &Cluster, hub: &Cluster) -> Result<(), AdoptError> {
        let mut body = self.body.clone();
        if self.fact.index.is_none() {
            self.mark_copy(&mut body, hub).await?;
        }
        let mut unlabelled = body.clone();
        if let Some(labels) = unlabelled.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove(keys::WORKLOAD_LABEL);
        }
        let after = self.write(member, unlabelled).await?;
        let left = |now: &Value| left(now, &self.body, keys::FIELD_MANAGER);
        member.set_managed_fields(&after, left).await?;
        self.label_jobs(member).await?;
        self.write(member, body).await.map(drop)
    }

    /// Applies it as long as it is as it was.
    async fn write(&self, member: &Cluster, mut body: Value) -> Result<Value, AdoptError> {
        for _ in 0..TRIES {
            let now = member.read(&self.live).await?.unwrap_or_default();
            self.is_as_it_was(&now)?;
            // As it was just read: whatever somebody takes out in between would be put back.
            set(&mut body, &["metadata", "resourceVersion"], json!(text(&now, "/metadata/resourceVersion")));
            match member.take_as(keys::FIELD_MANAGER, &body).await {
                // A controller has written its status in between.
                Err(error) if error.code() == Some(409) => {}
                done => return Ok(done?),
            }
        }
        Err(AdoptError::Changed { object: self.called(), fields: "status, all the time,".to_owned() })
    }

    /// Refuses what somebody has changed since it was looked at, or has handed over to another workload.
    pub(super) fn is_as_it_was(&self, now: &Value) -> Result<(), AdoptError> {
        let label = |object: &Value| {
            object.pointer("/metadata/labels").and_then(|all| all.get(keys::WORKLOAD_LABEL)).cloned()
        };
        if let Some(other) = label(now).filter(|other| Some(other) != label(&self.body).as_ref()) {
            return Err(AdoptError::Others(
                self.called(),
                format!("it is TenantWorkload/{}'s by now", other.as_str().unwrap_or_default()),
            ));
        }
        check_history(now)?;
        let fields = changes(&self.live, now);
        if fields.is_empty() {
            return Ok(());
        }
        Err(AdoptError::Changed { object: self.called(), fields: fields.join(", ") })
    }

    /// A Secret's digest tells which version of the one on the hub it is a copy of.
    async fn mark_copy(&self, body: &mut Value, hub: &Cluster) -> Result<(), ClusterError> {
        let on_hub = hub.read(&on_hub(body)).await?.unwrap_or_default();
        let version =
            secret_version(text(&on_hub, "/metadata/uid"), text(&on_hub, "/metadata/resourceVersion"));
        let path = ["metadata", "annotations", keys::APPLIED_ANNOTATION];
        let digest =
            body.pointer("/metadata/annotations").and_then(|all| all.get(keys::APPLIED_ANNOTATION)?.as_str());
        let digest = digest.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or_default();
        set(body, &path, json!(format!("{:016x}", digest_of_copy(digest, version))));
        Ok(())
    }

    /// Labels the Jobs that a CronJob has made, so that they are seen to have ended.
    ///
    /// # Errors
    ///
    /// If the member refuses.
    async fn label_jobs(&self, member: &Cluster) -> Result<(), ClusterError> {
        if self.fact.object.kind.name() != "CronJob" {
            return Ok(());
        }
        let namespace = text(&self.live, "/metadata/namespace");
        let jobs = member.list_of("batch/v1", "Job", namespace, &ListParams::default()).await?;
        let made = |job: &&Value| {
            let owners = job.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            let is_it = |owner: &Value| {
                text(owner, "/kind") == "CronJob" && text(owner, "/name") == &*self.fact.object.name
            };
            owners.into_iter().flatten().any(is_it)
        };
        for job in jobs.iter().filter(made) {
            let (name, uid) = (text(job, "/metadata/name"), text(job, "/metadata/uid"));
            let metadata = json!({"name": name, "namespace": namespace, "uid": uid, "labels": self.labels()});
            let body = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata});
            match member.apply_as(keys::FIELD_MANAGER, &body).await {
                // It has ended and gone since it was listed.
                Err(error) if matches!(error.code(), Some(404 | 409)) => {}
                done => drop(done?),
            }
        }
        Ok(())
    }

    /// The labels by which it is seen.
    fn labels(&self) -> Value {
        let labels =
            self.body.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
        labels.into_iter().filter(|(key, _)| key.starts_with(keys::GROUP)).collect()
    }
}

fn on_hub(body: &Value) -> Value {
    let metadata =
        json!({"name": text(body, "/metadata/name"), "namespace": text(body, "/metadata/namespace")});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
}
