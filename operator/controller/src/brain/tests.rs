//! What the brain makes of answers, and what it withholds: with a hub and members that never answer by themselves.

use domicile_core::orders::Order;
use domicile_crds::MigrationStep;
use kube::client::Body;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{outcome::Outcome, *};
use crate::{
    hub::HubObject,
    member::{Connection, Member, act::Applied, error::MemberError, verify::Found},
};

const NAMESPACE: &str = "shop";

fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

fn namespace() -> NamespaceName {
    NAMESPACE.parse().unwrap()
}

fn web() -> WorkloadKey {
    WorkloadKey::new(NAMESPACE, "web").unwrap()
}

fn silent() -> Client {
    let never =
        |_: http::Request<Body>| std::future::pending::<Result<http::Response<Body>, tower::BoxError>>();
    Client::new(tower::service_fn(never), "default")
}

fn brain() -> Brain {
    let hands = Hands {
        client: silent(),
        tenure: Tenure::lasting(Duration::from_mins(1)),
        namespace: "domicile".to_owned(),
        inputs: mpsc::channel(64).0,
        metrics: Arc::new(Metrics::new()),
        me: Arc::default(),
    };
    Brain::new(hands, Arc::default(), Broken::default())
}

fn object<T: DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> Arc<T> {
    let meta = json!({"name": name, "namespace": NAMESPACE, "uid": name, "generation": 1});
    let object = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec});
    Arc::new(serde_json::from_value(object).unwrap())
}

/// Connects a member, anew if it was.
fn connect(brain: &mut Brain, name: &str) -> Connection {
    let spec = json!({"site": "somewhere", "connection": {"kubeconfigSecret": name}});
    brain.there(HubObject::Cluster(object("MemberCluster", name, &spec)), noon());
    let member = Arc::new(Member::new(cluster(name), silent()));
    let connection = member.connection;
    brain.members.get_mut(&cluster(name)).unwrap().member = Some(member);
    connection
}

/// A move of `web` from nl to de, where its copy is at nl.
fn moving(brain: &mut Brain) -> Arc<Migration> {
    let seat = json!({"ordinal": 0, "cluster": "nl", "epoch": 1, "generation": 1, "phase": "Active", "inventory": []});
    let spec = json!({"tenant": "shop", "seats": [seat]});
    brain.there(HubObject::Assignment(object("Assignment", "web", &spec)), noon());
    let spec = json!({
        "workload": "web", "tenant": "shop", "seat": 0, "from": "nl", "to": "de", "epoch": 2, "generation": 1,
        "cause": {"kind": "ApprovalRevoked", "subject": "Decision/polder-2"}, "compulsory": true, "digest": "0",
    });
    let migration: Arc<Migration> = object("Migration", "web-0-1", &spec);
    brain.there(HubObject::Migration(migration.clone()), noon());
    migration
}

fn taken() -> MemberError {
    let (cluster, namespace) = ("nl".to_owned(), NAMESPACE.to_owned());
    MemberError::NamespaceTaken { cluster, namespace, found: "is somebody else's".to_owned() }
}

#[tokio::test]
async fn what_an_old_connection_answers_says_nothing_of_the_new_one() {
    let mut brain = brain();
    let (old, new) = (connect(&mut brain, "nl"), connect(&mut brain, "nl"));
    let answer = |connection| Done::Listed(cluster("nl"), namespace(), connection, Err(taken()));
    brain.take_done(answer(old), noon());
    assert!(!brain.is_taken(&cluster("nl"), &namespace()));
    brain.take_done(answer(new), noon());
    assert!(brain.is_taken(&cluster("nl"), &namespace()));
}

#[tokio::test]
async fn a_set_up_from_before_gives_no_namespace_back() {
    let mut brain = brain();
    let connection = connect(&mut brain, "nl");
    brain.take_done(Done::Listed(cluster("nl"), namespace(), connection, Err(taken())), noon());
    let applied = Outcome::Applied { ordinal: 0, applied: Applied { setup: Some(7), ..Applied::default() } };
    let slot = Slot::Member(cluster("nl"));
    brain.take_done(Done::OnMember(web(), slot, connection, Box::new(applied)), noon());
    assert!(brain.is_taken(&cluster("nl"), &namespace()));
    brain.namespace_is(&cluster("nl"), &namespace(), Found::As(7), noon());
    assert!(!brain.is_taken(&cluster("nl"), &namespace()), "listing it does");
}

#[tokio::test]
async fn a_move_ends_only_when_nothing_is_under_way_at_its_target() {
    let mut brain = brain();
    let migration = moving(&mut brain);
    let end = || Order::FinishMigration {
        name: migration.metadata.name.clone().unwrap(),
        step: MigrationStep::RolledBack,
        message: "it was given up".to_owned(),
        given_up: true,
    };
    let (record, target) = ((web(), Slot::Record), (web(), Slot::Member(cluster("de"))));
    brain.busy.insert(target.clone());
    brain.hand_out(&web(), end(), noon());
    assert!(!brain.busy.contains(&record));
    brain.busy.remove(&target);
    // What is under way at its source brings nothing to the target.
    brain.busy.insert((web(), Slot::Member(cluster("nl"))));
    brain.hand_out(&web(), end(), noon());
    assert!(brain.busy.contains(&record));
}

#[tokio::test]
async fn what_was_wrong_where_a_move_has_left_is_forgotten() {
    let mut brain = brain();
    let migration = moving(&mut brain);
    for (at, kind) in [("nl", "apply"), ("de", "apply"), ("de", "namespace"), ("de", "pods")] {
        let problem = taken().problem(at, "Namespace");
        brain.problems.entry(web()).or_default().insert((cluster(at), kind), vec![problem]);
    }
    let ended = |ended| {
        let written = Ok(Box::new((*migration).clone()));
        let outcome = Outcome::Migration { given_up: true, ended, written };
        Done::Workload(web(), Slot::Record, Box::new(outcome))
    };
    brain.take_done(ended(false), noon());
    assert_eq!(brain.problems[&web()].len(), 4);
    brain.take_done(ended(true), noon());
    // It is still at nl; whose pods are wrong is looked at anew with each look at pods.
    let left: Vec<_> = brain.problems[&web()].keys().cloned().collect();
    assert_eq!(left, [(cluster("de"), "pods"), (cluster("nl"), "apply")]);
}

/// A move that has begun wants a turn for each of its steps: behind all of them, those who wait would be told when they have left.
#[tokio::test]
async fn a_status_does_not_wait_behind_records() {
    let mut brain = brain();
    for index in 0..HUB_CALLS_MAX {
        let key = WorkloadKey::new(NAMESPACE, &format!("w{index}")).unwrap();
        assert!(brain.enter(&key, &Slot::Record));
    }
    assert!(!brain.enter(&web(), &Slot::Record));
    assert!(brain.enter(&web(), &Slot::Status));
}
