//! Commands that turn one thing on or off: `cordon`, `uncordon`, `drain`, `pause`, `resume`.

use domicile_crds::{ClusterName, Installation, MemberCluster, Relocation, RelocationName, Scheduling};
use serde_json::json;

use crate::args::HubArgs;
use crate::cluster::{Cluster, ClusterError};
use crate::hub::{self, HubError};
use crate::output;

/// The one Installation's name.
const INSTALLATION: &str = "default";

/// Sets whether a member takes workloads; returns what goes to stdout.
///
/// # Errors
///
/// If there is no such member, or the hub refuses.
pub async fn schedule(
    name: &ClusterName,
    scheduling: Scheduling,
    options: &HubArgs,
) -> Result<String, HubError> {
    let hub = Cluster::hub(&options.target()).await?;
    let before: MemberCluster = hub::need(&hub, name.as_str()).await?;
    let did = match scheduling {
        Scheduling::Open => "uncordoned",
        Scheduling::Cordoned => "cordoned",
        Scheduling::Draining => "draining",
    };
    if before.spec.scheduling == scheduling {
        return Ok(format!("membercluster.domicile.dev/{name} already {did}\n"));
    }
    hub.patch::<MemberCluster>(name.as_str(), &json!({"spec": {"scheduling": scheduling}})).await?;
    if scheduling == Scheduling::Draining {
        output::note(
            "note: `kubectl get reloc` shows how far it is, `kubectl domicile status --stuck` what has no other lawful place",
        );
    }
    Ok(format!("membercluster.domicile.dev/{name} {did}\n"))
}

/// Stops moves or lets them go on; returns what goes to stdout.
///
/// # Errors
///
/// If there is no such Relocation, or the hub refuses.
pub async fn pause(
    relocation: Option<&RelocationName>,
    paused: bool,
    options: &HubArgs,
) -> Result<String, HubError> {
    let hub = Cluster::hub(&options.target()).await?;
    let did = if paused { "paused" } else { "resumed" };
    if let Some(name) = relocation {
        hub::need::<Relocation>(&hub, name.as_str()).await?;
        hub.patch::<Relocation>(name.as_str(), &json!({"spec": {"paused": paused}})).await?;
        return Ok(format!("relocation.domicile.dev/{name} {did}\n"));
    }
    match hub.patch::<Installation>(INSTALLATION, &json!({"spec": {"paused": paused}})).await {
        Ok(_) => {}
        Err(error) if error.is_not_found() && paused => create_paused(&hub).await?,
        // Nothing says that moves are paused.
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(format!("installation.domicile.dev/{INSTALLATION} {did}\n"))
}

/// The brake must work although nobody has written an Installation yet.
async fn create_paused(hub: &Cluster) -> Result<(), ClusterError> {
    let object = json!({
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "Installation",
        "metadata": {"name": INSTALLATION},
        "spec": {"paused": true},
    });
    hub.apply_shared(&object).await
}
