//! Secrets that workloads take from the hub: which are followed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domicile_core::Change;
use domicile_crds::{NamespaceName, Problem, Seat, SecretSource, TenantWorkload, WorkloadKey};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{Brain, Hands};
use crate::{
    hub::secrets::{SecretKey, follow},
    member::error::MemberError,
};

/// The Secrets of the hub that are followed: only those that a workload takes from there.
#[derive(Debug)]
pub(super) struct Followed {
    /// Who takes each.
    takers: BTreeMap<SecretKey, HashSet<WorkloadKey>>,
    /// What each takes.
    taken: HashMap<WorkloadKey, BTreeSet<String>>,
    /// Which may not be looked at.
    forbidden: BTreeSet<SecretKey>,
    /// For whoever looks at them.
    wanted: watch::Sender<BTreeSet<SecretKey>>,
}

impl Followed {
    pub(super) fn begin(hands: &Hands) -> Self {
        let (wanted, seen) = watch::channel(BTreeSet::new());
        tokio::spawn(follow(hands.client.clone(), seen, hands.inputs.clone(), hands.metrics.clone()));
        Self { takers: BTreeMap::new(), taken: HashMap::new(), forbidden: BTreeSet::new(), wanted }
    }

    /// What a workload takes now. Answers those that nobody takes any more.
    fn take(&mut self, workload: &WorkloadKey, names: BTreeSet<String>) -> Vec<SecretKey> {
        let before = self.taken.remove(workload).unwrap_or_default();
        if before == names {
            if !names.is_empty() {
                self.taken.insert(workload.clone(), names);
            }
            return Vec::new();
        }
        let key = |name: &String| (workload.namespace.clone(), name.clone());
        let (mut forsaken, mut begun) = (Vec::new(), Vec::new());
        for secret in before.difference(&names).map(key) {
            if let Some(takers) = self.takers.get_mut(&secret)
                && takers.remove(workload)
                && takers.is_empty()
            {
                self.takers.remove(&secret);
                self.forbidden.remove(&secret);
                forsaken.push(secret);
            }
        }
        for secret in names.difference(&before).map(key) {
            let takers = self.takers.entry(secret.clone()).or_default();
            if takers.is_empty() {
                begun.push(secret);
            }
            takers.insert(workload.clone());
        }
        if !names.is_empty() {
            self.taken.insert(workload.clone(), names);
        }
        self.wanted.send_if_modified(|wanted| {
            let differs = !forsaken.is_empty() || !begun.is_empty();
            for secret in &forsaken {
                wanted.remove(secret);
            }
            wanted.extend(begun);
            differs
        });
        forsaken
    }

    /// Of what a workload takes, what may not be looked at.
    fn forbidden_to(&self, workload: &WorkloadKey) -> Vec<String> {
        let taken = self.taken.get(workload).into_iter().flatten();
        let is_forbidden =
            |name: &&String| self.forbidden.contains(&(workload.namespace.clone(), (*name).clone()));
        if self.forbidden.is_empty() { Vec::new() } else { taken.filter(is_forbidden).cloned().collect() }
    }
}

impl Brain {
    /// Takes note of which Secrets a workload takes from the hub; `None` if it is gone.
    pub(super) fn follow_secrets(
        &mut self,
        key: &WorkloadKey,
        workload: Option<&TenantWorkload>,
        now: Timestamp,
    ) {
        let secrets = workload.into_iter().flat_map(|workload| &workload.spec.secrets);
        let names = secrets.filter(|s| s.from == SecretSource::Hub).map(|s| s.name.clone()).collect();
        for (namespace, name) in self.followed.take(key, names) {
            self.engine.apply(Change::Secret(namespace, name, None), now);
        }
    }

    /// A Secret is there, new or changed, or gone.
    pub(super) fn secret_seen(
        &mut self,
        namespace: NamespaceName,
        name: String,
        version: Option<u64>,
        now: Timestamp,
    ) {
        let secret = (namespace, name);
        let Some(takers) = self.followed.takers.get(&secret) else { return };
        let may_be_seen_again = self.followed.forbidden.remove(&secret);
        if may_be_seen_again {
            for key in takers {
                self.engine.touch(key.clone());
            }
        }
        let known = self.engine.world().secrets.get(&secret.0).and_then(|there| there.get(&secret.1));
        if may_be_seen_again || known.copied() != version {
            // What failed without it may succeed now.
            self.failures.retain(|(key, _), _| !takers.contains(key));
        }
        let (namespace, name) = secret;
        self.engine.apply(Change::Secret(namespace, name, version), now);
    }

    /// A Secret may not be looked at. What was copied stays, and whoever takes it says so.
    pub(super) fn secret_forbidden(&mut self, secret: SecretKey) {
        if let Some(takers) = self.followed.takers.get(&secret)
            && self.followed.forbidden.insert(secret)
        {
            for key in takers {
                self.engine.touch(key.clone());
            }
        }
    }

    /// What a workload has to say of the Secrets that may not be looked at: that no copy of it gets what changes there.
    pub(super) fn unreadable_secrets(&self, key: &WorkloadKey) -> Vec<Problem> {
        let names = self.followed.forbidden_to(key);
        let seats = self.engine.world().active_seats(key);
        let of = |name: &String, seat: &&Seat| {
            MemberError::SecretForbidden(name.clone())
                .problem(seat.cluster.as_str(), &format!("Secret/{name}"))
        };
        names.iter().flat_map(|name| seats.iter().map(move |seat| of(name, seat))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> WorkloadKey {
        WorkloadKey::new("acme", name).unwrap()
    }

    #[test]
    fn a_secret_is_followed_for_as_long_as_anybody_takes_it() {
        let (wanted, mut seen) = watch::channel(BTreeSet::new());
        let mut followed =
            Followed { takers: BTreeMap::new(), taken: HashMap::new(), forbidden: BTreeSet::new(), wanted };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        // Who takes what; whether anything is told, what is followed then, and what nobody takes any more.
        for (workload, takes, told, wanted, forsaken) in [
            ("a", &["db", "tls"][..], true, &["db", "tls"][..], &[][..]),
            ("a", &["db", "tls"], false, &["db", "tls"], &[]),
            ("b", &["db"], false, &["db", "tls"], &[]),
            ("a", &[], true, &["db"], &["tls"]),
            ("b", &["new"], true, &["new"], &["db"]),
            ("b", &[], true, &[], &["new"]),
        ] {
            let left = followed.take(&key(workload), names(takes)).into_iter().map(|(_, name)| name);
            assert_eq!(left.collect::<BTreeSet<_>>(), names(forsaken));
            assert_eq!(seen.has_changed().unwrap(), told);
            let there =
                seen.borrow_and_update().iter().map(|(_, name)| name.clone()).collect::<BTreeSet<_>>();
            assert_eq!(there, names(wanted));
        }
        assert!(followed.takers.is_empty() && followed.taken.is_empty());
    }

    #[test]
    fn what_may_not_be_looked_at_concerns_whoever_takes_it_for_as_long_as_that() {
        let (wanted, _seen) = watch::channel(BTreeSet::new());
        let mut followed =
            Followed { takers: BTreeMap::new(), taken: HashMap::new(), forbidden: BTreeSet::new(), wanted };
        followed.take(&key("a"), ["db".to_owned(), "tls".to_owned()].into());
        followed.forbidden.insert((NamespaceName::new("acme").unwrap(), "db".to_owned()));
        followed.take(&key("later"), ["db".to_owned()].into());
        for workload in ["a", "later"] {
            assert_eq!(followed.forbidden_to(&key(workload)), ["db"]);
        }
        assert_eq!(followed.forbidden_to(&key("b")), [""; 0]);
        for workload in ["a", "later"] {
            followed.take(&key(workload), BTreeSet::new());
            assert_eq!(followed.forbidden_to(&key(workload)), [""; 0]);
        }
        assert!(followed.forbidden.is_empty());
    }
}
