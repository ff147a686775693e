//! What the operator may keep for what workloads expose: headless Services and EndpointSlices that are its own, in tenants' namespaces.

use domicile_crds::keys;
use domicile_e2e::props::with;
use serde_json::{Value, json};

use crate::{
    asking::{Ask, together},
    ground::Ground,
};

const NOT_THERE: &str = "are kept in namespaces of tenants only";
const NOT_ITS_OWN: &str = "are kept that have the label domicile.dev/exposed-by";
const NOT_HEADLESS: &str = "a Service that is kept is headless";
const NOT_A_SLICE: &str = "an EndpointSlice that is kept has addresses of IPv4 or IPv6";

fn path(kind: &str, namespace: &str, name: &str) -> String {
    let root = if kind == "services" { "/api/v1" } else { "/apis/discovery.k8s.io/v1" };
    format!("{root}/namespaces/{namespace}/{kind}/{name}?dryRun=All")
}

fn metadata(name: &str) -> Value {
    json!({
        "name": name, "labels": {keys::EXPOSED_LABEL: "web"},
        "ownerReferences": [{
            "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "name": "web",
            "uid": "9d0f9d5e-0000-4000-8000-000000000000",
        }],
    })
}

/// A Service as the operator applies it, with what is in `more`; nothing comes of it.
pub(crate) fn service(namespace: &str, name: &str, more: Value) -> Ask {
    let spec = json!({"type": "ClusterIP", "clusterIP": "None", "ports": [{"port": 80, "protocol": "TCP"}]});
    let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(name), "spec": spec});
    Ask::apply(&path("services", namespace, name), &with(object, more))
}

/// The same of an EndpointSlice.
fn slice(namespace: &str, name: &str, more: Value) -> Ask {
    let labels = json!({"metadata": {"labels": {
        "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "domicile.dev",
    }}});
    let object = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata(name), "addressType": "IPv4",
        "ports": [{"port": 80, "protocol": "TCP"}], "endpoints": [{"addresses": ["192.0.2.1"]}],
    });
    Ask::apply(&path("endpointslices", namespace, name), &with(with(object, labels), more))
}

/// Somebody's own, which were there before.
pub(crate) fn older() -> Vec<Value> {
    let of = |name: &str, labels: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "bakery", "labels": labels},
            "spec": {"clusterIP": "None", "ports": [{"port": 80}]},
        })
    };
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "own", "namespace": "bakery"},
        "addressType": "IPv4", "endpoints": [],
    });
    // A label alone makes nothing ours.
    vec![of("own", json!({})), of("labelled", json!({keys::EXPOSED_LABEL: "web"})), slice]
}

pub(crate) async fn all(ground: &Ground) -> Vec<String> {
    let nothing = || json!({});
    let granted = [service("bakery", "web", nothing()), slice("bakery", "web-0-ipv4", nothing())];
    let mut failures =
        together(granted, async |ask| ask.granted(&ground.operator, &format!("{ask:?}")).await).await;
    let unowned = || json!({"metadata": {"ownerReferences": null}});
    let unlabelled = || json!({"metadata": {"labels": {keys::EXPOSED_LABEL: null}}});
    let by_another = json!({"metadata": {"labels": {keys::EXPOSED_LABEL: "api"}}});
    let spec = |spec: Value| service("bakery", "web", json!({"spec": spec}));
    let labels = |labels: Value| slice("bakery", "web-0-ipv4", json!({"metadata": {"labels": labels}}));
    let beyond = [
        (service("hospital", "web", nothing()), NOT_THERE),
        (service("default", "web", nothing()), NOT_THERE),
        // More of it would be invalid before any policy is asked.
        (service("default", "kubernetes", json!({"spec": null})), NOT_THERE),
        (slice("kube-system", "web-0-ipv4", nothing()), NOT_THERE),
        (slice("default", "kubernetes", nothing()), NOT_THERE),
        (service("bakery", "web", unowned()), NOT_ITS_OWN),
        (service("bakery", "web", unlabelled()), NOT_ITS_OWN),
        (service("bakery", "web", by_another), NOT_ITS_OWN),
        (slice("bakery", "web-0-ipv4", unowned()), NOT_ITS_OWN),
        (slice("bakery", "web-0-ipv4", unlabelled()), NOT_ITS_OWN),
        // Whose it is now counts, too: nothing is taken over, changed or deleted.
        (service("bakery", "own", nothing()), NOT_ITS_OWN),
        (service("bakery", "labelled", nothing()), NOT_ITS_OWN),
        (slice("bakery", "own", nothing()), NOT_ITS_OWN),
        (Ask::delete(&path("services", "bakery", "own")), NOT_ITS_OWN),
        (Ask::delete(&path("services", "bakery", "labelled")), NOT_ITS_OWN),
        (Ask::delete(&path("services", "default", "kubernetes")), NOT_THERE),
        (Ask::delete(&path("endpointslices", "bakery", "own")), NOT_ITS_OWN),
        (
            Ask::delete("/api/v1/namespaces/bakery/services?dryRun=All"),
            "cannot deletecollection resource \"services\"",
        ),
        (spec(json!({"clusterIP": null})), NOT_HEADLESS),
        (spec(json!({"selector": {"app": "web"}})), NOT_HEADLESS),
        (spec(json!({"externalIPs": ["192.0.2.1"]})), NOT_HEADLESS),
        (spec(json!({"type": "NodePort", "clusterIP": null})), NOT_HEADLESS),
        (
            spec(json!({"type": "ExternalName", "clusterIP": null, "externalName": "sly.example"})),
            NOT_HEADLESS,
        ),
        (labels(json!({"kubernetes.io/service-name": null})), NOT_A_SLICE),
        (
            labels(json!({"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"})),
            NOT_A_SLICE,
        ),
        (
            slice(
                "bakery",
                "web-0-fqdn",
                json!({"addressType": "FQDN", "endpoints": [{"addresses": ["sly.example"]}]}),
            ),
            NOT_A_SLICE,
        ),
    ];
    failures.extend(together(beyond, async |(ask, says)| ask.refused(&ground.operator, says).await).await);
    // Whoever may update them anyway isn't held to any of this.
    for ask in [service("bakery", "own", unowned()), Ask::delete(&path("services", "bakery", "own"))] {
        failures.extend(ask.granted(&ground.admin, &format!("an administrator: {ask:?}")).await);
    }
    failures
}
