//! `kubectl domicile adopt`: what runs on a member already becomes a TenantWorkload, and isn't restarted.
//!
//! # Guarantees
//!
//! Before anything is written, all of it is tried: it is refused if more than labels, annotations and the ownership of fields
//! would change of any object. What is written, in this order, is safe to repeat: Secrets on the hub, the TenantWorkload, of which the
//! hub lets only one be made and which waits, the namespace's label and the tenant's rights in it, and the objects' labels. Only once all of
//! those are seen, the operator has it on record.

use std::collections::BTreeSet;

use domicile_core::manifests::ManifestError;
use domicile_crds::{
    ClusterName, NamespaceName, SecretSource, TenantName, TenantWorkload, WorkloadKey, WorkloadName, keys,
    yaml,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use serde_json::{Value, json};

use crate::args::{AdoptArgs, HubArgs};
use crate::ask::{self, AskError};
use crate::cluster::{ClusterError, KUBECTL};
use crate::facts::{Facts, FactsError};
use crate::hub::HubError;
use crate::plan::{self, PlanError};
use crate::status;
use crate::wrap::{self, Input, WrapError, Wrapped};
use ground::Ground;

mod fields;
mod find;
mod ground;
mod hand;
mod tell;
#[cfg(test)]
mod tests;

/// Nothing is adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something on the hub isn't as it must be.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The facts can't be had.
    #[error("nobody can say what would become of it")]
    Facts(#[from] FactsError),
    /// What would become of it can't be said.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It isn't meant.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Some objects can't be taken.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// A manifest that a tenant may not have.
    #[error("what was found can't be a TenantWorkload")]
    Manifest(#[from] ManifestError),
    /// The workload can't be read back.
    #[error("the TenantWorkload can't be read")]
    Read(#[from] serde_json::Error),
    /// The namespace is nobody's.
    #[error("namespace {0} is no Tenant's: name it in spec.namespaces of the Tenant that this belongs to")]
    NobodysNamespace(NamespaceName),
    /// The operator hasn't made the namespace.
    #[error(
        "namespace {0} on the hub isn't tenant {1}'s yet: is the operator running? `kubectl domicile status` tells"
    )]
    HubNamespace(NamespaceName, TenantName),
    /// There is no such namespace on the member.
    #[error("there is no namespace {0} on the member")]
    NoNamespace(NamespaceName),
    /// The namespace on the member is another tenant's.
    #[error(
        "namespace {namespace} on the member is labelled domicile.dev/tenant={found}, and on the hub it is tenant {tenant}'s: one of the two is wrong"
    )]
    NamespaceTaken {
        /// Which namespace.
        namespace: NamespaceName,
        /// Whose it is there.
        found: String,
        /// Whose it is on the hub.
        tenant: TenantName,
    },
    /// The tenant isn't admitted.
    #[error(
        "tenant {tenant} isn't admitted on {member}, so that the hub could do nothing for it there: kubectl domicile admit {tenant} --member {member} ..."
    )]
    NotAdmitted {
        /// The tenant.
        tenant: TenantName,
        /// The member.
        member: String,
    },
    /// There is a workload of that name.
    #[error("there is a TenantWorkload {0} already, or what one has left: choose another name")]
    Exists(WorkloadKey),
    /// It was adopted before.
    #[error("{0} was adopted from there already: see `kubectl get tw {name} -n {namespace}`", name = .0.name, namespace = .0.namespace)]
    Done(WorkloadKey),
    /// There is nothing.
    #[error("there is nothing to adopt in namespace {0} on the member{1}")]
    Nothing(NamespaceName, String),
    /// No tenant may have it, or it is no kind.
    #[error(
        "{0} is none of the kinds that can be taken, which are written out: ConfigMap, Service, ServiceAccount, PersistentVolumeClaim, Deployment, StatefulSet, Job, CronJob, Ingress, NetworkPolicy, PodDisruptionBudget and HorizontalPodAutoscaler (Secrets come by --secrets)"
    )]
    Kind(String),
    /// What was named isn't there.
    #[error("there is no {0} in namespace {1} on the member")]
    NotThere(String, NamespaceName),
    /// What was named is somebody else's.
    #[error("{0} can't be adopted: {1}")]
    Others(String, String),
    /// Secrets are needed.
    #[error(
        "pods need Secrets ({0}): say --secrets hub to have them copied to the tenant's namespace on the hub, from where they go along with a move (the operator passes on only what the tenant's residency lets be in the hub's country), or --secrets member if somebody puts them on each member"
    )]
    SecretsWhere(String),
    /// A class has no name on the hub.
    #[error(
        "{what} uses the {kind} class {class}, for which the MemberCluster has no name: add it to its spec.classes.{kind}, and to that of other members which have something alike"
    )]
    Class {
        /// Which object.
        what: String,
        /// The class.
        class: String,
        /// `storage` or `ingress`.
        kind: &'static str,
    },
    /// A class has several names on the hub.
    #[error(
        "{what} uses the {kind} class {class}, for which the MemberCluster has several names, {names}: nobody can tell which is meant; leave it out with --skip, and add it to the TenantWorkload by the right name afterwards"
    )]
    ClassTwice {
        /// Which object.
        what: String,
        /// The class.
        class: String,
        /// `storage` or `ingress`.
        kind: &'static str,
        /// Two of its names.
        names: String,
    },
    /// An earlier try has labelled what is left out now.
    #[error(
        "{0} has the label domicile.dev/workload={1} of an earlier try, and would be left out now: take it along, or remove the label there (kubectl label -n NAMESPACE {0} domicile.dev/workload-)"
    )]
    Labelled(String, WorkloadName),
    /// Its autoscaler stays behind.
    #[error(
        "{object} is scaled by {scaler}, which isn't taken along: name it too, or scale {object} by hand first and delete {scaler}"
    )]
    Scaled {
        /// Which object.
        object: String,
        /// By what.
        scaler: String,
    },
    /// Domicile has placed it.
    #[error(
        "{0} was placed here by Domicile: its labels say in which epoch, and taking them off its pods would restart them. Restore its Assignment from a backup \
         of the hub (docs/operate.md), or leave it out with --skip"
    )]
    Had(String),
    /// Domicile has stopped it.
    #[error(
        "{0} was stopped by Domicile, for a suspension or a move, and would be adopted as stopped: once it may run, set its replicas (or suspend: false) as they should be, take \
         off its annotation domicile.dev/halted, and run this again"
    )]
    Halted(String),
    /// It has failed.
    #[error(
        "{0} has failed, and would run again where the workload moves: delete it, or leave it out with --skip"
    )]
    HasFailed(String),
    /// What it needs stays behind.
    #[error(
        "{object} needs {needed}, which isn't taken along: where the workload moves, its pods couldn't start or be found without it; name it too, or say --skip {needed} if it is there \
         by other means"
    )]
    Needs {
        /// Which object.
        object: String,
        /// What it needs.
        needed: String,
    },
    /// Another workload of the namespace has one of that name.
    #[error(
        "{object} is an object of TenantWorkload/{other} already, by name: no two workloads of a namespace share one, wherever they are; rename it, or leave it out \
         with --skip"
    )]
    NameShared {
        /// Which object.
        object: String,
        /// Whose it is.
        other: String,
    },
    /// The member can't be told apart.
    #[error(
        "MemberCluster/{0} has no status.clusterId yet, so that nobody can tell whether the kubeconfig leads there: wait until it is Ready"
    )]
    NoId(ClusterName),
    /// Pods keep another level than the tenant's.
    #[error(
        "namespace {namespace} on the member has {label}={found}, and the tenant's is {wanted}: the hub sets no other and lowers none, so that it could write nothing there. Set it to {wanted}, \
         or change spec.podSecurity of Tenant/{tenant}"
    )]
    Level {
        /// Which namespace.
        namespace: NamespaceName,
        /// Which label.
        label: &'static str,
        /// What it says.
        found: String,
        /// What it must say.
        wanted: String,
        /// The tenant.
        tenant: TenantName,
    },
    /// The hub may not have them.
    #[error(
        "--secrets hub would copy Secrets to the hub, where the tenant's data may not be ({0}): say --secrets member, and put them on each member by other means"
    )]
    HubBarred(String),
    /// Nothing may leave that place.
    #[error(
        "--secrets hub would copy Secrets from {0}, from where nothing may leave: it is frozen or suspended for this tenant; say --secrets member"
    )]
    PlaceFrozen(ClusterName),
    /// It would run again.
    #[error(
        "{0} has ttlSecondsAfterFinished: Kubernetes may delete it before it is on record that it has run, and it would run again; remove that field first, or leave it out with --skip"
    )]
    Expires(String),
    /// The Secret on the hub is another.
    #[error(
        "Secret {0} is on the hub already and isn't the same: others may use it; make the two the same, or say --secrets member"
    )]
    OtherSecret(String),
    /// The TenantWorkload that is there says something else.
    #[error(
        "there is a TenantWorkload {key} already that isn't what would be adopted (its {fields} differ), of which nothing is placed yet: delete it, or choose another name"
    )]
    OtherWorkload {
        /// Which.
        key: WorkloadKey,
        /// What differs.
        fields: String,
    },
    /// Somebody has changed it.
    #[error(
        "{object} was changed in between (its {fields}), and wasn't touched: what came before it is labelled and waits; delete the TenantWorkload and run this again"
    )]
    Changed {
        /// Which object.
        object: String,
        /// What was changed.
        fields: String,
    },
    /// It would be changed.
    #[error("{object} would not stay as it is, its {fields} would change: nothing was written")]
    WouldChange {
        /// Which object.
        object: String,
        /// What would change.
        fields: String,
    },
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If something can't be adopted as it is, isn't meant, or a cluster refuses.
pub async fn run(args: &AdoptArgs, options: &HubArgs) -> Result<String, AdoptError> {
    let ground = Ground::find(args, options).await?;
    let Found { live, handed: before, wrapped } = found(args, &ground).await?;
    let workload = wrapped.documents.last().cloned().unwrap_or_default();
    let secrets = wrapped.documents.get(..wrapped.documents.len() - 1).unwrap_or_default();
    for secret in secrets {
        ground.check_secret(secret).await?;
    }
    let taken = ground.hub.would_take(&workload).await?;
    ground.check_workload(&taken).await?;
    let typed: TenantWorkload = serde_json::from_value(taken.clone())?;
    let mut handed = hand::render(&typed, (&ground.whose, &ground.key), &ground.member, &live)?;
    handed.retain(|object| !before.contains(&object.called()));
    for object in &handed {
        object.rehearse(&ground.owner).await?;
    }
    let facts = Facts::of_hub(&ground.hub).await?;
    let plan = plan::with(&facts, &taken)?;
    if !secrets.is_empty() {
        ground.check_secrets_leave(&facts, &plan)?;
    }
    status::warn(&ground.hub, options).await;
    tell::tell(args, &ground, (&wrapped, &handed), &plan).await?;
    if args.dry_run {
        return Ok(yaml::document(&workload));
    }
    if !args.yes {
        let consequence = "from then on the rules apply to what is adopted, and it may have to leave";
        ask::for_name(args.name.as_str(), "the workload's name", "adopt that", consequence)?;
    }
    // Somebody may have been quicker while it was read.
    ground.check(args).await?;
    ground.check_workload(&taken).await?;
    for secret in secrets {
        ground.check_secret(secret).await?;
        ground.hub.apply_as(KUBECTL, secret).await?;
    }
    // It is the tenant's from now on, who applies it anew with kubectl. Nothing is placed until all of it is seen.
    ground.hub.apply_as(KUBECTL, &workload).await?;
    ground.take_namespace().await?;
    for object in &handed {
        object.hand_over(&ground.owner, &ground.hub).await?;
    }
    let (name, namespace) = (&args.name, &args.namespace);
    Ok(format!(
        "tenantworkload.domicile.dev/{name} adopts {} of {}; follow it with: kubectl get tw {name} -n {namespace} -w\n",
        objects(handed.len()),
        args.member
    ))
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}

/// Objects as they are, and what is made of them.
struct Found {
    live: Vec<Value>,
    /// What an earlier try has handed over, as kind/name.
    handed: BTreeSet<String>,
    wrapped: Wrapped,
}

async fn found(args: &AdoptArgs, ground: &Ground) -> Result<Found, AdoptError> {
    let all = find::all(&ground.owner, args, None).await?;
    let selected = match &args.selector {
        Some(selector) => find::all(&ground.owner, args, Some(selector)).await?,
        None => all.clone(),
    };
    let mut found = find::choose(selected, args)?;
    if found.objects.is_empty() {
        let labels = args.selector.as_ref().map(|labels| format!(" with the labels {labels}"));
        let notes = [vec![labels.unwrap_or_default()], found.notes].concat().join("\n  ");
        return Err(AdoptError::Nothing(args.namespace.clone(), notes));
    }
    if args.objects.is_empty() && args.selector.is_none() {
        let left = find::left_behind(&ground.owner, args).await?;
        found.notes.extend(
            left.into_iter()
                .map(|it| format!("{it} is not taken, and runs on: tenants may not have its kind")),
        );
    }
    found.notes.extend(find::rest(&all, &found));
    find::check_autoscalers(&all, &found.objects)?;
    find::check_needs(&all, &found.objects, args)?;
    find::check_jobs(&found.objects)?;
    let source = secrets(args, ground, &mut found.objects).await?;
    let ours = format!("{}={}", keys::WORKLOAD_LABEL, args.name);
    find::check_labelled(&find::all(&ground.owner, args, Some(&ours)).await?, &found.objects, args)?;
    ground.check_names(&found.objects).await?;
    let live = found.objects.clone();
    let before = ground.workload().await?;
    for object in &mut found.objects {
        find::name_classes(object, &ground.member.spec.classes)?;
        // What has been handed over is as the TenantWorkload says, whatever was done to it since: a suspension may have stopped it.
        let manifests = before.iter().flat_map(|before| &before.spec.manifests);
        let known = manifests.filter(|_| found.handed.contains(&find::called(object)));
        if let Some(manifest) = known.into_iter().find(|it| find::called(it) == find::called(object)) {
            *object = manifest.clone();
        }
    }
    let text = json!({"apiVersion": "v1", "kind": "List", "items": found.objects}).to_string();
    let input = Input { name: format!("MemberCluster/{}", args.member), text };
    let options = wrap::Options {
        name: args.name.clone(),
        namespace: args.namespace.clone(),
        clusters: None,
        spread_by: None,
        overlap: args.overlap.map(Into::into),
        secrets: source,
        adopt: Some(args.member.clone()),
        drop_hooks: true,
        skip: Vec::new(),
    };
    let mut wrapped = wrap::wrap(&[input], &options)?;
    wrapped.notes.splice(0..0, found.notes);
    Ok(Found { live, handed: found.handed, wrapped })
}

/// Reads the Secrets that pods need, if they are to go to the hub.
async fn secrets(
    args: &AdoptArgs,
    ground: &Ground,
    objects: &mut Vec<Value>,
) -> Result<SecretSource, AdoptError> {
    let names: Vec<String> = wrap::needed(objects).into_iter().map(str::to_owned).collect();
    let source = args.secrets.map(SecretSource::from);
    if names.is_empty() {
        return Ok(source.unwrap_or(SecretSource::Hub));
    }
    let source = source.ok_or_else(|| AdoptError::SecretsWhere(names.join(", ")))?;
    let api: Api<Secret> = Api::namespaced(ground.owner.client.clone(), args.namespace.as_str());
    for name in names.iter().filter(|_| source == SecretSource::Hub) {
        let secret = api.get_opt(name).await.map_err(ground.owner.failed(format!("get Secret {name}")))?;
        let there =
            secret.ok_or_else(|| AdoptError::NotThere(format!("Secret/{name}"), args.namespace.clone()))?;
        let mut value = serde_json::to_value(there)?;
        if let Some(why) = find::is_anothers(&value, args) {
            return Err(AdoptError::Others(format!("Secret/{name}"), why));
        }
        find::check_history(&value)?;
        find::remove_marks(&mut value);
        objects.push(value);
    }
    Ok(source)
}
