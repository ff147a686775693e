//! Which Secrets the workload needs, and where members get them.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::SecretSource;
use serde_json::{Map, Value, json};

use super::pods::{containers, list, spec, text};
use super::{Options, WrapError};

/// Most entries of `spec.secrets`.
const SECRETS_MAX: usize = 32;

/// The entries of `spec.secrets`: all Secrets of the input, and those that a pod can't start without.
pub(super) fn references(
    manifests: &[Value],
    given: &BTreeMap<(String, String), Value>,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Vec<Value>, WrapError> {
    let given: BTreeSet<&str> = given.keys().map(|(_, name)| name.as_str()).collect();
    let needed = needed(manifests);
    let mut certificates = BTreeSet::new();
    for object in manifests.iter().filter_map(Value::as_object) {
        if object.get("kind").is_some_and(|kind| kind == "Ingress") {
            let tls = object.get("spec").and_then(|spec| spec.get("tls"));
            certificates.extend(list(tls).filter_map(|entry| text(entry, &["secretName"])));
        }
    }
    for name in needed.difference(&given) {
        notes.push(format!("Secret {name} is needed and not in the input; {}", provide(options)));
    }
    for name in certificates.difference(&given).filter(|name| !needed.contains(**name)) {
        notes.push(format!(
            "an Ingress takes its certificate from Secret {name}, which is not in the input: either something on the member makes it, or name it in spec.secrets"
        ));
    }
    if options.secrets == SecretSource::Member {
        for name in &given {
            notes.push(format!("Secret {name} of the input was left out; {}", provide(options)));
        }
    }
    let names: BTreeSet<&str> = given.union(&needed).copied().collect();
    if names.len() > SECRETS_MAX {
        let found = format!("{} Secrets", names.len());
        return Err(WrapError::TooMuch { found, max: SECRETS_MAX.to_string() });
    }
    Ok(names.into_iter().map(|name| json!({"name": name, "from": options.secrets})).collect())
}

/// Names of Secrets without which a pod of `manifests` doesn't start.
pub fn needed(manifests: &[Value]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    manifests.iter().filter_map(Value::as_object).filter_map(spec).for_each(|pod| of_pod(pod, &mut names));
    names
}

fn provide(options: &Options) -> String {
    match options.secrets {
        SecretSource::Hub => format!("create it in namespace {} on the hub", options.namespace),
        SecretSource::Member => {
            format!("create it in namespace {} on every member where this may run", options.namespace)
        }
    }
}

/// Names of Secrets without which the pod doesn't start: references that are optional don't count.
fn of_pod<'a>(pod: &'a Map<String, Value>, names: &mut BTreeSet<&'a str>) {
    let wanted = |reference: Option<&'a Value>, key: &str| {
        let reference = reference?;
        let optional = reference.get("optional").and_then(Value::as_bool).unwrap_or(false);
        text(reference, &[key]).filter(|_| !optional)
    };
    names.extend(list(pod.get("imagePullSecrets")).filter_map(|entry| text(entry, &["name"])));
    for container in containers(pod) {
        names.extend(list(container.get("envFrom")).filter_map(|from| wanted(from.get("secretRef"), "name")));
        let env = list(container.get("env")).filter_map(|env| env.get("valueFrom"));
        names.extend(env.filter_map(|from| wanted(from.get("secretKeyRef"), "name")));
    }
    for volume in list(pod.get("volumes")) {
        names.extend(wanted(volume.get("secret"), "secretName"));
        let sources = volume.get("projected").and_then(|projected| projected.get("sources"));
        names.extend(list(sources).filter_map(|source| wanted(source.get("secret"), "name")));
    }
}
