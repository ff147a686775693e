//! `kubectl domicile admit`.

use domicile_crds::{MemberCluster, Tenant};

use crate::args::{AdmitArgs, HubArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::hub::{self, HubError};
use crate::member::setup::{self, Version};
use crate::member::{self, Impersonation};
use crate::output;

/// A tenant can't be admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something on the hub isn't as it must be.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Nothing of Domicile is on the member.
    #[error(
        "nothing of Domicile is on that cluster, so there is nobody to admit a tenant for: join it first with `kubectl domicile join {0}`"
    )]
    NotJoined(String),
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If the member refuses, or isn't the one that was meant.
pub async fn run(args: &AdmitArgs, options: &HubArgs) -> Result<String, AdmitError> {
    let (tenant, name) = (&args.tenant, &args.member);
    if args.print
        && let Some(impersonation) = args.impersonation
    {
        return Ok(member::admission_text(tenant, impersonation));
    }
    let hub = Cluster::hub(&options.target()).await?;
    let known: MemberCluster = hub::need(&hub, name.as_str()).await?;
    if args.print {
        let version = known.status.as_ref().and_then(|status| status.version.as_deref());
        let impersonation = version.map_or(Impersonation::Constrained, |v| Version::parse(v).impersonation());
        return Ok(member::admission_text(tenant, impersonation));
    }
    let owner = Cluster::member(&args.target.target().unwrap_or_default()).await?;
    hub::check_same(&known, &owner, name).await?;
    if args.withdraw {
        let was = setup::withdraw(&owner, tenant).await?;
        let result = if was { "is no longer admitted" } else { "was not admitted" };
        return Ok(format!("tenant {tenant} {result} on {name}\n"));
    }
    if hub.find::<Tenant>(tenant.as_str()).await?.is_none() {
        output::note(format!("note: there is no Tenant {tenant} on the hub yet"));
    }
    let installed = setup::installed(&owner).await?.ok_or_else(|| AdmitError::NotJoined(name.to_string()))?;
    setup::admit(&owner, tenant, args.impersonation.unwrap_or(installed)).await?;
    Ok(format!("tenant {tenant} is admitted on {name}\n"))
}
