//! What is said before anything is written.

use domicile_crds::Tenant;

use super::AdoptError;
use super::ground::Ground;
use super::hand::Handed;
use super::objects;
use crate::args::AdoptArgs;
use crate::output;
use crate::plan::{self, Plan};
use crate::wrap::Wrapped;

/// Says what is taken, from whom, what becomes of it, and what holds then.
///
/// # Errors
///
/// If what would become of it can't be said.
pub(super) async fn tell(
    args: &AdoptArgs,
    ground: &Ground,
    (wrapped, handed): (&Wrapped, &[Handed]),
    plan: &Plan,
) -> Result<(), AdoptError> {
    for note in &wrapped.notes {
        output::note(format!("note: {note}"));
    }
    let taken: String = handed.iter().map(Handed::told).collect();
    if !taken.is_empty() {
        output::note(
            "Fields that others have set, and Domicile sets from now on. Whoever goes on setting them (Helm, Argo CD, kubectl apply) would \
             work against it: stop that first.",
        );
        output::note(taken.trim_end_matches('\n'));
    }
    let names: Vec<String> = handed.iter().map(Handed::called).collect();
    let which = format!("{} of {}", objects(handed.len()), args.member);
    output::note(match handed {
        [] => format!("\nAn earlier try has labelled all of it on {}", args.member),
        _ => format!("\nAdopts {which}: {}", names.join(", ")),
    });
    let gets = if ground.has_namespace { "has" } else { "gets" };
    output::note(format!(
        "\nNamespace {} there {gets} the label domicile.dev/tenant={}, with which the hub may act in it as that tenant, and read and write the tenant's \
         Secrets. Where the workload may be there, for all pods in it:",
        args.namespace, ground.whose
    ));
    output::note(holds(&ground.tenant));
    for warning in ground.violations().await? {
        output::note(format!("- the member warns: {warning}"));
    }
    for more in ground.opens().await? {
        output::note(format!("- {more}"));
    }
    output::note(format!("\n{}", plan::told(plan).trim_end()));
    Ok(())
}

/// What the tenant's policy means for its namespace.
fn holds(tenant: &Tenant) -> String {
    let spec = &tenant.spec;
    let mut to = vec!["their own namespace".to_owned(), "DNS".to_owned()];
    to.extend(spec.egress.iter().map(|rule| rule.cidr.clone()));
    let mut lines = vec![
        format!("- Domicile lets them connect to {} alone (Tenant's spec.egress)", to.join(", ")),
        format!("- new ones must keep Pod Security level {}", spec.pod_security.label()),
    ];
    if !spec.quota.is_empty() {
        let quota: Vec<_> = spec.quota.iter().map(|(what, most)| format!("{what} {most}")).collect();
        lines.push(format!("- all together may have {}", quota.join(", ")));
    }
    lines.join("\n")
}
