//! What no tenant may write, in its manifests or as it is sent.

use serde_json::json;

use super::*;

fn place(manifest: Value) -> String {
    after(|w| w.workload(json!({"manifests": [manifest]}))).place()
}

fn apply(objects: &[Value]) -> String {
    World::placed().verdict("ams-1", What::Apply { objects, from: None })
}

fn pod(patch: Value) -> Value {
    json!({"template": {"spec": patch}})
}

fn with_metadata(patch: Value) -> Value {
    merged(deployment("web"), &json!({"metadata": patch}))
}

#[test]
fn every_allowed_kind_is_allowed() {
    for (api, kind, _) in domicile_crds::ALLOWED_KINDS {
        assert_eq!(place(manifest(api, kind, json!({}))), "", "{api} {kind}");
    }
}

#[test]
fn no_other_kind_is() {
    for (api, kind) in [
        ("v1", "Secret"),
        ("v1", "Pod"),
        ("v1", "Namespace"),
        ("v1", "PersistentVolume"),
        ("v1", "Deployment"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1beta1", "Deployment"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("domicile.dev/v1alpha1", "TenantWorkload"),
    ] {
        assert_eq!(place(manifest(api, kind, json!({}))), "ManifestNotAllowed", "{api} {kind}");
        assert_eq!(apply(&[manifest(api, kind, json!({}))]), "ManifestNotAllowed", "{api} {kind}");
    }
    assert_eq!(place(json!({"metadata": {"name": "x"}})), "ManifestNotAllowed");
    // What is left of one that is nested too deep.
    assert_eq!(place(json!("ConfigMap/x")), "ManifestNotAllowed");
}

#[test]
fn every_object_is_in_the_workloads_own_namespace() {
    assert_eq!(place(with_metadata(json!({"namespace": "shop"}))), "");
    for namespace in [json!("shop-test"), json!("other"), json!(""), json!(7)] {
        assert_eq!(place(with_metadata(json!({"namespace": namespace}))), "ManifestNotAllowed");
        assert_eq!(apply(&[with_metadata(json!({"namespace": namespace}))]), "ManifestNotAllowed");
    }
}

#[test]
fn every_object_has_a_name_and_nobody_elses_label() {
    assert_eq!(place(with_metadata(json!({"name": null, "generateName": "web-"}))), "ManifestNotAllowed");
    let labelled = |labels: Value| apply(&[with_metadata(json!({"labels": labels}))]);
    assert_eq!(labelled(json!({"domicile.dev/tenant": "shop", "domicile.dev/workload": "web"})), "");
    assert_eq!(labelled(json!({"domicile.dev/tenant": "other"})), "ManifestNotAllowed");
    assert_eq!(labelled(json!({"domicile.dev/workload": "api"})), "ManifestNotAllowed");
}

#[test]
fn nothing_is_owned_or_held_back_by_others() {
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"});
    assert_eq!(place(with_metadata(json!({"ownerReferences": [owner]}))), "ManifestNotAllowed");
    assert_eq!(place(with_metadata(json!({"finalizers": ["x/y"]}))), "ManifestNotAllowed");
    assert_eq!(place(with_metadata(json!({"ownerReferences": [], "finalizers": []}))), "");
    for meta in [json!({"finalizers": ["x/y"]}), json!({"labels": {"domicile.dev/other": "x"}})] {
        let template = json!({"template": {"metadata": meta.clone()}});
        let job = json!({"jobTemplate": {"metadata": meta.clone()}});
        let of_job = json!({"jobTemplate": {"spec": template.clone()}});
        let claim = json!({"volumeClaimTemplates": [{"metadata": meta}]});
        let cases = [
            ("apps/v1", "Deployment", template),
            ("batch/v1", "CronJob", job),
            ("batch/v1", "CronJob", of_job),
            ("apps/v1", "StatefulSet", claim),
        ];
        for (api, kind, spec) in cases {
            assert_eq!(place(manifest(api, kind, spec.clone())), "ManifestNotAllowed", "{kind} {spec}");
        }
    }
}

#[test]
fn no_annotation_says_what_a_field_may_not() {
    let with = |key: &str| place(with_metadata(json!({"annotations": {key: "x"}})));
    for key in [
        "kubernetes.io/ingress.class",
        "volume.beta.kubernetes.io/storage-class",
        "a.b/server-snippet",
        "a.b/location-snippets",
    ] {
        assert_eq!(with(key), "ManifestNotAllowed", "{key}");
    }
    assert_eq!(with("a.b/rewrite"), "");
    let bound = json!({"volumeName": "pv-7"});
    assert_eq!(place(manifest("v1", "PersistentVolumeClaim", bound.clone())), "ManifestNotAllowed");
    let makes = json!({"volumeClaimTemplates": [{"spec": bound}]});
    assert_eq!(place(manifest("apps/v1", "StatefulSet", makes)), "ManifestNotAllowed");
}

#[test]
fn no_pod_reaches_its_host() {
    let privileged = json!([{"name": "x", "securityContext": {"privileged": true}}]);
    for forbidden in [
        json!({"hostNetwork": true}),
        json!({"hostPID": true}),
        json!({"hostIPC": true}),
        json!({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}),
        json!({"volumes": [{"name": "x", "nfs": {"server": "filer.example", "path": "/"}}]}),
        json!({"volumes": [{"name": "x", "csi": {"driver": "nfs.csi.k8s.io"}}]}),
        json!({"volumes": [{"name": "x", "image": {"reference": "example.invalid/data"}}]}),
        json!({"volumes": [{"name": "x", "emptyDir": {}, "inventedTomorrow": {}}]}),
        json!({"volumes": ["x"]}),
        json!({"volumes": [{"name": "x", "ephemeral": {"volumeClaimTemplate": {"metadata": {"finalizers": ["x/y"]}}}}]}),
        json!({"priorityClassName": "system-node-critical"}),
        json!({"priority": 7}),
        json!({"nodeName": "node-0"}),
        json!({"terminationGracePeriodSeconds": 3601}),
        json!({"containers": privileged}),
        json!({"initContainers": privileged}),
        json!({"ephemeralContainers": privileged}),
    ] {
        for (api, kind) in [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("batch/v1", "Job")] {
            let found = place(manifest(api, kind, pod(forbidden.clone())));
            assert_eq!(found, "ManifestNotAllowed", "{kind} {forbidden}");
        }
        let cron = manifest("batch/v1", "CronJob", json!({"jobTemplate": {"spec": pod(forbidden)}}));
        assert_eq!(place(cron), "ManifestNotAllowed");
    }
    let harmless = json!({"hostNetwork": false, "volumes": [{"name": "x", "emptyDir": {}, "nfs": null}],
                          "priorityClassName": "batch", "terminationGracePeriodSeconds": 3600,
                          "containers": [{"name": "x", "securityContext": {"privileged": false}}]});
    assert_eq!(place(manifest("apps/v1", "Deployment", pod(harmless))), "");
}

#[test]
fn no_service_leads_elsewhere() {
    let service = |spec: Value| place(manifest("v1", "Service", spec));
    assert_eq!(service(json!({"type": "ClusterIP", "externalIPs": []})), "");
    assert_eq!(service(json!({"type": "ExternalName", "externalName": "example.org"})), "ManifestNotAllowed");
    assert_eq!(service(json!({"externalIPs": ["192.0.2.1"]})), "ManifestNotAllowed");
}

#[test]
fn no_network_policy_is_about_egress() {
    let policy = |spec: Value| place(manifest("networking.k8s.io/v1", "NetworkPolicy", spec));
    assert_eq!(policy(json!({"policyTypes": ["Ingress"]})), "");
    assert_eq!(policy(json!({"policyTypes": ["Ingress", "Egress"]})), "ManifestNotAllowed");
    assert_eq!(policy(json!({"egress": [{}]})), "ManifestNotAllowed");
    assert_eq!(policy(json!({"egress": []})), "ManifestNotAllowed");
}

#[test]
fn no_stateful_set_takes_its_volumes_along() {
    let set = |policy: Value| {
        let spec = json!({"persistentVolumeClaimRetentionPolicy": policy});
        place(manifest("apps/v1", "StatefulSet", spec))
    };
    assert_eq!(set(json!(null)), "");
    assert_eq!(set(json!({})), "");
    assert_eq!(set(json!({"whenDeleted": "Retain", "whenScaled": "Retain"})), "");
    for policy in [
        json!({"whenDeleted": "Delete"}),
        json!({"whenScaled": "Delete"}),
        json!({"whenDeleted": "Retain", "whenScaled": "Delete"}),
        json!({"whenScaled": "SomethingNew"}),
        json!({"whenScaled": 1}),
    ] {
        assert_eq!(set(policy.clone()), "ManifestNotAllowed", "{policy}");
    }
}

#[test]
fn nothing_that_makes_pods_selects_our_labels() {
    let ours = json!({"matchLabels": {"app": "a", "domicile.dev/epoch": "0"}});
    let rule = json!({"matchExpressions": [{"key": "domicile.dev/workload", "operator": "Exists"}]});
    for selector in [ours, rule] {
        for kind in ["Deployment", "StatefulSet"] {
            let found = place(manifest("apps/v1", kind, json!({"selector": selector})));
            assert_eq!(found, "ManifestNotAllowed", "{kind} {selector}");
        }
        let spec = json!({"jobTemplate": {"spec": {"selector": selector}}});
        assert_eq!(place(manifest("batch/v1", "CronJob", spec)), "ManifestNotAllowed", "{selector}");
    }
    let own = json!({"selector": {"matchLabels": {"app": "a"}, "matchExpressions": null}});
    assert_eq!(place(manifest("apps/v1", "StatefulSet", own)), "");
    let service = json!({"selector": {"domicile.dev/workload": "web"}});
    assert_eq!(place(manifest("v1", "Service", service)), "");
}

#[test]
fn each_bad_object_is_reported() {
    let (bad, worse) = (manifest("v1", "Secret", json!({})), manifest("v1", "Pod", json!({})));
    assert_eq!(apply(&[bad, deployment("web"), worse]), "ManifestNotAllowed ManifestNotAllowed");
}
