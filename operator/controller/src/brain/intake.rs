//! Taking in: observations and results become state.

use std::sync::Arc;

use domicile_core::{Change, expose::ExposureChange, facts::key_of};
use domicile_crds::{
    Assignment, ClusterName, CountrySetName, DecisionName, Migration, NamespaceName, ProviderName,
    RelocationName, SiteName, TenantName, TenantWorkload, WorkloadKey, keys,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::{Brain, Input};
use crate::hub::{HubEvent, HubKind, HubObject};

impl Brain {
    pub(super) fn take(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Hub(HubEvent::There(object)) => {
                self.facts_changed |= !object.is_of_workloads();
                self.is_readable(&object);
                self.there(object, now);
            }
            Input::Hub(HubEvent::Gone(kind, namespace, name)) => {
                self.facts_changed = true;
                self.unreadable.remove(kind, namespace.as_deref(), &name);
                self.not_there(kind, namespace.as_deref(), &name, now);
            }
            Input::Hub(HubEvent::Listed(kind)) => {
                let is_new = self.listed.insert(kind);
                if !kind.is_decisive() {
                    self.exposed_listed(now);
                } else if is_new && self.is_synced() {
                    self.engine.apply(Change::HubSeen(now), now);
                    self.facts.hub_seen(now);
                    tracing::info!(workloads = self.workloads.len(), "all objects of the hub are known");
                }
            }
            Input::Hub(HubEvent::Unreadable(kind, reference, unreadable)) => {
                self.facts_changed = true;
                self.cannot_read(kind, *reference, &unreadable, now);
            }
            Input::Secret(namespace, name, version) => self.secret_seen(namespace, name, version, now),
            Input::SecretForbidden(namespace, name) => self.secret_forbidden((namespace, name)),
            Input::Member(cluster, event) => self.take_member(&cluster, event, now),
            Input::Done(done) => self.take_done(done, now),
        }
    }

    pub(super) fn there(&mut self, object: HubObject, now: Timestamp) {
        let change = match object {
            HubObject::CountrySet(object) => {
                let change = name(&object.metadata, CountrySetName::new)
                    .map(|name| Change::CountrySet(name, Some(object.spec.clone())));
                self.fact_objects.sets.insert(object.name_any(), object.clone());
                self.facts.country_set(object);
                change
            }
            HubObject::Provider(object) => {
                let change = name(&object.metadata, ProviderName::new)
                    .map(|name| Change::Provider(name, Some(Arc::new(object.spec.clone()))));
                self.fact_objects.providers.insert(object.name_any(), object.clone());
                self.facts.provider(object);
                change
            }
            HubObject::Site(object) => {
                let change = name(&object.metadata, SiteName::new)
                    .map(|name| Change::Site(name, Some(object.spec.clone())));
                self.fact_objects.sites.insert(object.name_any(), object.clone());
                self.facts.site(object);
                change
            }
            HubObject::Installation(object) => {
                let change = Some(Change::Installation(Some(object.spec.clone())));
                self.fact_objects.installations.insert(object.name_any(), object.clone());
                self.facts.installation(object);
                change
            }
            HubObject::Decision(object) => {
                let change = name(&object.metadata, DecisionName::new)
                    .map(|name| Change::Decision(name, Some(object.spec.clone().into())));
                self.fact_objects.decisions.insert(object.name_any(), object.clone());
                self.facts.decision(object);
                change
            }
            HubObject::Tenant(object) => {
                let tenant = name(&object.metadata, TenantName::new);
                if let Some(tenant) = &tenant {
                    self.tenants.insert(tenant.clone(), object.clone());
                }
                let change = tenant.map(|name| Change::Tenant(name, Some(Box::new(object.spec.clone()))));
                self.facts.tenant(object);
                change
            }
            HubObject::Namespace(meta) => namespace(&meta),
            HubObject::Relocation(object) => {
                let campaign = name(&object.metadata, RelocationName::new);
                campaign.map(|name| {
                    self.relocations.insert(name.clone(), object.clone());
                    self.campaigns_known.insert(name.clone());
                    Change::Relocation(name, Some(Box::new((*object).clone())))
                })
            }
            HubObject::Cluster(object) => return self.cluster_there(object, now),
            HubObject::Workload(object) => self.workload_there(object, now),
            HubObject::Service(object) => exposed(&object.metadata, |namespace, name| {
                ExposureChange::Service(namespace, name, Some(Box::new((*object).clone())))
            }),
            HubObject::Slice(object) => exposed(&object.metadata, |namespace, name| {
                ExposureChange::Slice(namespace, name, Some(Box::new((*object).clone())))
            }),
            HubObject::Assignment(object) => return self.assignment_there((*object).clone(), now),
            HubObject::Migration(object) => return self.migration_there((*object).clone(), now),
        };
        if let Some(change) = change {
            self.engine.apply(change, now);
        }
    }

    fn workload_there(&mut self, object: Arc<TenantWorkload>, now: Timestamp) -> Option<Change> {
        let key = key_of(object.metadata.namespace.as_deref(), object.metadata.name.as_deref())?;
        self.follow_secrets(&key, Some(&object), now);
        let change = Change::Workload(key.clone(), Some(Box::new((*object).clone())));
        let generation = object.metadata.generation;
        let old = self.workloads.insert(key.clone(), object);
        if old.and_then(|old| old.metadata.generation) != generation {
            // What failed before, or changed nothing, may do so now.
            self.failures.retain(|(other, _), _| *other != key);
            self.repeats.wanted(&key, &[]);
        }
        Some(change)
    }

    /// Takes an Assignment, from a watch or as the answer to a write; an older one doesn't overtake.
    pub(super) fn assignment_there(&mut self, object: Assignment, now: Timestamp) {
        let Some(key) = key_of(object.metadata.namespace.as_deref(), object.metadata.name.as_deref()) else {
            return;
        };
        if let Some(known) = self.assignments.get(&key)
            && known.metadata.uid == object.metadata.uid
            && is_older(&object.metadata, &known.metadata)
        {
            return;
        }
        let items = object.spec.seats.iter().flat_map(|seat| &seat.inventory);
        self.names.record(&key, items.filter_map(domicile_core::orders::object).collect());
        self.assignments.insert(key.clone(), object.clone().into());
        self.engine.apply(Change::Assignment(key, Some(Box::new(object))), now);
    }

    /// Takes a Migration, from a watch or as the answer to a write; an older one doesn't overtake.
    pub(super) fn migration_there(&mut self, object: Migration, now: Timestamp) {
        let namespace = object.metadata.namespace.as_deref();
        let Some(key) = key_of(namespace, Some(object.spec.workload.as_str())) else { return };
        let name = object.metadata.name.clone().unwrap_or_default();
        let moves = self.migrations.entry(key.clone()).or_default();
        if let Some(known) = moves.get(&name)
            && known.metadata.uid == object.metadata.uid
            && is_older(&object.metadata, &known.metadata)
        {
            return;
        }
        moves.insert(name.clone(), object.clone().into());
        self.engine.apply(Change::Migration(key, name, Some(Box::new(object))), now);
    }

    pub(super) fn not_there(&mut self, kind: HubKind, namespace: Option<&str>, name: &str, now: Timestamp) {
        let change = match kind {
            HubKind::CountrySet => {
                self.fact_objects.sets.remove(name);
                self.facts.remove_country_set(name);
                CountrySetName::new(name).ok().map(|name| Change::CountrySet(name, None))
            }
            HubKind::Provider => {
                self.fact_objects.providers.remove(name);
                self.facts.remove_provider(name);
                ProviderName::new(name).ok().map(|name| Change::Provider(name, None))
            }
            HubKind::Site => {
                self.fact_objects.sites.remove(name);
                self.facts.remove_site(name);
                SiteName::new(name).ok().map(|name| Change::Site(name, None))
            }
            HubKind::Installation => {
                self.fact_objects.installations.remove(name);
                self.facts.remove_installation(name);
                Some(Change::Installation(None))
            }
            HubKind::Decision => {
                self.fact_objects.decisions.remove(name);
                self.facts.remove_decision(name);
                DecisionName::new(name).ok().map(|name| Change::Decision(name, None))
            }
            HubKind::Tenant => {
                self.facts.remove_tenant(name);
                TenantName::new(name).ok().map(|name| {
                    self.tenants.remove(&name);
                    Change::Tenant(name, None)
                })
            }
            HubKind::Namespace => NamespaceName::new(name).ok().map(|name| Change::Namespace(name, None)),
            HubKind::Relocation => RelocationName::new(name).ok().map(|name| {
                self.relocations.remove(&name);
                self.campaigns_known.remove(&name);
                Change::Relocation(name, None)
            }),
            HubKind::Cluster => {
                self.facts.remove_member(name);
                return self.cluster_gone(name, now);
            }
            HubKind::Workload => key_of(namespace, Some(name)).map(|key| {
                self.forget_workload(&key);
                self.follow_secrets(&key, None, now);
                Change::Workload(key, None)
            }),
            HubKind::Assignment => key_of(namespace, Some(name)).map(|key| {
                self.assignments.remove(&key);
                self.names.record(&key, std::collections::BTreeSet::new());
                self.gone.retain(|(other, _, _)| *other != key);
                Change::Assignment(key, None)
            }),
            HubKind::Migration => self.migration_gone(namespace, name),
            HubKind::Service | HubKind::Slice => {
                let namespace = namespace.and_then(|namespace| NamespaceName::new(namespace).ok());
                namespace.map(|namespace| {
                    let name = name.to_owned();
                    Change::Exposure(match kind {
                        HubKind::Service => ExposureChange::Service(namespace, name, None),
                        _ => ExposureChange::Slice(namespace, name, None),
                    })
                })
            }
        };
        if let Some(change) = change {
            self.engine.apply(change, now);
        }
    }

    fn forget_workload(&mut self, key: &WorkloadKey) {
        self.workloads.remove(key);
        self.problems.remove(key);
        self.forget_located(key);
        self.inspected.remove(key);
        self.unsettled.remove(key);
        self.stalled.remove(key);
        self.not_compliant.remove(key);
        self.held.remove(key);
        self.failures.retain(|(other, _), _| other != key);
    }

    fn migration_gone(&mut self, namespace: Option<&str>, name: &str) -> Option<Change> {
        let has = |(key, moves): &(&WorkloadKey, &std::collections::BTreeMap<_, _>)| {
            Some(key.namespace.as_str()) == namespace && moves.contains_key(name)
        };
        let key = self.migrations.iter().find(has).map(|(key, _)| key.clone())?;
        if let Some(moves) = self.migrations.get_mut(&key) {
            moves.remove(name);
            if moves.is_empty() {
                self.migrations.remove(&key);
            }
        }
        self.memory.forget(&key, name);
        self.touch_waiting();
        Some(Change::Migration(key, name.to_owned(), None))
    }

    /// Everything on a member is looked at again.
    pub(super) fn touch_member(&mut self, cluster: &ClusterName) {
        let keys: Vec<WorkloadKey> = self.engine.on_cluster(cluster).cloned().collect();
        for key in keys {
            self.engine.touch(key);
        }
    }
}

fn name<T, E>(meta: &ObjectMeta, new: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    new(meta.name.as_deref()?).ok()
}

fn exposed(
    meta: &ObjectMeta,
    change: impl FnOnce(NamespaceName, String) -> ExposureChange,
) -> Option<Change> {
    let namespace = NamespaceName::new(meta.namespace.as_deref()?).ok()?;
    Some(Change::Exposure(change(namespace, meta.name.clone()?)))
}

fn namespace(meta: &ObjectMeta) -> Option<Change> {
    let label = meta.labels.as_ref().and_then(|labels| labels.get(keys::TENANT_LABEL));
    let tenant = label.and_then(|label| TenantName::new(label).ok());
    // A namespace that is being deleted is nobody's any more: nothing new goes there.
    let owner = if meta.deletion_timestamp.is_some() { None } else { Some(tenant) };
    Some(Change::Namespace(NamespaceName::new(meta.name.as_deref()?).ok()?, owner))
}

/// Whether `new` is an older version than `known`. Versions of one object are numbers that grow (KEP-5504).
fn is_older(new: &ObjectMeta, known: &ObjectMeta) -> bool {
    let number = |meta: &ObjectMeta| meta.resource_version.as_deref().and_then(|v| v.parse::<u128>().ok());
    match (number(new), number(known)) {
        (Some(new), Some(known)) => new < known,
        _ => false,
    }
}
