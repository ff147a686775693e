//! Providers: who owns them, who controls them, and whether a tenant's policy lets them host.
//!
//! docs/rules.md, "Ownership, control and law", says exactly what is judged. A share that nobody is known to hold may be
//! anybody's: what isn't recorded never speaks for a provider.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domicile_crds::{Holder, HolderKind, HostingProviderSpec, Interest, Ownership, ProviderName};

use crate::Horizon;

mod control;
mod judge;
mod path;
mod shares;

pub use judge::Suit;
pub(crate) use judge::{asked, examine};

/// Shares that differ by less are equal, in percent: they are products and sums of floating-point numbers.
const EPSILON: f64 = 1e-6;

/// All providers that exist.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    specs: BTreeMap<ProviderName, Arc<HostingProviderSpec>>,
    /// Object names, identifiers and legal names in lower case, and whose they are.
    called: BTreeMap<String, BTreeSet<ProviderName>>,
}

impl Providers {
    /// Whether there is such a provider.
    #[must_use]
    pub fn contains(&self, name: &ProviderName) -> bool {
        self.specs.contains_key(name)
    }

    /// What is recorded of a provider.
    #[must_use]
    pub fn get(&self, name: &ProviderName) -> Option<&HostingProviderSpec> {
        self.specs.get(name).map(|spec| &**spec)
    }

    pub(crate) fn set(&mut self, name: ProviderName, spec: Option<Arc<HostingProviderSpec>>) {
        if let Some(old) = self.specs.remove(&name) {
            for call in calls(&name, &old) {
                if let Some(names) = self.called.get_mut(&call) {
                    names.remove(&name);
                    if names.is_empty() {
                        self.called.remove(&call);
                    }
                }
            }
        }
        if let Some(spec) = spec {
            for call in calls(&name, &spec) {
                self.called.entry(call).or_default().insert(name.clone());
            }
            self.specs.insert(name, spec);
        }
    }

    /// The providers that are called so: by object, identifier or legal name.
    fn meant_by(&self, name: &str) -> impl Iterator<Item = Entity<'_>> {
        let names = self.called.get(&name.to_lowercase()).into_iter().flatten();
        names.filter_map(|name| self.entity(name))
    }

    fn entity(&self, name: &ProviderName) -> Option<Entity<'_>> {
        self.specs.get_key_value(name).map(|(name, spec)| Entity { name, spec })
    }

    /// Who holds something.
    fn party<'a>(&'a self, holder: &'a Holder) -> Party<'a> {
        let named = holder.provider.as_ref().filter(|_| holder.kind == HolderKind::Entity);
        Party { holder: Some(holder), described: named.and_then(|name| self.entity(name)) }
    }
}

fn calls(name: &ProviderName, spec: &HostingProviderSpec) -> Vec<String> {
    let identifiers = spec.identifiers.iter().map(|identifier| identifier.id.as_str());
    let all = identifiers.chain([name.as_str(), spec.legal_name.as_str()]);
    all.map(str::to_lowercase).collect()
}

/// A provider with what is recorded of it.
#[derive(Clone, Copy, Debug)]
struct Entity<'a> {
    name: &'a ProviderName,
    spec: &'a HostingProviderSpec,
}

impl PartialEq for Entity<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<'a> Entity<'a> {
    /// The holdings in it that count now.
    fn holdings(self, horizon: &mut Horizon) -> Vec<&'a Ownership> {
        let mut counts = |held: &&Ownership| {
            horizon.holds(held.from.as_ref().map(|t| t.0), held.until.as_ref().map(|t| t.0))
        };
        self.spec.ownership.iter().filter(|held| counts(held)).collect()
    }
}

/// Somebody who holds something, or the provider itself.
#[derive(Clone, Copy, Debug)]
struct Party<'a> {
    holder: Option<&'a Holder>,
    described: Option<Entity<'a>>,
}

impl<'a> Party<'a> {
    fn of(entity: Entity<'a>) -> Self {
        Self { holder: None, described: Some(entity) }
    }

    /// Whether it is known that nobody else stands behind it, or who does.
    fn is_known(self) -> bool {
        let ends = |holder: &Holder| matches!(holder.kind, HolderKind::Person | HolderKind::State);
        self.described.is_some() || self.holder.is_some_and(ends)
    }

    /// By what it is told from others. Two that share one are the same.
    fn marks(self) -> BTreeSet<Mark> {
        let mut marks = BTreeSet::new();
        if let Some(holder) = self.holder {
            marks.insert(Mark::Name(holder.name.to_lowercase()));
            marks.extend(holder.id.as_ref().map(|id| Mark::Id(id.to_lowercase())));
            marks.extend(holder.provider.as_ref().map(|name| Mark::Provider(name.to_string())));
        }
        if let Some(entity) = self.described {
            marks.insert(Mark::Provider(entity.name.to_string()));
            marks.insert(Mark::Name(entity.spec.legal_name.to_lowercase()));
            let ids = entity.spec.identifiers.iter();
            marks.extend(ids.map(|identifier| Mark::Id(identifier.id.to_lowercase())));
        }
        marks
    }

    fn name(self) -> &'a str {
        let legal = self.described.map(|entity| entity.spec.legal_name.as_str());
        self.holder.map(|holder| holder.name.as_str()).or(legal).unwrap_or_default()
    }
}

/// By what a party is told from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Provider(String),
    Id(String),
    Name(String),
}

impl Mark {
    fn text(&self) -> &str {
        let (Self::Provider(text) | Self::Id(text) | Self::Name(text)) = self;
        text
    }
}

/// What is counted apart.
const SHARES: [Interest; 2] = [Interest::Capital, Interest::Votes];
