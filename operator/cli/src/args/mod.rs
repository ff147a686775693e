//! What can be typed.

use std::path::PathBuf;

pub use adopt::AdoptArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use decide::DecideArgs;
use domicile_crds::{MigrationName, NamespaceName, WorkloadName};
pub use facts::{ExplainArgs, FactsArgs, PlanArgs};
pub use fleet::{AdmitArgs, ClusterArgs, JoinArgs, LeaveArgs, MemberArgs, PauseArgs};
pub use import::{BodsArgs, GleifArgs, ImportArgs, ImportFrom};

use crate::cluster::Target;
use crate::output::Format;
use crate::wrap::Which;

mod adopt;
mod decide;
mod facts;
mod fleet;
mod import;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  an error; stderr says what was wanted, what was found and what to do
  2  the command line is wrong; or `plan` found that something would happen (its wrong command line is 1)
  3  `status --stuck` found something that a person must act on

Results go to stdout, everything else to stderr. Colours are shown on a terminal only; NO_COLOR turns them off.";

const APPROVE_WHY: &str = "\
Writes a Decision. An approval lifts nothing: what is frozen, suspended or revoked stays so until it is reinstated.";

const APPROVE: &str = r"Examples:
  kubectl domicile approve schelde-maas --authority compliance \
    --reason 'audited in May' --valid-until 2028-01-01
  kubectl domicile approve limmat --authority compliance \
    --reason 'contract 17' --country CH --tenant archive";

const FREEZE_WHY: &str = "\
Nothing goes in or out, and nothing is deleted; what runs keeps running.

Writes a Decision, at once: it needs no predecessor. What it would bring about is shown first, and if workloads would stop or move, \
you are asked to type the subject once more, as you gave it.";

const SUSPEND_WHY: &str = "\
Everything is scaled to zero, and its data stays where it is.

Writes a Decision, at once: it needs no predecessor. What it would bring about is shown first, and if workloads would stop or move, \
you are asked to type the subject once more, as you gave it.";

const FREEZE: &str = r"Examples:
  kubectl domicile freeze meridian-cloud --authority ministry \
    --reason 'precaution of 12 May' --tenant registry
  kubectl domicile suspend workload/registry/mail --authority ministry \
    --reason 'data found in the wrong place'";

const REVOKE_WHY: &str = "\
Writes a Decision. What must leave and has no lawful place elsewhere stays where it is, and says so; nothing is deleted.";

const REVOKE: &str = r"Examples:
  kubectl domicile revoke meridian-cloud --authority compliance \
    --reason 'sold to a third party' --basis finding
  kubectl domicile revoke site/us-va --authority compliance \
    --reason 'lease ended' --print";

const REINSTATE_WHY: &str = "\
Writes a Decision that takes the place of all that restricts the subject and that your authority may lift: its own decisions, and \
those that name it in liftableBy. A provider is approved again with that.";

const REINSTATE: &str = r"Examples:
  kubectl domicile reinstate meridian-cloud --authority ministry \
    --reason 'cleared on 3 September'
  kubectl domicile reinstate tenant/registry --authority ministry \
    --reason 'moved'";

/// Runs tenants' workloads where their data may live, and says where everything is.
///
/// A kubectl plugin for Domicile: joins clusters to a hub, admits tenants on them, wraps applications,
/// takes clusters out of service, and shows what runs where.
#[derive(Debug, Parser)]
#[command(name = "kubectl-domicile", bin_name = "kubectl domicile", version, after_long_help = EXIT_CODES)]
#[command(disable_help_subcommand = true, max_term_width = 110)]
pub struct Cli {
    /// How the hub is reached.
    #[command(flatten)]
    pub hub: HubArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How the hub is reached.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The hub")]
pub struct HubArgs {
    /// Kubeconfig of the hub; otherwise as kubectl finds it.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the hub's kubeconfig; otherwise the current one.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace of the operator on the hub.
    #[arg(
        long,
        global = true,
        value_name = "NAMESPACE",
        env = "DOMICILE_NAMESPACE",
        default_value = "domicile-system"
    )]
    pub operator_namespace: NamespaceName,
}

impl HubArgs {
    /// The kubeconfig and context of the hub.
    #[must_use]
    pub fn target(&self) -> Target {
        Target { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(about = "Wrap rendered manifests into a TenantWorkload")]
    Wrap(WrapArgs),
    #[command(about = "Make HostingProviders of public records of companies")]
    Import(ImportArgs),
    #[command(about = "Join a cluster to the hub")]
    Join(JoinArgs),
    #[command(about = "Undo a join")]
    Leave(LeaveArgs),
    #[command(about = "Admit a tenant on a member, or withdraw that")]
    Admit(AdmitArgs),
    #[command(about = "Hand over to Domicile what runs on a member already")]
    Adopt(Box<AdoptArgs>),
    #[command(about = "Approve or deny a move")]
    Answer(AnswerArgs),
    #[command(about = "Let tenants' workloads run with a provider", long_about = APPROVE_WHY, after_long_help = APPROVE)]
    Approve(DecideArgs),
    #[command(about = "Let nothing in or out, and delete nothing; what runs keeps running", long_about = FREEZE_WHY, after_long_help = FREEZE)]
    Freeze(DecideArgs),
    #[command(about = "Scale everything to zero; data stays", long_about = SUSPEND_WHY, after_long_help = FREEZE)]
    Suspend(DecideArgs),
    #[command(about = "Make everything leave", long_about = REVOKE_WHY, after_long_help = REVOKE)]
    Revoke(DecideArgs),
    #[command(about = "Lift what was frozen, suspended or revoked", long_about = REINSTATE_WHY, after_long_help = REINSTATE)]
    Reinstate(DecideArgs),
    #[command(about = "Place nothing new on a member")]
    Cordon(ClusterArgs),
    #[command(about = "Place workloads on a member again")]
    Uncordon(ClusterArgs),
    #[command(about = "Move everything away from a member")]
    Drain(ClusterArgs),
    #[command(about = "Begin no further moves: of one campaign, or at all")]
    Pause(PauseArgs),
    #[command(about = "End a pause")]
    Resume(PauseArgs),
    #[command(about = "Show the fleet and the tenants at a glance")]
    Status(StatusArgs),
    #[command(about = "Show where everything runs, by country and provider")]
    Map(MapArgs),
    #[command(about = "Say why a workload is where it is, and why not elsewhere")]
    Explain(ExplainArgs),
    #[command(about = "Say what would happen if something changed")]
    Plan(PlanArgs),
    #[command(about = "Print a completion script for a shell")]
    Completion(CompletionArgs),
    #[command(about = "Print what can be typed next, for kubectl")]
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
}

/// Wrap rendered manifests into a TenantWorkload.
///
/// Reads YAML or JSON, as `helm template` and `kustomize build` print it, and writes a TenantWorkload, with
/// each Secret of the input before it. A pure filter: the same objects give the same bytes, in whatever order
/// they come. What can't be taken is named, all of it at once, and then nothing is written.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  helm template shop ./chart |\n    kubectl domicile wrap --name shop -n shop > shop.yaml\n  kubectl apply --server-side -f shop.yaml\n  kustomize build . | kubectl domicile wrap --name shop -n shop --skip Namespace\n  kubectl domicile wrap --name shop -n shop web.yaml worker.yaml"
)]
pub struct WrapArgs {
    /// Files to read; `-` or none is stdin.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Name of the TenantWorkload.
    #[arg(long)]
    pub name: WorkloadName,
    /// Namespace of the tenant.
    #[arg(short, long)]
    pub namespace: NamespaceName,
    /// On how many clusters it runs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=16))]
    pub clusters: Option<i32>,
    /// What its copies are spread by.
    #[arg(long, value_name = "WHAT")]
    pub spread_by: Option<SpreadBy>,
    /// Whether two copies may run for the length of a move.
    #[arg(long, value_name = "HOW")]
    pub overlap: Option<Overlap>,
    /// Where members get the Secrets: copied from the tenant's namespace on the hub, or on the member already.
    #[arg(long, value_name = "WHERE", default_value = "hub")]
    pub secrets: Secrets,
    /// Leave Helm hooks out instead of refusing them. Helm tests are always left out.
    #[arg(long)]
    pub drop_hooks: bool,
    /// Leave objects out: KIND or KIND/NAME. May be given several times.
    #[arg(long, value_name = "OBJECT")]
    pub skip: Vec<Which>,
    /// How the result is written.
    #[arg(short, long, default_value = "yaml", value_name = "FORMAT")]
    pub output: FileFormat,
}

/// Formats of objects that are applied later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// A stream of YAML documents.
    Yaml,
    /// One JSON object; a List if there are several.
    Json,
}

/// What copies are spread by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SpreadBy {
    /// Different sites.
    Site,
    /// Different providers.
    Provider,
    /// Different countries.
    Country,
}

/// Whether two copies may run for the length of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Overlap {
    /// The new copy is Ready before the old one stops.
    Allow,
    /// The old copy has stopped before the new one starts.
    Forbid,
}

/// Where members get Secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Secrets {
    /// From the tenant's namespace on the hub.
    Hub,
    /// They are on the member already.
    Member,
}

/// Approve or deny a move.
///
/// A tenant whose policy asks before it moves (`migration.mode: Approval`) is asked by the condition MovePending of
/// its TenantWorkload. The answer is to the plan as it is now: if another place is chosen later, it asks again.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl get dmig -n webshop\n  kubectl domicile answer 3c59dc048e885024 approve -n webshop"
)]
pub struct AnswerArgs {
    /// The move (`kubectl get dmig`).
    pub name: MigrationName,
    /// The answer.
    pub answer: Answer,
    /// Namespace of the workload; otherwise that of the current context.
    #[arg(short, long)]
    pub namespace: Option<NamespaceName>,
}

/// Answers to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Answer {
    /// It may begin.
    Approve,
    /// It may not.
    Deny,
}

/// Show the fleet and the tenants at a glance.
///
/// The first line says who leads and when it was last heard of. If that is longer ago than its lease lasts,
/// nobody keeps watch, and everything that was observed is shown as UNKNOWN.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile status\n  kubectl domicile status --stuck\n  kubectl domicile status -n webshop -o json"
)]
pub struct StatusArgs {
    /// Only workloads of this namespace.
    #[arg(short, long)]
    pub namespace: Option<NamespaceName>,
    /// Only what a person must act on, with what to do. Exit code 3 if there is anything.
    #[arg(long)]
    pub stuck: bool,
    /// How the result is written.
    #[arg(short, long, default_value = "text", value_name = "FORMAT")]
    pub output: Format,
}

/// Show where everything runs, by country and provider.
///
/// Counts the copies that the hub has recorded, by tenant, for each cluster.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  kubectl domicile map\n  kubectl domicile map -n webshop -o yaml")]
pub struct MapArgs {
    /// Only workloads of this namespace.
    #[arg(short, long)]
    pub namespace: Option<NamespaceName>,
    /// How the result is written.
    #[arg(short, long, default_value = "text", value_name = "FORMAT")]
    pub output: Format,
}

/// Print a completion script for a shell.
///
/// This is for `kubectl-domicile` typed as such. To complete `kubectl domicile`, kubectl wants a script named
/// kubectl_complete-domicile on the PATH; `--kubectl` prints that.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl-domicile completion bash > /etc/bash_completion.d/kubectl-domicile\n  kubectl domicile completion --kubectl > kubectl_complete-domicile\n  install kubectl_complete-domicile ~/.local/bin"
)]
pub struct CompletionArgs {
    /// The shell.
    #[arg(required_unless_present = "kubectl")]
    pub shell: Option<clap_complete::Shell>,
    /// Print the script that kubectl looks for.
    #[arg(long, conflicts_with = "shell")]
    pub kubectl: bool,
}

/// What has been typed after `kubectl domicile`.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// All words; the last one is the one to complete, and may be empty.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

impl From<SpreadBy> for domicile_crds::SpreadBy {
    fn from(by: SpreadBy) -> Self {
        match by {
            SpreadBy::Site => Self::Site,
            SpreadBy::Provider => Self::Provider,
            SpreadBy::Country => Self::Country,
        }
    }
}

impl From<Overlap> for domicile_crds::Overlap {
    fn from(overlap: Overlap) -> Self {
        match overlap {
            Overlap::Allow => Self::Allow,
            Overlap::Forbid => Self::Forbid,
        }
    }
}

impl From<Answer> for domicile_crds::Answer {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Approve => Self::Approved,
            Answer::Deny => Self::Denied,
        }
    }
}

impl From<Secrets> for domicile_crds::SecretSource {
    fn from(secrets: Secrets) -> Self {
        match secrets {
            Secrets::Hub => Self::Hub,
            Secrets::Member => Self::Member,
        }
    }
}
