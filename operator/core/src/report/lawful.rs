//! Whether a workload is where it may be, and until when.

use domicile_crds::{ClusterName, keys::condition};
use jiff::Timestamp;

use super::{Claim, Situation};
use crate::{
    Rule, RuleSet,
    class::ClassRow,
    decide::Blocked,
    eligibility::{Finding, Suits, explain, judge},
    orders::originals,
};

impl Situation<'_> {
    pub(super) fn compliant(&self, row: Option<&ClassRow>) -> Claim {
        let claim =
            |status, reason: &str, message: &str| Claim::new(condition::COMPLIANT, status, reason, message);
        let own = !self.world.is_succeeding(self.key());
        let placed = || self.verdict.seats.iter().filter(|seat| own && seat.at.is_some());
        let there = placed().filter_map(|seat| {
            let rule = seat.failing.intersection(RuleSet::LEGAL).first()?;
            Some((rule, self.finding(row, seat.at.as_ref(), rule, true)))
        });
        let mut unlawful: Vec<_> = there.chain(self.unlawful_sources(row)).collect();
        // What is only frozen hides nothing that may not be there at all.
        unlawful.sort_by_key(|(rule, _)| RuleSet::FREEZING.contains(*rule));
        if let Some((rule, _)) = unlawful.first() {
            let all: Vec<&str> = unlawful.iter().map(|(_, why)| why.as_str()).collect();
            return claim("False", rule.name(), &all.join("; "));
        }
        if let Some(adopting) = &self.outlook.adopting {
            let message = format!("what runs on MemberCluster/{} isn't on record yet", adopting.cluster);
            return claim("Unknown", "Adopting", &message);
        }
        // Without its tenant, nothing else can be told of where it is; what is known to be unlawful comes first.
        if let Some(Blocked::Homeless(homeless)) = &self.verdict.blocked
            && !self.verdict.seats.is_empty()
        {
            return claim("Unknown", Rule::NamespaceTaken.name(), &homeless.to_string());
        }
        for seat in placed() {
            let stale = seat.failing.intersection(RuleSet::EMPTY.with(Rule::ObservationStale));
            let unknown = seat.unknown.intersection(RuleSet::LEGAL).union(stale);
            if let Some(rule) = unknown.first() {
                return claim("Unknown", rule.name(), &self.finding(row, seat.at.as_ref(), rule, false));
            }
        }
        for source in self.sources() {
            let unknown = self.judge(row, source).1.intersection(RuleSet::LEGAL);
            if let Some(rule) = unknown.first() {
                return claim("Unknown", rule.name(), &self.finding(row, Some(source), rule, false));
            }
        }
        match placed().next() {
            Some(_) => claim("True", "Lawful", "every copy is at a lawful place"),
            None => claim("True", "NothingPlaced", "nothing of it is anywhere"),
        }
    }

    /// Where something is that moves have left, or nobody has on record, and may not be.
    fn unlawful_sources(&self, row: Option<&ClassRow>) -> impl Iterator<Item = (Rule, String)> {
        self.sources().into_iter().filter_map(move |source| {
            let rule = self.judge(row, source).0.intersection(RuleSet::LEGAL).first()?;
            let found = self.finding(row, Some(source), rule, true);
            let labelled = originals(self.world, self.observed, self.key());
            let why = match labelled {
                Some((at, _)) if at == source => "what is there has its labels and was never on record",
                _ if self.world.assignments.contains_key(self.key()) => {
                    "what has moved away isn't gone from there yet"
                }
                _ => "what is there isn't on record",
            };
            Some((rule, format!("{found}; {why}")))
        })
    }

    pub(super) fn finding(
        &self,
        row: Option<&ClassRow>,
        at: Option<&ClusterName>,
        rule: Rule,
        certain: bool,
    ) -> String {
        let name = at.map(ToString::to_string).unwrap_or_default();
        let id = at.and_then(|name| self.world.find_cluster(name));
        let found = row.zip(id).and_then(|(row, id)| {
            explain(self.world, (&row.class, self.key()), id, self.now).into_iter().find(|f| f.rule == rule)
        });
        let finding = found.unwrap_or_else(|| Finding::bare(rule, certain, format!("MemberCluster/{name}")));
        format!("{name}: {finding}")
    }

    /// When the first copy ceases to be lawful if nothing changes.
    pub(super) fn compliant_until(&self, row: &ClassRow) -> Option<Timestamp> {
        let ids = self.verdict.seats.iter().filter_map(|seat| self.world.find_cluster(seat.at.as_ref()?));
        let lawful = |cell: &crate::eligibility::Cell| cell.failing.intersection(RuleSet::LEGAL).is_empty();
        ids.filter_map(|id| {
            let mut cell = row.cell(id);
            // A few steps are enough: each is an end of an approval or of a membership.
            for _ in 0..8 {
                if !lawful(&cell) {
                    return None;
                }
                let next = cell.next?;
                cell = judge(self.world, &row.class, (id, next), &mut Suits::default());
                if !lawful(&cell) {
                    return Some(next);
                }
            }
            None
        })
        .min()
    }
}
