//! A HostingProvider in the making, with what a reader should know beside it.

use domicile_crds::{
    CountryCode, Disclosure, Evidence, Holder, HolderKind, HostingProviderSpec, Interest, Ownership,
    ProviderName, Share,
};

use super::Source;
use super::ids::{Identifiers, NAME_MAX, clean};

/// A HostingProvider in the making.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: ProviderName,
    pub(super) legal_name: String,
    pub(super) identifiers: Identifiers,
    pub(super) registered_in: CountryCode,
    pub(super) headquartered_in: Option<CountryCode>,
    pub(super) holdings: Vec<Holding>,
    pub(super) doubts: Vec<String>,
}

/// An entry of `ownership`.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) ownership: Ownership,
    /// Where it comes from, in a line.
    pub(super) origin: String,
    pub(super) doubts: Vec<String>,
}

impl Draft {
    /// What the API takes, without its lists.
    pub(super) fn spec(&self) -> HostingProviderSpec {
        HostingProviderSpec {
            legal_name: self.legal_name.clone(),
            identifiers: Vec::new(),
            registered_in: self.registered_in,
            headquartered_in: self.headquartered_in,
            ownership: Vec::new(),
            certifications: Vec::new(),
            subject_to: None,
            operated_from: None,
        }
    }
}

/// A name that fits, with a doubt if it had to be cut.
pub(super) fn fitting(name: &str, doubts: &mut Vec<String>) -> String {
    let (name, cut) = clean(name, NAME_MAX);
    if cut {
        doubts.push(format!("the name is longer than {NAME_MAX} characters, and cut"));
    }
    name
}

/// Somebody who isn't known. The name of the provider belongs to it: two unknown holders of one name would be taken for
/// the same, who then controls both providers.
pub(super) fn unknown(why: &str, what: &str, provider: &ProviderName) -> Holder {
    let (why, _) = clean(why, 80);
    let name = format!("Not known ({why}): {what} of {provider}");
    Holder { name, id: None, provider: None, country: None, kind: HolderKind::Unknown }
}

/// Control by other means: its share says nothing.
pub(super) fn control(holder: Holder, evidence: Vec<Evidence>) -> Ownership {
    Ownership {
        holder,
        interest: Interest::Control,
        share: Share { min: 0.0, max: 100.0 },
        from: None,
        until: None,
        evidence,
    }
}

/// The file, with its digest; and what it names as its own source, of which no digest is known.
pub(super) fn evidence(source: &Source, url: Option<&str>) -> Vec<Evidence> {
    let file = Evidence {
        uri: source.name.clone(),
        sha256: Some(source.sha256.clone()),
        disclosure: Disclosure::OnRequest,
    };
    let fits = |url: &&str| !url.is_empty() && clean(url, 1024).0 == **url;
    let named = url.map(str::trim).filter(fits).map(|url| Evidence {
        uri: url.to_owned(),
        sha256: None,
        disclosure: Disclosure::OnRequest,
    });
    std::iter::once(file).chain(named).collect()
}
