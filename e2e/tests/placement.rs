//! A tenant applies a workload, and it runs where it may; the world changes, and it moves.

use std::time::Duration;

use domicile_crds::{TenantWorkload, condition_of, keys::condition};
use domicile_e2e::{
    fleet::wait::eventually,
    props::{config_map, workload},
    stage::Stage,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;

const FACTS: &str = r"
apiVersion: domicile.dev/v1alpha1
kind: HostingProvider
metadata: {name: alpha}
spec: {legalName: Alpha, registeredIn: NL}
---
apiVersion: domicile.dev/v1alpha1
kind: HostingProvider
metadata: {name: beta}
spec: {legalName: Beta, registeredIn: DE}
---
apiVersion: domicile.dev/v1alpha1
kind: Site
metadata: {name: nl-ams}
spec: {operatedBy: alpha, ownedBy: alpha, country: NL, state: Online}
---
apiVersion: domicile.dev/v1alpha1
kind: Site
metadata: {name: de-fra}
spec: {operatedBy: beta, ownedBy: beta, country: DE, state: Online}
---
apiVersion: domicile.dev/v1alpha1
kind: Decision
metadata: {name: alpha-approved}
spec:
  subject: {kind: HostingProvider, name: alpha}
  decision: Approved
  basis: Contract
  authority: compliance
  decidedBy: admin
  reason: audited
---
apiVersion: domicile.dev/v1alpha1
kind: Tenant
metadata: {name: acme}
spec:
  namespaces: [acme]
  residency: {allowed: [{countrySet: eu}]}
  migration: {mode: Automatic}
";

const BETA_APPROVED: &str = r"
apiVersion: domicile.dev/v1alpha1
kind: Decision
metadata: {name: beta-approved}
spec:
  subject: {kind: HostingProvider, name: beta}
  decision: Approved
  basis: Contract
  authority: compliance
  decidedBy: admin
  reason: audited
";

const ALPHA_REVOKED: &str = r"
apiVersion: domicile.dev/v1alpha1
kind: Decision
metadata: {name: alpha-revoked}
spec:
  subject: {kind: HostingProvider, name: alpha}
  decision: Revoked
  basis: Finding
  authority: compliance
  decidedBy: admin
  reason: sold
  supersedes: [alpha-approved]
";

const WORKLOAD: &str = r#"
apiVersion: domicile.dev/v1alpha1
kind: TenantWorkload
metadata: {name: web, namespace: acme}
spec:
  drainSeconds: 0
  manifests:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: web}
    data: {greeting: hello}
  - apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {selector: {app: web}, ports: [{port: 80}]}
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers: [{name: web, image: "example.invalid/web:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}]
"#;

async fn stage() -> anyhow::Result<Stage> {
    let stage = Stage::set(&["nl-ams-1", "de-fra-1"]).await?;
    stage.apply(FACTS).await?;
    stage.join("nl-ams-1", "nl-ams", &["acme"]).await?;
    stage.join("de-fra-1", "de-fra", &["acme"]).await?;
    stage.start_operator()?;
    Ok(stage)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_where_it_may_and_leaves_when_the_approval_is_revoked() -> anyhow::Result<()> {
    let stage = stage().await?;
    let hub = stage.fleet.hub()?;
    hub.kubectl(["wait", "--for=create", "namespace/acme", "--timeout=60s"]).text().await?;
    let before = hub.metrics().await?;
    stage.apply(WORKLOAD).await?;
    stage.wait_for(("acme", "web"), ("Ready", "True", None)).await?;
    stage.wait_on(("acme", "web"), &["nl-ams-1"]).await?;
    let written = hub.metrics().await?.since(&before).writes();
    println!("placed: {written:?}");

    // No lawful place: it stays, loudly.
    stage.apply(ALPHA_REVOKED).await?;
    stage.wait_for(("acme", "web"), ("Stalled", "True", Some("NoLawfulPlace"))).await?;
    stage.wait_on(("acme", "web"), &["nl-ams-1"]).await?;

    // A lawful place appears: it goes there, and nothing is left behind.
    stage.apply(BETA_APPROVED).await?;
    stage.wait_on(("acme", "web"), &["de-fra-1"]).await?;
    // Its Migration may go only after what it says is left there.
    let deletes = ["-n", "acme", "delete", "migrations.domicile.dev", "--all", "--timeout=60s"];
    assert_eq!(hub.kubectl(deletes).text().await?.lines().count(), 1);
    let nl = stage.fleet.member("nl-ams-1")?;
    let left = nl.kubectl(["-n", "acme", "get", "deployments", "-o", "name"]).text().await?;
    assert_eq!(left.trim(), "");
    let web = stage.wait_for(("acme", "web"), ("Compliant", "True", None)).await?;
    assert_eq!(web.status.unwrap_or_default().seats[0].epoch, 2);

    // Deleted: the members are cleaned up before the record goes.
    hub.kubectl(["-n", "acme", "delete", "tenantworkloads.domicile.dev", "web", "--timeout=60s"])
        .text()
        .await?;
    hub.kubectl(["-n", "acme", "wait", "--for=delete", "assignments.domicile.dev/web", "--timeout=60s"])
        .text()
        .await?;
    let left = stage
        .fleet
        .member("de-fra-1")?
        .kubectl([
            "-n",
            "acme",
            "get",
            "deployments,services,configmaps",
            "-l",
            "domicile.dev/workload",
            "-o",
            "name",
        ])
        .text()
        .await?;
    assert_eq!(left.trim(), "");
    Ok(())
}

/// More than the operator of a test gets done in the five seconds after which somebody is told why it takes so long, and less than in the
/// half minute after which who waits for its turn is told so, also where other tests run beside it.
const MANY: usize = 800;

/// A placement costs the hub two writes, also for who waits for its turn: to tell them so would make all wait longer.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_each_is_told_once() -> anyhow::Result<()> {
    let stage = stage().await?;
    let hub = stage.fleet.hub()?;
    hub.kubectl(["wait", "--for=create", "namespace/acme", "--timeout=60s"]).text().await?;
    let ready = ["wait", "--for=condition=Ready", "memberclusters.domicile.dev", "--all", "--timeout=60s"];
    hub.kubectl(ready).text().await?;
    let all: Api<TenantWorkload> = Api::namespaced(hub.client(), "acme");
    let before = hub.metrics().await?;
    let created: Vec<TenantWorkload> = stream::iter(0..MANY)
        .map(|index| {
            let (all, name) = (all.clone(), format!("w-{index}"));
            async move {
                let object = workload("acme", &name, &[config_map(&name, "hello")], json!({}));
                anyhow::Ok(all.create(&PostParams::default(), &serde_json::from_value(object)?).await?)
            }
        })
        .buffer_unordered(64)
        .try_collect()
        .await?;
    assert_eq!(created.len(), MANY);
    eventually(Duration::from_mins(3), "all to be Ready", || async {
        let list = all.list(&ListParams::default()).await?;
        let is_ready = |workload: &&TenantWorkload| {
            let conditions = workload.status.as_ref().map(|status| status.conditions.as_slice());
            condition_of(conditions.unwrap_or_default(), condition::READY)
                .is_some_and(|it| it.status == "True")
        };
        let ready = list.items.iter().filter(is_ready).count();
        anyhow::ensure!(ready == MANY, "{ready} of {MANY} are");
        Ok(Some(()))
    })
    .await?;
    let written = hub.metrics().await?.since(&before).writes();
    let of = |resource: &str| written.filter(|key| key.resource == resource).total();
    // Each was created by its user, and has one record and one status.
    assert_eq!((of("tenantworkloads"), of("assignments")), (2 * MANY as u64, MANY as u64), "{written:?}");
    Ok(())
}
