//! Arguments of the commands that write Decisions.

use clap::{Args, ValueEnum};
use domicile_crds::{CountryCode, DecisionName, Evidence, Scope, SiteName, Subject, SubjectKind, TenantName};
use jiff::Timestamp;

use super::facts::instant;

/// What every decision has.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// Whom it is about: a provider's name, or KIND/NAME with the kind `provider`, `site`, `tenant` or `workload`
    /// (workload/NAMESPACE/NAME).
    #[arg(value_name = "SUBJECT", value_parser = about)]
    pub about: About,
    /// Why, for those who will ask later.
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub reason: String,
    /// In whose name you decide, for example `ministry-of-justice`. Only it, and whom it names in --liftable-by, can lift the
    /// decision.
    #[arg(long, value_name = "NAME", env = "DOMICILE_AUTHORITY", value_parser = said)]
    pub authority: String,
    /// On what ground; otherwise `precaution` to freeze, `contract` to approve, and `finding` to suspend, revoke or reinstate.
    #[arg(long, value_name = "GROUND")]
    pub basis: Option<Ground>,
    /// From when: a date (in UTC) or RFC 3339. Otherwise at once.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub valid_from: Option<Timestamp>,
    /// Until when. Otherwise until another takes its place.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub valid_until: Option<Timestamp>,
    /// When to look at it again: a reminder, not an end.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub review_on: Option<Timestamp>,
    /// Only at this site. May be given several times. Without a site, country or tenant, `reinstate` holds where all that it lifts
    /// does.
    #[arg(long = "site", value_name = "SITE")]
    pub sites: Vec<SiteName>,
    /// Only in this country (ISO 3166-1 alpha-2). May be given several times.
    #[arg(long = "country", value_name = "COUNTRY")]
    pub countries: Vec<CountryCode>,
    /// Only for this tenant. May be given several times.
    #[arg(long = "tenant", value_name = "TENANT")]
    pub tenants: Vec<TenantName>,
    /// Another authority that may lift it. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub liftable_by: Vec<String>,
    /// A document that it rests on, as URI or URI,SHA256. May be given several times.
    #[arg(long, value_name = "DOCUMENT", value_parser = evidence)]
    pub evidence: Vec<Evidence>,
    /// A Decision whose place it takes. May be given several times. `reinstate` lifts only those then.
    #[arg(long, value_name = "DECISION")]
    pub supersedes: Vec<DecisionName>,
    /// Name of the Decision; otherwise made of the subject, what is decided and the day.
    #[arg(long, value_name = "NAME")]
    pub name: Option<DecisionName>,
    /// Don't ask whether that is meant, although workloads would move or stop. For scripts.
    #[arg(short, long)]
    pub yes: bool,
    /// Print the Decision, and write nothing.
    #[arg(long)]
    pub print: bool,
}

impl DecideArgs {
    /// Where and for whom it is said to hold.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let Self { sites, countries, tenants, .. } = self;
        Scope { sites: sites.clone(), countries: countries.clone(), tenants: tenants.clone() }
    }
}

/// What must say something: the API takes no empty text.
fn said(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it is empty") } else { Ok(text.to_owned()) }
}

/// Whom a decision is about, and how that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// As it was typed.
    pub typed: String,
    /// Whom that means.
    pub subject: Subject,
}

/// On what ground a decision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ground {
    /// A precaution, before anything is established.
    Precaution,
    /// Something was established.
    Finding,
    /// A contract says so.
    Contract,
    /// A law says so.
    Law,
    /// Somebody entitled asked for it.
    Request,
}

impl From<Ground> for domicile_crds::Ground {
    fn from(ground: Ground) -> Self {
        match ground {
            Ground::Precaution => Self::Precaution,
            Ground::Finding => Self::Finding,
            Ground::Contract => Self::Contract,
            Ground::Law => Self::Law,
            Ground::Request => Self::Request,
        }
    }
}

fn about(text: &str) -> Result<About, String> {
    Ok(About { typed: text.to_owned(), subject: subject(text)? })
}

fn subject(text: &str) -> Result<Subject, String> {
    let (kind, name) = match text.split_once('/') {
        None => (SubjectKind::HostingProvider, text),
        Some((kind, name)) => match kind.to_lowercase().as_str() {
            "provider" | "hostingprovider" | "hp" => (SubjectKind::HostingProvider, name),
            "site" | "dsite" => (SubjectKind::Site, name),
            "tenant" | "dten" => (SubjectKind::Tenant, name),
            "workload" | "tenantworkload" | "tw" => (SubjectKind::TenantWorkload, name),
            _ => return Err(format!("{kind} is none of provider, site, tenant and workload")),
        },
    };
    let slashes = usize::from(kind == SubjectKind::TenantWorkload);
    if name.is_empty() || name.matches('/').count() != slashes {
        return Err("a workload is workload/NAMESPACE/NAME, all else KIND/NAME".to_owned());
    }
    Ok(Subject { kind, name: name.to_owned() })
}

fn evidence(text: &str) -> Result<Evidence, String> {
    let (uri, sha256) = match text.rsplit_once(',') {
        None => (text, None),
        Some((uri, digest)) => (uri, Some(digest.to_lowercase())),
    };
    let is_digest = |digest: &String| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    if sha256.as_ref().is_some_and(|digest| !is_digest(digest)) {
        return Err("what follows the comma is no SHA-256: 64 hexadecimal digits".to_owned());
    }
    // One letter before the colon is a drive, not a scheme.
    let is_scheme = |scheme: &str| {
        let mut bytes = scheme.bytes();
        let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        scheme.len() > 1 && bytes.next().is_some_and(|b| b.is_ascii_alphabetic()) && bytes.all(rest)
    };
    if !uri.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty()) {
        return Err("a document is named by a URI, such as https://example.org/report.pdf".to_owned());
    }
    Ok(Evidence { uri: uri.to_owned(), sha256, disclosure: domicile_crds::Disclosure::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_have_a_kind_or_are_providers() {
        let of = |text| subject(text).map(|it| format!("{:?} {}", it.kind, it.name));
        assert_eq!(of("a").unwrap(), "HostingProvider a");
        assert_eq!(of("site/nl-ams").unwrap(), "Site nl-ams");
        assert_eq!(of("Tenant/shop").unwrap(), "Tenant shop");
        assert_eq!(of("workload/shop/web").unwrap(), "TenantWorkload shop/web");
        assert!(of("cluster/a").unwrap_err().contains("cluster is none of"));
        for text in ["workload/web", "site/a/b", "site/"] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn documents_may_have_a_digest() {
        let digest = "AB".repeat(32);
        let found = evidence(&format!("https://example.org/a,b,{digest}")).unwrap();
        assert_eq!(
            (found.uri.as_str(), found.sha256),
            ("https://example.org/a,b", Some(digest.to_lowercase()))
        );
        assert_eq!(evidence("https://example.org/a").unwrap().sha256, None);
        assert!(evidence("https://example.org/a,b").is_err());
        for text in ["foo", "", ":", "C:\\report.pdf", "report.pdf", "1a:b"] {
            assert!(
                evidence(text).is_err_and(|error| error.contains("https://example.org/report.pdf")),
                "{text}"
            );
        }
        assert!(evidence("urn:isbn:0451450523").is_ok());
    }
}
