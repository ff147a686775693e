//! Who is whom: providers and holders that share a name, an identifier or an object are the same.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use domicile_crds::{Holder, HostingProviderSpec, ProviderName};

/// Somebody: whatever is recorded under any of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Who(u32);

/// Who everybody is that is recorded anywhere.
#[derive(Debug)]
pub(super) struct Whos {
    /// Of each provider: itself, and its holders in their order.
    providers: BTreeMap<ProviderName, (Who, Vec<Who>)>,
    /// The providers that somebody is.
    described: BTreeMap<Who, Vec<ProviderName>>,
    /// Where somebody is named as a holder: each a provider, and which of its entries.
    named_in: HashMap<Who, Vec<(ProviderName, usize)>>,
    /// Who is called so, by object, identifier or name, in lower case.
    called: HashMap<String, Who>,
    /// What providers are called.
    described_as: BTreeSet<String>,
}

impl Whos {
    pub(super) fn of(specs: &BTreeMap<ProviderName, Arc<HostingProviderSpec>>) -> Self {
        let mut groups = Groups::default();
        let mut providers: BTreeMap<ProviderName, (Who, Vec<Who>)> = BTreeMap::new();
        for (name, spec) in specs {
            let own = groups.join(names_of_provider(name, spec));
            let holders = spec.ownership.iter().map(|held| groups.join(names_of_holder(&held.holder)));
            providers.insert(name.clone(), (own, holders.collect()));
        }
        groups.settle();
        let mut described: BTreeMap<Who, Vec<ProviderName>> = BTreeMap::new();
        let mut named_in: HashMap<Who, Vec<(ProviderName, usize)>> = HashMap::new();
        for (name, (own, holders)) in &mut providers {
            *own = groups.root(*own);
            described.entry(*own).or_default().push(name.clone());
            for (at, who) in holders.iter_mut().enumerate() {
                *who = groups.root(*who);
                named_in.entry(*who).or_default().push((name.clone(), at));
            }
        }
        let names = std::mem::take(&mut groups.of);
        let called = names.into_iter().map(|(name, who)| (name, groups.root(who))).collect();
        let described_as = specs.iter().flat_map(|(name, spec)| names_of_provider(name, spec)).collect();
        Self { providers, described, named_in, called, described_as }
    }

    pub(super) fn of_provider(&self, name: &ProviderName) -> Option<(Who, &[Who])> {
        self.providers.get(name).map(|(own, holders)| (*own, holders.as_slice()))
    }

    /// The providers that somebody is.
    pub(super) fn described(&self, who: Who) -> &[ProviderName] {
        self.described.get(&who).map_or(&[], Vec::as_slice)
    }

    /// Where somebody is named as a holder.
    pub(super) fn named_in(&self, who: Who) -> &[(ProviderName, usize)] {
        self.named_in.get(&who).map_or(&[], Vec::as_slice)
    }

    /// Who is called so, letter case aside.
    pub(super) fn called(&self, name: &str) -> Option<Who> {
        self.called.get(&fold(name)).copied()
    }

    /// Whether a provider is called so.
    pub(super) fn is_described(&self, name: &str) -> bool {
        self.described_as.contains(&fold(name))
    }
}

/// A name without letter case: registers write `Große` as `GROSSE`.
pub(super) fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

fn names_of_provider(name: &ProviderName, spec: &HostingProviderSpec) -> Vec<String> {
    let ids = spec.identifiers.iter().map(|identifier| fold(&identifier.id));
    ids.chain([name.to_string(), fold(&spec.legal_name)]).collect()
}

fn names_of_holder(holder: &Holder) -> Vec<String> {
    let id = holder.id.iter().map(|id| fold(id));
    let provider = holder.provider.iter().map(ToString::to_string);
    id.chain(provider).chain([fold(&holder.name)]).collect()
}

/// Groups of names that are somebody's, each pointing to another of its group or to itself.
#[derive(Default)]
struct Groups {
    of: HashMap<String, Who>,
    parents: Vec<Who>,
}

impl Groups {
    /// Makes one of all who have these names.
    fn join(&mut self, names: Vec<String>) -> Who {
        let fresh = Who(u32::try_from(self.parents.len()).unwrap_or(u32::MAX));
        self.parents.push(fresh);
        for name in names {
            let Some(other) = self.of.insert(name, fresh) else { continue };
            let root = self.root(other);
            if let Some(parent) = self.parents.get_mut(root.0 as usize) {
                *parent = fresh;
            }
        }
        fresh
    }

    /// Points everybody straight to the last of its group, to which all others point.
    fn settle(&mut self) {
        for at in (0..self.parents.len()).rev() {
            let last = self.parents.get(at).map(|parent| self.root(*parent));
            if let (Some(parent), Some(last)) = (self.parents.get_mut(at), last) {
                *parent = last;
            }
        }
    }

    fn root(&self, mut who: Who) -> Who {
        while let Some(parent) = self.parents.get(who.0 as usize).filter(|parent| **parent != who) {
            who = *parent;
        }
        who
    }
}
