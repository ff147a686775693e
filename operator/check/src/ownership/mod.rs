//! The section "Ownership, control and law" of `docs/rules.md`.
//!
//! What is held from home must be said to be so by the very entry that is counted; what speaks against a holder
//! counts wherever it is named.

mod chains;
mod control;
mod foreign;
mod independence;
mod laws;
mod register;
mod say;

use std::collections::BTreeSet;

use domicile_crds::{ExcludedLaw, HostingProvider, ProviderPolicy, RequiredCertification};
use jiff::Timestamp;

pub(crate) use self::register::Register;
use self::{
    chains::Snapshot,
    control::Control,
    foreign::View,
    independence::{Beside, Of},
    laws::{Binds, Compellable},
    register::Company,
};
use crate::{
    candidate::Candidate,
    rule::{Object, Rule},
    violation::Forbidden,
};

impl Candidate<'_> {
    /// How the providers of the place fail what the tenant asks of providers.
    pub(crate) fn ownership(&self) -> Vec<Forbidden> {
        let Some(policy) = self.tenant.map(|tenant| &tenant.spec.providers) else { return vec![] };
        let asked = asked(policy);
        if asked.is_empty() {
            return vec![];
        }
        let all_unknown = |object: Object| {
            let unknown = |rule: &Rule| Forbidden::Unknown { object: object.clone(), rule: *rule };
            asked.iter().map(unknown).collect::<Vec<_>>()
        };
        if self.site.is_none() {
            return all_unknown(self.site_object());
        }
        let at = Snapshot { register: self.facts.register(), now: self.now };
        let judge = |name: &str| match at.register.company(name) {
            Some(company) => self.judged(policy, at, company),
            None => all_unknown(Object::new("HostingProvider", name)),
        };
        self.providers().flat_map(judge).collect()
    }

    fn judged(&self, policy: &ProviderPolicy, at: Snapshot<'_>, company: Company) -> Vec<Forbidden> {
        let mut found = Vec::new();
        if asked(policy).iter().any(|rule| *rule != Rule::CertificationMissing) {
            let mut of = independence::meant(at, &policy.independent_of);
            of.push(company);
            let control = Control::new(at, &of);
            found.extend(self.owners(policy, &control, company));
            found.extend(compelled(&policy.not_subject_to, &control, company));
        }
        let provider = &at.register.record(company).object;
        found.extend(uncertified(&policy.certifications, provider, self.now));
        found
    }

    /// The rules on who owns and controls it.
    fn owners(&self, policy: &ProviderPolicy, control: &Control<'_>, company: Company) -> Vec<Forbidden> {
        let at = control.at;
        let object = object(at, company);
        let mut found = Vec::new();
        let beside = (!policy.independent_of.is_empty())
            .then(|| Beside::new(control, company, &policy.independent_of));
        for entry in beside.iter().flat_map(Beside::depends_on) {
            found.push(Forbidden::ProviderNotIndependent { object: object.clone(), of: cut(entry) });
        }
        let home = policy.home_country_set.as_ref().map(|set| (set, self.members(set.as_str(), &[])));
        let home = home.map(|(set, members)| (set, members.map(BTreeSet::from_iter)));
        let mut view = None;
        match &home {
            Some((set, Some(home))) => {
                let view = view.insert(View::new(control, company, home, policy.max_foreign_share));
                if view.fails() {
                    found.push(Forbidden::ForeignControl { object: object.clone(), set: set.to_string() });
                }
            }
            Some((set, None)) => {
                let object = Object::new("CountrySet", set.as_str());
                found.push(Forbidden::Unknown { object, rule: Rule::ForeignControl });
            }
            None => {}
        }
        if found.iter().all(|fact| matches!(fact, Forbidden::Unknown { .. })) {
            let by_origin = view.and_then(|view| view.unknown()).map(|missing| (object, missing));
            let unknown = by_origin.or_else(|| {
                let (of, missing) = beside?.unknown()?;
                Some((whom(at, &of), missing))
            });
            found.extend(unknown.map(|(object, missing)| Forbidden::OwnershipUnknown { object, missing }));
        }
        found
    }
}

/// The rules that a tenant asks for.
fn asked(policy: &ProviderPolicy) -> Vec<Rule> {
    let independent = !policy.independent_of.is_empty();
    let home = policy.home_country_set.is_some();
    let rules = [
        (Rule::ProviderNotIndependent, independent),
        (Rule::ForeignControl, home),
        (Rule::OwnershipUnknown, independent || home),
        (Rule::CompelledDisclosure, !policy.not_subject_to.is_empty()),
        (Rule::CertificationMissing, !policy.certifications.is_empty()),
    ];
    rules.into_iter().filter_map(|(rule, asked)| asked.then_some(rule)).collect()
}

fn object(at: Snapshot<'_>, company: Company) -> Object {
    let name = &at.register.record(company).object.metadata.name;
    Object::new("HostingProvider", name.clone().unwrap_or_default())
}

fn whom(at: Snapshot<'_>, of: &Of<'_>) -> Object {
    match of {
        Of::Company(company) => object(at, *company),
        Of::Nobody(entry) => Object::new("HostingProvider", cut(entry)),
    }
}

/// A failure rather than an unknown, which is said once.
fn compelled(laws: &[ExcludedLaw], control: &Control<'_>, company: Company) -> Vec<Forbidden> {
    if laws.is_empty() {
        return vec![];
    }
    let compellable = Compellable::new(control, company);
    let answers: Vec<_> = laws.iter().map(|law| (law, compellable.bound_by(law))).collect();
    let object = object(control.at, company);
    match answers.iter().map(|(_, binds)| *binds).max() {
        Some(Binds::Some) => {
            let binding = answers.into_iter().filter(|(_, binds)| *binds == Binds::Some);
            let fact = |(law, _)| Forbidden::CompelledDisclosure { object: object.clone(), law: label(law) };
            binding.map(fact).collect()
        }
        Some(Binds::Unknown) => vec![Forbidden::Unknown { object, rule: Rule::CompelledDisclosure }],
        _ => vec![],
    }
}

fn label(law: &ExcludedLaw) -> String {
    match (&law.law, law.jurisdiction) {
        (Some(law), Some(jurisdiction)) => format!("{} ({jurisdiction})", cut(law)),
        (Some(law), None) => cut(law),
        (None, Some(jurisdiction)) => format!("every law of {jurisdiction}"),
        (None, None) => "every law".to_owned(),
    }
}

fn uncertified<'a>(
    wanted: &'a [RequiredCertification],
    provider: &'a HostingProvider,
    now: Timestamp,
) -> impl Iterator<Item = Forbidden> + 'a {
    let held = move |wanted: &RequiredCertification| {
        provider.spec.certifications.iter().any(|held| {
            held.scheme == wanted.scheme
                && (wanted.level.is_none() || held.level == wanted.level)
                && held.valid_from.as_ref().is_none_or(|from| from.0 <= now)
                && held.valid_until.as_ref().is_none_or(|until| now < until.0)
        })
    };
    let object = Object::new("HostingProvider", provider.metadata.name.clone().unwrap_or_default());
    wanted.iter().filter(move |wanted| !held(wanted)).map(move |wanted| {
        let level = wanted.level.as_ref().map(|level| format!(" {}", cut(level)));
        let certificate = cut(&wanted.scheme) + &level.unwrap_or_default();
        Forbidden::CertificationMissing { object: object.clone(), certificate }
    })
}

/// So that a sentence with it still fits into a condition.
fn cut(text: &str) -> String {
    const MAX: usize = 60;
    text.chars()
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= MAX).then_some(c)
        })
        .collect()
}
