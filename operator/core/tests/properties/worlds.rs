//! Random worlds: few names, countries and instants, so that what is drawn meets.
//!
//! Most of what is drawn is lawful, or nothing would ever be placed.

use std::sync::Arc;

use domicile_core::Change;
use domicile_crds::{NamespaceName, TenantName, WorkloadKey};
use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[path = "owners.rs"]
pub(crate) mod owners;

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

/// Mostly the first.
fn mostly<T: Clone + std::fmt::Debug + 'static>(usual: T, others: Vec<T>) -> BoxedStrategy<T> {
    prop_oneof![14 => Just(usual), 1 => select(others)].boxed()
}

fn country() -> impl Strategy<Value = &'static str> {
    select(&COUNTRIES[..])
}

fn edge() -> impl Strategy<Value = Instant> {
    option::weighted(0.1, -2..10_i64)
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let member = (select(&COUNTRIES[..]), edge(), edge(), prop::bool::weighted(0.2));
    let member = member.prop_map(|(country, from, until, scope)| Member { country, from, until, scope });
    vec(member, 1..6)
}

fn site() -> impl Strategy<Value = Site> {
    let state = mostly("Online", vec!["Planned", "Closing", "Offline"]);
    (0..PROVIDERS, 0..PROVIDERS, country(), state, edge()).prop_map(
        |(operator, owner, country, state, online_from)| Site {
            operator,
            owner,
            country,
            state,
            online_from,
        },
    )
}

fn cluster(limits: bool) -> impl Strategy<Value = Cluster> {
    let ready = mostly(Some("True"), vec![Some("False"), Some("Unknown"), None]);
    let cpu =
        if limits { select(vec![None, Some("1"), Some("2"), Some("2")]).boxed() } else { Just(None).boxed() };
    let seen = (
        ready,
        select(vec![-60, -60, -60, -1, 0, 1, 3, 7]),
        prop::bool::weighted(0.95),
        mostly(vec![0, 1], vec![vec![0], vec![1], vec![]]),
    );
    let offers = (mostly(&[][..], vec![&["Ingress"][..], &["Deployment"]]), prop::bool::weighted(0.9), cpu);
    let scheduling = mostly("Open", vec!["Cordoned", "Draining"]);
    (0..SITES, scheduling, seen, offers, prop::bool::weighted(0.05)).prop_map(
        |(site, scheduling, (ready, since, observed, tenants), (lacks, classes, cpu), leaving)| Cluster {
            site,
            scheduling,
            ready,
            since,
            observed,
            tenants,
            lacks,
            classes,
            cpu,
            leaving,
        },
    )
}

fn subject() -> impl Strategy<Value = (&'static str, String)> {
    prop_oneof![
        4 => (0..PROVIDERS).prop_map(|at| ("HostingProvider", format!("p{at}"))),
        1 => (0..SITES).prop_map(|at| ("Site", format!("s{at}"))),
        1 => (0..2_usize).prop_map(|at| ("Tenant", format!("t{at}"))),
        1 => select(&WORKLOADS[..]).prop_map(|name| ("TenantWorkload", name.to_owned())),
        // What one counts as that can't be read.
        1 => Just(("Tenant", "*".to_owned())),
    ]
}

fn scope() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({})),
        1 => select(&COUNTRIES[..]).prop_map(|c| json!({"countries": [c]})),
        1 => (0..SITES).prop_map(|at| json!({"sites": [format!("s{at}")]})),
        1 => (0..2).prop_map(|at| json!({"tenants": [format!("t{at}")]})),
    ]
}

/// A decision. One of the last few names doesn't exist at first, so that some name a missing one.
pub(crate) fn decision() -> impl Strategy<Value = Decision> {
    let verdict =
        prop_oneof![3 => Just("Approved"), 1 => select(vec!["Frozen", "Suspended", "Revoked", "Revoked"])];
    let power = (mostly(AUTHORITIES[0], AUTHORITIES.to_vec()), prop::bool::weighted(0.2));
    let supersedes =
        mostly(vec![], (0..DECISIONS).map(|at| vec![at]).chain([vec![0, 1], vec![8, 2]]).collect());
    (subject(), verdict, (edge(), edge()), scope(), power, supersedes).prop_map(
        |((kind, name), verdict, (from, until), scope, (authority, liftable), supersedes)| Decision {
            kind,
            name,
            verdict,
            from,
            until,
            scope,
            authority,
            liftable,
            supersedes: supersedes.iter().map(|at| format!("d{at}")).collect(),
        },
    )
}

fn country_ref() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => select(&COUNTRIES[..]).prop_map(|c| json!({"country": c})),
        3 => mostly("near", SETS.to_vec()).prop_map(|set| json!({"countrySet": set})),
        1 => Just(json!({"countrySet": "far", "scopes": ["some"]})),
    ]
}

fn residency(usual: Value) -> impl Strategy<Value = Value> {
    let drawn = (vec(country_ref(), 0..3), vec(country_ref(), 0..2));
    let drawn = drawn.prop_map(|(allowed, denied)| json!({"allowed": allowed, "denied": denied}));
    prop_oneof![8 => Just(usual), 2 => drawn]
}

fn preferences() -> impl Strategy<Value = Vec<Value>> {
    let place = prop_oneof![
        select(&COUNTRIES[..]).prop_map(|c| json!({"country": c})),
        select(&SETS[..]).prop_map(|set| json!({"countrySet": set})),
        (0..SITES).prop_map(|at| json!({"site": format!("s{at}")})),
        (0..PROVIDERS).prop_map(|at| json!({"provider": format!("p{at}")})),
    ];
    prop_oneof![1 => Just(vec![]), 2 => vec(place, 1..4)]
}

fn tenant() -> impl Strategy<Value = Tenant> {
    let all: Vec<_> = COUNTRIES.iter().map(|c| json!({"country": c})).collect();
    let mode = select(vec!["Automatic", "Automatic", "Approval", "Manual"]);
    let wishes = (residency(json!({"allowed": all})), owners::policy());
    (wishes, preferences(), mode, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |((residency, providers), preferences, mode, evacuates, greedy)| Tenant {
            residency,
            providers,
            preferences,
            mode,
            evacuates,
            greedy,
        },
    )
}

fn manifests() -> impl Strategy<Value = Vec<Value>> {
    let deployment = |cpu: &str| {
        let container = json!({"name": "x", "resources": {"requests": {"cpu": cpu}}});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
               "spec": {"template": {"spec": {"containers": [container]}}}})
    };
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x"},
                       "spec": {"storageClassName": "fast"}});
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "x"},
                         "spec": {"ingressClassName": "web"}});
    let small = vec![deployment("100m")];
    let others = vec![
        vec![deployment("600m")],
        vec![deployment("1100m")],
        vec![deployment("500m"), ingress],
        vec![deployment("100m"), claim],
        vec![json!({"apiVersion": "v1", "kind": "Pod"})],
    ];
    prop_oneof![2 => Just(small), 2 => select(others)]
}

fn workload() -> impl Strategy<Value = Workload> {
    let spread = select(vec!["Site", "Provider", "Country"]);
    let own = prop_oneof![3 => Just(vec![]), 1 => preferences()];
    (0..3_u8, select(vec![1, 1, 2, 3]), spread, residency(json!({})), own, manifests()).prop_map(
        |(uid, count, spread, residency, preferences, manifests)| Workload {
            uid,
            count,
            spread,
            residency,
            preferences,
            manifests,
        },
    )
}

/// Copies of distinct numbers on distinct clusters.
fn seats() -> impl Strategy<Value = Vec<(i32, usize, bool)>> {
    let places = Just((0..CLUSTERS).collect::<Vec<_>>()).prop_shuffle();
    (places, vec(prop::bool::weighted(0.1), 0..3)).prop_map(|(places, leaving)| {
        (0..).zip(places).zip(leaving).map(|((ordinal, place), leaving)| (ordinal, place, leaving)).collect()
    })
}

fn migration() -> impl Strategy<Value = (i32, usize, usize, bool)> {
    (0..2_i32, 0..CLUSTERS, 1..CLUSTERS, prop::bool::weighted(0.2))
        .prop_map(|(seat, from, step, ended)| (seat, from, (from + step) % CLUSTERS, ended))
}

/// There or, less often, not.
fn there<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    option::weighted(0.96, strategy)
}

/// Any one fact that may change.
pub(crate) fn fact(limits: bool) -> impl Strategy<Value = Fact> {
    prop_oneof![
        2 => (0..2_usize, there(members())).prop_map(|(at, set)| Fact::Set(at, set)),
        3 => (0..PROVIDERS).prop_flat_map(|at| {
            option::weighted(0.8, owners::provider(at)).prop_map(move |spec| Fact::Provider(at, spec))
        }),
        3 => (0..SITES, there(site())).prop_map(|(at, site)| Fact::Site(at, site)),
        5 => (0..CLUSTERS, there(cluster(limits))).prop_map(|(at, cluster)| Fact::Cluster(at, cluster)),
        2 => (0..CLUSTERS, 0..14_i64).prop_map(|(at, ago)| Fact::Seen(at, ago)),
        1 => (0..14_i64).prop_map(Fact::HubSeen),
        1 => (0..CLUSTERS, 0..3_usize, any::<bool>()).prop_map(|(at, ns, taken)| Fact::Taken(at, ns, taken)),
        5 => (0..DECISIONS, there(decision())).prop_map(|(at, decision)| Fact::Decision(at, decision)),
        3 => (0..2_usize, there(tenant())).prop_map(|(at, tenant)| Fact::Tenant(at, tenant)),
        1 => (0..3_usize, option::of(option::of(0..2_usize))).prop_map(|(at, label)| Fact::Namespace(at, label)),
        4 => (0..WORKLOADS.len(), there(workload())).prop_map(|(at, workload)| Fact::Workload(at, workload)),
        3 => (0..WORKLOADS.len(), there(seats())).prop_map(|(at, seats)| Fact::Assignment(at, seats)),
        2 => (0..WORKLOADS.len(), there(migration())).prop_map(|(at, m)| Fact::Migration(at, m)),
    ]
}

/// One fact about each thing of a world: all that there is to know of it at the start.
pub(crate) fn world(limits: bool) -> impl Strategy<Value = Vec<Fact>> {
    let sets = vec(there(members()), 2);
    let kept = |at| option::weighted(0.98, owners::provider(at));
    let providers = (kept(0), kept(1), kept(2));
    let providers = providers.prop_map(|(a, b, c)| [a, b, c]);
    let decisions = vec(option::weighted(0.35, decision()), DECISIONS - PROVIDERS);
    let facts =
        (sets, providers, vec(there(site()), SITES), vec(there(cluster(limits)), CLUSTERS), decisions);
    let seen = vec(prop_oneof![9 => 0..4_i64, 1 => 8..14_i64], CLUSTERS);
    let tenants = vec(option::weighted(0.95, tenant()), 2);
    let workloads = vec(option::weighted(0.9, workload()), WORKLOADS.len());
    let assignments = vec(option::weighted(0.6, seats()), WORKLOADS.len());
    let moves = vec(option::weighted(0.2, migration()), WORKLOADS.len());
    (facts, seen, tenants, workloads, (assignments, moves)).prop_map(
        |((sets, providers, sites, clusters, decisions), seen, tenants, workloads, (assignments, moves))| {
            let mut all = vec![Fact::HubSeen(0)];
            all.extend((0..).zip(sets).map(|(at, set)| Fact::Set(at, set)));
            all.extend((0..).zip(providers).map(|(at, spec)| Fact::Provider(at, spec)));
            all.extend((0..).zip(sites).map(|(at, site)| Fact::Site(at, site)));
            all.extend((0..).zip(clusters).map(|(at, cluster)| Fact::Cluster(at, cluster)));
            all.extend((0..).zip(seen).map(|(at, ago)| Fact::Seen(at, ago)));
            // Each provider has an approval that nothing else is said of.
            all.extend((0..PROVIDERS).map(|at| Fact::Decision(at, Some(approval(at)))));
            all.extend((PROVIDERS..).zip(decisions).map(|(at, decision)| Fact::Decision(at, decision)));
            all.extend((0..).zip(tenants).map(|(at, tenant)| Fact::Tenant(at, tenant)));
            all.extend(
                [0, 1, 0].into_iter().enumerate().map(|(at, tenant)| Fact::Namespace(at, Some(Some(tenant)))),
            );
            all.extend((0..).zip(workloads).map(|(at, workload)| Fact::Workload(at, workload)));
            all.extend((0..).zip(assignments).map(|(at, seats)| Fact::Assignment(at, seats)));
            all.extend((0..).zip(moves).map(|(at, migration)| Fact::Migration(at, migration)));
            all
        },
    )
}

/// The routine approval of a provider.
pub(crate) fn approval(provider: usize) -> Decision {
    Decision {
        kind: "HostingProvider",
        name: format!("p{provider}"),
        verdict: "Approved",
        from: None,
        until: None,
        scope: json!({}),
        authority: AUTHORITIES[0],
        liftable: false,
        supersedes: vec![],
    }
}
