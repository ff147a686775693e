//! What the core needs to know of a workload's manifests, and what is wrong with them.

mod forbidden;

use domicile_crds::{ALLOWED_KINDS, MANIFEST_DEPTH_MAX, MANIFESTS_BYTES_MAX, SecretSource, TenantWorkload};
use serde_json::Value;

use self::forbidden::forbidden_field;
use crate::quantity::{Resources, millis, whole};

/// A kind that is put on members: a Secret that the workload names, or one of [`ALLOWED_KINDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(u8);

impl Kind {
    /// A Secret, which no manifest may be. It comes first: pods need it.
    pub const SECRET: Self = Self(0);

    /// The allowed kind of this apiVersion and kind, if it is one.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let at = ALLOWED_KINDS.iter().position(|(a, k, _)| *a == api_version && *k == kind)?;
        u8::try_from(at + 1).ok().map(Self)
    }

    /// All kinds that are put on members, in the order of applying.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u8..).take(ALLOWED_KINDS.len() + 1).map(Self)
    }

    /// Its bit in a set of kinds.
    #[must_use]
    pub fn bit(self) -> u16 {
        1 << self.0
    }

    fn row(self) -> (&'static str, &'static str, &'static str) {
        match usize::from(self.0).checked_sub(1) {
            Some(at) => ALLOWED_KINDS.get(at).copied().unwrap_or(("", "", "")),
            None => ("v1", "Secret", "secrets"),
        }
    }

    /// Its apiVersion, such as `apps/v1`.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        self.row().0
    }

    /// Its name, such as `Deployment`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Its resource, such as `deployments`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        self.row().2
    }

    /// Whether it makes pods, so that it can be scaled to zero or suspended, and is watched on members.
    #[must_use]
    pub fn runs_pods(self) -> bool {
        matches!(self.name(), "Deployment" | "StatefulSet" | "Job" | "CronJob")
    }
}

/// The class of the claim that a pod makes for itself, within one of its volumes.
pub(crate) const EPHEMERAL_CLASS: &str = "/ephemeral/volumeClaimTemplate/spec/storageClassName";

/// One object of a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Box<str>,
}

/// What the core keeps of one manifest.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that it says, and they don't exclude each other"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFact {
    /// Which object.
    pub object: ObjectRef,
    /// Where it stands in `spec.manifests`; `None` for a Secret, which isn't there.
    pub index: Option<usize>,
    /// FNV-1a of the manifest as compact JSON with sorted keys.
    pub hash: u64,
    /// Two copies of it must never run at the same time.
    pub exclusive: bool,
    /// An autoscaler of the same workload sets its number of replicas.
    pub autoscaled: bool,
    /// A Job that Kubernetes deletes some time after it has finished.
    pub expires: bool,
    /// Its pods make claims of a class that it names.
    pub has_ephemeral_class: bool,
}

/// A class that a workload names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClassUse {
    /// A StorageClass.
    Storage(String),
    /// An IngressClass.
    Ingress(String),
}

/// What the core knows of a workload's manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifests {
    /// The objects, in the order of applying.
    pub objects: Vec<ObjectFact>,
    /// Kinds used, one bit each.
    pub kinds: u16,
    /// Classes named.
    pub classes: Vec<ClassUse>,
    /// What one copy asks for.
    pub demand: Resources,
    /// Whether it keeps data in volumes, so that it can't be moved yet.
    pub has_volumes: bool,
    /// Whether something in it must never run twice: a Job, a CronJob, or a Deployment that recreates.
    pub has_exclusive: bool,
}

/// What is wrong with a manifest: what was wanted, what was found, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It isn't an object.
    #[error("spec.manifests[{index}] is not an object: write apiVersion, kind and metadata")]
    NotAnObject {
        /// Which one, from 0.
        index: usize,
    },
    /// It is nested too deep.
    #[error(
        "spec.manifests[{index}] ({what}) has more than {MANIFEST_DEPTH_MAX} levels, as no Kubernetes object has: remove what is nested"
    )]
    TooDeep {
        /// Which one, from 0.
        index: usize,
        /// Its kind and name.
        what: String,
    },
    /// It is of no allowed kind.
    #[error("spec.manifests[{index}] is `{found}`, which tenants may not use: remove it from the workload")]
    KindNotAllowed {
        /// Which one, from 0.
        index: usize,
        /// apiVersion and kind.
        found: String,
    },
    /// It has no usable name.
    #[error("spec.manifests[{index}] ({kind}) has no metadata.name")]
    NoName {
        /// Which one, from 0.
        index: usize,
        /// Its kind.
        kind: &'static str,
    },
    /// It names another namespace.
    #[error(
        "spec.manifests[{index}] ({kind}/{name}) names namespace `{found}`: remove it, objects live in the workload's own namespace"
    )]
    OtherNamespace {
        /// Which one, from 0.
        index: usize,
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The namespace that it names.
        found: String,
    },
    /// Another manifest has the same kind and name.
    #[error("spec.manifests[{index}] ({kind}/{name}) is there twice: remove one of them")]
    Twice {
        /// Which one, from 0.
        index: usize,
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It sets a field that is not a tenant's.
    #[error("spec.manifests[{index}] ({kind}/{name}) sets {field}, which a tenant may not: remove it")]
    FieldNotAllowed {
        /// Which one, from 0.
        index: usize,
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The field.
        field: String,
    },
    /// All together are too large.
    #[error("spec.manifests is {found} bytes of JSON, more than {MANIFESTS_BYTES_MAX}: split the workload")]
    TooLarge {
        /// How many bytes.
        found: usize,
    },
}

impl Manifests {
    /// Reads the manifests of a workload.
    ///
    /// # Errors
    ///
    /// The first manifest that can't be run for a tenant.
    pub fn read(workload: &TenantWorkload) -> Result<Self, ManifestError> {
        let namespace = workload.metadata.namespace.as_deref().unwrap_or_default();
        let found: usize = workload.spec.manifests.iter().map(json_length).sum();
        if found > MANIFESTS_BYTES_MAX {
            return Err(ManifestError::TooLarge { found });
        }
        let mut read = Self::default();
        for (index, manifest) in workload.spec.manifests.iter().enumerate() {
            let object = check_manifest(index, manifest, namespace)?;
            if read.objects.iter().any(|other| other.object == object) {
                let kind = object.kind.name();
                return Err(ManifestError::Twice { index, kind, name: object.name.into() });
            }
            read.add(object, index, manifest);
        }
        let copied = workload.spec.secrets.iter().filter(|secret| secret.from == SecretSource::Hub);
        read.objects.extend(copied.map(|secret| ObjectFact {
            object: ObjectRef { kind: Kind::SECRET, name: secret.name.as_str().into() },
            index: None,
            hash: fnv1a(secret.name.as_bytes()),
            exclusive: false,
            autoscaled: false,
            expires: false,
            has_ephemeral_class: false,
        }));
        read.mark_autoscaled(&workload.spec.manifests);
        read.objects.sort_by(|a, b| a.object.cmp(&b.object));
        read.classes.sort();
        read.classes.dedup();
        Ok(read)
    }

    fn mark_autoscaled(&mut self, manifests: &[Value]) {
        for manifest in
            manifests.iter().filter(|m| m.pointer("/kind") == Some(&"HorizontalPodAutoscaler".into()))
        {
            let at = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
            let (kind, name) = (at("/spec/scaleTargetRef/kind"), at("/spec/scaleTargetRef/name"));
            for object in &mut self.objects {
                object.autoscaled |= object.object.kind.name() == kind && *object.object.name == *name;
            }
        }
    }

    fn add(&mut self, object: ObjectRef, index: usize, manifest: &Value) {
        self.kinds |= object.kind.bit();
        let at = |path: &str| manifest.pointer(path).and_then(Value::as_str);
        match object.kind.name() {
            "PersistentVolumeClaim" => {
                self.has_volumes = true;
                self.classes.extend(at("/spec/storageClassName").map(|c| ClassUse::Storage(c.to_owned())));
            }
            "StatefulSet" => {
                for claim in list(manifest, "/spec/volumeClaimTemplates") {
                    self.has_volumes = true;
                    let class = claim.pointer("/spec/storageClassName").and_then(Value::as_str);
                    self.classes.extend(class.map(|c| ClassUse::Storage(c.to_owned())));
                }
            }
            "Ingress" => {
                self.classes.extend(at("/spec/ingressClassName").map(|c| ClassUse::Ingress(c.to_owned())));
            }
            _ => {}
        }
        let mut has_ephemeral_class = false;
        for volume in pods(object.kind, manifest).map_or(&[][..], |pods| list(pods, "/volumes")) {
            // Whoever mounts a claim has data there, also where the claim is in another workload.
            let keeps_data = |source| volume.get(source).is_some_and(|found| !found.is_null());
            self.has_volumes |= keeps_data("persistentVolumeClaim") || keeps_data("ephemeral");
            let class = volume.pointer(EPHEMERAL_CLASS).and_then(Value::as_str);
            has_ephemeral_class |= class.is_some();
            self.classes.extend(class.map(|c| ClassUse::Storage(c.to_owned())));
        }
        let exclusive = is_exclusive(object.kind, manifest);
        self.has_exclusive |= exclusive;
        self.demand += demand(object.kind, manifest);
        let hash = fnv1a(manifest.to_string().as_bytes());
        let ttl = manifest.pointer("/spec/ttlSecondsAfterFinished");
        let expires = object.kind.name() == "Job" && ttl.is_some_and(|ttl| !ttl.is_null());
        let index = Some(index);
        self.objects.push(ObjectFact {
            object,
            index,
            hash,
            exclusive,
            autoscaled: false,
            expires,
            has_ephemeral_class,
        });
    }
}

/// Whether two copies of this object must never run at the same time, whatever the workload says.
#[must_use]
pub fn is_exclusive(kind: Kind, manifest: &Value) -> bool {
    let strategy = manifest.pointer("/spec/strategy/type").and_then(Value::as_str);
    matches!(kind.name(), "Job" | "CronJob") || strategy == Some("Recreate")
}

fn check_manifest(index: usize, manifest: &Value, namespace: &str) -> Result<ObjectRef, ManifestError> {
    if let Value::String(what) = manifest {
        // What was left of it when it was read.
        return Err(ManifestError::TooDeep { index, what: what.clone() });
    }
    if !manifest.is_object() {
        return Err(ManifestError::NotAnObject { index });
    }
    let at = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = Kind::of(at("/apiVersion"), at("/kind")) else {
        let found = format!("{} {}", at("/apiVersion"), at("/kind"));
        return Err(ManifestError::KindNotAllowed { index, found: found.trim().to_owned() });
    };
    let name = at("/metadata/name");
    if name.is_empty() {
        return Err(ManifestError::NoName { index, kind: kind.name() });
    }
    let found = at("/metadata/namespace");
    if !found.is_empty() && found != namespace {
        let (kind, name, found) = (kind.name(), name.to_owned(), found.to_owned());
        return Err(ManifestError::OtherNamespace { index, kind, name, found });
    }
    if let Some(field) = forbidden_field(kind, manifest) {
        return Err(ManifestError::FieldNotAllowed {
            index,
            kind: kind.name(),
            name: name.to_owned(),
            field,
        });
    }
    Ok(ObjectRef { kind, name: name.into() })
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The spec of the pods that an object makes.
fn pods(kind: Kind, manifest: &Value) -> Option<&Value> {
    manifest.pointer(pods_at(kind)?)
}

/// Where a manifest of a kind says what its pods are.
pub(crate) fn pods_at(kind: Kind) -> Option<&'static str> {
    match kind.name() {
        "Deployment" | "StatefulSet" | "Job" => Some("/spec/template/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

/// What one copy of an object asks for: its pods' requests, times its replicas.
fn demand(kind: Kind, manifest: &Value) -> Resources {
    let number = |path: &str| manifest.pointer(path).and_then(Value::as_i64);
    let count = match kind.name() {
        "Deployment" | "StatefulSet" => number("/spec/replicas"),
        "Job" => number("/spec/parallelism"),
        "CronJob" => number("/spec/jobTemplate/spec/parallelism"),
        _ => None,
    };
    let Some(pod) = pods(kind, manifest) else { return Resources::default() };
    let mut one = Resources { cpu: 0, memory: 0, pods: 1 };
    for container in list(pod, "/containers") {
        one += requests(container);
    }
    for init in list(pod, "/initContainers") {
        let asks = requests(init);
        one.cpu = one.cpu.max(asks.cpu);
        one.memory = one.memory.max(asks.memory);
    }
    one.times(count.unwrap_or(1).max(0))
}

/// A container's requests, or its limits where it names no requests (as Kubernetes defaults them).
fn requests(container: &Value) -> Resources {
    let amount = |resource: &str| {
        let at = |which: &str| match container.pointer(&format!("/resources/{which}/{resource}"))? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        at("requests").or_else(|| at("limits"))
    };
    Resources {
        cpu: amount("cpu").and_then(|q| millis(&q)).unwrap_or(0),
        memory: amount("memory").and_then(|q| whole(&q)).unwrap_or(0),
        pods: 0,
    }
}

/// FNV-1a, 64 bits: the same over versions and machines. It tells changes from each other, and protects nothing.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Bytes of a value as compact JSON, without writing it.
fn json_length(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(b) => 5 - usize::from(*b),
        Value::Number(n) => n.to_string().len(),
        Value::String(s) => s.len() + 2,
        Value::Array(items) => items.iter().map(|v| json_length(v) + 1).sum::<usize>().max(1) + 1,
        Value::Object(fields) => {
            fields.iter().map(|(k, v)| k.len() + 4 + json_length(v)).sum::<usize>().max(1) + 1
        }
    }
}

#[cfg(test)]
mod tests;
