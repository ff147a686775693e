//! `kubectl domicile join`.

use std::io::Read;
use std::path::Path;

use domicile_crds::kubeconfig::{Credential, Kubeconfig, KubeconfigError};
use domicile_crds::{ClusterName, NamespaceName, SiteName, TenantName};
use k8s_openapi::ByteString;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig as KubeKubeconfig};
use serde_json::{Value, json};

use crate::args::{HubArgs, JoinArgs};
use crate::cluster::{Cluster, ClusterError, Target};
use crate::hub::{self, HubError};
use crate::member::probe::{self, Found, ProbeError};
use crate::member::setup::{self, SetupError};
use crate::member::{self, Impersonation};
use crate::output;

/// A cluster can't be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something on the hub isn't as it must be.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The member can't be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The credential isn't right.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The kubeconfig isn't taken.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// The library doesn't take the kubeconfig that was written here.
    #[error("the member's kubeconfig can't be used")]
    Unusable(#[from] kube::config::KubeconfigError),
    /// A file can't be read.
    #[error("can't read {path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing says whom to trust.
    #[error(
        "your kubeconfig of the member has no certificate authority, which the hub needs: name a file with its certificates in PEM with --member-ca"
    )]
    NoAuthority,
    /// The kinds of impersonation don't fit.
    #[error(
        "the member runs Kubernetes {found}, which has no constrained impersonation: apply the files of `join --print-member --impersonation legacy`"
    )]
    NotConstrained {
        /// Its version.
        found: String,
    },
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Joined {
    version: String,
    found: Found,
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If the cluster isn't joined; then nothing was written on the hub.
pub async fn run(args: &JoinArgs, hub: &HubArgs) -> Result<String, JoinError> {
    if args.print_member {
        return Ok(printed(
            &args.name,
            &args.admit,
            args.impersonation.unwrap_or(Impersonation::Constrained),
        ));
    }
    let Some(site) = &args.site else { return Ok(String::new()) };
    let place = Place { name: &args.name, site, namespace: &hub.operator_namespace };
    let hub = Cluster::hub(&hub.target()).await?;
    hub::check_join(&hub, place.name, site, place.namespace).await?;
    let joined = match (&args.accept, args.member.target()) {
        (Some(file), _) => accept(file, &hub, &place).await?,
        (None, target) => set_up(args, &target.unwrap_or_default(), &hub, &place).await?,
    };
    Ok(report(&place, &joined))
}

/// Where a member goes.
struct Place<'a> {
    name: &'a ClusterName,
    site: &'a SiteName,
    namespace: &'a NamespaceName,
}

fn report(place: &Place<'_>, joined: &Joined) -> String {
    let kind = match joined.found.impersonation {
        Some(Impersonation::Constrained) => "constrained impersonation",
        Some(Impersonation::Legacy) => "legacy impersonation",
        None => "nobody admitted yet",
    };
    if joined.found.incomplete {
        output::note(
            "note: this cluster can't list all that it grants, so only what would do most harm was asked: see that nothing else is bound to the hub's account",
        );
    }
    let names: Vec<_> = joined.found.tenants.iter().map(ToString::to_string).collect();
    let admitted = if names.is_empty() {
        output::note(format!(
            "note: no tenant is admitted yet, so nothing can be placed there: kubectl domicile admit TENANT --member {}",
            place.name
        ));
        "none".to_owned()
    } else {
        names.join(", ")
    };
    format!(
        "membercluster.domicile.dev/{} joined at site {} (Kubernetes {}, {kind}; tenants admitted: {admitted})\n",
        place.name, place.site, joined.version
    )
}

/// What the member's owner reviews and applies.
fn printed(name: &ClusterName, admit: &[TenantName], impersonation: Impersonation) -> String {
    let mut text = format!(
        "# What Domicile needs on cluster {name}, for its owner to review. Apply it with
#   kubectl apply --server-side -f FILE
# and make the kubeconfig for the hub as docs/member.md shows. Nothing here runs a program.
"
    );
    text.push_str(&member::text(impersonation));
    for tenant in admit {
        text.push_str("---\n");
        text.push_str(&member::admission_text(tenant, impersonation));
    }
    text.push_str("---\n");
    text.push_str(member::token_text());
    text
}

/// Sets the member up with its owner's own rights.
async fn set_up(
    args: &JoinArgs,
    target: &Target,
    hub: &Cluster,
    place: &Place<'_>,
) -> Result<Joined, JoinError> {
    let owner = Cluster::member(target).await?;
    if let Some(known) = hub.find(place.name.as_str()).await? {
        hub::check_same(&known, &owner, place.name).await?;
    }
    hub::check_only(hub, &owner, place.name).await?;
    let authority = authority(&owner.config, args.member_ca.as_deref())?;
    let version = setup::version(&owner).await?;
    let mut impersonation = args.impersonation.unwrap_or_else(|| version.impersonation());
    output::note(format!("setting up the member (Kubernetes {})", version.text));
    setup::set_up(&owner, impersonation).await?;
    let token = setup::token(&owner, args.rotate).await?;
    let direct = Kubeconfig {
        server: owner.config.cluster_url.to_string().trim_end_matches('/').to_owned(),
        authority,
        tls_server_name: owner.config.tls_server_name.clone(),
        credential: Credential::Token(token.token.clone()),
    };
    let as_hub = connect(&direct).await?;
    output::note("checking that the hub can act as a tenant, and as nobody else");
    if !setup::try_acting(&owner, &as_hub, impersonation).await? {
        // Its version promised what a feature gate has turned off.
        impersonation = Impersonation::Legacy;
        setup::set_up(&owner, impersonation).await?;
        setup::try_acting(&owner, &as_hub, impersonation).await?;
    }
    for tenant in &args.admit {
        setup::admit(&owner, tenant, impersonation).await?;
    }
    output::note("checking that it can do what it must and nothing that it must not");
    let mut found = probe::examine(&as_hub).await?;
    found.impersonation = Some(impersonation);
    found.tenants = setup::admitted(&owner).await?;
    probe::check_acting(&as_hub, &found.tenants).await?;
    let stored = match &args.member_server {
        None => direct,
        Some(server) => Kubeconfig { server: server.clone(), ..direct },
    };
    // The same rules as for somebody else's kubeconfig, so that the operator takes it too.
    let stored = Kubeconfig::parse(&stored.to_yaml(place.name.as_str()))?;
    hub::write_member(hub, place.namespace, place.name, place.site, &stored).await?;
    if args.rotate {
        setup::retire(&owner, &token).await?;
    }
    Ok(Joined { version: version.text, found })
}

/// Takes the kubeconfig that the member's owner made.
async fn accept(file: &Path, hub: &Cluster, place: &Place<'_>) -> Result<Joined, JoinError> {
    let kubeconfig = Kubeconfig::parse(&read(file)?)?;
    let as_hub = connect(&kubeconfig).await?;
    if let Some(known) = hub.find(place.name.as_str()).await? {
        hub::check_same(&known, &as_hub, place.name).await?;
    }
    hub::check_only(hub, &as_hub, place.name).await?;
    let version = setup::version(&as_hub).await?;
    output::note("checking that the credential can do what it must and nothing that it must not");
    let found = probe::examine(&as_hub).await?;
    if found.impersonation == Some(Impersonation::Constrained)
        && version.impersonation() == Impersonation::Legacy
    {
        return Err(JoinError::NotConstrained { found: version.text });
    }
    probe::check_acting(&as_hub, &found.tenants).await?;
    hub::write_member(hub, place.namespace, place.name, place.site, &kubeconfig).await?;
    Ok(Joined { version: version.text, found })
}

async fn connect(kubeconfig: &Kubeconfig) -> Result<Cluster, JoinError> {
    let parsed = KubeKubeconfig::from_yaml(&kubeconfig.to_yaml("member"))?;
    let config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await?;
    Ok(Cluster::with("the member, as the hub", config)?)
}

/// The authority's certificates: from a file if one is named, else from the caller's kubeconfig.
fn authority(config: &Config, file: Option<&Path>) -> Result<String, JoinError> {
    if let Some(file) = file {
        return read(file);
    }
    let certificates = config.root_cert.iter().flatten().map(|der| pem(der)).collect::<Vec<_>>();
    if certificates.is_empty() { Err(JoinError::NoAuthority) } else { Ok(certificates.concat()) }
}

/// A certificate as text (RFC 7468: lines of 64).
fn pem(der: &[u8]) -> String {
    let encoded = match json!(ByteString(der.to_vec())) {
        Value::String(text) => text,
        _ => String::new(),
    };
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn read(file: &Path) -> Result<String, JoinError> {
    let failed = |source| JoinError::File { path: file.display().to_string(), source };
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_written_in_lines_of_64() {
        let text = pem(&[7; 60]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.iter().map(|line| line.len()).collect::<Vec<_>>(), [27, 64, 16, 25]);
    }

    #[test]
    fn what_is_printed_is_what_would_be_applied() {
        let acme = TenantName::new("acme").unwrap();
        for impersonation in [Impersonation::Constrained, Impersonation::Legacy] {
            let text = printed(&ClusterName::new("nl").unwrap(), std::slice::from_ref(&acme), impersonation);
            let mut wanted = member::manifests(impersonation);
            wanted.extend(member::admission(&acme, impersonation));
            wanted.push(member::token());
            assert_eq!(domicile_crds::yaml::documents(&text).unwrap(), wanted);
            assert!(text.starts_with("# What Domicile needs on cluster nl"));
        }
    }
}
