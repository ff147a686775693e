//! The operator's own rights: enough to bind in tenants' namespaces, and not to help itself to more.

use http::Method;
use serde_json::{Value, json};

use crate::{
    asking::{API, Ask, together},
    ground::Ground,
};

const RBAC: &str = "rbac.authorization.k8s.io";
const READER: &str = "domicile:secret-reader";
const SUBJECTS: &str = "domicile:subjects";
const LEVEL: &str = "pod-security.kubernetes.io/enforce";
const VERSION: &str = "pod-security.kubernetes.io/enforce-version";
const NOT_THERE: &str = "is bound in namespaces of tenants only";
const NOT_ITS_ROLE: &str = "is bound by RoleBindings of this name, and nothing else";
const NO_LEVEL: &str = "must have the label pod-security.kubernetes.io/enforce";
const NOT_HELD: &str = "attempting to grant RBAC permissions not currently held";

/// A RoleBinding, as the operator applies it; nothing comes of it.
pub(crate) fn binds(namespace: &str, binding: &str, role: &str) -> Ask {
    binds_any(namespace, binding, ("ClusterRole", role))
}

fn binds_any(namespace: &str, binding: &str, (kind, role): (&str, &str)) -> Ask {
    let body = json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding",
        "metadata": {"name": binding, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "domicile-operator", "namespace": "domicile-system"}],
    });
    Ask::apply(&format!("/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings/{binding}?dryRun=All"), &body)
}

/// A namespace, as the operator makes it; nothing comes of it.
pub(crate) fn makes(labels: &Value) -> Ask {
    let body = json!({"metadata": {"name": "made", "labels": labels}});
    Ask::create("/api/v1/namespaces?dryRun=All", &body)
}

pub(crate) async fn all(ground: &Ground) -> Vec<String> {
    let granted = [
        makes(&json!({"domicile.dev/tenant": "bakery", LEVEL: "baseline"})),
        makes(&json!({"domicile.dev/tenant": "bakery", LEVEL: "restricted", VERSION: "latest"})),
        makes(&json!({})),
        binds("bakery", READER, READER),
        binds("bakery", SUBJECTS, "domicile:tenant"),
        Ask::get(&format!("/apis/{RBAC}/v1/rolebindings?fieldSelector=metadata.name%3D{READER}")),
        Ask::get("/api/v1/namespaces/domicile-system/secrets/none"),
    ];
    let mut failures = together(granted, async |ask| {
        let refusal = ask.to(&ground.operator).await.err().filter(|words| !words.contains("not found"))?;
        Some(format!("the operator is refused {ask:?}: {refusal}"))
    })
    .await;
    failures.extend(whoever_asks(ground).await);
    failures.extend(together(beyond(), async |(ask, says)| ask.refused(&ground.operator, says).await).await);
    failures
}

/// A binding by which the operator is known is of one role, also for those who may bind any; who may change namespaces gives them
/// any level anyway.
async fn whoever_asks(ground: &Ground) -> Vec<String> {
    let mut failures = Vec::new();
    for (namespace, binding) in [("hospital", SUBJECTS), ("bakery", READER)] {
        let ask = binds(namespace, binding, "view");
        failures.extend(ask.refused(&ground.admin, NOT_ITS_ROLE).await);
    }
    let granted = [
        binds("hospital", "view", "view"),
        binds("bakery", SUBJECTS, "domicile:tenant"),
        makes(&json!({"domicile.dev/tenant": "bakery"})),
    ];
    for ask in granted {
        failures.extend(ask.granted(&ground.admin, &format!("an administrator: {ask:?}")).await);
    }
    failures
}

/// What it must not be able to do, and the words in which that is refused.
fn beyond() -> Vec<(Ask, &'static str)> {
    let named = json!({"metadata": {"name": "sly"}});
    let create = |path: &str| Ask::create(path, &named);
    vec![
        // More rights.
        (binds("hospital", READER, READER), NOT_THERE),
        (binds("domicile-system", READER, READER), NOT_THERE),
        (binds("kube-system", SUBJECTS, "domicile:tenant"), NOT_THERE),
        (binds("bakery", READER, "cluster-admin"), NOT_HELD),
        // What it has itself, to somebody else; the second is there already.
        (binds_any("domicile-system", READER, ("Role", "domicile:operator")), NOT_ITS_ROLE),
        (binds_any("domicile-system", SUBJECTS, ("Role", "domicile:operator")), NOT_ITS_ROLE),
        (binds("hospital", SUBJECTS, "domicile:operator"), NOT_ITS_ROLE),
        (binds("bakery", READER, "domicile:operator"), NOT_ITS_ROLE),
        (binds("bakery", READER, "domicile:tenant"), NOT_ITS_ROLE),
        (binds("bakery", READER, "domicile:platform-engineer"), NOT_HELD),
        (binds("bakery", "sly", READER), "cannot patch resource \"rolebindings\""),
        (
            create(&format!("/apis/{RBAC}/v1/namespaces/bakery/rolebindings")),
            "cannot create resource \"rolebindings\"",
        ),
        (
            create(&format!("/apis/{RBAC}/v1/clusterrolebindings")),
            "cannot create resource \"clusterrolebindings\"",
        ),
        (create(&format!("/apis/{RBAC}/v1/clusterroles")), "cannot create resource \"clusterroles\""),
        (Ask::get(&format!("/apis/{RBAC}/v1/rolebindings")), "cannot list resource \"rolebindings\""),
        // A namespace that is somebody's isn't made a tenant's.
        (
            Ask::merge(
                "/api/v1/namespaces/hospital",
                &json!({"metadata": {"labels": {"domicile.dev/tenant": "bakery"}}}),
            ),
            "cannot patch resource \"namespaces\"",
        ),
        // Where the hub is a member too, it may act as a tenant in what has the tenant's label.
        (makes(&json!({"domicile.dev/tenant": "bakery"})), NO_LEVEL),
        (makes(&json!({"domicile.dev/tenant": "bakery", LEVEL: "privileged"})), NO_LEVEL),
        (makes(&json!({"domicile.dev/tenant": "bakery", LEVEL: "baseline", VERSION: "v1.0"})), NO_LEVEL),
        (Ask::get("/api/v1/namespaces").acting_as("admin"), "cannot impersonate"),
        (
            create("/api/v1/namespaces/domicile-system/serviceaccounts/domicile-operator/token"),
            "cannot create resource \"serviceaccounts/token\"",
        ),
        (create("/api/v1/namespaces/domicile-system/pods"), "cannot create resource \"pods\""),
        // Secrets: in its own namespace by name, and nowhere else before it is bound.
        (Ask::get("/api/v1/secrets"), "cannot list resource \"secrets\""),
        (Ask::get("/api/v1/namespaces/domicile-system/secrets"), "cannot list resource \"secrets\""),
        (Ask::get("/api/v1/namespaces/hospital/secrets/patients"), "cannot get resource \"secrets\""),
        (create("/api/v1/namespaces/domicile-system/secrets"), "cannot create resource \"secrets\""),
        (
            Ask::new(Method::PUT, "/api/v1/namespaces/bakery/services/own").body(&named),
            "cannot update resource \"services\"",
        ),
        // What people write.
        (create(&format!("{API}/decisions")), "cannot create resource \"decisions\""),
        (create(&format!("{API}/sites")), "cannot create resource \"sites\""),
        (
            Ask::new(Method::DELETE, &format!("{API}/namespaces/bakery/assignments/web")),
            "cannot delete resource \"assignments\"",
        ),
    ]
}
