//! What is drawn of each kind of fact, and how often.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;

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
