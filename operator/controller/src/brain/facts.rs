//! What is said of facts: whether a provider is approved, a decision counts, a site is online, a tenant has its
//! namespaces. Looked at regularly, written only when it says something new.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
    sync::Arc,
};

use domicile_core::{Horizon, World, countries::set_contains, decisions::DecisionFact, world::Homeless};
use domicile_crds::{
    COUNTRY_CODES, CountryCode, CountrySet, CountrySetName, Decision, FactStatus, Guarded, HostingProvider,
    Installation, Site, SiteState, Subject, SubjectKind, Tenant, TenantName, Verdict, condition_of,
    keys::condition,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::{
    Brain, Done, Hands, Input,
    claim::Claim,
    decisions::{Strictest, counting, decision, unreadable},
    events::warn,
};
use crate::hub::{HubKind, write::apply_status};

/// The facts as last observed, by name.
#[derive(Debug, Default)]
pub(super) struct FactObjects {
    pub(super) sets: BTreeMap<String, Arc<CountrySet>>,
    pub(super) providers: BTreeMap<String, Arc<HostingProvider>>,
    pub(super) sites: BTreeMap<String, Arc<Site>>,
    pub(super) installations: BTreeMap<String, Arc<Installation>>,
    pub(super) decisions: BTreeMap<String, Arc<Decision>>,
    /// Statuses that are being written.
    writing: HashSet<(String, String)>,
}

impl Brain {
    /// Writes what is new about facts.
    pub(super) fn report_facts(&mut self, now: Timestamp) {
        let world = self.engine.world();
        let facts = &mut self.fact_objects;
        let mut writer = Writer { hands: &self.hands, writing: &mut facts.writing, now };
        for object in facts.sets.values() {
            writer.report(object, object.status.as_ref(), &country_set(world, object, now));
        }
        for object in facts.providers.values() {
            writer.report(object, object.status.as_ref(), &provider(world, object, now));
        }
        for object in facts.sites.values() {
            writer.report(object, object.status.as_ref(), &site(world, object, now));
        }
        for (name, object) in &facts.installations {
            let claim = installation(self.unreadable.error(HubKind::Installation, name));
            writer.report(object, object.status.as_ref(), &[claim]);
        }
        let mut strictest = Strictest::default();
        for (name, object) in &facts.decisions {
            let error = self.unreadable.error(HubKind::Decision, name);
            let mut claims = decision(world, object, &mut strictest, now);
            if let Some(error) = error {
                claims = unreadable(object, error, &claims);
            }
            writer.report(object, object.status.as_ref(), &claims);
        }
        for object in self.tenants.values() {
            let claims = tenant(world, object, self.bindings.complaint(object));
            writer.report(object, object.status.as_ref(), &claims);
        }
    }

    pub(super) fn fact_written(&mut self, kind: String, name: String) {
        self.fact_objects.writing.remove(&(kind, name));
    }
}

struct Writer<'a> {
    hands: &'a Hands,
    writing: &'a mut HashSet<(String, String)>,
    now: Timestamp,
}

impl Writer<'_> {
    fn report<K>(&mut self, object: &Arc<K>, old: Option<&FactStatus>, claims: &[Claim])
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        K::Scope: ClusterScoped,
    {
        let generation = object.meta().generation;
        let before = old.map_or(&[][..], |old| old.conditions.as_slice());
        let next = status(claims, before, generation, self.now);
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        if old == Some(&next) || !self.writing.insert((kind.clone(), name.clone())) {
            return;
        }
        let reminds = |claim: &&Claim| {
            claim.kind == condition::REVIEW_DUE
                && condition_of(before, claim.kind).is_none_or(|old| old.reason != claim.reason)
        };
        let reminder = claims.iter().find(reminds).map(|claim| claim.event(&object.object_ref(&())));
        // The answer may be unreadable, as the object was.
        let api: Api<Guarded<K>> = K::Scope::api(self.hands);
        let hands = self.hands.clone();
        let inputs: mpsc::Sender<Input> = hands.inputs.clone();
        tokio::spawn(async move {
            match (apply_status(&api, &name, &next).await, reminder) {
                (Ok(_), Some((object, reason, message))) => warn(&hands, &object, reason, message).await,
                (Ok(_), None) => {}
                (Err(error), _) => tracing::warn!(%kind, %name, %error, "a fact's status was not written"),
            }
            let _ = inputs.send(Input::Done(Done::Fact(kind, name))).await;
        });
    }
}

/// Scopes without a namespace.
trait ClusterScoped {
    fn api<K: Resource<DynamicType = (), Scope = Self>>(hands: &Hands) -> Api<K>;
}

impl ClusterScoped for k8s_openapi::ClusterResourceScope {
    fn api<K: Resource<DynamicType = (), Scope = Self>>(hands: &Hands) -> Api<K> {
        Api::all(hands.client.clone())
    }
}

/// What is said of a fact, with times kept where it said the same before.
pub(super) fn status(
    claims: &[Claim],
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> FactStatus {
    let conditions = claims.iter().map(|claim| claim.merge(before, generation, now)).collect();
    FactStatus { observed_generation: generation, conditions }
}

pub(super) fn installation(error: Option<&str>) -> Claim {
    match error {
        None => Claim::ready(true, "Used", "this hub goes by it"),
        Some(error) => {
            let message = format!("it can't be read, so that moves are paused: {error}");
            Claim::ready(false, "Unreadable", message)
        }
    }
}

pub(super) fn country_set(world: &World, object: &CountrySet, now: Timestamp) -> Vec<Claim> {
    let Ok(name) = CountrySetName::new(&object.name_any()) else { return Vec::new() };
    let mut horizon = Horizon::new(now);
    let codes = COUNTRY_CODES.iter().filter_map(|code| CountryCode::new(code).ok());
    let count = codes
        .filter(|code| set_contains(&world.sets, &name, &[], *code, &mut horizon) == domicile_core::Tri::Yes)
        .count();
    vec![Claim::ready(true, "Used", format!("{count} countries are in it at present without a scope"))]
}

pub(super) fn provider(world: &World, object: &HostingProvider, now: Timestamp) -> Vec<Claim> {
    let subject = Subject { kind: SubjectKind::HostingProvider, name: object.name_any() };
    let counting = counting(world, &subject, now);
    let strictest = counting.iter().max_by_key(|decision| decision.spec.decision);
    let approved = match strictest {
        None => Claim::new(condition::APPROVED, "False", "NotApproved", "no Decision approves it at present"),
        Some(decision) => {
            let scoped = if decision.spec.scope.is_empty() { "" } else { ", within its scope" };
            let message = format!(
                "Decision/{} of {}{scoped}: {}",
                decision.name, decision.spec.authority, decision.spec.reason
            );
            let everywhere = decision.spec.scope.is_empty();
            let (status, reason) = match decision.spec.decision {
                Verdict::Approved => ("True", "Approved"),
                Verdict::Frozen if everywhere => ("False", "Frozen"),
                Verdict::Suspended if everywhere => ("False", "Suspended"),
                Verdict::Revoked if everywhere => ("False", "Revoked"),
                Verdict::Frozen => ("False", "FrozenInPart"),
                Verdict::Suspended => ("False", "SuspendedInPart"),
                Verdict::Revoked => ("False", "RevokedInPart"),
            };
            Claim::new(condition::APPROVED, status, reason, message)
        }
    };
    let mut claims = vec![Claim::ready(true, "Used", "its facts are used"), approved];
    let verdicts: HashSet<Verdict> = counting.iter().map(|decision| decision.spec.decision).collect();
    if verdicts.len() > 1 {
        let shown = |it: &&DecisionFact| {
            let part = if it.spec.scope.is_empty() { "" } else { " in part" };
            format!("{} ({:?}{part} by {})", it.name, it.spec.decision, it.spec.authority)
        };
        let names: Vec<String> = counting.iter().map(shown).collect();
        let message = format!("decisions differ, and the strictest holds: {}", names.join(", "));
        claims.push(Claim::new(condition::CONTESTED, "True", "DecisionsDiffer", message));
    }
    claims
}

pub(super) fn site(world: &World, object: &Site, now: Timestamp) -> Vec<Claim> {
    let spec = &object.spec;
    for provider in [&spec.operated_by, &spec.owned_by] {
        if !world.providers.contains(provider) {
            let message = format!("HostingProvider/{provider} doesn't exist: nothing is placed here");
            return vec![Claim::ready(false, "ProviderMissing", message)];
        }
    }
    let begun = spec.online_from.as_ref().is_none_or(|from| from.0 <= now);
    let claim = match spec.state {
        SiteState::Online if begun => Claim::ready(true, "Online", "it is online"),
        SiteState::Online => Claim::ready(false, "NotYetOnline", "spec.onlineFrom has not come yet"),
        SiteState::Planned => Claim::ready(false, "Planned", "it is planned: nothing is placed here"),
        SiteState::Closing => Claim::ready(false, "Closing", "it is closing: what runs here is moved away"),
        SiteState::Offline => {
            Claim::ready(false, "Offline", "it is offline: nothing is placed, and what runs is left alone")
        }
    };
    vec![claim]
}

pub(super) fn tenant(world: &World, object: &Tenant, not_bound: Option<&str>) -> Vec<Claim> {
    let Ok(name) = TenantName::new(&object.name_any()) else { return Vec::new() };
    for namespace in &object.spec.namespaces {
        match world.tenant_of(namespace) {
            Ok(owner) if *owner == name => {}
            Ok(owner) => {
                let message = format!("namespace {namespace} belongs to Tenant/{owner}");
                return vec![Claim::ready(false, "NamespaceTaken", message)];
            }
            // It is being made, or nothing can be made on the hub: time tells.
            Err(why @ Homeless::NotSeen) => {
                let message = format!("namespace {namespace}: {why}");
                return vec![Claim::new(condition::READY, "Unknown", "NamespaceMissing", message)];
            }
            Err(why) => {
                return vec![Claim::ready(false, "NamespaceTaken", format!("namespace {namespace}: {why}"))];
            }
        }
    }
    let residency = &object.spec.residency;
    let entries = residency.allowed.iter().chain(&residency.denied).map(|entry| &entry.country_set);
    let preferred = object.spec.preferences.iter().map(|place| &place.country_set);
    let missing = |set: &&CountrySetName| !world.sets.contains_key(*set);
    if let Some(set) = entries.chain(preferred).flatten().find(missing) {
        let message = format!("it names CountrySet/{set}, which doesn't exist: nothing is placed by it");
        return vec![Claim::ready(false, "CountrySetMissing", message)];
    }
    if let Some(complaint) = not_bound {
        return vec![Claim::ready(false, "SubjectsNotBound", complaint)];
    }
    vec![Claim::ready(
        true,
        "Used",
        "its namespaces are its own, and its residency and preferences are in force",
    )]
}

#[cfg(test)]
mod tests {
    use domicile_core::{Change, Engine};
    use domicile_crds::NamespaceName;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_that_was_not_seen_yet_is_not_said_to_be_taken() {
        let shop: Tenant = serde_json::from_value(json!({
            "metadata": {"name": "shop"},
            "spec": {"namespaces": ["shop"], "residency": {"allowed": [{"country": "NL"}]}},
        }))
        .unwrap();
        let (name, namespace) = (TenantName::new("shop").unwrap(), NamespaceName::new("shop").unwrap());
        let now = Timestamp::UNIX_EPOCH;
        let mut engine = Engine::default();
        let said = |engine: &Engine| {
            let ready = tenant(engine.world(), &shop, None)[0].merge(&[], None, now);
            (ready.status, ready.reason)
        };
        engine.apply(Change::Tenant(name.clone(), Some(Box::new(shop.spec.clone()))), now);
        assert_eq!(said(&engine), ("Unknown".to_owned(), "NamespaceMissing".to_owned()));
        engine.apply(Change::Namespace(namespace.clone(), Some(None)), now);
        assert_eq!(said(&engine), ("False".to_owned(), "NamespaceTaken".to_owned()));
        engine.apply(Change::Namespace(namespace, Some(Some(name))), now);
        assert_eq!(said(&engine), ("True".to_owned(), "Used".to_owned()));
    }

    #[test]
    fn a_tenant_that_names_no_country_set_that_exists_is_told_which() {
        let shop: Tenant = serde_json::from_value(json!({
            "metadata": {"name": "shop"}, "spec": {"namespaces": [], "residency": {"allowed": [{"countrySet": "euu"}]}},
        }))
        .unwrap();
        let ready = tenant(Engine::default().world(), &shop, None)[0].merge(&[], None, Timestamp::UNIX_EPOCH);
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "CountrySetMissing"));
        assert!(ready.message.contains("CountrySet/euu"), "{}", ready.message);
    }
}
