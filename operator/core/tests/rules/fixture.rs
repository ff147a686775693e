//! A small fleet in which everything is lawful, to be changed one fact at a time.

use std::collections::HashSet;

use domicile_core::{
    Change, Engine, Rule, RuleSet,
    decide::{Verdict, Wish, decide},
    eligibility::judge_workload,
    moves::Memory,
    observed::Observed,
    orders::{Desk, orders},
    report::Situation,
};
use domicile_crds::{Problem, TenantWorkloadStatus, WorkloadKey};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A Monday noon.
pub(crate) const NOON: &str = "2026-06-01T12:00:00Z";

/// Clusters in Amsterdam, Brussels and Frankfurt, each at a site of its own; the tenant `shop`, which allows
/// the Benelux, and its workload `shop/web`, which is nowhere yet.
///
/// Sites are operated by `runs` and owned by `owns`, Frankfurt's by `other`. All three are approved.
pub(crate) struct Fleet {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
}

pub(crate) fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

pub(crate) fn key(key: &str) -> WorkloadKey {
    let (namespace, name) = key.split_once('/').unwrap();
    WorkloadKey::new(namespace, name).unwrap()
}

/// Merges `patch` into `value`: maps are merged, a null removes, all else replaces.
fn merged(mut value: Value, patch: &Value) -> Value {
    match (&mut value, patch) {
        (Value::Object(fields), Value::Object(patch)) => {
            for (key, inner) in patch {
                let old = fields.remove(key).unwrap_or(json!({}));
                if !inner.is_null() {
                    fields.insert(key.clone(), merged(old, inner));
                }
            }
            value
        }
        _ => patch.clone(),
    }
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub(crate) fn manifest(api: &str, kind: &str, spec: Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec})
}

/// A Deployment of one pod that asks for so many CPUs.
pub(crate) fn deployment(cpu: &str) -> Value {
    manifest(
        "apps/v1",
        "Deployment",
        json!({"template": {"spec": {"containers": [{"name": "x", "resources": {"requests": {"cpu": cpu}}}]}}}),
    )
}

/// A PersistentVolumeClaim of the class `fast`.
pub(crate) fn claim() -> Value {
    manifest("v1", "PersistentVolumeClaim", json!({"storageClassName": "fast"}))
}

impl Fleet {
    pub(crate) fn lawful() -> Self {
        let mut fleet = Self { engine: Engine::default(), now: NOON.parse().unwrap() };
        fleet.set("benelux", &["BE", "NL", "LU"]);
        for provider in ["runs", "owns", "other"] {
            fleet.provider(provider);
            fleet.decide(&format!("{provider}-1"), provider, "Approved", json!({}));
        }
        fleet.site("nl-ams", "NL", json!({})).site("be-bru", "BE", json!({}));
        fleet.site("de-fra", "DE", json!({"operatedBy": "other", "ownedBy": "other"}));
        fleet.cluster("ams-1", "nl-ams", json!({})).cluster("bru-1", "be-bru", json!({}));
        fleet.cluster("fra-1", "de-fra", json!({}));
        fleet.tenant(json!({})).label("shop", Some("shop")).workload(json!({}));
        fleet.seen(SignedDuration::ZERO);
        fleet
    }

    /// The same with a copy in Amsterdam on record.
    pub(crate) fn placed() -> Self {
        let mut fleet = Self::lawful();
        fleet.seats(&[("ams-1", "Active")]);
        fleet
    }

    pub(crate) fn apply(&mut self, change: Change) -> &mut Self {
        self.engine.apply(change, self.now);
        self
    }

    pub(crate) fn set(&mut self, set: &str, countries: &[&str]) -> &mut Self {
        let member = |c: &&str| json!({"country": c, "basis": "Membership", "source": "treaty"});
        self.set_of(set, countries.iter().map(member).collect())
    }

    /// A set with a member of which more than the country is said.
    pub(crate) fn set_with(&mut self, set: &str, country: &str, patch: Value) -> &mut Self {
        let member = json!({"country": country, "basis": "Adequacy", "source": "decision"});
        self.set_of(set, vec![merged(member, &patch)])
    }

    pub(crate) fn set_of(&mut self, set: &str, members: Vec<Value>) -> &mut Self {
        self.apply(Change::CountrySet(name(set), Some(read(json!({"members": members})))))
    }

    pub(crate) fn provider(&mut self, provider: &str) -> &mut Self {
        self.provider_with(provider, json!({}))
    }

    /// A provider of which more is said than its name and that it is Dutch.
    pub(crate) fn provider_with(&mut self, provider: &str, patch: Value) -> &mut Self {
        let spec = json!({"legalName": provider, "registeredIn": "NL", "headquarteredIn": "NL"});
        self.apply(Change::Provider(name(provider), Some(read(merged(spec, &patch)))))
    }

    /// A decision by the authority `compliance`, about a provider if no kind is given.
    pub(crate) fn decide(&mut self, decision: &str, about: &str, verdict: &str, patch: Value) -> &mut Self {
        let kinds = ["Site", "TenantWorkload", "Tenant"];
        let kind = kinds.into_iter().find_map(|k| Some((k, about.strip_prefix(k)?.strip_prefix('/')?)));
        let (kind, subject) = kind.unwrap_or(("HostingProvider", about));
        let spec = json!({
            "subject": {"kind": kind, "name": subject}, "decision": verdict, "basis": "Law",
            "authority": "compliance", "decidedBy": "ann", "reason": "because"
        });
        let spec = std::sync::Arc::new(read(merged(spec, &patch)));
        self.apply(Change::Decision(name(decision), Some(spec)))
    }

    pub(crate) fn site(&mut self, site: &str, country: &str, patch: Value) -> &mut Self {
        let spec = json!({"operatedBy": "runs", "ownedBy": "owns", "country": country, "state": "Online"});
        self.apply(Change::Site(name(site), Some(read(merged(spec, &patch)))))
    }

    pub(crate) fn cluster(&mut self, cluster: &str, site: &str, patch: Value) -> &mut Self {
        let mut value =
            object("MemberCluster", cluster, json!({"site": site, "connection": {"kubeconfigSecret": "x"}}));
        value["spec"]["classes"] = json!({"storage": {"fast": "a"}, "ingress": {"web": "b"}});
        let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "",
                           "lastTransitionTime": "2026-06-01T11:59:00Z"});
        value["status"] = json!({"clusterId": cluster, "tenants": ["shop"], "conditions": [ready]});
        let object = Box::new(read(merged(value, &patch)));
        self.apply(Change::Cluster(name(cluster), Some(object)))
    }

    /// A member that differs from the usual by its condition Ready.
    pub(crate) fn ready(&mut self, cluster: &str, site: &str, status: &str, since: &str) -> &mut Self {
        let ready = json!({"type": "Ready", "status": status, "reason": "x", "message": "", "lastTransitionTime": since});
        self.cluster(cluster, site, json!({"status": {"conditions": [ready]}}))
    }

    pub(crate) fn tenant(&mut self, patch: Value) -> &mut Self {
        let spec = json!({"namespaces": ["shop"], "residency": {"allowed": [{"countrySet": "benelux"}]}});
        self.apply(Change::Tenant(name("shop"), Some(read(merged(spec, &patch)))))
    }

    pub(crate) fn label(&mut self, namespace: &str, tenant: Option<&str>) -> &mut Self {
        self.apply(Change::Namespace(name(namespace), Some(tenant.map(name))))
    }

    pub(crate) fn workload(&mut self, patch: Value) -> &mut Self {
        self.workload_named("web", "uid-1", patch)
    }

    pub(crate) fn workload_named(&mut self, workload: &str, uid: &str, patch: Value) -> &mut Self {
        let mut value = object("TenantWorkload", workload, json!({"manifests": [deployment("100m")]}));
        value["metadata"] = json!({"name": workload, "namespace": "shop", "uid": uid, "generation": 1});
        value["spec"] = merged(value["spec"].take(), &patch);
        self.apply(Change::Workload(key(&format!("shop/{workload}")), Some(Box::new(read(value)))))
    }

    /// Puts copies of `shop/web` on record, as pairs of cluster and phase.
    pub(crate) fn seats(&mut self, seats: &[(&str, &str)]) -> &mut Self {
        self.seats_of("web", seats)
    }

    pub(crate) fn seats_of(&mut self, workload: &str, seats: &[(&str, &str)]) -> &mut Self {
        let seat = |(ordinal, (cluster, phase)): (usize, &(&str, &str))| json!({"ordinal": ordinal, "cluster": cluster, "epoch": 1, "generation": 1, "phase": phase});
        let seats: Vec<_> = seats.iter().enumerate().map(seat).collect();
        let value = object("Assignment", workload, json!({"tenant": "shop", "seats": seats}));
        self.apply(Change::Assignment(key(&format!("shop/{workload}")), Some(Box::new(read(value)))))
    }

    /// Puts a move of the first copy on record.
    pub(crate) fn moving(&mut self, from: &str, to: &str, cause: &str, step: Option<&str>) -> &mut Self {
        let compulsory = cause != "PreferredPlace";
        let subject = if compulsory { "Site/nl-ams" } else { "Site/be-bru" };
        let cause = json!({"kind": cause, "subject": subject});
        let mut value = object(
            "Migration",
            "m",
            json!({"workload": "web", "tenant": "shop", "seat": 0, "from": from, "to": to, "epoch": 2,
                   "generation": 1, "cause": cause, "compulsory": compulsory, "digest": "0123456789abcdef"}),
        );
        if let Some(step) = step {
            value["status"] = json!({"step": step});
        }
        self.apply(Change::Migration(key("shop/web"), "m".to_owned(), Some(Box::new(read(value)))))
    }

    /// The hub and all members were seen so long ago.
    pub(crate) fn seen(&mut self, ago: SignedDuration) -> &mut Self {
        let at = self.now - ago;
        for cluster in ["ams-1", "bru-1", "fra-1"] {
            self.apply(Change::Seen(name(cluster), at));
        }
        self.apply(Change::HubSeen(at))
    }

    /// The same facts, all seen just now, at another time.
    pub(crate) fn at(&mut self, now: &str) -> &mut Self {
        self.now = now.parse().unwrap();
        self.seen(SignedDuration::ZERO)
    }

    /// Names of the rules that bar `shop/web` from a cluster; one that can't be told has a question mark.
    pub(crate) fn bars(&mut self, cluster: &str) -> String {
        self.engine.advance(self.now);
        let world = self.engine.world();
        let key = key("shop/web");
        let row = self.engine.classes().of(&key).expect("shop/web is somebody's");
        let id = world.find_cluster(&name(cluster)).expect("the cluster was heard of");
        let cell = row.cell(id);
        let mut horizon = domicile_core::Horizon::new(self.now);
        let own = judge_workload(world, &row.class.tenant, &key, id, &mut horizon);
        let stale: RuleSet =
            world.is_stale(id, self.now).then_some(Rule::ObservationStale).into_iter().collect();
        told(cell.failing.union(own).union(stale), cell.unknown)
    }

    /// What bars the workload from a cluster, in sentences.
    pub(crate) fn explained(&mut self, cluster: &str) -> Vec<String> {
        self.engine.advance(self.now);
        let (world, key) = (self.engine.world(), key("shop/web"));
        let row = self.engine.classes().of(&key).expect("shop/web is somebody's");
        let id = world.find_cluster(&name(cluster)).expect("the cluster was heard of");
        let found = domicile_core::eligibility::explain(world, (&row.class, &key), id, self.now);
        found.into_iter().map(|finding| finding.to_string()).collect()
    }

    pub(crate) fn verdict(&mut self) -> Verdict {
        self.verdict_of("shop/web")
    }

    fn verdict_of(&mut self, workload: &str) -> Verdict {
        self.engine.advance(self.now);
        let verdicts = decide(self.engine.world(), self.now);
        verdicts.into_iter().find(|v| v.key == key(workload)).expect("it exists")
    }

    /// What should become of the copies of `shop/web`, in few words.
    pub(crate) fn wish(&mut self) -> String {
        let verdict = self.verdict();
        if let Some(blocked) = verdict.blocked {
            let held = verdict.seats.iter().all(|seat| seat.wish == Wish::Hold);
            assert!(held, "a blocked workload is left as it is");
            return format!("blocked: {blocked}");
        }
        verdict.seats.iter().map(|seat| in_words(&seat.wish)).collect::<Vec<_>>().join("; ")
    }

    /// The wishes of the workloads that the engine looks at again.
    pub(crate) fn decided_anew(&mut self) -> String {
        self.engine.advance(self.now);
        let keys = self.engine.take_dirty();
        let verdicts = self.engine.decide(&keys, self.now);
        let wishes = verdicts.iter().flat_map(|v| &v.seats).map(|seat| in_words(&seat.wish));
        wishes.collect::<Vec<_>>().join("; ")
    }

    /// The wishes of all workloads, in the order of their names.
    pub(crate) fn wishes(&mut self) -> String {
        self.engine.advance(self.now);
        let verdicts = decide(self.engine.world(), self.now);
        let wishes = verdicts.iter().flat_map(|v| &v.seats).map(|seat| in_words(&seat.wish));
        wishes.collect::<Vec<_>>().join("; ")
    }

    /// When the verdict on `shop/web` can change by itself.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.verdict().next.map(|at| at.to_string())
    }

    /// What is told of `shop/web`, by whoever has seen and remembers this.
    pub(crate) fn status(&mut self, observed: &Observed, memory: &mut Memory) -> TenantWorkloadStatus {
        self.status_of("web", observed, memory)
    }

    /// The same of `shop/workload`.
    pub(crate) fn status_of(
        &mut self,
        workload: &str,
        observed: &Observed,
        memory: &mut Memory,
    ) -> TenantWorkloadStatus {
        self.status_with(workload, observed, memory, &[])
    }

    /// The same where something is wrong on members.
    pub(crate) fn status_with(
        &mut self,
        workload: &str,
        observed: &Observed,
        memory: &mut Memory,
        problems: &[Problem],
    ) -> TenantWorkloadStatus {
        let verdict = self.verdict_of(&format!("shop/{workload}"));
        let (world, classes, gone) = (self.engine.world(), self.engine.classes(), HashSet::new());
        let mut desk = Desk { world, classes, observed, memory, gone: &gone, now: self.now };
        let outlook = orders(&mut desk, &verdict);
        let (verdict, outlook, now) = (&verdict, &outlook, self.now);
        Situation { world, classes, observed, verdict, outlook, problems, now }.status(None)
    }

    /// Rules that fail where the first copy is, and those that can't be told.
    pub(crate) fn fails(&mut self) -> String {
        let verdict = self.verdict();
        told(verdict.seats[0].failing, verdict.seats[0].unknown)
    }
}

fn told(failing: RuleSet, unknown: RuleSet) -> String {
    let rule = |rule: Rule| match (failing.contains(rule), unknown.contains(rule)) {
        (true, true) => Some(format!("{rule}!?")),
        (true, false) => Some(rule.to_string()),
        (false, true) => Some(format!("{rule}?")),
        (false, false) => None,
    };
    Rule::ALL.into_iter().filter_map(rule).collect::<Vec<_>>().join(" ")
}

fn in_words(wish: &Wish) -> String {
    match wish {
        Wish::Place(to) => format!("place {to}"),
        Wish::Adopt(at) => format!("adopt {at}"),
        Wish::Wait => "wait".to_owned(),
        Wish::Stay => "stay".to_owned(),
        Wish::Hold => "hold".to_owned(),
        Wish::Suspend => "suspend".to_owned(),
        Wish::Freeze => "freeze".to_owned(),
        Wish::Leave => "leave".to_owned(),
        Wish::Move { to, cause, compulsory } => {
            let must = if *compulsory { "must move" } else { "move" };
            format!("{must} to {to}, {:?} {}", cause.kind, cause.subject)
        }
        Wish::Stuck { cause, obstacle } => {
            format!("stuck, {:?} {}, {}", cause.kind, cause.subject, obstacle.name())
        }
    }
}
