//! What of an object is whose, which objects are meant, and what would change.

use clap::Parser as _;
use domicile_crds::Classes;
use serde_json::{Value, json};

use super::fields::{changes, left, taken_over};
use super::find::{
    check_autoscalers, check_jobs, check_labelled, check_needs, choose, name_classes, remove_marks, rest,
};
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
    assert_eq!(error("Job/nightly-1"), "Job/nightly-1 can't be adopted: CronJob/nightly has made it");
    let known = error("deploy/web");
    assert!(
        known.starts_with(
            "deploy/web is none of the kinds that can be taken, which are written out: ConfigMap"
        ),
        "{known}"
    );
    let skipped = choose(namespace(), &args(&["--skip", "Deployment/gone"])).unwrap_err().to_string();
    assert_eq!(skipped, "there is no Deployment/gone in namespace acme on the member");
    let all = choose(namespace(), &args(&["ConfigMap"])).unwrap();
    assert_eq!(
        (all.objects.len(), all.notes),
        (1, vec!["ConfigMap/other was left out: it is TenantWorkload/other's".to_owned()])
    );
    assert_eq!(
        error("ServiceAccount/default"),
        "ServiceAccount/default can't be adopted: Kubernetes makes it in each namespace"
    );
}

#[test]
fn a_try_that_was_interrupted_leaves_no_marks_and_nothing_behind() {
    let labels = json!({"labels": {"domicile.dev/workload": "shop"}});
    let mut cron_job = object("CronJob", "nightly", &labels);
    cron_job["spec"] =
        json!({"jobTemplate": {"metadata": labels, "spec": {"template": {"metadata": labels}}}});
    remove_marks(&mut cron_job);
    let empty = json!({"metadata": {}, "spec": {"template": {"metadata": {}}}});
    assert_eq!(
        (&cron_job["metadata"], &cron_job["spec"]["jobTemplate"]),
        (&json!({"name": "nightly"}), &empty)
    );

    let labelled = [
        object("Deployment", "legacy", &labels),
        object(
            "Job",
            "made",
            &json!({
                "labels": labels["labels"], "ownerReferences": [{"kind": "CronJob", "name": "nightly", "uid": "1"}],
            }),
        ),
    ];
    let error = check_labelled(&labelled, &[cron_job], &args(&[])).unwrap_err().to_string();
    assert!(
        error.starts_with("Deployment/legacy has the label domicile.dev/workload=shop of an earlier try"),
        "{error}"
    );
    check_labelled(&labelled, &labelled[..1], &args(&[])).unwrap();
}

#[test]
fn what_is_scaled_goes_with_what_scales_it() {
    let mut scaler = object("HorizontalPodAutoscaler", "web", &json!({}));
    scaler["spec"] = json!({"scaleTargetRef": {"kind": "Deployment", "name": "web"}});
    let all = [scaler, object("Deployment", "web", &json!({})), object("Deployment", "other", &json!({}))];
    check_autoscalers(&all, &all).unwrap();
    check_autoscalers(&all, &all[2..]).unwrap();
    let error = check_autoscalers(&all, &all[1..]).unwrap_err().to_string();
    assert!(error.starts_with("Deployment/web is scaled by HorizontalPodAutoscaler/web"), "{error}");
}

#[test]
fn a_job_that_may_be_gone_before_it_is_on_record_is_not_taken() {
    let mut job = object("Job", "once", &json!({}));
    job["spec"] = json!({"ttlSecondsAfterFinished": 60});
    assert!(check_jobs(&[job]).unwrap_err().to_string().starts_with("Job/once has ttlSecondsAfterFinished"));
    check_jobs(&namespace()).unwrap();
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
    let twice: Classes = serde_json::from_value(json!({"storage": {"fast": "gp3", "slow": "gp3"}})).unwrap();
    claim["spec"] = json!({"storageClassName": "gp3"});
    let error = name_classes(&mut claim, &twice).unwrap_err().to_string();
    assert!(error.contains("several names, fast and slow"), "{error}");
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
    let left = left(&live, &ours, "domicile");
    let managers: Vec<_> = left.iter().map(|it| it["manager"].clone()).collect();
    assert_eq!(managers, ["helm", "kube-controller-manager", "hpa", "domicile"]);
    // What Domicile doesn't set stays with whoever has set it.
    assert_eq!(
        left[0]["fieldsV1"],
        json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"a\"": {}}, "f:annotations": {"f:x": {}}},
            "f:spec": {"f:containers": {
                "k:{\"name\":\"gone\"}": {".": {}},
            }},
        })
    );
    let all = managed(&json!([entry("helm", "Update", "", &json!({"f:spec": {".": {}, "f:replicas": {}}}))]));
    assert!(super::fields::left(&all, &ours, "domicile").is_empty());
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

#[test]
fn who_leads_and_what_is_labelled_counts_and_what_controllers_note_does_not() {
    let with = |meta: Value| json!({"metadata": meta, "data": {"a": "b"}});
    let old = with(json!({"annotations": {"leader": "pg-0", "deployment.kubernetes.io/revision": "1"}}));
    let noted = with(
        json!({"annotations": {"leader": "pg-0", "deployment.kubernetes.io/revision": "2"}, "labels": {"domicile.dev/tenant": "acme"}}),
    );
    assert_eq!(changes(&old, &noted), Vec::<String>::new());
    let other = with(json!({"annotations": {"leader": "pg-1"}, "labels": {"app": "pg"}}));
    assert_eq!(changes(&old, &other), ["metadata.annotations.leader", "metadata.labels.app"]);
}

#[test]
fn what_domicile_has_had_is_not_found_again() {
    let epoch =
        |epoch: &str| json!({"labels": {"domicile.dev/workload": "shop", "domicile.dev/epoch": epoch}});
    let mut web = object("Deployment", "web", &epoch("0"));
    let found = choose(vec![web.clone()], &args(&[])).unwrap();
    assert_eq!(found.handed.into_iter().collect::<Vec<_>>(), ["Deployment/web"]);
    let refused = |object: &Value| choose(vec![object.clone()], &args(&[])).unwrap_err().to_string();
    assert!(
        refused(&object("Deployment", "web", &epoch("1")))
            .starts_with("Deployment/web was placed here by Domicile")
    );
    web["metadata"] = json!({"name": "web", "annotations": {"domicile.dev/halted": "a1"}});
    assert!(refused(&web).starts_with("Deployment/web was stopped by Domicile"));
    web["metadata"] = json!({"name": "web"});
    web["spec"] = json!({"template": {"metadata": {"labels": {"domicile.dev/tenant": "acme"}}}});
    assert!(refused(&web).starts_with("Deployment/web was placed here by Domicile"));
}

#[test]
fn a_job_that_has_failed_is_not_taken() {
    let mut job = object("Job", "once", &json!({}));
    job["status"] = json!({"conditions": [{"type": "Failed", "status": "True"}]});
    assert!(check_jobs(&[job]).unwrap_err().to_string().starts_with("Job/once has failed"));
}

#[test]
fn what_is_needed_goes_along_or_is_said_to_stay() {
    let mut web = object("Deployment", "web", &json!({}));
    let container = json!({"name": "a", "envFrom": [{"configMapRef": {"name": "env"}}, {"configMapRef": {"name": "more", "optional": true}}]});
    web["spec"] = json!({"template": {"spec": {"containers": [container]}}});
    let all = [web.clone(), object("ConfigMap", "env", &json!({})), object("ConfigMap", "more", &json!({}))];
    let error = check_needs(&all, &all[..1], &args(&[])).unwrap_err().to_string();
    assert!(error.starts_with("Deployment/web needs ConfigMap/env, which isn't taken along"), "{error}");
    check_needs(&all, &all[..2], &args(&[])).unwrap();
    check_needs(&all, &all[..1], &args(&["--skip", "ConfigMap/env"])).unwrap();
    check_needs(&all[..1], &all[..1], &args(&[])).unwrap();
    let mut set = set();
    set["spec"]["serviceName"] = json!("db");
    let all = [set.clone(), object("Service", "db", &json!({}))];
    let error = check_needs(&all, &all[..1], &args(&[])).unwrap_err().to_string();
    assert!(error.starts_with("StatefulSet/db needs Service/db"), "{error}");
    let found = choose(all.to_vec(), &args(&["StatefulSet"])).unwrap();
    assert_eq!(rest(&all, &found).as_deref(), Some("not taken, and left as they are: Service/db"));
}
