//! Tenants' namespaces, on the hub and on members: making them, listing them, keeping up what guards them.

use domicile_core::Change;
use domicile_crds::{ClusterName, NAMESPACES_TAKEN_MAX, NamespaceName, TenantName, WorkloadKey, keys};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::PostParams};

use super::{Brain, Done, Input, VERIFY_EVERY};
use crate::{
    member::{
        error::MemberError,
        namespace::{POD_SECURITY_LABEL, Setup},
        verify::{Found, Inventory},
    },
    second::may_set_up,
};

/// How often it is tried to set a namespace up again, and how often one that isn't the tenant's is looked at again.
const MEND_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How a namespace on a member is set up.
#[derive(Debug)]
pub(super) struct Setting {
    found: Found,
    /// When it was tried to put that right.
    tried: Timestamp,
}

impl Brain {
    /// A namespace on a member was listed.
    pub(super) fn verified(
        &mut self,
        cluster: &ClusterName,
        namespace: &NamespaceName,
        found: Inventory,
        now: Timestamp,
    ) {
        let present = found.present();
        self.hands.metrics.drift.inc_by(found.drifted);
        let view = self.observed.member_mut(cluster);
        let mut touched = view.retain(Some(namespace), crate::member::verify::is_listed, &present);
        for (key, ordinal, object, seen) in found.objects {
            if view.note(&key, ordinal, object, Some(seen)) {
                touched.push(key);
            }
        }
        view.verified.insert(namespace.clone());
        self.verified.insert((cluster.clone(), namespace.clone()), now);
        self.namespace_is(cluster, namespace, found.setup, now);
        touched.extend(self.engine.on_cluster(cluster).filter(|key| key.namespace == *namespace).cloned());
        for key in touched {
            self.clear_problem(&key, cluster, "namespace");
            self.engine.touch(key);
        }
    }

    /// Makes the tenants' namespaces on the hub that aren't there yet. Each has its Pod Security level from the first moment: where the hub
    /// is a member too, pods run there.
    pub(super) fn make_namespaces(&mut self) {
        let world = self.engine.world();
        let mut missing: Vec<(NamespaceName, TenantName)> = Vec::new();
        for (name, tenant) in &world.tenants {
            let absent = |namespace: &&NamespaceName| {
                !world.labelled.contains_key(*namespace) && !self.making.contains(*namespace)
            };
            missing.extend(tenant.namespaces.iter().filter(absent).map(|n| (n.clone(), name.clone())));
        }
        for (namespace, tenant) in missing {
            let Some(level) = self.tenants.get(&tenant).map(|object| object.spec.pod_security.label()) else {
                continue;
            };
            self.making.insert(namespace.clone());
            let hands = self.hands.clone();
            tokio::spawn(async move {
                let labels =
                    [(keys::TENANT_LABEL, tenant.to_string()), (POD_SECURITY_LABEL, level.to_owned())];
                let object = Namespace {
                    metadata: kube::api::ObjectMeta {
                        name: Some(namespace.to_string()),
                        labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
                        ..kube::api::ObjectMeta::default()
                    },
                    ..Namespace::default()
                };
                let api: Api<Namespace> = Api::all(hands.client.clone());
                let made = api.create(&PostParams::default(), &object).await;
                // One that was made meanwhile is seen like any other.
                let exists =
                    |e: &kube::Error| matches!(e, kube::Error::Api(status) if status.is_already_exists());
                if let Err(error) = made
                    && !exists(&error)
                {
                    tracing::warn!(%namespace, %tenant, %error, "a tenant's namespace was not made on the hub");
                }
                let _ = hands.inputs.send(Input::Done(Done::Namespace(namespace))).await;
            });
        }
    }

    pub(super) fn verify_again(
        &mut self,
        cluster: ClusterName,
        namespace: NamespaceName,
        tenant: TenantName,
    ) {
        let Some(member) = self.usable(&cluster) else { return };
        let setup = self.setup_of(&tenant);
        let inputs = self.hands.inputs.clone();
        tokio::spawn(async move {
            let found = member.verify(&tenant, setup.as_ref(), &namespace).await;
            let done = Done::Listed(cluster, namespace, member.connection, found);
            let _ = inputs.send(Input::Done(done)).await;
        });
    }

    /// How a tenant's namespaces are to be set up, if there is such a tenant.
    pub(super) fn setup_of(&self, tenant: &TenantName) -> Option<Setup> {
        self.tenants.get(tenant).map(|object| Setup::of(tenant, &object.spec))
    }

    /// Lists again what was listed long ago, and what somebody else had.
    pub(super) fn verify_old(&mut self, now: Timestamp) {
        let old = |place: &(ClusterName, NamespaceName), at: Timestamp| {
            now.duration_since(at) > if self.taken.contains(place) { MEND_EVERY } else { VERIFY_EVERY }
        };
        let due: Vec<_> = self
            .verified
            .iter()
            .filter(|(place, at)| old(place, **at))
            .map(|(place, _)| place.clone())
            .collect();
        for (cluster, namespace) in due {
            if let Some(tenant) = self.asks_for(&cluster, &namespace) {
                self.verified.insert((cluster.clone(), namespace.clone()), now);
                self.verify_again(cluster, namespace, tenant);
            }
        }
    }

    /// Sets up again what isn't as its tenant says now, or was damaged on the member.
    pub(super) fn mend_namespaces(&mut self, now: Timestamp) {
        let mut mended = Vec::new();
        for (place, setting) in &self.setups {
            let (cluster, namespace) = place;
            let Ok(tenant) = self.engine.world().tenant_of(namespace) else { continue };
            let Some(setup) = self.setup_of(tenant) else { continue };
            let is_well = setting.found == Found::As(setup.digest()) || setting.found == Found::Absent;
            if is_well || now.duration_since(setting.tried) < MEND_EVERY {
                continue;
            }
            let mut here = self.engine.on_cluster(cluster).filter(|key| key.namespace == *namespace);
            let may = |key: &&WorkloadKey| may_set_up(&self.knowledge(key), key, cluster, now);
            let member = self.usable(cluster);
            if let (true, Some(member)) = (here.any(|key| may(&key)), member) {
                mended.push((place.clone(), member, setup));
            }
        }
        for (place, member, setup) in mended {
            if let Some(setting) = self.setups.get_mut(&place) {
                setting.tried = now;
            }
            let (inputs, (cluster, namespace)) = (self.hands.inputs.clone(), place);
            tracing::info!(%cluster, %namespace, "a namespace isn't set up as its tenant says, and is put right");
            self.hands.metrics.drift.inc();
            tokio::spawn(async move {
                let done = member.ensure_namespace(&namespace, &setup).await.map(|()| setup.digest());
                let _ =
                    inputs.send(Input::Done(Done::SetUp(cluster, namespace, member.connection, done))).await;
            });
        }
    }

    /// A namespace was set up again, or wasn't.
    pub(super) fn set_up(
        &mut self,
        cluster: ClusterName,
        namespace: NamespaceName,
        done: Result<u64, MemberError>,
    ) {
        match done {
            Ok(digest) => {
                if let Some(setting) = self.setups.get_mut(&(cluster, namespace)) {
                    setting.found = Found::As(digest);
                }
            }
            Err(error) => {
                let error = crate::member::chain(&error);
                tracing::warn!(%cluster, %namespace, %error, "a namespace was not set up again");
            }
        }
    }

    /// A namespace on a member is its tenant's, or isn't there.
    pub(super) fn namespace_is(
        &mut self,
        cluster: &ClusterName,
        namespace: &NamespaceName,
        found: Found,
        now: Timestamp,
    ) {
        let setting = Setting { found, tried: Timestamp::UNIX_EPOCH };
        self.setups.insert((cluster.clone(), namespace.clone()), setting);
        if found == Found::Absent {
            self.facts.remove_namespace(cluster, namespace);
        } else {
            // Its member says that it is whoever's it was asked for: on the hub, it may be nobody's any more.
            let asked = || self.engine.on_cluster(cluster).find(|key| key.namespace == *namespace);
            let owner = self.engine.world().tenant_of(namespace).ok().cloned();
            let owner = owner.or_else(|| self.owner(asked()?));
            self.facts.namespace_seen(cluster, namespace, owner);
        }
        if self.taken.remove(&(cluster.clone(), namespace.clone())) {
            tracing::info!(%cluster, %namespace, "a namespace is its tenant's again");
            let change = Change::NamespaceTaken(cluster.clone(), namespace.clone(), false);
            self.engine.apply(change, now);
            self.report_member(cluster, now);
        }
    }

    /// A namespace on a member belongs to somebody else.
    pub(super) fn namespace_taken(
        &mut self,
        cluster: &ClusterName,
        namespace: &NamespaceName,
        now: Timestamp,
    ) {
        let place = (cluster.clone(), namespace.clone());
        self.facts.namespace_seen(cluster, namespace, None);
        self.verified.entry(place.clone()).or_insert(now);
        self.setups.remove(&place);
        if self.taken.insert(place) {
            let change = Change::NamespaceTaken(cluster.clone(), namespace.clone(), true);
            self.engine.apply(change, now);
            self.report_member(cluster, now);
        }
    }

    /// Whether a namespace on a member belongs to somebody else, as far as anybody has looked.
    pub(super) fn is_taken(&self, cluster: &ClusterName, namespace: &NamespaceName) -> bool {
        self.taken.contains(&(cluster.clone(), namespace.clone()))
    }

    /// For whom a namespace is looked at on a member: its tenant, or the one on record of something that is there.
    fn asks_for(&self, cluster: &ClusterName, namespace: &NamespaceName) -> Option<TenantName> {
        let tenant = self.engine.world().tenant_of(namespace).ok().cloned();
        let mut there = self.engine.on_cluster(cluster).filter(|key| key.namespace == *namespace);
        tenant.or_else(|| there.find_map(|key| self.owner(key)))
    }

    /// Forgets of namespaces in which nobody has anything any more whose they are on members: nobody looks at them again.
    pub(super) fn forget_unlisted(&mut self, now: Timestamp) {
        let is_unlisted = |(cluster, namespace): &&(ClusterName, NamespaceName)| {
            self.asks_for(cluster, namespace).is_none()
        };
        for place in self.taken.iter().filter(is_unlisted).cloned().collect::<Vec<_>>() {
            self.taken.remove(&place);
            self.verified.remove(&place);
            let (cluster, namespace) = place;
            self.facts.remove_namespace(&cluster, &namespace);
            self.engine.apply(Change::NamespaceTaken(cluster.clone(), namespace, false), now);
            self.report_member(&cluster, now);
        }
    }

    /// Namespaces that belong to somebody else on a member, as far as its status has room for them.
    pub(super) fn taken_on(&self, cluster: &ClusterName) -> Vec<NamespaceName> {
        let taken = self.taken.iter().filter(|(at, _)| at == cluster);
        let mut taken: Vec<_> = taken.map(|(_, namespace)| namespace.clone()).collect();
        taken.sort();
        taken.truncate(NAMESPACES_TAKEN_MAX);
        taken
    }
}
