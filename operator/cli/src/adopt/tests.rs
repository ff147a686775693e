//! What of an object is whose, which objects are meant, and what would change.

use clap::Parser as _;
use domicile_crds::Classes;
use serde_json::{Value, json};

use super::fields::{changes, kept, taken_over};
use super::find::{choose, name_classes};
use crate::args::{AdoptArgs, Cli, Command};

fn args(more: &[&str]) -> AdoptArgs {
    let typed =
        ["kubectl-domicile", "adopt", "shop", "-n", "acme", "--member", "nl", "--member-context", "nl"];
    match Cli::try_parse_from(typed.iter().chain(more)).unwrap().command {
        Command::Adopt(args) => *args,
        other => panic!("{other:?}"),
    }
}

fn object(kind: &str, name: &str, meta: &Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
    let fields = object["metadata"].as_object_mut().unwrap();
    fields.extend(meta.as_object().unwrap().clone());
    object
}

fn set() -> Value {
    let mut set = object("StatefulSet", "db", &json!({}));
    set["spec"] = json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "gp3"}}]});
    set
}

fn namespace() -> Vec<Value> {
    vec![
        object("ConfigMap", "kube-root-ca.crt", &json!({})),
        object("ConfigMap", "web", &json!({"labels": {"domicile.dev/workload": "shop", "app": "web"}})),
        object("ConfigMap", "other", &json!({"labels": {"domicile.dev/workload": "other"}})),
        object(
            "Job",
            "nightly-1",
            &json!({"ownerReferences": [{"kind": "CronJob", "name": "nightly", "uid": "1"}]}),
        ),
        object("NetworkPolicy", "domicile-egress", &json!({})),
        object("PersistentVolumeClaim", "data-db-0", &json!({})),
        object("PersistentVolumeClaim", "data-db-old", &json!({})),
        object("ServiceAccount", "default", &json!({})),
        set(),
    ]
}

fn chosen(more: &[&str]) -> (Vec<String>, Vec<String>) {
    let found = choose(namespace(), &args(more)).unwrap();
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    (found.objects.iter().map(name).collect(), found.notes)
}

#[test]
fn what_nobody_else_has_made_is_meant() {
    let (objects, notes) = chosen(&[]);
    assert_eq!(objects, ["web", "data-db-old", "db"]);
    assert_eq!(
        notes,
        [
            "ConfigMap/other was left out: it is TenantWorkload/other's",
            "Job/nightly-1 was left out: CronJob/nightly has made it",
            "NetworkPolicy/domicile-egress was left out: it is Domicile's own",
            "PersistentVolumeClaim/data-db-0 was left out: its StatefulSet has made it, with which it goes",
        ]
    );
    assert_eq!(chosen(&["--skip", "StatefulSet", "--skip", "PersistentVolumeClaim/data-db-old"]).0, ["web"]);
    let (objects, notes) = chosen(&["ConfigMap/web", "StatefulSet"]);
    assert_eq!((objects, notes.is_empty()), (vec!["web".to_owned(), "db".to_owned()], true));
}

#[test]
fn an_earlier_tries_marks_are_nobodys() {
    let found = choose(namespace(), &args(&["ConfigMap/web"])).unwrap();
    assert_eq!(found.objects[0]["metadata"]["labels"], json!({"app": "web"}));
}

#[test]
fn what_is_named_must_be_there_and_free() {
    let error = |named: &str| choose(namespace(), &args(&[named])).unwrap_err().to_string();
    assert_eq!(error("Deployment/web"), "there is no Deployment/web in namespace acme on the member");
    assert_eq!(error("ConfigMap/other"), "ConfigMap/other can't be adopted: it is TenantWorkload/other's");
    assert_eq!(error("Job"), "Job/nightly-1 can't be adopted: CronJob/nightly has made it");
    assert_eq!(
        error("ServiceAccount/default"),
        "ServiceAccount/default can't be adopted: Kubernetes makes it in each namespace"
    );
}

#[test]
fn classes_are_called_by_the_hubs_names() {
    let classes =
        |name: &str| -> Classes { serde_json::from_value(json!({"storage": {name: "gp3"}})).unwrap() };
    let mut set = set();
    name_classes(&mut set, &classes("fast")).unwrap();
    assert_eq!(set.pointer("/spec/volumeClaimTemplates/0/spec/storageClassName"), Some(&json!("fast")));
    let mut web = object("Deployment", "web", &json!({}));
    let claim = json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "gp3"}}}});
    web["spec"] = json!({"template": {"spec": {"volumes": [claim]}}});
    name_classes(&mut web, &classes("fast")).unwrap();
    let class = "/spec/template/spec/volumes/0/ephemeral/volumeClaimTemplate/spec/storageClassName";
    assert_eq!(web.pointer(class), Some(&json!("fast")));
    let mut claim = object("PersistentVolumeClaim", "x", &json!({}));
    claim["spec"] = json!({"storageClassName": "gp2"});
    let error = name_classes(&mut claim, &classes("fast")).unwrap_err().to_string();
    assert!(error.starts_with("PersistentVolumeClaim/x uses the storage class gp2, for which"), "{error}");
    claim["spec"] = json!({"storageClassName": ""});
    name_classes(&mut claim, &classes("fast")).unwrap();
}

fn managed(entries: &Value) -> Value {
    json!({"metadata": {"managedFields": entries}})
}

fn entry(manager: &str, operation: &str, subresource: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": fields})
}

#[test]
fn who_has_set_what_is_told_field_by_field() {
    let container = json!({".": {}, "f:name": {}, "f:image": {}, "f:args": {}});
    let containers = json!({"k:{\"name\":\"main\"}": container, "k:{\"name\":\"gone\"}": {".": {}}});
    let meta = json!({"f:finalizers": {".": {}, "v:\"a\"": {}, "v:\"b\"": {}}, "f:annotations": {"f:x": {}}});
    let fields = json!({"f:metadata": meta, "f:spec": {"f:containers": containers, "f:replicas": {}}});
    let live = managed(&json!([
        entry("helm", "Update", "", &fields),
        entry("kube-controller-manager", "Update", "status", &json!({"f:status": {"f:replicas": {}}})),
        entry("hpa", "Update", "scale", &json!({"f:spec": {"f:replicas": {}}})),
        entry("domicile", "Apply", "", &fields),
    ]));
    let ours = json!({
        "metadata": {"finalizers": ["b"]},
        "spec": {"replicas": 2, "containers": [{"name": "main", "image": "x"}]}, "status": {"replicas": 1},
    });
    let wanted = [
        "metadata.finalizers[\"b\"]",
        "spec.containers[{\"name\":\"main\"}].image",
        "spec.containers[{\"name\":\"main\"}].name",
        "spec.replicas",
    ];
    let taken = taken_over(&live, &ours, "domicile");
    assert_eq!(taken, [("helm".to_owned(), wanted.map(str::to_owned).to_vec())]);
    let managers = |entries: Vec<Value>| entries.iter().map(|it| it["manager"].clone()).collect::<Vec<_>>();
    assert_eq!(managers(kept(&live, "domicile")), ["kube-controller-manager", "hpa", "domicile"]);
}

#[test]
fn what_would_change_is_named() {
    let live = json!({
        "metadata": {"generation": 1}, "status": {"a": 1},
        "spec": {"replicas": 1, "list": [{"a": 1}, {"a": 2}], "template": {"metadata": {}}, "gone": true},
    });
    let after = json!({
        "metadata": {"generation": 2, "labels": {"domicile.dev/tenant": "acme"}}, "status": {"a": 2},
        "spec": {
            "replicas": 2, "list": [{"a": 1}, {"a": 3}], "new": 1,
            "template": {"metadata": {"labels": {"domicile.dev/tenant": "acme"}}},
        },
    });
    assert_eq!(changes(&live, &after), ["spec.gone", "spec.list[1].a", "spec.replicas", "spec.new"]);
    assert_eq!(changes(&live, &live), Vec::<String>::new());
}
