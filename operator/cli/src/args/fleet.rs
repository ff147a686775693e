//! Commands that change the fleet.

use std::path::PathBuf;

use clap::Args;
use domicile_crds::{ClusterName, RelocationName, SiteName, TenantName};

use crate::cluster::Target;
use crate::member::Impersonation;

/// How a member is reached, by whoever may administer it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The member")]
pub struct MemberArgs {
    /// Your own kubeconfig of the member. It is used here and now, and not kept.
    #[arg(long, value_name = "FILE")]
    pub member_kubeconfig: Option<PathBuf>,
    /// Context of the member, in --member-kubeconfig or where kubectl finds it.
    #[arg(long, value_name = "NAME")]
    pub member_context: Option<String>,
}

impl MemberArgs {
    /// The kubeconfig and context of the member, if either was named.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        let named = self.member_kubeconfig.is_some() || self.member_context.is_some();
        named.then(|| Target {
            kubeconfig: self.member_kubeconfig.clone(),
            context: self.member_context.clone(),
        })
    }
}

/// Join a cluster to the hub.
///
/// Applies the member's files with your own kubeconfig for it: a service account for the hub, roles that let
/// it see workloads and make tenants' namespaces, and policies that hold it to those. Then it checks with
/// that account's token that it can do what it must, and that it can create no workload, read no Secret and
/// be nobody else. Only then are a Secret and a MemberCluster written on the hub. Repeating it is safe: it
/// brings the member's files up to date.
///
/// If the cluster is somebody else's, `--print-member` prints the files for them to review and apply, and
/// `--accept` takes the kubeconfig that they made (docs/member.md).
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile join nl-ams-1 --site nl-ams --member-context ams-admin\n  kubectl domicile join nl-ams-1 --site nl-ams --member-kubeconfig ams.yaml\n  kubectl domicile join nl-ams-1 --print-member --admit webshop > member.yaml\n  kubectl domicile join nl-ams-1 --site nl-ams --accept answer.yaml"
)]
#[command(group = clap::ArgGroup::new("how").required(true).multiple(true).args(["member_kubeconfig", "member_context", "print_member", "accept"]))]
pub struct JoinArgs {
    /// Name of the member.
    pub name: ClusterName,
    /// The site where it is.
    #[arg(long, value_name = "NAME", required_unless_present = "print_member")]
    pub site: Option<SiteName>,
    /// URL of the member's API server as the hub reaches it, if it isn't the one in your kubeconfig.
    #[arg(long, value_name = "URL", conflicts_with_all = ["print_member", "accept"])]
    pub member_server: Option<String>,
    /// Certificates of the member's authority in PEM, if your kubeconfig has none.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["print_member", "accept"])]
    pub member_ca: Option<PathBuf>,
    /// Admit this tenant. May be given several times.
    #[arg(long, value_name = "TENANT", conflicts_with = "accept")]
    pub admit: Vec<TenantName>,
    /// How the hub acts as a tenant: constrained from Kubernetes 1.36, legacy before. Found out unless given.
    #[arg(long, value_name = "KIND", conflicts_with = "accept")]
    pub impersonation: Option<Impersonation>,
    /// Replace the hub's token by a new one, and delete the old.
    #[arg(long, conflicts_with_all = ["print_member", "accept"])]
    pub rotate: bool,
    /// Print the files for the member's owner, and do nothing.
    #[arg(long, conflicts_with_all = ["accept", "member_kubeconfig", "member_context"])]
    pub print_member: bool,
    /// Take the kubeconfig that the member's owner made; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["member_kubeconfig", "member_context"])]
    pub accept: Option<PathBuf>,
    /// How the member is reached.
    #[command(flatten)]
    pub member: MemberArgs,
}

/// Undo a join.
///
/// Refuses while a workload has a copy on the member: drain it first. Then deletes the MemberCluster and its
/// Secret on the hub and, with your own kubeconfig for the member, everything of Domicile there. Tenants'
/// namespaces stay, with all that is in them.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  kubectl domicile drain nl-ams-1\n  kubectl domicile leave nl-ams-1 --member-context ams-admin"
)]
pub struct LeaveArgs {
    /// Name of the member.
    pub name: ClusterName,
    /// How the member is reached.
    #[command(flatten)]
    pub member: MemberArgs,
}

/// Admit a tenant on a member, or withdraw that.
///
/// Only a tenant that the member's owner has admitted can be placed there: without that, the hub isn't able to
/// act as the tenant. With `--print` the file for the owner is printed instead of applied. Withdrawing stops
/// the hub from doing anything more for the tenant there; what runs keeps running.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile admit webshop --member nl-ams-1 --member-context ams-admin\n  kubectl domicile admit webshop --member nl-ams-1 --print > webshop.yaml\n  kubectl domicile admit webshop --member nl-ams-1 \\\n    --member-context ams-admin --withdraw"
)]
#[command(group = clap::ArgGroup::new("how").required(true).multiple(true).args(["member_kubeconfig", "member_context", "print"]))]
pub struct AdmitArgs {
    /// The tenant.
    pub tenant: TenantName,
    /// Name of the member.
    #[arg(long, value_name = "NAME")]
    pub member: ClusterName,
    /// Print the objects instead of applying them; with --withdraw, for `kubectl delete -f -`.
    #[arg(long, conflicts_with_all = ["member_kubeconfig", "member_context"])]
    pub print: bool,
    /// Withdraw the admission.
    #[arg(long)]
    pub withdraw: bool,
    /// How the hub acts as a tenant there. Found out unless given.
    #[arg(long, value_name = "KIND")]
    pub impersonation: Option<Impersonation>,
    /// How the member is reached.
    #[command(flatten)]
    pub target: MemberArgs,
}

/// Change whether a member takes workloads.
///
/// `cordon`: it takes no new ones, and what runs stays. `drain`: it takes none, and what runs moves to another
/// lawful place; what has none stays and says so. `uncordon`: it takes workloads again.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  kubectl domicile drain nl-ams-1\n  kubectl domicile map")]
pub struct ClusterArgs {
    /// Name of the member.
    pub name: ClusterName,
}

/// Stop moves at their next safe point, or let them go on.
///
/// Without a name it is about every move of the installation; with one, about that Relocation only, whose
/// moves that have begun go on to their end. New workloads are placed all the same.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile pause\n  kubectl domicile pause reloc-5f2c\n  kubectl domicile resume"
)]
pub struct PauseArgs {
    /// A Relocation (`kubectl get reloc`).
    pub relocation: Option<RelocationName>,
}
