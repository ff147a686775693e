//! Random worlds: few names, countries and instants, so that what is drawn meets.
//!
//! Most of what is drawn is lawful, or nothing would ever be placed.

use std::sync::Arc;

use domicile_core::Change;
use domicile_crds::{NamespaceName, TenantName, WorkloadKey};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[path = "draw.rs"]
pub(crate) mod draw;
#[path = "owners.rs"]
pub(crate) mod owners;

pub(crate) use draw::{fact, world};

/// When every world begins.
pub(crate) const START: &str = "2026-06-01T12:00:00Z";

/// How many worlds are drawn: so many where PROPTEST_CASES is its usual 256, and in proportion.
///
/// What fails is kept nowhere: a seed says nothing any more once what is drawn has changed. It becomes a test.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let usual =
        ProptestConfig { max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: cases.saturating_mul(usual.cases) / 256, ..usual }
}

/// How many there are of each.
pub(crate) const PROVIDERS: usize = 3;
pub(crate) const SITES: usize = 4;
pub(crate) const CLUSTERS: usize = 6;
pub(crate) const DECISIONS: usize = 9;
const COUNTRIES: [&str; 4] = ["NL", "BE", "DE", "CH"];
const SETS: [&str; 3] = ["near", "far", "gone"];
/// Tenant `t0` has the first and the last, `t1` the second, and sometimes the last too.
const NAMESPACES: [&str; 3] = ["n0", "n1", "n2"];
const WORKLOADS: [&str; 5] = ["n0/a", "n0/b", "n1/a", "n1/b", "n2/a"];
const AUTHORITIES: [&str; 2] = ["ministry", "court"];

/// One fact, as it is drawn.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// Which, and its members.
    Set(usize, Option<Vec<Member>>),
    /// Which, and what is recorded of it.
    Provider(usize, Option<Value>),
    Site(usize, Option<Site>),
    Cluster(usize, Option<Cluster>),
    /// Which cluster, and how many minutes ago it was seen.
    Seen(usize, i64),
    HubSeen(i64),
    Taken(usize, usize, bool),
    Decision(usize, Option<Decision>),
    Tenant(usize, Option<Tenant>),
    /// Which, and whether it is there, and whom its label names.
    #[expect(clippy::option_option, reason = "as in Change::Namespace")]
    Namespace(usize, Option<Option<usize>>),
    Workload(usize, Option<Workload>),
    /// Pairs of ordinal and cluster, and whether the copy is leaving.
    Assignment(usize, Option<Vec<(i32, usize, bool)>>),
    /// Which workload, and: copy, from, to, whether it has ended.
    Migration(usize, Option<(i32, usize, usize, bool)>),
}

/// An instant, in steps of five minutes from the start.
type Instant = Option<i64>;

#[derive(Clone, Debug)]
pub(crate) struct Member {
    country: &'static str,
    from: Instant,
    until: Instant,
    scope: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) operator: usize,
    pub(crate) owner: usize,
    pub(crate) country: &'static str,
    pub(crate) state: &'static str,
    pub(crate) online_from: Instant,
}

#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) site: usize,
    pub(crate) scheduling: &'static str,
    pub(crate) ready: Option<&'static str>,
    /// In minutes from the start.
    pub(crate) since: i64,
    pub(crate) observed: bool,
    pub(crate) tenants: Vec<usize>,
    pub(crate) lacks: &'static [&'static str],
    pub(crate) classes: bool,
    pub(crate) cpu: Option<&'static str>,
    pub(crate) leaving: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) verdict: &'static str,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    pub(crate) scope: Value,
    pub(crate) authority: &'static str,
    pub(crate) liftable: bool,
    pub(crate) supersedes: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    residency: Value,
    pub(crate) providers: Value,
    preferences: Vec<Value>,
    mode: &'static str,
    evacuates: bool,
    /// Also lists the last namespace, whosever it is.
    greedy: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    uid: u8,
    count: i32,
    spread: &'static str,
    residency: Value,
    preferences: Vec<Value>,
    manifests: Vec<Value>,
}

pub(crate) fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(name: impl AsRef<str>) -> T {
    name.as_ref().parse().unwrap()
}

pub(crate) fn start() -> Timestamp {
    START.parse().unwrap()
}

pub(crate) fn key(at: usize) -> WorkloadKey {
    let (namespace, name) = WORKLOADS[at].split_once('/').unwrap();
    WorkloadKey::new(namespace, name).unwrap()
}

/// Which workload it is.
pub(crate) fn index(key: &WorkloadKey) -> usize {
    WORKLOADS.iter().position(|name| *name == key.to_string()).unwrap()
}

fn instant(at: i64) -> String {
    (start() + SignedDuration::from_mins(5 * at)).to_string()
}

/// The fields that have a value.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn resource(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

impl Fact {
    /// Whether it says that something isn't there.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(
            self,
            Self::Set(_, None)
                | Self::Provider(_, None)
                | Self::Site(_, None)
                | Self::Cluster(_, None)
                | Self::Decision(_, None)
                | Self::Tenant(_, None)
                | Self::Namespace(_, None)
                | Self::Workload(_, None)
                | Self::Assignment(_, None)
                | Self::Migration(_, None)
        )
    }

    /// As the operator would be told.
    pub(crate) fn change(&self, now: Timestamp) -> Change {
        let ago = |minutes: i64| now - SignedDuration::from_mins(minutes);
        match self.clone() {
            Self::Set(at, members) => {
                let members = members.map(|all| all.iter().map(Member::json).collect::<Vec<_>>());
                Change::CountrySet(name(SETS[at]), members.map(|all| read(json!({"members": all}))))
            }
            Self::Provider(at, spec) => Change::Provider(name(format!("p{at}")), spec.map(read)),
            Self::Site(at, site) => Change::Site(name(format!("s{at}")), site.map(|s| read(s.json()))),
            Self::Cluster(at, cluster) => {
                let object = cluster.map(|c| Box::new(read(c.json(at))));
                Change::Cluster(name(format!("c{at}")), object)
            }
            Self::Seen(at, minutes) => Change::Seen(name(format!("c{at}")), ago(minutes)),
            Self::HubSeen(minutes) => Change::HubSeen(ago(minutes)),
            Self::Taken(at, namespace, taken) => {
                Change::NamespaceTaken(name(format!("c{at}")), namespace_name(namespace), taken)
            }
            Self::Decision(at, decision) => {
                let spec = decision.map(|d| Arc::new(read(d.json())));
                Change::Decision(name(format!("d{at}")), spec)
            }
            Self::Tenant(at, tenant) => {
                Change::Tenant(tenant_name(at), tenant.map(|t| Box::new(read(t.json(at)))))
            }
            Self::Namespace(at, label) => {
                Change::Namespace(namespace_name(at), label.map(|tenant| tenant.map(tenant_name)))
            }
            Self::Workload(at, workload) => {
                Change::Workload(key(at), workload.map(|w| Box::new(read(w.json(at)))))
            }
            Self::Assignment(at, seats) => {
                let seats = seats.map(|seats| Box::new(read(assignment(at, &seats))));
                Change::Assignment(key(at), seats)
            }
            Self::Migration(at, migration) => {
                let seat = migration.map_or(0, |m| m.0);
                let object = migration.map(|m| Box::new(read(move_json(at, m))));
                Change::Migration(key(at), format!("m{seat}"), object)
            }
        }
    }
}

pub(crate) fn tenant_name(at: usize) -> TenantName {
    name(format!("t{at}"))
}

fn namespace_name(at: usize) -> NamespaceName {
    name(NAMESPACES[at])
}

impl Member {
    fn json(&self) -> Value {
        object([
            ("country", json!(self.country)),
            ("basis", json!("Membership")),
            ("source", json!("treaty")),
            ("from", json!(self.from.map(instant))),
            ("until", json!(self.until.map(instant))),
            ("scope", if self.scope { json!("some") } else { Value::Null }),
        ])
    }
}

impl Site {
    fn json(&self) -> Value {
        object([
            ("operatedBy", json!(format!("p{}", self.operator))),
            ("ownedBy", json!(format!("p{}", self.owner))),
            ("country", json!(self.country)),
            ("state", json!(self.state)),
            ("onlineFrom", json!(self.online_from.map(instant))),
        ])
    }
}

impl Cluster {
    fn json(&self, at: usize) -> Value {
        let mut spec = json!({"site": format!("s{}", self.site), "scheduling": self.scheduling});
        spec["connection"] = json!({"kubeconfigSecret": "x"});
        if self.classes {
            spec["classes"] = json!({"storage": {"fast": "a"}, "ingress": {"web": "b"}});
        }
        if let Some(cpu) = self.cpu {
            spec["capacity"] = json!({"cpu": cpu});
        }
        let mut value = resource("MemberCluster", &format!("c{at}"), spec);
        let since = (start() + SignedDuration::from_mins(self.since)).to_string();
        let ready = |status: &str| json!([{"type": "Ready", "status": status, "reason": "x", "message": "", "lastTransitionTime": since}]);
        value["status"] = object([
            ("clusterId", if self.observed { json!("x") } else { Value::Null }),
            ("tenants", json!(self.tenants.iter().map(|t| format!("t{t}")).collect::<Vec<_>>())),
            ("kindsNotServed", json!(self.lacks)),
            ("conditions", self.ready.map(ready).unwrap_or_default()),
        ]);
        if self.leaving {
            value["metadata"]["deletionTimestamp"] = json!(START);
        }
        value
    }
}

impl Decision {
    fn json(&self) -> Value {
        object([
            ("subject", json!({"kind": self.kind, "name": self.name})),
            ("decision", json!(self.verdict)),
            ("basis", json!("Law")),
            ("validFrom", json!(self.from.map(instant))),
            ("validUntil", json!(self.until.map(instant))),
            ("scope", self.scope.clone()),
            ("authority", json!(self.authority)),
            ("decidedBy", json!("ann")),
            ("reason", json!("because")),
            ("supersedes", json!(self.supersedes)),
            ("liftableBy", if self.liftable { json!(AUTHORITIES) } else { json!([]) }),
        ])
    }
}

impl Tenant {
    fn json(&self, at: usize) -> Value {
        let mut namespaces = if at == 0 { vec!["n0", "n2"] } else { vec!["n1"] };
        if self.greedy && at == 1 {
            namespaces.push("n2");
        }
        json!({
            "namespaces": namespaces, "residency": self.residency, "providers": self.providers,
            "preferences": self.preferences, "migration": {"mode": self.mode},
            "onApprovalExpired": if self.evacuates { "Evacuate" } else { "Hold" },
        })
    }
}

impl Workload {
    fn json(&self, at: usize) -> Value {
        let (namespace, name) = WORKLOADS[at].split_once('/').unwrap();
        let spec = json!({
            "manifests": self.manifests, "clusters": {"count": self.count, "spreadBy": self.spread},
            "residency": self.residency, "preferences": self.preferences,
        });
        let mut value = resource("TenantWorkload", name, spec);
        value["metadata"] = json!({"name": name, "namespace": namespace, "uid": format!("uid-{at}-{}", self.uid), "generation": 1});
        value
    }
}

fn assignment(at: usize, seats: &[(i32, usize, bool)]) -> Value {
    let (namespace, name) = WORKLOADS[at].split_once('/').unwrap();
    let seat = |(ordinal, cluster, leaving): &(i32, usize, bool)| {
        json!({"ordinal": ordinal, "cluster": format!("c{cluster}"), "epoch": 1, "generation": 1,
               "phase": if *leaving { "Leaving" } else { "Active" }})
    };
    let tenant = if namespace == "n1" { "t1" } else { "t0" };
    let seats: Vec<_> = seats.iter().map(seat).collect();
    let mut value = resource("Assignment", name, json!({"tenant": tenant, "seats": seats}));
    value["metadata"]["namespace"] = json!(namespace);
    value
}

fn move_json(at: usize, (seat, from, to, ended): (i32, usize, usize, bool)) -> Value {
    let (namespace, name) = WORKLOADS[at].split_once('/').unwrap();
    let mut value = resource(
        "Migration",
        &format!("m{seat}"),
        json!({"workload": name, "tenant": if namespace == "n1" { "t1" } else { "t0" }, "seat": seat,
               "from": format!("c{from}"), "to": format!("c{to}"), "epoch": 2, "generation": 1,
               "cause": {"kind": "Draining", "subject": "MemberCluster/x"}, "digest": "0123456789abcdef"}),
    );
    value["metadata"]["namespace"] = json!(namespace);
    if ended {
        value["status"] = json!({"step": "Completed"});
    }
    value
}
