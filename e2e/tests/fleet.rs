//! The fleet itself: what every other end-to-end test takes for granted.

use domicile_e2e::fleet::{ClusterOptions, Fleet};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_and_a_member_come_up() -> anyhow::Result<()> {
    let fleet = Fleet::builder().hub().member("nl-ams-1", ClusterOptions::member().nodes(3)).start().await?;
    for cluster in fleet.clusters() {
        let namespaces = Api::<Namespace>::all(cluster.client()).list(&ListParams::default()).await?;
        assert!(namespaces.iter().any(|namespace| namespace.metadata.name.as_deref() == Some("default")));
    }
    let nodes = fleet.member("nl-ams-1")?.kubectl(["get", "nodes", "--no-headers"]).text().await?;
    assert_eq!(nodes.lines().filter(|line| line.contains(" Ready ")).count(), 3, "{nodes}");
    Ok(())
}
