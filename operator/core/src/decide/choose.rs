//! Choosing among the lawful: tier, spread, free capacity, hash.

use std::ops::Range;

use domicile_crds::SpreadBy;

use super::case::Case;
use crate::{manifests::fnv1a, world::ClusterId};

impl Case<'_> {
    /// The best open cluster of `tiers` that no copy of the workload uses, which is then taken.
    pub(super) fn choose(&mut self, tiers: Range<u16>) -> Option<ClusterId> {
        let row = self.row;
        // Whatever opens or closes another cluster of the class can change the choice.
        row.next.into_iter().for_each(|next| self.horizon.note(next));
        let by_preference = tiers.end < u16::MAX;
        let open = row.open.iter().filter(|(tier, _)| tiers.contains(tier));
        let chosen = open.map(|(_, open)| open).find_map(|open| self.best_of(open, by_preference));
        self.taken.extend(chosen);
        chosen
    }

    fn best_of(&mut self, open: &[ClusterId], by_preference: bool) -> Option<ClusterId> {
        // Its name, and not its uid: that a plan can tell before there is one.
        let hash = fnv1a(self.key.to_string().as_bytes());
        let start = usize::try_from(hash % (open.len().max(1) as u64)).unwrap_or(0);
        let (head, tail) = open.split_at(start);
        let several = self.workload.clusters.count > 1;
        let mut best: Option<((usize, u8), ClusterId)> = None;
        for id in tail.iter().chain(head).copied() {
            if !self.may_have(id, by_preference) {
                continue;
            }
            let crowd = if several { self.crowd(id) } else { 0 };
            let full = 8 - self.overlay.free(self.world, id);
            if best.is_none_or(|(rank, _)| (crowd, full) < rank) {
                best = Some(((crowd, full), id));
            }
            // Nothing that follows can be better.
            if (crowd, full) == (0, 0) {
                break;
            }
        }
        best.map(|(_, id)| id)
    }

    /// Whether an open cluster can have a copy of this very workload.
    fn may_have(&mut self, id: ClusterId, by_preference: bool) -> bool {
        if (self.taken.contains(&id) && !self.left.contains(&id))
            || self.avoided.contains(&id)
            || self.world.is_stale(id, self.horizon.now())
            || !self.own(id).is_empty()
            || (by_preference && !self.is_settled(id))
        {
            return false;
        }
        let has_room = self.overlay.has_room(self.world, id, self.manifests.demand);
        self.short |= !has_room;
        has_room
    }

    /// How many copies of the workload are in the same site, provider or country.
    fn crowd(&self, id: ClusterId) -> usize {
        let Some((name, site)) = self.world.site_of(id) else { return usize::MAX };
        let same = |other: &&ClusterId| {
            self.world.site_of(**other).is_some_and(|(other_name, other)| {
                match self.workload.clusters.spread_by {
                    SpreadBy::Site => other_name == name,
                    SpreadBy::Provider => other.operated_by == site.operated_by,
                    SpreadBy::Country => other.country == site.country,
                }
            })
        };
        self.taken.iter().filter(same).count()
    }
}
