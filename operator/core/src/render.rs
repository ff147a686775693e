//! A tenant's manifest as it is applied on a member: with labels, in the right mode, with the member's class names.

use domicile_crds::{ADOPTED, CompletedJob, TenantName, WorkloadKey, keys};
use serde_json::{Value, json};

use crate::{
    facts::ClusterFact,
    manifests::{EPHEMERAL_CLASS, Kind, ObjectFact, fnv1a, pods_at},
    observed::ObjectView,
};

/// How much of a copy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// All of it.
    Running,
    /// All but what must never run twice.
    Standby,
}

/// For whom and where a manifest is rendered.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The tenant.
    pub tenant: &'a TenantName,
    /// The workload.
    pub key: &'a WorkloadKey,
    /// Which copy.
    pub ordinal: i32,
    /// Its epoch. In [`ADOPTED`], its pods go without our labels.
    pub epoch: i64,
    /// How much of it runs.
    pub mode: Mode,
    /// Every object that must never run twice counts as such: the workload says `overlap: Forbid`.
    pub all_exclusive: bool,
    /// Jobs that aren't run again.
    pub completed_jobs: &'a [CompletedJob],
    /// The member.
    pub cluster: Option<&'a ClusterFact>,
}

impl Target<'_> {
    /// Whether an object is kept from running.
    #[must_use]
    pub fn is_off(&self, object: &ObjectFact) -> bool {
        let off = match self.mode {
            Mode::Running => false,
            Mode::Standby => object.exclusive || self.all_exclusive,
        };
        object.object.kind.runs_pods() && (off || is_done(self.completed_jobs, object))
    }

    /// Digest of what would be applied, but for what is in a Secret.
    #[must_use]
    pub fn digest(&self, object: &ObjectFact) -> u64 {
        if is_done(self.completed_jobs, object) {
            // Which copy has run it makes no difference any more.
            let (hash, tenant, ordinal, key) = (object.hash, self.tenant, self.ordinal, self.key);
            return fnv1a(format!("{hash:x} {tenant} {ordinal} {key} done").as_bytes());
        }
        let storage = self.cluster.into_iter().flat_map(|c| c.storage_classes.values());
        let ingress = self.cluster.into_iter().flat_map(|c| c.ingress_classes.values());
        let classes: Vec<&str> = match object.object.kind.name() {
            "PersistentVolumeClaim" | "StatefulSet" => storage.map(String::as_str).collect(),
            "Ingress" => ingress.map(String::as_str).collect(),
            _ if object.has_ephemeral_class => storage.map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let text = format!(
            "{:x} {} {} {} {} {} {:?} {}",
            object.hash,
            self.tenant,
            // Two workloads may have a manifest in common.
            self.key,
            self.ordinal,
            self.epoch,
            self.is_off(object),
            classes,
            object.autoscaled
        );
        fnv1a(text.as_bytes())
    }

    /// Whether an object was seen as it would be applied. `version` is that of the Secret on the hub which it is a
    /// copy of. As long as that isn't known, or there is none, what was copied before stays.
    #[must_use]
    pub fn is_applied(&self, object: &ObjectFact, seen: &ObjectView, version: Option<u64>) -> bool {
        let digest = self.digest(object);
        if is_done(self.completed_jobs, object) {
            // It is written once more if Kubernetes is to delete it.
            return !object.expires || seen.digest == digest;
        }
        match (object.object.kind == Kind::SECRET, version) {
            (false, _) => seen.digest == digest,
            (true, Some(version)) => seen.digest == digest_of_copy(digest, version),
            (true, None) => seen.digest != 0 && seen.epoch == self.epoch,
        }
    }

    /// The manifest as it is applied.
    #[must_use]
    pub fn render(&self, object: &ObjectFact, manifest: &Value) -> Value {
        let mut out = manifest.clone();
        if let Some(fields) = out.as_object_mut() {
            fields.remove("status");
        }
        let digest = self.digest(object);
        set(&mut out, &["metadata", "namespace"], json!(self.key.namespace.as_str()));
        self.label(&mut out, &["metadata"]);
        set(
            &mut out,
            &["metadata", "annotations", keys::APPLIED_ANNOTATION],
            json!(format!("{digest:016x}")),
        );
        match object.object.kind.name() {
            // Labels in the template would restart its pods, or of a Job be refused.
            "Deployment" | "StatefulSet" | "Job" if self.epoch == ADOPTED => {}
            "Deployment" | "StatefulSet" | "Job" => self.label(&mut out, &["spec", "template", "metadata"]),
            "CronJob" => {
                // With labels of its own, a Job doesn't get those of its pods, and nobody would see it.
                self.label(&mut out, &["spec", "jobTemplate", "metadata"]);
                self.label(&mut out, &["spec", "jobTemplate", "spec", "template", "metadata"]);
            }
            _ => {}
        }
        self.scale(&mut out, object);
        self.map_classes(&mut out, object);
        out
    }

    fn label(&self, out: &mut Value, metadata: &[&str]) {
        let labels = [
            (keys::TENANT_LABEL, self.tenant.to_string()),
            (keys::WORKLOAD_LABEL, self.key.name.to_string()),
            (keys::SEAT_LABEL, self.ordinal.to_string()),
            (keys::EPOCH_LABEL, self.epoch.to_string()),
        ];
        for (key, value) in labels {
            let path: Vec<&str> = metadata.iter().copied().chain(["labels", key]).collect();
            set(out, &path, json!(value));
        }
    }

    fn scale(&self, out: &mut Value, object: &ObjectFact) {
        if object.object.kind.name() == "StatefulSet" {
            // Whatever is scaled down or removed, the data stays, also where somebody has changed that on the member.
            let keep = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
            set(out, &["spec", "persistentVolumeClaimRetentionPolicy"], keep);
        }
        let off = self.is_off(object);
        match object.object.kind.name() {
            "Deployment" | "StatefulSet" if off => set(out, &["spec", "replicas"], json!(0)),
            "Deployment" | "StatefulSet" if object.autoscaled => {
                if let Some(spec) = out.get_mut("spec").and_then(Value::as_object_mut) {
                    spec.remove("replicas");
                }
            }
            "Job" | "CronJob" if off => set(out, &["spec", "suspend"], json!(true)),
            _ => {}
        }
        if object.expires
            && !is_done(self.completed_jobs, object)
            && let Some(spec) = out.get_mut("spec").and_then(Value::as_object_mut)
        {
            // Kubernetes would delete it before it is on record that it needn't run again.
            spec.remove("ttlSecondsAfterFinished");
        }
    }

    fn map_classes(&self, out: &mut Value, object: &ObjectFact) {
        let Some(cluster) = self.cluster else { return };
        let rename = |slot: Option<&mut Value>, names: &std::collections::BTreeMap<String, String>| {
            if let Some(slot) = slot
                && let Some(there) = slot.as_str().and_then(|name| names.get(name))
            {
                *slot = json!(there);
            }
        };
        match object.object.kind.name() {
            "PersistentVolumeClaim" => {
                rename(out.pointer_mut("/spec/storageClassName"), &cluster.storage_classes);
            }
            "StatefulSet" => {
                let claims = out.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
                for claim in claims.into_iter().flatten() {
                    rename(claim.pointer_mut("/spec/storageClassName"), &cluster.storage_classes);
                }
            }
            "Ingress" => rename(out.pointer_mut("/spec/ingressClassName"), &cluster.ingress_classes),
            _ => {}
        }
        let pods = pods_at(object.object.kind).and_then(|path| out.pointer_mut(path));
        let volumes = pods.and_then(|pods| pods.get_mut("volumes")?.as_array_mut());
        for volume in volumes.into_iter().flatten() {
            rename(volume.pointer_mut(EPHEMERAL_CLASS), &cluster.storage_classes);
        }
    }
}

/// A Job as it is recorded once it has completed.
#[must_use]
pub fn completed(job: &ObjectFact) -> CompletedJob {
    CompletedJob { name: job.object.name.to_string(), manifest: format!("{:016x}", job.hash) }
}

/// Whether an object is a Job that has completed, and not another of its name.
#[must_use]
pub fn is_done(jobs: &[CompletedJob], object: &ObjectFact) -> bool {
    let is_it = |job: &CompletedJob| *job.name == *object.object.name && *job == completed(object);
    object.object.kind.name() == "Job" && jobs.iter().any(is_it)
}

/// Which version of a Secret on the hub it is: the same only as long as nobody has changed it.
#[must_use]
pub fn secret_version(uid: &str, resource_version: &str) -> u64 {
    fnv1a(format!("{uid} {resource_version}").as_bytes())
}

/// Digest of the copy of a Secret, of which all but its content has this [digest](Target::digest).
#[must_use]
pub fn digest_of_copy(digest: u64, version: u64) -> u64 {
    fnv1a(format!("{digest:x} {version:x}").as_bytes())
}

/// Sets a field, making the objects on the way. Nothing happens where something else than an object is in the way.
pub fn set(out: &mut Value, path: &[&str], value: Value) {
    let Some((last, way)) = path.split_last() else { return };
    let mut at = out;
    for step in way {
        let Some(fields) = at.as_object_mut() else { return };
        let next = fields.entry((*step).to_owned()).or_insert_with(|| json!({}));
        if next.is_null() {
            *next = json!({});
        }
        at = next;
    }
    if let Some(fields) = at.as_object_mut() {
        fields.insert((*last).to_owned(), value);
    }
}
