//! Providers: who owns them, who controls them, and whether a tenant's policy lets them host.
//!
//! docs/rules.md, "Ownership, control and law", says exactly what is judged. A share that nobody is known to hold may be
//! anybody's: what isn't recorded never speaks for a provider.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use domicile_crds::{Holder, HolderKind, HostingProviderSpec, Interest, Ownership, ProviderName};

use crate::Horizon;

mod control;
mod foreign;
mod judge;
mod laws;
mod path;
mod say;
mod shares;
mod web;
mod who;

pub use judge::Suit;
pub(crate) use judge::{asked, examine};
use who::{Who, Whos};

/// Shares that differ by less are equal, in percent: they are products and sums of floating-point numbers.
const EPSILON: f64 = 1e-6;

/// What is counted apart.
const SHARES: [Interest; 2] = [Interest::Capital, Interest::Votes];

/// All providers that exist.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    specs: BTreeMap<ProviderName, Arc<HostingProviderSpec>>,
    /// Who is whom, put together when it is asked for.
    whos: OnceLock<Arc<Whos>>,
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
        self.whos = OnceLock::new();
        match spec {
            Some(spec) => self.specs.insert(name, spec),
            None => self.specs.remove(&name),
        };
    }

    fn whos(&self) -> &Whos {
        self.whos.get_or_init(|| Arc::new(Whos::of(&self.specs)))
    }

    fn entity(&self, name: &ProviderName) -> Option<Entity<'_>> {
        let (name, spec) = self.specs.get_key_value(name)?;
        let (who, holders) = self.whos().of_provider(name)?;
        Some(Entity { name, spec, who, holders })
    }

    /// The providers that somebody is.
    fn entities(&self, who: Who) -> impl Iterator<Item = Entity<'_>> {
        self.whos().described(who).iter().filter_map(|name| self.entity(name))
    }

    /// A holder as it is recorded now, whatever it holds.
    fn recorded<'a>(&'a self, who: Who, horizon: &mut Horizon) -> Vec<Party<'a>> {
        let entries = self.whos().named_in(who).iter();
        let entries = entries.filter_map(|(name, at)| self.specs.get(name)?.ownership.get(*at));
        entries.filter(|held| counts(held, horizon)).map(|held| self.party((held, who))).collect()
    }

    /// Who holds something.
    fn party<'a>(&'a self, (held, who): (&'a Ownership, Who)) -> Party<'a> {
        let holder = &held.holder;
        let named = holder.provider.as_ref().filter(|_| holder.kind == HolderKind::Entity);
        Party { who, holder: Some(holder), described: named.and_then(|name| self.entity(name)) }
    }
}

/// A provider with what is recorded of it.
#[derive(Clone, Copy, Debug)]
struct Entity<'a> {
    name: &'a ProviderName,
    spec: &'a HostingProviderSpec,
    who: Who,
    /// Who each holder is, as they stand in `ownership`.
    holders: &'a [Who],
}

impl<'a> Entity<'a> {
    /// The holdings in it that count now, with who has them.
    fn holdings(self, horizon: &mut Horizon) -> Vec<(&'a Ownership, Who)> {
        let all = self.spec.ownership.iter().zip(self.holders.iter().copied());
        all.filter(|(held, _)| counts(held, horizon)).collect()
    }
}

/// Whether a holding counts now.
fn counts(held: &Ownership, horizon: &mut Horizon) -> bool {
    horizon.holds(held.from.as_ref().map(|t| t.0), held.until.as_ref().map(|t| t.0))
}

/// Somebody who holds something, or the provider itself.
#[derive(Clone, Copy, Debug)]
struct Party<'a> {
    who: Who,
    holder: Option<&'a Holder>,
    described: Option<Entity<'a>>,
}

impl<'a> Party<'a> {
    fn of(entity: Entity<'a>) -> Self {
        Self { who: entity.who, holder: None, described: Some(entity) }
    }

    /// Whether it is known that nobody else stands behind it, or who does.
    fn is_known(self) -> bool {
        let ends = |holder: &Holder| matches!(holder.kind, HolderKind::Person | HolderKind::State);
        self.described.is_some() || self.holder.is_some_and(ends)
    }

    /// Whether it is a person or a state.
    fn is_end(self) -> bool {
        self.described.is_none() && self.is_known()
    }

    fn name(self) -> &'a str {
        let legal = self.described.map(|entity| entity.spec.legal_name.as_str());
        self.holder.map(|holder| holder.name.as_str()).or(legal).unwrap_or_default()
    }
}
