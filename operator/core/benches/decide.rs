//! How long deciding takes: one workload after another, and all that a revocation concerns.
//!
//! Fifty tenants with four policies each; a tenth of the clusters belongs to each of ten providers; half of the
//! clusters declare their capacity, and the load is spread over all.
//!
//! `cargo bench -p domicile-core` takes some three minutes and 3 GB. Run as a test, it only tries the smallest fleet.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is built here is valid, or the benchmark fails"
)]

use std::{collections::BTreeSet, hint::black_box, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use domicile_core::{Change, Engine, decide::decide_all};
use domicile_crds::{
    Assignment, AssignmentSpec, COUNTRY_CODES, Seat, SeatPhase, TenantWorkload, WorkloadKey,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const TENANTS: usize = 50;
const POLICIES: usize = 4;
const PROVIDERS: usize = 10;
/// How many are decided in one go.
const BATCH: usize = 1000;

/// Fleets, as clusters × workloads.
const FLEETS: [(usize, usize); 9] = [
    (10, 1_000),
    (10, 100_000),
    (100, 1_000),
    (100, 100_000),
    (1_000, 1_000),
    (1_000, 100_000),
    (10_000, 1_000),
    (10_000, 100_000),
    (10_000, 1_000_000),
];

struct Fleet {
    engine: Engine,
    now: Timestamp,
    keys: Vec<WorkloadKey>,
    /// Tenants ask for independence, a home, laws and a certificate.
    asks: bool,
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

/// A country for each site: the first thirty of the alphabet.
fn country(at: usize) -> &'static str {
    COUNTRY_CODES.iter().cycle().nth(at % 30).unwrap()
}

impl Fleet {
    fn new(clusters: usize, workloads: usize, asks: bool) -> Self {
        let now: Timestamp = name("2026-06-01T12:00:00Z");
        let mut fleet = Self { engine: Engine::default(), now, keys: Vec::new(), asks };
        fleet.apply(Change::HubSeen(now));
        fleet.places(clusters, workloads);
        let kinds = (0..POLICIES).map(workload).collect::<Vec<_>>();
        for tenant in 0..TENANTS {
            fleet.tenant(tenant);
        }
        for at in 0..workloads {
            fleet.add(at, &kinds);
        }
        fleet.engine.advance(now);
        for at in 0..workloads {
            fleet.record(at);
        }
        // More workloads that have no place yet.
        for at in workloads..workloads + BATCH {
            fleet.add(at, &kinds);
        }
        fleet.settle();
        fleet
    }

    fn apply(&mut self, change: Change) {
        self.engine.apply(change, self.now);
    }

    /// Brings everything up to date. Answers how many were decided.
    fn settle(&mut self) -> usize {
        self.engine.advance(self.now);
        let keys = self.engine.take_dirty();
        black_box(self.engine.decide(&keys, self.now));
        keys.len()
    }

    fn places(&mut self, clusters: usize, workloads: usize) {
        let members: Vec<_> = (0..30)
            .map(|at| json!({"country": country(at), "basis": "Membership", "source": "treaty"}))
            .collect();
        self.apply(Change::CountrySet(name("most"), Some(read(json!({"members": members})))));
        for provider in 0..PROVIDERS {
            let provider = format!("p{provider}");
            self.provider(&provider, 60);
            self.decide(&format!("{provider}-1"), &provider, "Approved");
        }
        // Room for twice the load, were it spread evenly.
        let cpu = (workloads / clusters + 1) / 5 + 1;
        let tenants: Vec<_> = (0..TENANTS).map(|at| format!("t{at}")).collect();
        for at in 0..clusters {
            let (site, provider) = (at / PROVIDERS, at % PROVIDERS);
            let site = format!("s{site}-{provider}");
            let owner = format!("p{provider}");
            let spec =
                json!({"operatedBy": owner, "ownedBy": owner, "country": country(at), "state": "Online"});
            self.apply(Change::Site(name(&site), Some(read(spec))));
            let ready = json!({"type": "Ready", "status": "True", "reason": "x", "message": "",
                               "lastTransitionTime": "2026-01-01T00:00:00Z"});
            let mut object = json!({
                "apiVersion": "domicile.dev/v1alpha1", "kind": "MemberCluster", "metadata": {"name": "x"},
                "spec": {"site": site, "connection": {"kubeconfigSecret": "x"}, "classes": {"ingress": {"web": "x"}}},
                "status": {"clusterId": "x", "tenants": tenants, "conditions": [ready]},
            });
            if (at / PROVIDERS).is_multiple_of(2) {
                object["spec"]["capacity"] = json!({"cpu": cpu.to_string()});
            }
            let cluster = format!("c{at}");
            self.apply(Change::Cluster(name(&cluster), Some(Box::new(read(object)))));
            self.apply(Change::Seen(name(&cluster), self.now));
        }
    }

    /// A provider that a holding has by so much, and that by two others, who are a person's each.
    fn provider(&mut self, provider: &str, percent: usize) {
        let all = |share: usize| json!({"min": share, "max": share});
        let person =
            |of: &str| json!({"kind": "Person", "name": format!("owner of {of}"), "country": country(3)});
        let company = |name: &str| json!({"kind": "Entity", "name": name, "provider": name});
        let held = |holders: &[(Value, usize)]| -> Vec<Value> {
            let both = |(holder, share): &(Value, usize)| {
                ["Capital", "Votes"].map(|it| json!({"holder": holder, "interest": it, "share": all(*share)}))
            };
            holders.iter().flat_map(both).collect()
        };
        let record = |name: &str, ownership: Vec<Value>| {
            let mut spec = json!({"legalName": name, "registeredIn": country(3)});
            if self.asks {
                let more = json!({
                    "headquarteredIn": country(3), "subjectTo": [], "operatedFrom": [country(3)],
                    "certifications": [{"scheme": "C5"}], "ownership": ownership,
                });
                spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            }
            Change::Provider(domicile_crds::ProviderName::new(name).unwrap(), Some(read(spec)))
        };
        let (holding, left, right) =
            (format!("{provider}-h"), format!("{provider}-l"), format!("{provider}-r"));
        let mut changes =
            vec![record(provider, held(&[(company(&holding), percent), (person(provider), 100 - percent)]))];
        if self.asks {
            changes.push(record(&holding, held(&[(company(&left), 50), (company(&right), 50)])));
            changes.extend([&left, &right].map(|one| record(one, held(&[(person(one), 100)]))));
        }
        for change in changes {
            self.apply(change);
        }
    }

    fn decide(&mut self, decision: &str, provider: &str, verdict: &str) {
        let spec = json!({
            "subject": {"kind": "HostingProvider", "name": provider}, "decision": verdict, "basis": "Law",
            "authority": "ministry", "decidedBy": "ann", "reason": "because",
        });
        self.apply(Change::Decision(name(decision), Some(Arc::new(read(spec)))));
    }

    fn tenant(&mut self, at: usize) {
        let tenant = format!("t{at}");
        let mut spec = json!({
            "namespaces": [tenant], "migration": {"mode": "Automatic"},
            "residency": {"allowed": [{"countrySet": "most"}], "denied": [{"country": country(at)}]},
        });
        if self.asks {
            spec["providers"] = json!({
                "independentOf": ["p0"], "homeCountrySet": "most", "certifications": [{"scheme": "C5"}],
                "notSubjectTo": [{"jurisdiction": "US"}],
            });
        }
        self.apply(Change::Tenant(name(&tenant), Some(Box::new(read(spec)))));
        self.apply(Change::Namespace(name(&tenant), Some(Some(name(&tenant)))));
    }

    fn add(&mut self, at: usize, kinds: &[TenantWorkload]) {
        let (tenant, workload) = (format!("t{}", at % TENANTS), format!("w{at}"));
        let mut object = kinds.get(at / TENANTS % POLICIES).unwrap().clone();
        object.metadata.name = Some(workload.clone());
        object.metadata.namespace = Some(tenant.clone());
        object.metadata.uid = Some(format!("uid-{at}"));
        if at / TENANTS % POLICIES == 2 {
            let liked = [1, 2].map(|step| json!({"country": country(at % TENANTS + step)}));
            object.spec.preferences = read(json!(liked));
        }
        let key = WorkloadKey::new(&tenant, &workload).unwrap();
        self.apply(Change::Workload(key.clone(), Some(Box::new(object))));
        self.keys.push(key);
    }

    /// Puts a workload on record at one of the clusters that it may have and likes best, all in turn.
    fn record(&mut self, at: usize) {
        let key = self.keys[at].clone();
        let (_, open) = &self.engine.classes().of(&key).unwrap().open[0];
        let id = open[at / TENANTS % open.len()];
        let seat = Seat {
            ordinal: 0,
            cluster: self.engine.world().cluster(id).unwrap().name.clone(),
            epoch: 1,
            generation: 1,
            phase: SeatPhase::Active,
            inventory: vec![],
            completed_jobs: vec![],
        };
        let tenant = Some(name(key.namespace.as_str()));
        let spec = AssignmentSpec { tenant, seats: vec![seat], ..AssignmentSpec::default() };
        let object = Assignment::new(key.name.as_str(), spec);
        self.apply(Change::Assignment(key, Some(Box::new(object))));
    }
}

/// A workload of one of the policies: as the tenant says, narrowed, with preferences, or with another kind.
fn workload(policy: usize) -> TenantWorkload {
    let container = json!({"name": "x", "image": "x", "resources": {"requests": {"cpu": "100m"}}});
    let mut manifests =
        vec![json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
               "spec": {"template": {"spec": {"containers": [container]}}}})];
    let mut spec = json!({});
    match policy {
        1 => spec["residency"] = json!({"denied": [{"country": country(7)}, {"country": country(8)}]}),
        3 => manifests.push(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                                   "metadata": {"name": "x"}, "spec": {"ingressClassName": "web"}})),
        _ => {}
    }
    spec["manifests"] = json!(manifests);
    read(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "metadata": {"name": "x"},
                "spec": spec}))
}

/// Keys from all over a list.
fn sample(keys: &[WorkloadKey]) -> BTreeSet<WorkloadKey> {
    keys.iter().step_by((keys.len() / BATCH).max(1)).take(BATCH).cloned().collect()
}

fn benches(criterion: &mut Criterion) {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let fleets =
        FLEETS.iter().filter(|(clusters, _)| measured || *clusters == 10).take(if measured { 9 } else { 1 });
    let asking = FLEETS.iter().filter(|(clusters, workloads)| measured && *clusters * 10 == *workloads);
    let all = fleets.map(|size| (size, false)).chain(asking.map(|size| (size, true)));
    for ((clusters, workloads), asks) in all {
        let (clusters, workloads) = (*clusters, *workloads);
        let mut fleet = Fleet::new(clusters, workloads, asks);
        let size = format!("{clusters}x{workloads}{}", if asks { "-asking" } else { "" });
        let (placed, new) = fleet.keys.split_at(workloads);
        let cases = [("stay", sample(placed)), ("place", sample(new))];
        let mut group = criterion.benchmark_group("decide");
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Elements(BATCH as u64));
        for (what, keys) in &cases {
            group.bench_function(BenchmarkId::new(*what, &size), |bencher| {
                bencher.iter(|| decide_all(fleet.engine.world(), fleet.engine.classes(), keys, fleet.now));
            });
        }
        group.finish();
        if clusters == 10_000 {
            replan(criterion, &mut fleet, &size);
        }
        if asks {
            restate(criterion, &mut fleet, &size);
        }
    }
}

/// Everything that follows from the revocation of a provider that hosts a tenth: from the change to all verdicts.
fn replan(criterion: &mut Criterion, fleet: &mut Fleet, size: &str) {
    let mut group = criterion.benchmark_group("replan");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(8));
    let mut decided = 0;
    group.bench_function(BenchmarkId::new("revoked", size), |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
                let begun = std::time::Instant::now();
                fleet.decide("revoked", "p5", "Revoked");
                decided = fleet.settle();
                spent += begun.elapsed();
                fleet.apply(Change::Decision(name("revoked"), None));
                fleet.settle();
            }
            spent
        });
    });
    group.finish();
    #[expect(clippy::print_stderr, reason = "says what the time above was spent on")]
    {
        eprintln!("replan/revoked/{size}: {decided} workloads decided anew");
    }
}

/// The ownership of a provider that hosts a tenth, and of those behind it, is written anew, four objects in all, and nothing follows from it:
/// from the change until that is known.
fn restate(criterion: &mut Criterion, fleet: &mut Fleet, size: &str) {
    let mut group = criterion.benchmark_group("replan");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(8));
    let mut decided = 0;
    group.bench_function(BenchmarkId::new("restated", size), |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for at in 0..times {
                #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
                let begun = std::time::Instant::now();
                fleet.provider("p5", if at % 2 == 0 { 40 } else { 60 });
                decided = fleet.settle();
                spent += begun.elapsed();
            }
            spent
        });
    });
    group.finish();
    #[expect(clippy::print_stderr, reason = "says what the time above was spent on")]
    {
        eprintln!("replan/restated/{size}: {decided} workloads decided anew");
    }
}

criterion_group!(all, benches);
criterion_main!(all);
