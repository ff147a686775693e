use domicile_crds::TenantWorkload;
use serde_json::{Value, json};

use super::*;

fn read(manifest: &Value) -> Result<Manifests, String> {
    let object = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload",
        "metadata": {"name": "web", "namespace": "acme"}, "spec": {"manifests": [manifest]},
    });
    let workload: TenantWorkload = serde_json::from_value(object).unwrap();
    Manifests::read(&workload).map_err(|error| error.to_string())
}

#[test]
fn what_is_nested_too_deep_is_named() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"a": deep});
    }
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "x": deep});
    let error = read(&manifest).unwrap_err();
    assert!(error.contains("spec.manifests[0] (ConfigMap/c) has more than 32 levels"), "{error}");
}

/// A Deployment with these fields in its pods.
fn pods(fields: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": fields}},
    })
}

#[track_caller]
fn refused(manifest: &Value, field: &str) {
    let error = read(manifest).unwrap_err();
    assert!(error.contains(&format!("sets {field}, which a tenant may not")), "{error}");
}

/// Whatever Kubernetes invents next is refused until somebody has thought about it.
#[test]
fn only_volumes_that_stay_on_the_member_are_taken() {
    let taken =
        ["configMap", "secret", "projected", "emptyDir", "downwardAPI", "persistentVolumeClaim", "ephemeral"];
    let others = [
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "csi",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "gitRepo",
        "glusterfs",
        "hostPath",
        "image",
        "iscsi",
        "nfs",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume",
        "inventedTomorrow",
    ];
    let volume = |source: &str| pods(&json!({"volumes": [{"name": "v", source: {}}]}));
    for source in taken {
        let manifests = read(&volume(source)).unwrap();
        assert_eq!(
            manifests.has_volumes,
            ["persistentVolumeClaim", "ephemeral"].contains(&source),
            "{source}"
        );
    }
    for source in others {
        refused(&volume(source), &format!("a {source} volume"));
    }
    assert_eq!(read(&pods(&json!({"volumes": [{"name": "v", "nfs": null}]}))).map(|_| ()), Ok(()));
}

#[test]
fn nobody_jumps_the_queue_or_chooses_a_node() {
    refused(
        &pods(&json!({"priorityClassName": "system-node-critical"})),
        "priorityClassName system-node-critical",
    );
    refused(&pods(&json!({"priority": 2_000_001_000})), "priority");
    refused(&pods(&json!({"nodeName": "node-0"})), "nodeName");
    refused(
        &pods(&json!({"terminationGracePeriodSeconds": 3601})),
        "terminationGracePeriodSeconds above 3600",
    );
    let fine = json!({"priorityClassName": "batch", "terminationGracePeriodSeconds": 3600});
    assert!(read(&pods(&fine)).is_ok());
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"volumeName": "pv-7"},
    });
    refused(&claim, "spec.volumeName");
    let template = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {"volumeClaimTemplates": [{"spec": {"volumeName": "pv-7"}}]},
    });
    refused(&template, "spec.volumeClaimTemplates.spec.volumeName");
    let template = json!({"spec": {"volumeName": "pv-7"}});
    let volume = pods(&json!({"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]}));
    refused(&volume, "ephemeral.volumeClaimTemplate.spec.volumeName");
}

#[test]
fn annotations_do_not_get_around_fields() {
    let with = |key: &str| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "annotations": {key: "x"}}});
    for key in [
        "volume.beta.kubernetes.io/storage-class",
        "kubernetes.io/ingress.class",
        "nginx.ingress.kubernetes.io/server-snippet",
        "nginx.ingress.kubernetes.io/configuration-snippet",
        "nginx.org/location-snippets",
    ] {
        refused(&with(key), &format!("the annotation {key}"));
    }
    assert!(read(&with("nginx.ingress.kubernetes.io/rewrite-target")).is_ok());
}

/// Kubernetes copies it onto pods and claims, where it would hold them for as long as the tenant likes.
#[test]
fn what_is_copied_onto_pods_is_looked_at_too() {
    let nested = |kind: &str, api: &str, path: &[&str], meta: &Value| {
        let spec = path.iter().rev().fold(json!({"metadata": meta}), |below, key| json!({*key: below}));
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec})
    };
    let places: [(&str, &str, &[&str], &str); 5] = [
        ("Deployment", "apps/v1", &["template"], "spec.template.metadata"),
        ("StatefulSet", "apps/v1", &["template"], "spec.template.metadata"),
        ("Job", "batch/v1", &["template"], "spec.template.metadata"),
        ("CronJob", "batch/v1", &["jobTemplate"], "spec.jobTemplate.metadata"),
        (
            "CronJob",
            "batch/v1",
            &["jobTemplate", "spec", "template"],
            "spec.jobTemplate.spec.template.metadata",
        ),
    ];
    for (kind, api, path, name) in places {
        for field in ["finalizers", "ownerReferences"] {
            refused(
                &nested(kind, api, path, &json!({field: ["example.com/stay"]})),
                &format!("{name}.{field}"),
            );
        }
        let ours = "a label or annotation that begins with domicile.dev";
        refused(&nested(kind, api, path, &json!({"labels": {"domicile.dev/epoch": "9"}})), ours);
    }
    let claims = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {"volumeClaimTemplates": [{"metadata": {"finalizers": ["example.com/stay"]}}]},
    });
    refused(&claims, "volumeClaimTemplate.metadata.finalizers");
}
