//! What must be there before anything can be adopted.

use domicile_core::countries::judge_residency;
use domicile_core::{Horizon, Tri, World};
use domicile_crds::keys::{self, tenant_user};
use domicile_crds::{
    Assignment, ClusterName, MemberCluster, Residency, SiteName, Tenant, TenantName, TenantWorkload,
    WorkloadKey,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::AdoptError;
use super::fields::changes;
use super::find::{called, text};
use crate::args::{AdoptArgs, HubArgs};
use crate::cluster::{Cluster, ClusterError, KUBECTL};
use crate::facts::{Facts, FactsError};
use crate::hub;
use crate::member::{TENANT_ROLE, setup};
use crate::plan::{Plan, Step, What};

/// The labels of a namespace by which its pods are judged.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const ENFORCE_VERSION: &str = "pod-security.kubernetes.io/enforce-version";

/// Where it is, and whose it is.
pub(super) struct Ground {
    pub(super) hub: Cluster,
    pub(super) owner: Cluster,
    pub(super) member: MemberCluster,
    pub(super) tenant: Tenant,
    /// The tenant's name.
    pub(super) whose: TenantName,
    pub(super) key: WorkloadKey,
    /// Whether the namespace on the member has the tenant's label already.
    pub(super) has_namespace: bool,
}

impl Ground {
    /// Looks for all that adopting needs.
    ///
    /// # Errors
    ///
    /// What is missing, or isn't as it must be.
    pub(super) async fn find(args: &AdoptArgs, options: &HubArgs) -> Result<Self, AdoptError> {
        let hub = Cluster::hub(&options.target()).await?;
        let member: MemberCluster = hub::need(&hub, args.member.as_str()).await?;
        let owner = Cluster::member(&args.target.target().unwrap_or_default()).await?;
        if member.status.as_ref().is_none_or(|status| status.cluster_id.is_none()) {
            return Err(AdoptError::NoId(args.member.clone()));
        }
        hub::check_same(&member, &owner, &args.member).await?;
        let namespace = args.namespace.clone();
        let tenants = hub.collect(Api::all(hub.client.clone()), |tenant: Tenant| tenant).await?;
        let mut whose = tenants.into_iter().filter(|tenant| tenant.spec.namespaces.contains(&namespace));
        let tenant = whose.next().ok_or_else(|| AdoptError::NobodysNamespace(namespace.clone()))?;
        let whose = TenantName::new(&tenant.name_any())
            .map_err(|_| AdoptError::NobodysNamespace(namespace.clone()))?;
        let key = WorkloadKey { namespace, name: args.name.clone() };
        let mut ground = Self { hub, owner, member, tenant, whose, key, has_namespace: false };
        ground.has_namespace = ground.check(args).await?;
        Ok(ground)
    }

    /// Refuses a Secret that is on the hub already and says something else.
    ///
    /// # Errors
    ///
    /// If it is, or the hub wouldn't take it.
    pub(super) async fn check_secret(&self, secret: &Value) -> Result<(), AdoptError> {
        let there = self.hub.read(secret).await?;
        let same = |there: &Value| ["data", "type"].iter().all(|field| there.get(field) == secret.get(field));
        if there.is_some_and(|there| !same(&there)) {
            let name = secret.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            return Err(AdoptError::OtherSecret(format!("{}/{name}", self.key.namespace)));
        }
        Ok(self.hub.would_apply_as(KUBECTL, secret).await.map(drop)?)
    }

    /// Refuses a TenantWorkload that is there already and says something else than what would be made.
    ///
    /// # Errors
    ///
    /// If it does.
    pub(super) async fn check_workload(&self, wanted: &Value) -> Result<(), AdoptError> {
        let Some(there) = self.hub.read(wanted).await? else { return Ok(()) };
        let fields = changes(&there, wanted);
        if fields.is_empty() {
            return Ok(());
        }
        Err(AdoptError::OtherWorkload { key: self.key.clone(), fields: fields.join(", ") })
    }

    /// Looks whether that name is free, and the tenant may be there. Answers whether the namespace there is labelled as the tenant's.
    ///
    /// # Errors
    ///
    /// What is missing, or isn't as it must be.
    pub(super) async fn check(&self, args: &AdoptArgs) -> Result<bool, AdoptError> {
        let Self { hub, owner, whose, key, .. } = self;
        let label = |namespace: Namespace| namespace.labels().get(keys::TENANT_LABEL).cloned();
        let on_hub = hub.find::<Namespace>(key.namespace.as_str()).await?.and_then(label);
        if on_hub.as_deref() != Some(whose.as_str()) {
            return Err(AdoptError::HubNamespace(key.namespace.clone(), whose.clone()));
        }
        let there = owner.find::<Namespace>(key.namespace.as_str()).await?;
        let there = there.ok_or_else(|| AdoptError::NoNamespace(key.namespace.clone()))?;
        self.check_level(&there)?;
        let there = label(there);
        let is_labelled = there.is_some();
        if let Some(found) = there.filter(|found| found != whose.as_str()) {
            let (namespace, tenant) = (key.namespace.clone(), whose.clone());
            return Err(AdoptError::NamespaceTaken { namespace, found, tenant });
        }
        if !setup::admitted(owner).await?.contains(whose) {
            return Err(AdoptError::NotAdmitted { tenant: whose.clone(), member: args.member.to_string() });
        }
        let (name, namespace) = (key.name.as_str(), key.namespace.as_str());
        let known = self.workload().await?;
        let records: Api<Assignment> = Api::namespaced(hub.client.clone(), namespace);
        let record = records.get_opt(name).await.map_err(hub.failed(format!("get Assignment {key}")))?;
        let is_it = known.as_ref().map(|known| known.spec.adopt.as_ref() == Some(&args.member));
        match (is_it, record) {
            (Some(true), Some(_)) => Err(AdoptError::Done(key.clone())),
            (Some(true) | None, None) => Ok(is_labelled),
            _ => Err(AdoptError::Exists(key.clone())),
        }
    }

    /// Refuses a namespace whose Pod Security level the hub could neither keep nor set.
    fn check_level(&self, namespace: &Namespace) -> Result<(), AdoptError> {
        let level = self.tenant.spec.pod_security.label();
        let differs = |label: &'static str, wanted: &str| {
            let found = namespace.labels().get(label).filter(|found| *found != wanted)?;
            Some((label, found.clone(), wanted.to_owned()))
        };
        let lowered = differs(ENFORCE, level).filter(|(_, found, _)| found == "restricted");
        match lowered.or_else(|| differs(ENFORCE_VERSION, "latest")) {
            None => Ok(()),
            Some((label, found, wanted)) => {
                let (namespace, tenant) = (self.key.namespace.clone(), self.whose.clone());
                Err(AdoptError::Level { namespace, label, found, wanted, tenant })
            }
        }
    }

    /// The TenantWorkload that an earlier try has made, if there is one.
    ///
    /// # Errors
    ///
    /// If the hub doesn't say.
    pub(super) async fn workload(&self) -> Result<Option<TenantWorkload>, ClusterError> {
        let Self { hub, key, .. } = self;
        let workloads: Api<TenantWorkload> = Api::namespaced(hub.client.clone(), key.namespace.as_str());
        let found = workloads.get_opt(key.name.as_str()).await;
        found.map_err(hub.failed(format!("get TenantWorkload {key}")))
    }

    /// Refuses objects of whose name another workload of the namespace has one: the operator takes the names of all its copies to be one workload's.
    ///
    /// # Errors
    ///
    /// The first such object.
    pub(super) async fn check_names(&self, objects: &[Value]) -> Result<(), AdoptError> {
        let api = Api::namespaced(self.hub.client.clone(), self.key.namespace.as_str());
        let others = self.hub.collect(api, |workload: TenantWorkload| workload).await?;
        for other in others.iter().filter(|other| other.name_any() != self.key.name.as_str()) {
            let is_its = |object: &&Value| other.spec.manifests.iter().any(|it| called(it) == called(object));
            if let Some(object) = objects.iter().find(is_its) {
                return Err(AdoptError::NameShared { object: called(object), other: other.name_any() });
            }
        }
        Ok(())
    }

    /// Refuses to copy Secrets to the hub if the tenant's data may not be there, or none may leave the member.
    ///
    /// # Errors
    ///
    /// Why they stay.
    pub(super) fn check_secrets_leave(&self, facts: &Facts, plan: &Plan) -> Result<(), AdoptError> {
        let engine = facts.snapshot.engine(facts.now).map_err(FactsError::from)?;
        let hub = facts.snapshot.get("Installation", "", "default").and_then(|it| it.pointer("/spec/hub"));
        let at = |field: &str| hub.and_then(|hub| hub.get(field));
        let backups = at("backupSites").and_then(Value::as_array).into_iter().flatten();
        let sites: Vec<&str> = at("site").into_iter().chain(backups).filter_map(Value::as_str).collect();
        if at("site").is_none() {
            return Err(AdoptError::HubBarred(
                "Installation/default doesn't say at which Site the hub is".to_owned(),
            ));
        }
        if let Some(site) =
            sites.into_iter().find(|site| !allows(engine.world(), &self.whose, site, facts.now))
        {
            return Err(AdoptError::HubBarred(format!("Site/{site}, where the hub or a backup of it is")));
        }
        let stays = |step: &&Step| matches!(step.what, What::Freeze | What::Suspend);
        let ours = plan.steps.iter().filter(|step| step.workload == self.key.to_string());
        let member = ClusterName::new(&self.member.name_any()).ok();
        match ours.filter(stays).find_map(|step| step.from.clone().or_else(|| member.clone())) {
            Some(frozen) => Err(AdoptError::PlaceFrozen(frozen)),
            None => Ok(()),
        }
    }

    /// What else in the namespace there gives its pods more than the tenant's policy does.
    ///
    /// # Errors
    ///
    /// If the member doesn't say.
    pub(super) async fn opens(&self) -> Result<Vec<String>, ClusterError> {
        let (namespace, all) = (self.key.namespace.as_str(), ListParams::default());
        let list = |api_version, kind| self.owner.list_of(api_version, kind, namespace, &all);
        let policies = list("networking.k8s.io/v1", "NetworkPolicy").await?;
        let opens = |policy: &&Value| {
            !text(policy, "/metadata/name").starts_with("domicile-")
                && policy
                    .pointer("/spec/egress")
                    .and_then(Value::as_array)
                    .is_some_and(|rules| !rules.is_empty())
        };
        let opened = |policy: &Value| {
            format!(
                "{} lets them connect elsewhere besides: delete it there if that isn't meant",
                called(policy)
            )
        };
        let mut more: Vec<String> = policies.iter().filter(opens).map(opened).collect();
        let bindings = list("rbac.authorization.k8s.io/v1", "RoleBinding").await?;
        let others = bindings.iter().filter(|it| text(it, "/metadata/name") != TENANT_ROLE);
        more.extend(others.map(|it| {
            format!(
                "{} gives {} there to others than the tenant: see whether that is meant",
                called(it),
                text(it, "/roleRef/name")
            )
        }));
        Ok(more)
    }

    /// Labels the namespace on the member, and lets the tenant act there, as the operator does where it may write: what leaves must be removed
    /// by somebody.
    pub(super) async fn take_namespace(&self) -> Result<(), ClusterError> {
        let namespace = self.key.namespace.as_str();
        let labels = json!({keys::TENANT_LABEL: self.whose.as_str()});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
        self.owner.apply_shared(&object).await?;
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": TENANT_ROLE, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": TENANT_ROLE},
            "subjects": [{
                "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": tenant_user(&self.whose),
            }],
        });
        self.owner.apply_as(keys::HUB_MANAGER, &binding).await.map(drop)
    }

    /// What the member warns of if the namespace had the tenant's Pod Security level.
    pub(super) async fn violations(&self) -> Result<Vec<String>, ClusterError> {
        let namespace = self.key.namespace.as_str();
        let labels = json!({ENFORCE: self.tenant.spec.pod_security.label()});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
        self.owner.warnings(keys::HUB_MANAGER, &format!("/api/v1/namespaces/{namespace}"), &object).await
    }
}

/// Whether a tenant's countries certainly contain that of a site.
fn allows(world: &World, tenant: &TenantName, site: &str, now: Timestamp) -> bool {
    let site = SiteName::new(site).ok().and_then(|site| world.sites.get(&site));
    let Some((tenant, site)) = world.tenants.get(tenant).zip(site) else { return false };
    let (own, mut horizon) = (Residency::default(), Horizon::new(now));
    let answer = judge_residency(&world.sets, &tenant.residency, &own, site.country, &mut horizon);
    (answer.denied, answer.allowed) == (Tri::No, Tri::Yes)
}
