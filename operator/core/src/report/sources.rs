//! What has moved away and isn't gone yet: the Assignment doesn't name it any more, and it may run all the same.

use domicile_crds::ClusterName;

use super::Situation;
use crate::{
    Horizon, Rule, RuleSet,
    class::ClassRow,
    decide::{Obstacle, Wish},
    eligibility::judge_workload,
    moves::{Wait, moves_over},
    orders::strays,
};

impl Situation<'_> {
    /// Where copies were before the switch of their moves, and where there is anything that no record explains.
    pub(super) fn sources(&self) -> Vec<&ClusterName> {
        if self.world.is_succeeding(self.key()) {
            return Vec::new();
        }
        let seats = self.world.active_seats(self.key()).into_iter();
        let mut left = Vec::new();
        for seat in seats {
            let ends = moves_over(self.world, self.key(), seat).flat_map(|m| [&m.spec.from, &m.spec.to]);
            left.extend(ends.filter(|end| **end != seat.cluster));
        }
        left.extend(strays(self.world, self.observed, self.key()));
        left
    }

    /// Which rules fail and which can't be told where something still is.
    pub(super) fn judge(&self, row: Option<&ClassRow>, cluster: &ClusterName) -> (RuleSet, RuleSet) {
        let Some((row, id)) = row.zip(self.world.find_cluster(cluster)) else {
            return (RuleSet::EMPTY, RuleSet::LEGAL);
        };
        let cell = row.cell(id);
        let mut horizon = Horizon::new(self.now);
        let own = judge_workload(self.world, &row.class.tenant, self.key(), id, &mut horizon);
        (cell.failing.union(own), cell.unknown.without(Rule::ClusterNotReady))
    }

    /// What keeps a copy that must leave from its next step, if that is a member that doesn't answer, or takes nothing new.
    pub(super) fn cut_off(&self) -> Option<(&'static str, String)> {
        self.verdict.seats.iter().find_map(|seat| {
            let Wish::Move { cause, compulsory: true, .. } = &seat.wish else { return None };
            let mut waits = self.outlook.waits.iter().filter(|(ordinal, _)| *ordinal == seat.ordinal);
            let (reason, wait) = waits.find_map(|(_, wait)| match wait {
                Wait::Unreachable(_) => Some(("MemberUnreachable", wait)),
                Wait::Closed(_) => Some((Obstacle::NoLawfulPlace.name(), wait)),
                _ => None,
            })?;
            let message = format!("must leave {} because {cause}, but {wait}", seat.at.as_ref()?);
            Some((reason, message))
        })
    }

    /// Why a person must look at a source, if so.
    pub(super) fn source_stays(&self) -> Option<(&'static str, String)> {
        self.outlook.sources.iter().find_map(|source| {
            let cluster = &source.cluster;
            if !self.observed.is_reachable(cluster) && source.unfenced <= self.now {
                let message = format!(
                    "it has moved, and MemberCluster/{cluster} can't be reached: what was there may still run, and is \
                     removed when that answers again"
                );
                return Some(("SourceUnfenced", message));
            }
            (source.overdue <= self.now).then(|| {
                let wait = self.outlook.waits.iter().find(|(ordinal, _)| *ordinal == source.ordinal);
                let why = wait.map_or_else(
                    || "look there for finalizers and for pods that don't end".to_owned(),
                    |(_, wait)| wait.to_string(),
                );
                let message = format!("it has moved, and what was on MemberCluster/{cluster} isn't gone: {why}");
                ("SourceRemains", message)
            })
        })
    }
}
