//! Which objects on a member are meant.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{ADOPTED, ALLOWED_KINDS, Classes, keys};
use kube::api::ListParams;
use serde_json::{Value, json};

use super::AdoptError;
use crate::args::AdoptArgs;
use crate::cluster::{Cluster, ClusterError};
use crate::hub::listed;
use crate::wrap::{Which, needs};

/// Objects as they are on the member, and what is to be said of those that were left out.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) objects: Vec<Value>,
    /// Those of them that an earlier try has handed over in full, as kind/name.
    pub(super) handed: BTreeSet<String>,
    pub(super) notes: Vec<String>,
}

/// Reads all objects of the kinds that a tenant may have, with these labels.
///
/// # Errors
///
/// If a kind can't be listed.
pub(super) async fn all(
    member: &Cluster,
    args: &AdoptArgs,
    labels: Option<&str>,
) -> Result<Vec<Value>, ClusterError> {
    let mut params = ListParams::default();
    if let Some(labels) = labels {
        params = params.labels(labels);
    }
    let mut all = Vec::new();
    for (api_version, kind, _) in ALLOWED_KINDS.into_iter().chain([("v1", "Secret", "")]) {
        // Secrets are read by name only, unless they are ours already.
        if kind != "Secret" || labels.is_some_and(|labels| labels.starts_with(keys::WORKLOAD_LABEL)) {
            all.extend(member.list_of(api_version, kind, args.namespace.as_str(), &params).await?);
        }
    }
    Ok(all)
}

/// What runs in the namespace and can't be taken: it runs on, whatever becomes of the workload.
///
/// # Errors
///
/// If it can't be listed.
pub(super) async fn left_behind(member: &Cluster, args: &AdoptArgs) -> Result<Vec<String>, ClusterError> {
    let mut left = Vec::new();
    let kinds =
        [("v1", "Pod"), ("v1", "ReplicationController"), ("apps/v1", "ReplicaSet"), ("apps/v1", "DaemonSet")];
    for (api_version, kind) in kinds {
        let all = member.list_of(api_version, kind, args.namespace.as_str(), &ListParams::default()).await?;
        let alone = all.iter().filter(|object| object.pointer("/metadata/ownerReferences/0").is_none());
        left.extend(alone.map(called));
    }
    Ok(left)
}

/// The objects that are meant.
///
/// # Errors
///
/// If one that is named isn't there, or is another workload's.
pub(super) fn choose(all: Vec<Value>, args: &AdoptArgs) -> Result<Found, AdoptError> {
    for which in args.objects.iter().chain(&args.skip) {
        if !ALLOWED_KINDS.iter().any(|(_, kind, _)| which.is_of(kind)) {
            return Err(AdoptError::Kind(which.to_string()));
        }
        if !all.iter().any(|object| is(which, object)) {
            return Err(AdoptError::NotThere(which.to_string(), args.namespace.clone()));
        }
    }
    let claims: Vec<String> = all.iter().flat_map(claims_of).collect();
    let mut found = Found::default();
    for mut object in all {
        let named = args.objects.iter().any(|which| is(which, &object));
        if args.skip.iter().any(|which| is(which, &object)) || !(named || args.objects.is_empty()) {
            continue;
        }
        let why = is_anothers(&object, args).or_else(|| others(&object, &claims));
        let single = args.objects.iter().any(|which| which.is_single() && is(which, &object));
        match why {
            Some(why) if single => return Err(AdoptError::Others(called(&object), why)),
            Some(why) if !is_of_kubernetes(&object) => {
                found.notes.push(format!("{} was left out: {why}", called(&object)));
            }
            Some(_) => {}
            None => {
                if is_handed(&object, args) {
                    found.handed.insert(called(&object));
                } else {
                    check_history(&object)?;
                }
                remove_marks(&mut object);
                found.objects.push(object);
            }
        }
    }
    Ok(found)
}

fn is(which: &Which, object: &Value) -> bool {
    which.matches(text(object, "/kind"), text(object, "/metadata/name"))
}

/// As kind/name.
pub(super) fn called(object: &Value) -> String {
    format!("{}/{}", text(object, "/kind"), text(object, "/metadata/name"))
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whose an object is by its label, if it is another workload's.
pub(super) fn is_anothers(object: &Value, args: &AdoptArgs) -> Option<String> {
    let of = label(object, keys::WORKLOAD_LABEL).filter(|of| *of != args.name.as_str())?;
    Some(format!("it is TenantWorkload/{of}'s"))
}

fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels")?.get(name)?.as_str()
}

/// Whether an earlier try has handed an object over: its labels come last.
fn is_handed(object: &Value, args: &AdoptArgs) -> bool {
    label(object, keys::WORKLOAD_LABEL) == Some(args.name.as_str())
        && label(object, keys::EPOCH_LABEL).and_then(|epoch| epoch.parse().ok()) == Some(ADOPTED)
}

/// Refuses what Domicile has placed or stopped: an epoch never goes back, pods whose labels go are restarted, and what was stopped would be taken
/// for what was meant.
///
/// # Errors
///
/// What Domicile has done to it.
pub(super) fn check_history(object: &Value) -> Result<(), AdoptError> {
    let epoch = label(object, keys::EPOCH_LABEL).filter(|epoch| epoch.parse() != Ok(ADOPTED));
    let labels = object.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let in_template =
        labels.into_iter().flat_map(|labels| labels.keys()).any(|key| key.starts_with(keys::GROUP));
    if epoch.is_some() || in_template {
        return Err(AdoptError::Had(called(object)));
    }
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    if annotations.is_some_and(|all| all.contains_key(keys::HALTED_ANNOTATION)) {
        return Err(AdoptError::Halted(called(object)));
    }
    Ok(())
}

/// What Kubernetes, or a widespread controller, makes in each namespace.
fn is_of_kubernetes(object: &Value) -> bool {
    let made = [
        "ConfigMap/kube-root-ca.crt",
        "ConfigMap/istio-ca-root-cert",
        "ConfigMap/openshift-service-ca.crt",
        "ServiceAccount/default",
    ];
    made.contains(&called(object).as_str())
}

/// Why an object isn't one to hand over by itself.
fn others(object: &Value, claims: &[String]) -> Option<String> {
    if is_of_kubernetes(object) {
        return Some("Kubernetes makes it in each namespace".to_owned());
    }
    let name = text(object, "/metadata/name");
    if name.starts_with("domicile-") {
        return Some("it is Domicile's own".to_owned());
    }
    if text(object, "/kind") == "PersistentVolumeClaim" && claims.iter().any(|stem| is_claim_of(name, stem)) {
        return Some("its StatefulSet has made it, with which it goes".to_owned());
    }
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    if annotations.is_some_and(|all| all.contains_key("control-plane.alpha.kubernetes.io/leader")) {
        return Some("an election keeps its leader in it".to_owned());
    }
    let owner = object.pointer("/metadata/ownerReferences/0")?;
    Some(format!("{}/{} has made it", text(owner, "/kind"), text(owner, "/name")))
}

/// What the names of a StatefulSet's claims begin with.
fn claims_of(object: &Value) -> Vec<String> {
    let templates = object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    let set = text(object, "/metadata/name");
    let stem = |template: &Value| format!("{}-{set}-", text(template, "/metadata/name"));
    templates.into_iter().flatten().map(stem).collect()
}

fn is_claim_of(name: &str, stem: &str) -> bool {
    name.strip_prefix(stem).is_some_and(|ordinal| ordinal.parse::<u32>().is_ok())
}

/// What an earlier try has left: a workload can't name these itself.
pub(super) fn remove_marks(object: &mut Value) {
    for made in ["", "/spec/template", "/spec/jobTemplate", "/spec/jobTemplate/spec/template"] {
        for field in ["labels", "annotations"] {
            let Some(meta) = object.pointer_mut(&format!("{made}/metadata")).and_then(Value::as_object_mut)
            else {
                continue;
            };
            if let Some(map) = meta.get_mut(field).and_then(Value::as_object_mut) {
                map.retain(|key, _| !key.starts_with(keys::GROUP));
                if map.is_empty() {
                    meta.remove(field);
                }
            }
        }
    }
}

/// Refuses what is another workload's, or was labelled by an earlier try and would be left out now: it would go with the workload.
///
/// # Errors
///
/// The first such object.
pub(super) fn check_labelled(
    labelled: &[Value],
    taken: &[Value],
    args: &AdoptArgs,
) -> Result<(), AdoptError> {
    let is_taken = |object: &&Value| taken.iter().any(|other| called(other) == called(object));
    let is_made = |object: &&Value| object.pointer("/metadata/ownerReferences/0").is_some();
    let left = labelled.iter().filter(|it| label(it, keys::WORKLOAD_LABEL) == Some(args.name.as_str()));
    match left.clone().find(|object| !is_taken(object) && !is_made(object)) {
        Some(object) => Err(AdoptError::Labelled(called(object), args.name.clone())),
        None => Ok(()),
    }
}

/// Refuses objects that can't do without another that is there and would be left behind, unless that is meant.
///
/// # Errors
///
/// The first of them.
pub(super) fn check_needs(all: &[Value], taken: &[Value], args: &AdoptArgs) -> Result<(), AdoptError> {
    let is_in = |list: &[Value], name: &str| list.iter().any(|it| called(it) == name);
    let is_made = |name: &str| all.iter().any(|it| called(it) == name && others(it, &[]).is_some());
    for object in taken {
        let missing = needs(object)
            .into_iter()
            .filter(|name| is_in(all, name) && !is_in(taken, name) && !is_made(name));
        let is_meant =
            |name: &String| args.skip.iter().any(|which| which.to_string().eq_ignore_ascii_case(name));
        if let Some(needed) = missing.into_iter().find(|name| !is_meant(name)) {
            return Err(AdoptError::Needs { object: called(object), needed });
        }
    }
    Ok(())
}

/// What stays as it is although it could be taken, in few words.
pub(super) fn rest(all: &[Value], found: &Found) -> Option<String> {
    let claims: Vec<String> = all.iter().flat_map(claims_of).collect();
    let is_told = |name: &str| found.notes.iter().any(|note| note.starts_with(&format!("{name} ")));
    let is_taken = |object: &&Value| found.objects.iter().any(|it| called(it) == called(object));
    let rest = all.iter().filter(|object| !is_taken(object) && others(object, &claims).is_none());
    let names: Vec<String> = rest.map(called).filter(|name| !is_told(name)).collect();
    (!names.is_empty()).then(|| format!("not taken, and left as they are: {}", listed(&names)))
}

/// Refuses autoscalers that would be left behind by what they scale.
///
/// # Errors
///
/// The first such autoscaler.
pub(super) fn check_autoscalers(all: &[Value], taken: &[Value]) -> Result<(), AdoptError> {
    let is_for = |scaler: &Value, object: &Value| {
        text(scaler, "/spec/scaleTargetRef/kind") == text(object, "/kind")
            && text(scaler, "/spec/scaleTargetRef/name") == text(object, "/metadata/name")
    };
    for scaler in all.iter().filter(|object| text(object, "/kind") == "HorizontalPodAutoscaler") {
        let target = taken.iter().find(|object| is_for(scaler, object));
        if let Some(scaled) = target.filter(|_| !taken.iter().any(|it| called(it) == called(scaler))) {
            return Err(AdoptError::Scaled { object: called(scaled), scaler: called(scaler) });
        }
    }
    Ok(())
}

/// Refuses Jobs that would run again: those that have failed, where it moves, and those that Kubernetes may delete before it is on record that
/// they have run.
///
/// # Errors
///
/// The first such Job.
pub(super) fn check_jobs(taken: &[Value]) -> Result<(), AdoptError> {
    let is_job = |object: &&Value| text(object, "/kind") == "Job";
    let expires =
        |job: &&Value| job.pointer("/spec/ttlSecondsAfterFinished").is_some_and(|ttl| !ttl.is_null());
    if let Some(job) = taken.iter().filter(is_job).find(expires) {
        return Err(AdoptError::Expires(called(job)));
    }
    let has_failed = |job: &&Value| {
        let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
        let failed = |it: &Value| text(it, "/type") == "Failed" && text(it, "/status") == "True";
        conditions.into_iter().flatten().any(failed)
    };
    let failed = taken.iter().filter(is_job).find(has_failed);
    failed.map_or(Ok(()), |job| Err(AdoptError::HasFailed(called(job))))
}

/// Names classes as workloads do, by the hub's names for them.
///
/// # Errors
///
/// A class for which the MemberCluster has none.
pub(super) fn name_classes(object: &mut Value, classes: &Classes) -> Result<(), AdoptError> {
    let what = called(object);
    let rename = |slot: &mut Value, names: &BTreeMap<String, String>, kind: &'static str| {
        let there = slot.as_str().unwrap_or_default().to_owned();
        if there.is_empty() {
            return Ok(());
        }
        let mut fitting = names.iter().filter(|(_, class)| **class == there).map(|(name, _)| name.clone());
        let (first, second) = (fitting.next(), fitting.next());
        if let (Some(one), Some(other)) = (&first, second) {
            let names = format!("{one} and {other}");
            return Err(AdoptError::ClassTwice { what: what.clone(), class: there, kind, names });
        }
        *slot = json!(first.ok_or(AdoptError::Class { what: what.clone(), class: there, kind })?);
        Ok(())
    };
    let kind = text(object, "/kind").to_owned();
    let pods = if kind == "CronJob" { "/spec/jobTemplate/spec/template" } else { "/spec/template" };
    let of_pods = "/ephemeral/volumeClaimTemplate/spec/storageClassName";
    for (list, path) in
        [("/spec/volumeClaimTemplates", "/spec/storageClassName"), (&format!("{pods}/spec/volumes"), of_pods)]
    {
        let items = object.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for slot in items.filter_map(|item| item.pointer_mut(path)) {
            rename(slot, &classes.storage, "storage")?;
        }
    }
    match kind.as_str() {
        "PersistentVolumeClaim" => {
            let slot = object.pointer_mut("/spec/storageClassName");
            slot.map_or(Ok(()), |slot| rename(slot, &classes.storage, "storage"))
        }
        "Ingress" => {
            let slot = object.pointer_mut("/spec/ingressClassName");
            slot.map_or(Ok(()), |slot| rename(slot, &classes.ingress, "ingress"))
        }
        _ => Ok(()),
    }
}
