//! Whether every copy has its cluster, and what stands between a workload and those that it has none of.

use std::collections::BTreeMap;

use domicile_crds::{
    Candidates, ClusterName,
    keys::{self, condition},
};

use super::{Claim, SUCCEEDING, Situation, place};
use crate::{
    Rule, RuleSet,
    class::ClassRow,
    decide::{Obstacle, Wish},
    eligibility::{Finding, explain},
    manifests::ObjectRef,
    orders::Adopting,
    text::shorten,
    world::ClusterId,
};

/// Why a cluster takes no copy of a workload that nothing else bars there.
const HAS_COPY: &str = "HasCopy";

impl Situation<'_> {
    pub(super) fn placed(&self, row: Option<&ClassRow>) -> Claim {
        let claim =
            |status, reason: &str, message: &str| Claim::new(condition::PLACED, status, reason, message);
        if let Some(blocked) = &self.verdict.blocked {
            return claim("False", blocked.name(), &blocked.to_string());
        }
        if self.world.is_restored(self.key()) {
            let uid = self.world.workloads.get(self.key()).map_or("", |workload| &*workload.uid);
            let message = format!(
                "Assignment/{} was restored and names another owner: if what it says is so, set its \
                 metadata.ownerReferences[0].uid to {uid}; nothing is touched until then",
                self.key().name
            );
            return claim("Unknown", "RecordOfAnother", &message);
        }
        if self.world.is_succeeding(self.key()) {
            let message = format!(
                "what an earlier workload of this name has left is removed first: see Assignment/{}",
                self.key().name
            );
            return claim("False", SUCCEEDING, &message);
        }
        if let Some(cluster) = &self.outlook.placement_unknown {
            let message = format!(
                "no record says where this workload is, and MemberCluster/{cluster} has objects of it, or may have \
                 and can't be asked: restore its Assignment from a backup, without metadata.ownerReferences, or delete them there; nothing is placed \
                 until that is certain"
            );
            return claim("Unknown", "PlacementUnknown", &message);
        }
        if let Some(adopting) = &self.outlook.adopting {
            return claim("False", "Adopting", &self.adopting(adopting));
        }
        let waiting = self.verdict.seats.iter().filter(|seat| seat.wish == Wish::Wait).count();
        if waiting == 0 {
            return claim("True", "Placed", &self.places());
        }
        let (reason, message) = row.map_or(("NoCluster", String::new()), |row| self.nearest(row));
        claim("False", reason, &message)
    }

    /// Why what is said to run somewhere already isn't on record yet.
    fn adopting(&self, adopting: &Adopting) -> String {
        let Adopting { cluster, missing, surplus, .. } = adopting;
        let named = |objects: &[ObjectRef]| {
            let first =
                objects.first().map(|it| format!("{}/{}", it.kind.name(), it.name)).unwrap_or_default();
            if objects.len() > 1 { format!("{first} and {} more", objects.len() - 1) } else { first }
        };
        let why = match (missing.as_slice(), surplus.as_slice()) {
            _ if !self.exists(cluster) => "which doesn't exist".to_owned(),
            _ if !self.observed.is_current(cluster) => "which can't be asked".to_owned(),
            _ if self.now < adopting.settles => "and that is being looked at".to_owned(),
            ([], []) => "and that is about to be recorded".to_owned(),
            ([], more) => {
                let label = format!("{}={}", keys::WORKLOAD_LABEL, self.key().name);
                format!(
                    "where {} has its label {label} and isn't in its manifests: remove the label",
                    named(more)
                )
            }
            (missing, _) => {
                let missing = named(missing);
                format!("where {missing} isn't seen with its labels: `kubectl domicile adopt` gives them")
            }
        };
        format!(
            "spec.adopt says that it runs on MemberCluster/{cluster} already, {why}; nothing is placed until it is adopted. If nothing of it is \
             there, remove spec.adopt, and it is placed anew"
        )
    }

    fn exists(&self, cluster: &ClusterName) -> bool {
        let id = self.world.find_cluster(cluster);
        id.and_then(|id| self.world.cluster(id)).is_some_and(|row| row.fact.is_some())
    }

    /// Where the copies are, for people.
    fn places(&self) -> String {
        let seats = self.world.active_seats(self.key());
        let place = |cluster: &ClusterName| {
            let place = place(self.world, cluster);
            let provider = place
                .provider
                .map_or_else(|| "a provider that isn't known".to_owned(), |p| format!("HostingProvider/{p}"));
            let country =
                place.country.map_or_else(|| "a country that isn't known".to_owned(), |c| c.to_string());
            format!("{cluster} in {country}, run by {provider}")
        };
        let places: Vec<String> = seats.iter().map(|seat| place(&seat.cluster)).collect();
        if places.is_empty() {
            return "every copy has its cluster".to_owned();
        }
        format!("on {}", places.join("; on "))
    }

    /// The reason that stands between a workload and the cluster that comes nearest.
    fn nearest(&self, row: &ClassRow) -> (&'static str, String) {
        let rejected = self.candidates(row);
        let Some(nearest) = rejected.last() else {
            return ("NoCluster", "there is no MemberCluster".to_owned());
        };
        if nearest.reason == HAS_COPY {
            return (HAS_COPY, "no cluster takes two copies, and there is none without one".to_owned());
        }
        let total: i32 = rejected.iter().filter(|c| c.reason != HAS_COPY).map(|c| c.count).sum();
        let rule = Rule::ALL.into_iter().find(|rule| rule.name() == nearest.reason);
        let more = if rejected.iter().any(|c| c.reason == HAS_COPY) { "more " } else { "" };
        let message = format!("none of {total} {more}clusters may have it; {}", nearest.message);
        (rule.map_or("NoCluster", Rule::name), message)
    }

    /// What stands between a copy that must leave and the cluster that comes nearest, if clusters are the matter.
    pub(super) fn nearest_elsewhere(&self, obstacle: Obstacle) -> String {
        let row = self.classes.of(self.key()).filter(|_| obstacle == Obstacle::NoLawfulPlace);
        let has_copy =
            |name: &ClusterName| self.verdict.seats.iter().any(|seat| seat.at.as_ref() == Some(name));
        let nearest = row.and_then(|row| {
            let full = self.full(row);
            self.turned_down(row, |name| !has_copy(name) && !full.contains(name)).pop()
        });
        nearest.map(|nearest| format!(" (nearest: {})", nearest.message)).unwrap_or_default()
    }

    /// Why clusters are turned down, by the first rule that does, the most permanent first. Before them, those that have a copy, if
    /// nothing else bars them.
    pub(super) fn candidates(&self, row: &ClassRow) -> Vec<Candidates> {
        let full = self.full(row);
        let has_copy = full.first().map(|name| Candidates {
            reason: HAS_COPY.to_owned(),
            count: i32::try_from(full.len()).unwrap_or(i32::MAX),
            message: format!("{name}: no cluster takes two copies"),
        });
        has_copy.into_iter().chain(self.turned_down(row, |name| !full.contains(name))).collect()
    }

    /// Clusters that nothing bars but that the workload has something there, or is about to.
    fn full(&self, row: &ClassRow) -> Vec<ClusterName> {
        let is_lawful = |name: &ClusterName| {
            let id = self.world.find_cluster(name).filter(|_| self.exists(name));
            id.is_some_and(|id| self.bars(row, id).is_empty())
        };
        self.world.clusters_used_by(self.key()).into_iter().filter(is_lawful).collect()
    }

    /// The rules that keep a workload from a cluster.
    fn bars(&self, row: &ClassRow, id: ClusterId) -> RuleSet {
        let cell = row.cell(id);
        let mut rules = cell.failing.union(cell.unknown);
        if self.world.is_stale(id, self.now) {
            rules.insert(Rule::ObservationStale);
        }
        rules
    }

    fn turned_down(&self, row: &ClassRow, counts: impl Fn(&ClusterName) -> bool) -> Vec<Candidates> {
        // How many there are, and of those the one that the fewest rules bar.
        let mut by_rule: BTreeMap<Rule, (i32, usize, ClusterId)> = BTreeMap::new();
        for id in self.world.clusters_by_name() {
            let cluster = self.world.cluster(*id).filter(|cluster| cluster.fact.is_some());
            if !cluster.is_some_and(|cluster| counts(&cluster.name)) {
                continue;
            }
            let rules = self.bars(row, *id);
            // What is open and still wasn't chosen has no room.
            let rule = rules.first().unwrap_or(Rule::CapacityExceeded);
            let bars = rules.iter().count();
            let (count, fewest, example) = by_rule.entry(rule).or_insert((0, bars, *id));
            *count += 1;
            if bars < *fewest {
                (*fewest, *example) = (bars, *id);
            }
        }
        by_rule.into_iter().map(|(rule, (count, _, id))| self.candidate(row, rule, count, id)).collect()
    }

    fn candidate(&self, row: &ClassRow, rule: Rule, count: i32, id: ClusterId) -> Candidates {
        let name = self.world.cluster(id).map(|c| c.name.to_string()).unwrap_or_default();
        let found =
            explain(self.world, (&row.class, self.key()), id, self.now).into_iter().find(|f| f.rule == rule);
        let finding = found.unwrap_or_else(|| Finding::bare(rule, true, format!("MemberCluster/{name}")));
        let message = shorten(&format!("{name}: {finding}"));
        Candidates { reason: rule.name().to_owned(), count, message }
    }
}
