//! What is taken, what is left out, and what is refused, with a way forward for each.

use std::collections::BTreeMap;

use domicile_crds::ALLOWED_KINDS;
use serde_json::{Map, Value};

use super::read::Item;
use super::{Options, clean, pods};

/// Helm's annotation on objects that it runs at a point of a release's life.
const HOOK: &str = "helm.sh/hook";

/// Something that can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Which object, as kind/name, or where it was found if it has neither.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What to do.
    pub todo: String,
}

/// Everything that was read, sorted out. Keys are kind and name.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) manifests: BTreeMap<(String, String), Value>,
    pub(super) secrets: BTreeMap<(String, String), Value>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) notes: Vec<String>,
}

pub(super) fn judge(items: Vec<Item>, options: &Options) -> Judged {
    let mut judged = Judged::default();
    let mut hooks = Vec::new();
    for item in items {
        one(item, options, &mut judged, &mut hooks);
    }
    hooks.sort();
    judged.notes.sort();
    judged.notes.splice(0..0, hooks);
    judged
}

fn one(item: Item, options: &Options, judged: &mut Judged, hooks: &mut Vec<String>) {
    let (kind, name, mut object) = match identify(item) {
        Ok(identified) => identified,
        Err(refusal) => return judged.refusals.push(refusal),
    };
    let what = format!("{kind}/{name}");
    if options.skip.iter().any(|skip| skip.matches(&kind, &name)) {
        return judged.notes.push(format!("{what} was left out, as --skip says"));
    }
    if let Some(events) = hook(&object) {
        if events.iter().all(|event| event.starts_with("test")) {
            return judged.notes.push(format!("{what} was left out: it is a Helm test"));
        }
        let note = format!("{what} is a Helm hook ({})", events.join(", "));
        if options.drop_hooks {
            return hooks.push(format!("{note} and was left out"));
        }
        judged.refusals.push(Refusal {
            what,
            why: format!(
                "it is a Helm hook ({}), and nothing here would run it at that time",
                events.join(", ")
            ),
            todo:
                "leave hooks out with --drop-hooks, or remove the annotation to keep it as an ordinary object"
                    .to_owned(),
        });
        return;
    }
    let exported = clean::is_exported(&object);
    if exported {
        clean::unbind(&mut object);
    }
    let before = judged.refusals.len();
    let mut refuse =
        |why: String, todo: String| judged.refusals.push(Refusal { what: what.clone(), why, todo });
    if let Err((why, todo)) = allowed(&kind, &object) {
        refuse(why, todo);
    } else {
        examine(&name, &object, options, &mut refuse);
    }
    if judged.refusals.len() > before {
        return;
    }
    if exported && options.adopt.is_none() {
        judged.notes.push(format!("{what} was read from a cluster: look for what that cluster filled in"));
    }
    clean::clean(&mut object);
    let is_secret = kind == "Secret";
    if is_secret && let Some(Value::Object(meta)) = object.get_mut("metadata") {
        meta.insert("namespace".to_owned(), Value::from(options.namespace.as_str()));
    }
    let into = if is_secret { &mut judged.secrets } else { &mut judged.manifests };
    if into.insert((kind, name), Value::Object(object)).is_some() {
        let why = "it is there more than once".to_owned();
        judged.refusals.push(Refusal { what, why, todo: "keep one of them".to_owned() });
    }
}

type Object = Map<String, Value>;

/// Kind and name, without which nothing can be said about an object.
fn identify(item: Item) -> Result<(String, String, Object), Refusal> {
    let Item { value, place } = item;
    let refusal =
        |what: String, why: &str, todo: &str| Refusal { what, why: why.to_owned(), todo: todo.to_owned() };
    let Value::Object(object) = value else {
        let why = format!("it is {}, not an object", named(&value));
        return Err(refusal(place, &why, "check its indentation, or remove it"));
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let meta = object.get("metadata");
    let name = text(meta.and_then(|meta| meta.get("name")));
    let kind = text(object.get("kind"));
    let shown = match (kind.is_empty(), name.is_empty()) {
        (false, false) => format!("{kind}/{name}"),
        (false, true) => format!("{kind} ({place})"),
        (true, false) => format!("{name} ({place})"),
        (true, true) => place,
    };
    if kind == "Kustomization" {
        let todo = "render it first: kustomize build DIR | kubectl domicile wrap ...";
        return Err(refusal(shown, "it is what kustomize reads, not what it writes", todo));
    }
    if kind.is_empty() {
        return Err(refusal(shown, "it has no kind", "add kind, or remove it if it is no Kubernetes object"));
    }
    if text(object.get("apiVersion")).is_empty() {
        return Err(refusal(shown, "it has no apiVersion", "add apiVersion"));
    }
    if name.is_empty() {
        let generated = meta.is_some_and(|meta| meta.get("generateName").is_some());
        let why = if generated {
            "it has a generateName, of which each cluster would make another name"
        } else {
            "it has no name"
        };
        return Err(refusal(shown, why, "set metadata.name"));
    }
    Ok((kind, name, object))
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn hook(object: &Object) -> Option<Vec<&str>> {
    let annotations = object.get("metadata")?.get("annotations")?;
    Some(annotations.get(HOOK)?.as_str()?.split(',').map(str::trim).collect())
}

/// Whether tenants may use the kind, in this version.
fn allowed(kind: &str, object: &Object) -> Result<(), (String, String)> {
    let found = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let wanted = match kind {
        "Secret" => Some("v1"),
        _ => ALLOWED_KINDS.iter().find(|(_, allowed, _)| *allowed == kind).map(|(version, _, _)| *version),
    };
    match wanted {
        Some(wanted) if wanted == found => Ok(()),
        Some(wanted) => {
            Err((format!("its apiVersion {found} is not taken"), format!("write it as {wanted}")))
        }
        None => {
            let (why, todo) = instead_of(kind);
            Err((why, todo.replace("--skip", &format!("--skip {kind}"))))
        }
    }
}

/// Why a kind isn't taken, and what to do instead.
fn instead_of(kind: &str) -> (String, String) {
    let (why, todo) = match kind {
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => (
            "a tenant grants no rights on members",
            "leave it out with --skip, and check that the application runs without access to the Kubernetes API",
        ),
        "CustomResourceDefinition" | "APIService" => (
            "it changes the API of a whole cluster",
            "ask whoever runs the members to install it, and leave it out with --skip",
        ),
        "ValidatingWebhookConfiguration"
        | "MutatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding"
        | "MutatingAdmissionPolicy"
        | "MutatingAdmissionPolicyBinding" => {
            ("it changes what a whole cluster admits", "leave it out with --skip")
        }
        "Namespace" => ("Domicile makes the tenant's namespaces on each member", "leave it out with --skip"),
        "ResourceQuota" | "LimitRange" => (
            "the Tenant sets what its namespaces may use",
            "leave it out with --skip, or have the Tenant's quota changed",
        ),
        "DaemonSet" => (
            "it would run on every node, and nodes are not the tenant's",
            "make it a Deployment, with podAntiAffinity if copies must be on different nodes",
        ),
        "Pod" | "ReplicaSet" | "ReplicationController" => {
            ("nothing would update it or start it again elsewhere", "make it a Deployment or a Job")
        }
        "PersistentVolume" | "StorageClass" | "IngressClass" | "PriorityClass" | "RuntimeClass" | "Node" => (
            "it belongs to a whole cluster",
            "use a class that the members offer, and leave it out with --skip",
        ),
        _ => (
            "tenants may not use this kind",
            "leave it out with --skip, and ask whoever runs the members if the application needs it",
        ),
    };
    (why.to_owned(), todo.to_owned())
}

/// What is within an object of an allowed kind.
fn examine(name: &str, object: &Object, options: &Options, refuse: &mut dyn FnMut(String, String)) {
    let meta = object.get("metadata");
    let namespace = meta.and_then(|meta| meta.get("namespace")).and_then(Value::as_str).unwrap_or_default();
    if !namespace.is_empty() && namespace != options.namespace.as_str() {
        refuse(
            format!("it names another namespace, {namespace}"),
            format!(
                "render it for {0} (helm template -n {0}, kustomize edit set namespace {0}), or wrap it with -n {namespace}",
                options.namespace
            ),
        );
    }
    if name.starts_with("domicile-") {
        refuse(
            "names that begin with domicile- are Domicile's own".to_owned(),
            "give it another name".to_owned(),
        );
    }
    for (path, meta) in pods::metadata(object) {
        examine_metadata(&path, meta, refuse);
    }
    let spec = object.get("spec");
    match object.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "Secret" => examine_secret(name, object, refuse),
        "NetworkPolicy" => {
            let egress =
                pods::list(spec.and_then(|spec| spec.get("policyTypes"))).any(|policy| policy == "Egress");
            if egress || spec.is_some_and(|spec| spec.get("egress").is_some_and(|egress| !egress.is_null())) {
                refuse(
                    "a tenant's NetworkPolicy is about ingress only".to_owned(),
                    "remove its egress part, and have the Tenant's egress changed if need be".to_owned(),
                );
            }
        }
        "Service" => {
            if spec.is_some_and(|spec| spec.get("type").is_some_and(|kind| kind == "ExternalName")) {
                refuse(
                    "type ExternalName is not taken".to_owned(),
                    "have clients use that name itself".to_owned(),
                );
            }
            if pods::list(spec.and_then(|spec| spec.get("externalIPs"))).next().is_some() {
                refuse(
                    "externalIPs are not taken".to_owned(),
                    "use type LoadBalancer or an Ingress".to_owned(),
                );
            }
        }
        kind => {
            if kind == "StatefulSet" && takes_volumes_along(spec) {
                refuse(
                    "its persistentVolumeClaimRetentionPolicy says Delete, so that scaling it to zero would destroy its data"
                        .to_owned(),
                    "remove persistentVolumeClaimRetentionPolicy".to_owned(),
                );
            }
            examine_pods(object, refuse);
        }
    }
}

fn takes_volumes_along(spec: Option<&Value>) -> bool {
    let policy = spec.and_then(|spec| spec.get("persistentVolumeClaimRetentionPolicy"));
    ["whenDeleted", "whenScaled"].into_iter().any(|when| {
        policy.and_then(|policy| policy.get(when)).is_some_and(|when| !when.is_null() && when != "Retain")
    })
}

fn examine_secret(name: &str, object: &Object, refuse: &mut dyn FnMut(String, String)) {
    match object.get("type").and_then(Value::as_str) {
        Some("kubernetes.io/service-account-token") => refuse(
            "it asks one cluster for a token of its own".to_owned(),
            format!("leave it out with --skip Secret/{name}, and mount a projected token instead"),
        ),
        Some("helm.sh/release.v1") => {
            refuse(
                "it is Helm's record of a release".to_owned(),
                format!("leave it out with --skip Secret/{name}"),
            );
        }
        _ => {}
    }
}

/// Metadata of the object itself, or what it gives to its pods, Jobs and claims.
fn examine_metadata(path: &str, meta: &Value, refuse: &mut dyn FnMut(String, String)) {
    for field in ["ownerReferences", "finalizers"] {
        if pods::list(meta.get(field)).next().is_some() {
            refuse(
                format!("it has {field}, which mean nothing on another cluster"),
                format!("remove {path}.{field}"),
            );
        }
    }
    for key in meta.get("annotations").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        let todo = match key.as_str() {
            "kubernetes.io/ingress.class" => "set spec.ingressClassName instead",
            "volume.beta.kubernetes.io/storage-class" => "set spec.storageClassName instead",
            key if key.ends_with("-snippet") || key.ends_with("-snippets") => {
                "remove it: it would configure a controller that all tenants share"
            }
            _ => continue,
        };
        refuse(format!("its annotation {key} is not taken"), todo.to_owned());
    }
}

/// Sources of volumes that tenants may use.
const VOLUMES: [&str; 7] =
    ["configMap", "secret", "projected", "emptyDir", "downwardAPI", "persistentVolumeClaim", "ephemeral"];

/// What no tenant's pods may have on a member.
fn examine_pods(object: &Object, refuse: &mut dyn FnMut(String, String)) {
    for claim in pods::claims(object) {
        if claim.pointer("/spec/volumeName").is_some_and(|name| !name.is_null()) {
            refuse("it names the volume of its claim".to_owned(), "remove spec.volumeName".to_owned());
        }
    }
    let Some(pod) = pods::spec(object) else { return };
    let is_true = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if is_true(pod.get(field)) {
            refuse(format!("its pods use {field}"), format!("remove {field}"));
        }
    }
    for volume in pods::list(pod.get("volumes")) {
        let name = pods::text(volume, &["name"]).unwrap_or_default();
        let sources = volume.as_object().into_iter().flatten();
        let others = sources.filter(|(source, value)| {
            *source != "name" && !value.is_null() && !VOLUMES.contains(&source.as_str())
        });
        for (source, _) in others {
            refuse(
                format!("its volume {name} is of source {source}, which is not taken"),
                "use a PersistentVolumeClaim, a ConfigMap or an emptyDir".to_owned(),
            );
        }
    }
    for field in ["priority", "nodeName"] {
        if pod.get(field).is_some_and(|value| !value.is_null()) {
            refuse(format!("its pods set {field}"), format!("remove {field}"));
        }
    }
    if let Some(class) = pod.get("priorityClassName").and_then(Value::as_str)
        && class.starts_with("system-")
    {
        let todo = "remove priorityClassName, or use a class that the members offer to tenants";
        refuse(format!("its pods have priority class {class}"), todo.to_owned());
    }
    if pod.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds > 3600)
    {
        refuse(
            "its pods may take more than an hour to end".to_owned(),
            "set terminationGracePeriodSeconds to 3600 or less".to_owned(),
        );
    }
    for container in pods::containers(pod) {
        if is_true(container.get("securityContext").and_then(|context| context.get("privileged"))) {
            let name = pods::text(container, &["name"]).unwrap_or_default();
            refuse(
                format!("its container {name} is privileged"),
                "remove securityContext.privileged".to_owned(),
            );
        }
    }
}
