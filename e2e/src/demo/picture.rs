//! What is seen of the fleet: made from watches, and from nothing else.
//!
//! It also keeps the promises: whatever must never be true, at no instant of the story, is looked at with
//! each event and remembered.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use domicile_crds::{
    Cause, Decision, DecisionSpec, MemberCluster, Migration, MigrationStep, Site, SiteState, SubjectKind,
    TenantWorkload, TenantWorkloadStatus, WorkloadKey, condition_of, keys,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{apps::v1::Deployment, batch::v1::CronJob},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::screen::Tone;

/// Where a tenant's objects may never be seen, whatever the step: where its policy never allowed them.
const NEVER: [(&str, &[&str]); 3] = [
    ("hospital", &["ch-zrh-1"]),
    ("meridian", &["ch-zrh-1"]),
    ("claims", &["nl-ams-1", "de-fra-1", "ch-zrh-1"]),
];

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub at: Instant,
    pub tone: Tone,
    pub text: String,
}

/// What runs of a workload on one member: its Deployment or CronJob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    Deployment { ready: i32, wanted: i32, uid: String },
    CronJob { suspended: bool, uid: String },
}

impl Copy {
    /// Whether it does its work.
    pub(super) fn works(&self) -> bool {
        match self {
            Self::Deployment { ready, wanted, .. } => *wanted > 0 && ready >= wanted,
            Self::CronJob { suspended, .. } => !suspended,
        }
    }

    pub(super) fn uid(&self) -> &str {
        match self {
            Self::Deployment { uid, .. } | Self::CronJob { uid, .. } => uid,
        }
    }
}

/// One move, as its Migration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub name: String,
    pub from: String,
    pub to: String,
    pub cause: Cause,
    pub compulsory: bool,
    pub digest: String,
    pub step: Option<MigrationStep>,
    pub message: Option<String>,
}

impl Move {
    pub(super) fn ended(&self) -> bool {
        self.step.is_some_and(MigrationStep::is_final)
    }

    /// It waits for somebody, and nothing of it has begun.
    pub(super) fn waits(&self) -> bool {
        self.step == Some(MigrationStep::Waiting)
    }
}

/// A workload, as the hub says.
#[derive(Clone, Debug, Default)]
pub(super) struct Workload {
    pub generation: i64,
    pub status: TenantWorkloadStatus,
}

impl Workload {
    /// A condition's status, reason and message, if it speaks of the present generation.
    pub(super) fn condition(&self, kind: &str) -> Option<(&str, &str, &str)> {
        let found = condition_of(&self.status.conditions, kind)?;
        (found.observed_generation == Some(self.generation)).then_some((
            &found.status,
            &found.reason,
            &found.message,
        ))
    }
}

/// What is seen of the fleet.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub workloads: BTreeMap<WorkloadKey, Workload>,
    pub moves: BTreeMap<WorkloadKey, BTreeMap<String, Move>>,
    /// By workload and member.
    pub copies: BTreeMap<WorkloadKey, BTreeMap<String, Copy>>,
    pub members: BTreeMap<String, MemberCluster>,
    pub sites: BTreeMap<String, Site>,
    pub decisions: BTreeMap<String, Decision>,
    pub news: Vec<News>,
    /// Promises that were broken.
    pub broken: Vec<String>,
    /// CronJobs that looked as if they could run on two members at once. Only the members can tell: of two watches
    /// one may be late.
    pub doubts: Vec<WorkloadKey>,
    /// Workloads that have worked: from then on they always must.
    worked: BTreeSet<WorkloadKey>,
}

impl Picture {
    /// The site of a member.
    pub(super) fn site_of(&self, cluster: &str) -> Option<&Site> {
        self.sites.get(self.members.get(cluster)?.spec.site.as_str())
    }

    /// A member with its country, for a sentence.
    pub(super) fn place(&self, cluster: &str) -> String {
        match self.site_of(cluster) {
            Some(site) => format!("{cluster} ({}, {})", site.spec.country, site.spec.operated_by),
            None => cluster.to_owned(),
        }
    }

    pub(super) fn is_online(&self, cluster: &str) -> bool {
        self.site_of(cluster).is_some_and(|site| site.spec.state == SiteState::Online)
    }

    /// Since when a member is Ready.
    pub(super) fn ready_since(&self, cluster: &str) -> Option<Timestamp> {
        let status = self.members.get(cluster)?.status.as_ref()?;
        let ready = condition_of(&status.conditions, keys::condition::READY)?;
        (ready.status == "True").then_some(ready.last_transition_time.0)
    }

    /// The strictest decision about a subject that no other names in `supersedes`: as much of docs/rules.md as
    /// this story needs.
    pub(super) fn standing(&self, kind: SubjectKind, name: &str) -> Option<&DecisionSpec> {
        let about =
            |decision: &&Decision| decision.spec.subject.kind == kind && decision.spec.subject.name == name;
        let superseded: BTreeSet<&str> = self
            .decisions
            .values()
            .flat_map(|decision| decision.spec.supersedes.iter().map(domicile_crds::DecisionName::as_str))
            .collect();
        self.decisions
            .iter()
            .filter(|(name, decision)| about(decision) && !superseded.contains(name.as_str()))
            .map(|(_, decision)| &decision.spec)
            .max_by_key(|spec| spec.decision)
    }

    /// The members that have something of a workload.
    pub(super) fn clusters_of(&self, key: &WorkloadKey) -> Vec<&str> {
        self.copies.get(key).into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect()
    }

    /// Its move that hasn't ended.
    pub(super) fn move_of(&self, key: &WorkloadKey) -> Option<&Move> {
        self.moves.get(key)?.values().find(|it| !it.ended())
    }

    fn tell(&mut self, tone: Tone, text: String) {
        self.news.push(News { at: Instant::now(), tone, text });
    }

    /// A workload as it is on the hub now.
    pub(super) fn see_workload(&mut self, object: &TenantWorkload) {
        let Some(key) = key_of(&object.metadata, object.metadata.name.as_deref()) else { return };
        let next = Workload {
            generation: object.metadata.generation.unwrap_or_default(),
            status: object.status.clone().unwrap_or_default(),
        };
        let old = self.workloads.insert(key.clone(), next.clone()).unwrap_or_default();
        for kind in [keys::condition::COMPLIANT, keys::condition::STALLED] {
            let was =
                condition_of(&old.status.conditions, kind).map(|c| (c.status.as_str(), c.reason.as_str()));
            let Some(is) = condition_of(&next.status.conditions, kind) else { continue };
            let bad = (is.status == "True") == (kind == keys::condition::STALLED);
            let first_and_good = was.is_none() && !bad;
            if was != Some((is.status.as_str(), is.reason.as_str())) && !first_and_good {
                let tone = if bad { Tone::Bad } else { Tone::Good };
                self.tell(tone, format!("{key} says {kind}={}: {}: {}", is.status, is.reason, is.message));
            }
        }
        let held = |w: &Workload| w.condition(keys::condition::READY).is_some_and(|c| c.1 == "UpdateHeld");
        if held(&next) && !held(&old) {
            self.tell(Tone::Waiting, format!("{key} says UpdateHeld: its change is not applied"));
        }
    }

    /// A move as it is on the hub now.
    pub(super) fn see_move(&mut self, object: &Migration) {
        let spec = &object.spec;
        let Some(key) = key_of(&object.metadata, Some(spec.workload.as_str())) else { return };
        let status = object.status.clone().unwrap_or_default();
        let name = object.metadata.name.clone().unwrap_or_default();
        let next = Move {
            name: name.clone(),
            from: spec.from.to_string(),
            to: spec.to.to_string(),
            cause: spec.cause.clone(),
            compulsory: spec.compulsory,
            digest: spec.digest.clone(),
            step: status.step,
            message: status.message,
        };
        let old = self.moves.entry(key.clone()).or_default().insert(name, next.clone());
        if old.is_none() {
            let text =
                format!("{key} is to move from {} to {}: {}", next.from, self.place(&next.to), next.cause);
            self.tell(Tone::Waiting, text);
        }
        if next.waits() && !old.as_ref().is_some_and(Move::waits) {
            let message = next.message.unwrap_or_default();
            self.tell(Tone::Waiting, format!("{key} stays on {} and {message}", next.from));
        } else if next.step == Some(MigrationStep::RolledBack) && !old.as_ref().is_some_and(Move::ended) {
            let message = next.message.unwrap_or_default();
            self.tell(Tone::Bad, format!("{key} was not moved to {}: {message}", next.to));
        }
    }

    /// A Deployment as it is on a member now; `gone` if it was deleted.
    pub(super) fn see_deployment(&mut self, cluster: &str, object: &Deployment, gone: bool) {
        let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let ready = object.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
        let uid = object.metadata.uid.clone().unwrap_or_default();
        self.see_copy(cluster, &object.metadata, (!gone).then_some(&Copy::Deployment { ready, wanted, uid }));
    }

    /// A CronJob as it is on a member now; `gone` if it was deleted.
    pub(super) fn see_cron_job(&mut self, cluster: &str, object: &CronJob, gone: bool) {
        let suspended = object.spec.suspend.unwrap_or(false);
        let uid = object.metadata.uid.clone().unwrap_or_default();
        self.see_copy(cluster, &object.metadata, (!gone).then_some(&Copy::CronJob { suspended, uid }));
    }

    fn see_copy(&mut self, cluster: &str, metadata: &ObjectMeta, next: Option<&Copy>) {
        let labels = metadata.labels.as_ref();
        let workload = labels.and_then(|labels| labels.get(keys::WORKLOAD_LABEL)).map(String::as_str);
        let Some(key) = key_of(metadata, workload) else { return };
        let copies = self.copies.entry(key.clone()).or_default();
        let old = match next.cloned() {
            Some(copy) => copies.insert(cluster.to_owned(), copy),
            None => copies.remove(cluster),
        };
        if let Some((tone, text)) = self.change(&key, cluster, old.as_ref(), next) {
            self.tell(tone, text);
        }
        self.keep_promises(&key, cluster);
    }

    /// What a change of a copy means, in words.
    fn change(
        &self,
        key: &WorkloadKey,
        cluster: &str,
        old: Option<&Copy>,
        new: Option<&Copy>,
    ) -> Option<(Tone, String)> {
        let place = self.place(cluster);
        Some(match (old, new) {
            (None, Some(Copy::Deployment { .. })) => (Tone::Plain, format!("{key} starts on {place}")),
            (None, Some(Copy::CronJob { suspended: true, .. })) => {
                (Tone::Plain, format!("{key} is put on {place}, suspended"))
            }
            (None | Some(Copy::CronJob { suspended: true, .. }), Some(Copy::CronJob { suspended, .. })) => {
                let text = format!("{key} may run its jobs on {place} now");
                return (!suspended).then_some((Tone::Good, text));
            }
            (Some(Copy::CronJob { .. }), Some(Copy::CronJob { suspended: true, .. })) => {
                (Tone::Plain, format!("{key} is suspended on {place}"))
            }
            (Some(Copy::Deployment { .. }), Some(Copy::Deployment { ready, wanted, .. })) => {
                let text = format!("{key} is Ready on {place}: {ready} of {wanted}");
                return (new?.works() && !old?.works()).then_some((Tone::Good, text));
            }
            (None, None) | (Some(_), Some(_)) => return None,
            (Some(_), None) => (Tone::Plain, format!("{key} is gone from {place}")),
        })
    }

    /// Looks at what must be true at every instant.
    fn keep_promises(&mut self, key: &WorkloadKey, cluster: &str) {
        let mut broken = Vec::new();
        let copies = self.copies.get(key);
        let here = copies.is_some_and(|copies| copies.contains_key(cluster));
        let tenant = key.namespace.as_str();
        if here && NEVER.iter().any(|(who, places)| *who == tenant && places.contains(&cluster)) {
            broken.push(format!("{key} was seen on {cluster}, where its tenant never allowed it"));
        }
        let (mut ready_in_all, mut wanted_of_one, mut running) = (0, 0, 0);
        for copy in copies.into_iter().flat_map(BTreeMap::values) {
            match copy {
                Copy::Deployment { ready, wanted, .. } => {
                    ready_in_all += ready;
                    wanted_of_one = wanted_of_one.max(*wanted);
                }
                Copy::CronJob { suspended, .. } => running += i32::from(!suspended),
            }
        }
        if running > 1 {
            self.doubts.push(key.clone());
        }
        let is_cron_job = copies.is_some_and(|c| c.values().any(|c| matches!(c, Copy::CronJob { .. })));
        if copies.is_some_and(|copies| copies.values().any(Copy::works)) {
            self.worked.insert(key.clone());
        } else if self.worked.contains(key) && !is_cron_job {
            broken.push(format!(
                "{key} had {ready_in_all} of {wanted_of_one} replicas Ready in all, for a moment"
            ));
        }
        for text in broken {
            if !self.broken.contains(&text) {
                self.tell(Tone::Bad, format!("PROMISE BROKEN: {text}"));
                self.broken.push(text);
            }
        }
    }
}

fn key_of(metadata: &ObjectMeta, workload: Option<&str>) -> Option<WorkloadKey> {
    WorkloadKey::new(metadata.namespace.as_deref()?, workload?).ok()
}

#[cfg(test)]
mod tests;
