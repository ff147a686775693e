//! `kubectl domicile adopt`.

use clap::Args;
use domicile_crds::{ClusterName, NamespaceName, WorkloadName};

use super::{MemberArgs, Overlap, Secrets};
use crate::wrap::Which;

/// Hand over to Domicile what runs on a member already.
///
/// Makes a TenantWorkload of objects in the tenant's namespace on a member, without restarting anything, also where they may not be:
/// from then on the rules apply, and what must leave does. First shows what would be taken, which fields are somebody else's until now, what
/// would become of the workload, and what will hold in the namespace; then asks for the workload's name. Needs your own rights on the member.
///
/// Without OBJECT and --selector, all objects in the namespace are taken that a tenant may have and that no other object has made. Secrets
/// are taken only if a pod needs them.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile adopt shop -n webshop --member nl-ams-1 \\\n    --member-context ams-admin --dry-run\n  kubectl domicile adopt shop -n webshop --member nl-ams-1 \\\n    --member-context ams-admin --selector app=shop --secrets hub\n  kubectl domicile adopt shop -n webshop --member nl-ams-1 \\\n    --member-context ams-admin Deployment/shop ConfigMap/shop"
)]
#[command(group = clap::ArgGroup::new("how").required(true).multiple(true).args(["member_kubeconfig", "member_context"]))]
pub struct AdoptArgs {
    /// Name of the TenantWorkload.
    pub name: WorkloadName,
    /// Objects to take: KIND or KIND/NAME.
    #[arg(value_name = "OBJECT")]
    pub objects: Vec<Which>,
    /// Namespace of the tenant, on the hub and on the member.
    #[arg(short, long)]
    pub namespace: NamespaceName,
    /// Name of the member on which they run.
    #[arg(long, value_name = "NAME")]
    pub member: ClusterName,
    /// Take objects with these labels only.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "objects")]
    pub selector: Option<String>,
    /// Leave objects out: KIND or KIND/NAME. May be given several times.
    #[arg(long, value_name = "OBJECT")]
    pub skip: Vec<Which>,
    /// Where members get the Secrets that pods need: `hub` copies them to the tenant's namespace on the hub, from where they go along
    /// with a move; with `member` somebody puts them on each member.
    #[arg(long, value_name = "WHERE")]
    pub secrets: Option<Secrets>,
    /// Whether two copies may run for the length of a move.
    #[arg(long, value_name = "HOW")]
    pub overlap: Option<Overlap>,
    /// Show all that is shown before, print the TenantWorkload, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Don't ask for the workload's name.
    #[arg(long)]
    pub yes: bool,
    /// How the member is reached.
    #[command(flatten)]
    pub target: MemberArgs,
}
