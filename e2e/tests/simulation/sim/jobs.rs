//! Jobs: they complete, and go by themselves or by somebody's hand. What is on record as completed never runs again.

use domicile_core::{
    manifests::{ObjectFact, ObjectRef},
    observed::ObjectView,
};
use domicile_crds::{AssignmentSpec, ClusterName, WorkloadKey};
use serde_json::Value;

use super::{Sim, There};

fn is_job(object: &ObjectRef) -> bool {
    object.kind.name() == "Job"
}

impl Sim {
    /// What becomes of Jobs on a member for a while.
    pub(super) fn jobs_go_on(&mut self, name: &ClusterName) {
        let jobs: Vec<_> = self.members[name].keys().filter(|(.., object)| is_job(object)).cloned().collect();
        for place in jobs {
            let mut there = self.members[name][&place];
            let goes = there.view.completed && self.chance(if there.expires { 60 } else { 10 });
            let completes = there.runs && there.view.ready && self.chance(40);
            let (key, ordinal, object) = place.clone();
            if goes {
                self.note(format!("{key}: {} is deleted on {name}", object.name));
                self.members.get_mut(name).unwrap().remove(&place);
                self.observed.member_mut(name).note(&key, ordinal, object, None);
            } else if completes {
                self.note(format!("{key}: {} completes on {name}", object.name));
                there.runs = false;
                there.view = ObjectView { completed: true, stopped: true, idle: true, ..there.view };
                self.members.get_mut(name).unwrap().insert(place, there);
                self.observed.member_mut(name).note(&key, ordinal, object, Some(there.view));
            } else {
                continue;
            }
            self.engine.touch(key);
        }
    }

    /// What is on record as completed stays so, whatever the record says later.
    pub(super) fn remember_completed(&mut self, key: &WorkloadKey, spec: &AssignmentSpec) {
        for seat in &spec.seats {
            for job in &seat.completed_jobs {
                self.done.insert((key.clone(), seat.ordinal, job.name.clone(), job.manifest.clone()));
            }
        }
    }

    /// Whether all that a workload has are Jobs that are on record as completed, which needn't be anywhere.
    pub(super) fn has_run(&self, key: &WorkloadKey, ordinal: i32) -> bool {
        let workload = self.engine.world().workloads.get(key);
        let manifests = workload.and_then(|workload| workload.manifests.as_ref().ok());
        manifests.is_some_and(|all| all.objects.iter().all(|object| self.is_done(key, ordinal, object)))
    }

    /// Whether an object is a Job of a workload that is on record as completed.
    pub(super) fn has_completed(&self, key: &WorkloadKey, ordinal: i32, object: &ObjectRef) -> bool {
        let workload = self.engine.world().workloads.get(key);
        let manifests = workload.and_then(|workload| workload.manifests.as_ref().ok());
        let job = manifests.and_then(|all| all.objects.iter().find(|it| it.object == *object));
        job.is_some_and(|job| self.is_done(key, ordinal, job))
    }

    /// In the end, whatever should run once has, and is on record.
    pub(super) fn all_have_run(&self) {
        for (key, assignment) in &self.assignments {
            let workload = &self.engine.world().workloads[key];
            let jobs = workload.manifests.as_ref().unwrap().objects.iter().filter(|o| is_job(&o.object));
            for job in jobs {
                if let Some(seat) =
                    assignment.spec.seats.iter().find(|seat| !self.is_done(key, seat.ordinal, job))
                {
                    self.fail(&format!("{key}: {} hasn't run on {}", job.object.name, seat.cluster));
                }
            }
        }
    }

    fn is_done(&self, key: &WorkloadKey, ordinal: i32, job: &ObjectFact) -> bool {
        let manifest = format!("{:016x}", job.hash);
        self.done.contains(&(key.clone(), ordinal, job.object.name.to_string(), manifest))
    }

    /// What comes of a Job that is applied over what was there: one that has finished doesn't run for that.
    pub(super) fn job_applied(
        &self,
        (key, ordinal): (&WorkloadKey, i32),
        (job, sent): (&ObjectFact, &Value),
        (before, now): (Option<There>, &mut There),
    ) {
        now.expires = sent.pointer("/spec/ttlSecondsAfterFinished").is_some_and(|ttl| !ttl.is_null());
        let done = self.is_done(key, ordinal, job);
        if now.expires && !done {
            self.fail(&format!("{key}: {} may go before it is on record", job.object.name));
        }
        if done && before.is_none() {
            self.fail(&format!("{key}: {} is made again", job.object.name));
        }
        let same = before.filter(|before| before.manifest == now.manifest);
        if let Some(before) = same.filter(|before| before.view.completed) {
            now.runs = false;
            now.view =
                ObjectView { digest: now.view.digest, epoch: now.view.epoch, halted: false, ..before.view };
        } else if done && now.runs {
            self.fail(&format!("{key}: {} runs again", job.object.name));
        }
    }
}
