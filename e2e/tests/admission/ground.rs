//! A hub with roles and policies, users, and objects that are older than the policies.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use domicile_e2e::{
    fleet::{Cluster, Fleet, wait::eventually},
    props::{decision, deployment, list, provider, tenant, with, workload},
    stage::root,
};
use kube::Client;
use serde_json::{Value, json};

use crate::{
    asking::{API, Ask},
    brakes, exposed, operator,
};

/// Who the operator is in a cluster: what it may do here is what its policies need to know it by.
const OPERATOR: &str = "system:serviceaccount:domicile-system:domicile-operator";

const NAMESPACES: [&str; 3] = ["bakery", "hospital", "domicile-system"];

/// Where everything is tried.
pub(crate) struct Ground {
    pub(crate) fleet: Fleet,
    pub(crate) admin: Client,
    /// A tenant in `bakery`.
    pub(crate) anna: Client,
    /// A platform engineer.
    pub(crate) petra: Client,
    /// A compliance officer.
    pub(crate) clara: Client,
    /// An auditor.
    pub(crate) aldo: Client,
    pub(crate) operator: Client,
}

impl Ground {
    pub(crate) async fn prepare() -> anyhow::Result<Self> {
        let fleet = Fleet::builder().hub().start().await?;
        let hub = fleet.hub()?;
        apply(hub, "crds/yaml").await?;
        hub.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).text().await?;
        for namespace in NAMESPACES {
            hub.kubectl(["create", "namespace", namespace]).text().await?;
        }
        let label = ["label", "namespace", "bakery", "domicile.dev/tenant=bakery"];
        hub.kubectl(label).text().await?;
        let apply_all = ["apply", "--server-side", "-f", "-"];
        hub.kubectl(apply_all).stdin(list(&older()?)).text().await?;
        hub.kubectl(apply_all).stdin(list(&bindings())).text().await?;
        // The operator's ServiceAccount is in the first.
        for folder in ["charts/domicile/roles", "charts/domicile/admission"] {
            apply(hub, folder).await?;
        }
        let ground = Self {
            admin: hub.client(),
            anna: hub.client_for("anna", &[]).await?,
            petra: hub.client_for("petra", &[]).await?,
            clara: hub.client_for("clara", &[]).await?,
            aldo: hub.client_for("aldo", &[]).await?,
            operator: hub.client_for(OPERATOR, &[]).await?,
            fleet,
        };
        ground.policies_hold().await?;
        Ok(ground)
    }

    /// The API server learns of policies by a watch.
    async fn policies_hold(&self) -> anyhow::Result<()> {
        let sly = with_host_network("sly");
        let probes = [
            (&self.admin, Ask::create(&format!("{API}/namespaces/bakery/tenantworkloads?dryRun=All"), &sly)),
            (
                &self.anna,
                Ask::merge(
                    &format!("{}?dryRun=All", move_path("web-0")),
                    &json!({"spec": {"to": "us-va-2"}}),
                ),
            ),
            (&self.admin, Ask::create(&format!("{API}/decisions?dryRun=All"), &decided_by("sly", "nobody"))),
            (&self.anna, Ask::create("/api/v1/namespaces/bakery/secrets?dryRun=All", &token())),
            (&self.operator, operator::binds("hospital", "domicile:secret-reader", "domicile:secret-reader")),
            (&self.operator, operator::makes(&json!({"domicile.dev/tenant": "bakery"}))),
            (&self.operator, exposed::service("hospital", "web", json!({}))),
            (&self.admin, brakes::delete("?dryRun=All")),
        ];
        for (client, probe) in probes {
            eventually(Duration::from_secs(30), "the policies to hold", || async {
                let refusal = probe.to(client).await.err();
                let held = refusal.as_ref().is_some_and(|words| words.contains("ValidatingAdmissionPolicy"));
                ensure!(held, "{probe:?}: {refusal:?}");
                Ok(Some(()))
            })
            .await?;
        }
        Ok(())
    }
}

pub(crate) fn move_path(name: &str) -> String {
    format!("{API}/namespaces/bakery/migrations/{name}")
}

pub(crate) fn workload_path(name: &str) -> String {
    format!("{API}/namespaces/bakery/tenantworkloads/{name}")
}

/// An approval in somebody's name.
pub(crate) fn decided_by(name: &str, who: &str) -> Value {
    let base = decision(name, "HostingProvider/polder", "Approved", &[]);
    with(base, json!({"spec": {"decidedBy": who}}))
}

pub(crate) fn with_host_network(name: &str) -> Value {
    let sly = with(deployment(name, "1"), json!({"spec": {"template": {"spec": {"hostNetwork": true}}}}));
    workload("bakery", name, &[sly], json!({}))
}

/// A Secret that Kubernetes would fill in.
pub(crate) fn token() -> Value {
    let annotations = json!({"kubernetes.io/service-account.name": "default"});
    json!({
        "metadata": {"name": "token", "annotations": annotations}, "type": "kubernetes.io/service-account-token",
    })
}

async fn apply(hub: &Cluster, path: &str) -> anyhow::Result<()> {
    let path = root().join(path).display().to_string();
    hub.kubectl(["apply", "--server-side", "-f", &path]).text().await?;
    Ok(())
}

/// The object that a table of `e2e/tests/invalid` begins with.
fn base(plural: &str) -> anyhow::Result<Value> {
    let path = root().join(format!("e2e/tests/invalid/{plural}.yaml"));
    let table: Value = yaml::from_str(&fs::read_to_string(&path)?)?;
    table.get("base").cloned().with_context(|| format!("{} has no base", path.display()))
}

/// A move from `us-va-1`, as the operator records it.
fn migration(name: &str) -> anyhow::Result<Value> {
    let meta = json!({
        "name": name, "namespace": "bakery", "finalizers": [domicile_crds::CLEANUP_FINALIZER],
        "labels": {"domicile.dev/workload": "web"},
    });
    Ok(with(base("migrations")?, json!({"metadata": meta, "spec": {"tenant": "bakery", "to": "nl-ams-1"}})))
}

/// Objects that were there before the policies.
fn older() -> anyhow::Result<Vec<Value>> {
    let there = json!({"metadata": {"name": "web", "namespace": "bakery"}});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "patients", "namespace": "hospital"},
        "stringData": {"a": "b"},
    });
    let mut all = vec![
        provider("polder"),
        decided_by("polder-approved", "admin"),
        tenant("bakery"),
        workload("bakery", "web", &[deployment("web", "1")], json!({})),
        with_host_network("old"),
        with_host_network("old-too"),
        with(base("assignments")?, there),
        migration("web-0")?,
        migration("old-0")?,
        migration("old-1")?,
        secret,
        brakes::with_brake("paused"),
    ];
    all.extend(exposed::older());
    Ok(all)
}

/// What the operator would bind anna by, what gives the others their roles, and what the operator itself could do with more
/// rights than it has: policies hold it, too.
fn bindings() -> Vec<Value> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let bound = |user: &str, role: &str| {
        json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": user},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        })
    };
    let anna = json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding",
        "metadata": {"name": "domicile:subjects", "namespace": "bakery"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "domicile:tenant"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "anna"}],
    });
    // Older than the policy that refuses it.
    let older = with(
        anna.clone(),
        json!({
            "metadata": {"namespace": "domicile-system"}, "subjects": null,
            "roleRef": {"kind": "Role", "name": "domicile:operator"},
        }),
    );
    vec![
        anna,
        older,
        bound("petra", "domicile:platform-engineer"),
        bound("clara", "domicile:compliance-officer"),
        bound("aldo", "domicile:auditor"),
        json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": "operator"},
            "rules": [
                {"apiGroups": ["domicile.dev"], "resources": ["assignments"], "verbs": ["create"]},
                {
                    "apiGroups": ["domicile.dev"],
                    "resources": ["migrations", "migrations/status", "tenantworkloads", "tenantworkloads/status", "decisions/status"],
                    "verbs": ["get", "create", "patch"],
                },
            ],
        }),
        bound(OPERATOR, "operator"),
    ]
}
