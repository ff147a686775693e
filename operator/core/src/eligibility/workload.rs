//! What is judged of a workload by itself: decisions about it, and places without its class.

use domicile_crds::{Subject, SubjectKind, TenantName, WorkloadKey};
use jiff::Timestamp;

use super::{Object, Scene, restriction};
use crate::{
    Horizon, Rule, RuleSet, Tri, World,
    countries::judge_residency,
    decisions::{DecisionFact, Standing},
    providers::Suit,
    world::ClusterId,
};

/// What decisions about the workload itself bar, which few workloads have.
pub fn judge_workload(
    world: &World,
    tenant: &TenantName,
    key: &WorkloadKey,
    id: ClusterId,
    horizon: &mut Horizon,
) -> RuleSet {
    judge_own(world, tenant, world.decisions.about_workload(key), id, horizon)
}

/// The same for decisions that were looked up before.
pub(crate) fn judge_own(
    world: &World,
    tenant: &TenantName,
    own: &[DecisionFact],
    id: ClusterId,
    horizon: &mut Horizon,
) -> RuleSet {
    if own.is_empty() {
        return RuleSet::EMPTY;
    }
    let Some(scene) = Scene::of(world, tenant, id) else { return RuleSet::EMPTY };
    match world.decisions.standing_of(own, &scene.view, horizon) {
        Standing::Decided(verdict) => restriction(verdict).into_iter().collect(),
        _ => RuleSet::EMPTY,
    }
}

/// Whether a decision suspends what a workload has at a cluster. Needs neither its manifests nor its class.
pub(crate) fn is_suspended(
    world: &World,
    (tenant, key): (&TenantName, &WorkloadKey),
    id: ClusterId,
    horizon: &mut Horizon,
) -> bool {
    let Some(scene) = Scene::of(world, tenant, id) else { return false };
    let own = judge_workload(world, tenant, key, id, horizon);
    let mut suspended = own.contains(Rule::ApprovalSuspended);
    let mut out = |rule, _, _| suspended |= rule == Rule::ApprovalSuspended;
    for provider in scene.site.iter().flat_map(|site| [&site.operated_by, &site.owned_by]) {
        let subject = (SubjectKind::HostingProvider, provider.as_str(), Object::Owner);
        scene.examine_restrictions(subject, horizon, &mut out);
    }
    if let Some(site) = scene.view.site {
        scene.examine_restrictions((SubjectKind::Site, site.as_str(), Object::Site), horizon, &mut out);
    }
    for name in [tenant.as_str(), Subject::EVERY] {
        scene.examine_restrictions((SubjectKind::Tenant, name, Object::Tenant), horizon, &mut out);
    }
    suspended
}

/// What is recorded of a place that a tenant doesn't want: its country, its providers, and where its nodes say that they are. Needs
/// neither the workload's manifests nor its class.
pub(crate) fn unsuitable(
    world: &World,
    (tenant, key): (&TenantName, &WorkloadKey),
    id: ClusterId,
    now: Timestamp,
) -> RuleSet {
    let mut failing = RuleSet::EMPTY;
    let fact = world.cluster(id).and_then(|row| row.fact.as_ref());
    if fact.is_some_and(|fact| fact.contradicted) {
        failing.insert(Rule::LocationContradicted);
    }
    let (Some(fact), Some((_, site))) = (world.tenants.get(tenant), world.site_of(id)) else {
        return failing;
    };
    for provider in [&site.operated_by, &site.owned_by] {
        let suit = Suit::of(&world.providers, &world.sets, &fact.providers, provider, now);
        failing = failing.union(suit.failing);
    }
    let own = world.workloads.get(key).map(|workload| workload.residency.clone()).unwrap_or_default();
    let residency = judge_residency(&world.sets, &fact.residency, &own, site.country, &mut Horizon::new(now));
    if residency.denied == Tri::Yes {
        failing.insert(Rule::CountryDenied);
    }
    if residency.allowed == Tri::No {
        failing.insert(Rule::CountryNotAllowed);
    }
    failing
}
