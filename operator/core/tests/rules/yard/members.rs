//! What is on members: what happens there, and how orders are carried out.

use domicile_core::{
    manifests::{Kind, ObjectRef, fnv1a},
    observed::ObjectView,
    orders::{Apply, Because, Halt, Remove, is_owners, object},
    render::{Mode, Target},
};
use domicile_crds::{ADOPTED, Overlap, WorkloadKey};

use super::{CLUSTERS, Yard};
use crate::fixture::{key, name};

impl Yard {
    /// What a workload has on a member is gone.
    pub(crate) fn break_copy(&mut self, workload: &str, cluster: &str) -> &mut Self {
        self.each_object(workload, cluster, |_| None)
    }

    /// What a workload has on a member isn't ready for the time being.
    pub(crate) fn unready(&mut self, workload: &str, cluster: &str) -> &mut Self {
        self.each_object(workload, cluster, |view| Some(ObjectView { ready: false, ..view }))
    }

    /// It is ready again.
    pub(crate) fn ready(&mut self, workload: &str, cluster: &str) -> &mut Self {
        self.each_object(workload, cluster, |view| Some(ObjectView { ready: true, ..view }))
    }

    /// The pods of a workload on a member have ended.
    pub(crate) fn end_pods(&mut self, workload: &str, cluster: &str) -> &mut Self {
        self.each_object(workload, cluster, |view| Some(ObjectView { idle: true, ..view }))
    }

    /// A CronJob of a workload begins its first Job.
    pub(crate) fn begin_job(&mut self, workload: &str, cluster: &str, cron_job: &str) -> &mut Self {
        let kind = Kind::of("batch/v1", "Job").unwrap();
        let job = ObjectRef { kind, name: format!("{cron_job}-1").into() };
        let view = ObjectView {
            epoch: 1,
            ready: true,
            made_by: fnv1a(cron_job.as_bytes()),
            ..ObjectView::default()
        };
        let key = key(&format!("shop/{workload}"));
        self.observed.member_mut(&name(cluster)).note(&key, 0, job, Some(view));
        self
    }

    /// A Job of a workload completes.
    pub(crate) fn complete(&mut self, workload: &str, cluster: &str, job: &str) -> &mut Self {
        let key = key(&format!("shop/{workload}"));
        let object = ObjectRef { kind: Kind::of("batch/v1", "Job").unwrap(), name: job.into() };
        let seen = self.observed.seat(&name(cluster), &key, 0)[&object];
        let view = ObjectView { completed: true, idle: true, stopped: true, ..seen };
        self.observed.member_mut(&name(cluster)).note(&key, 0, object, Some(view));
        self
    }

    /// What of a workload is halted on a member.
    pub(crate) fn halted(&self, workload: &str, cluster: &str) -> String {
        let view = self.observed.seat(&name(cluster), &key(&format!("shop/{workload}")), 0);
        let halted = view.iter().filter(|(_, seen)| seen.halted);
        let words = halted.map(|(object, _)| format!("{}/{}", object.kind.name(), object.name));
        words.collect::<Vec<_>>().join(" ")
    }

    /// What runs on a member already is handed over: all of a workload is there, with its labels.
    pub(crate) fn hand_over(&mut self, workload: &str, cluster: &str) -> &mut Self {
        let key = key(&format!("shop/{workload}"));
        let fact = &self.fleet.engine.world().workloads[&key];
        let objects: Vec<_> =
            fact.manifests.as_ref().unwrap().objects.iter().map(|o| o.object.clone()).collect();
        let apply = Apply {
            cluster: name(cluster),
            ordinal: 0,
            epoch: ADOPTED,
            mode: Mode::Running,
            objects,
            completed_jobs: vec![],
            because: Because::Placed,
        };
        self.apply(&key, &apply);
        self.each_object(workload, cluster, |view| Some(ObjectView { applied: false, ..view }));
        self.fleet.engine.touch(key);
        self
    }

    /// An object of a workload is seen on a member, or seen to be gone.
    pub(crate) fn sees(
        &mut self,
        (workload, cluster): (&str, &str),
        object: ObjectRef,
        view: Option<ObjectView>,
    ) -> &mut Self {
        let key = key(&format!("shop/{workload}"));
        self.observed.member_mut(&name(cluster)).note(&key, 0, object, view);
        self.fleet.engine.touch(key);
        self
    }

    pub(super) fn each_object(
        &mut self,
        workload: &str,
        cluster: &str,
        change: impl Fn(ObjectView) -> Option<ObjectView>,
    ) -> &mut Self {
        let key = key(&format!("shop/{workload}"));
        for (object, view) in self.observed.seat(&name(cluster), &key, 0).clone() {
            self.observed.member_mut(&name(cluster)).note(&key, 0, object, change(view));
        }
        self
    }

    /// On which members something of a workload has pods.
    pub(crate) fn runs(&self, workload: &str) -> String {
        self.seen(workload, |view| !view.idle)
    }

    /// On which members there is anything of a workload.
    pub(crate) fn there(&self, workload: &str) -> String {
        self.seen(workload, |_| true)
    }

    fn seen(&self, workload: &str, what: impl Fn(&ObjectView) -> bool) -> String {
        let key = key(&format!("shop/{workload}"));
        let has = |cluster: &&str| self.observed.seat(&name(cluster), &key, 0).values().any(&what);
        CLUSTERS.into_iter().filter(has).collect::<Vec<_>>().join(",")
    }

    pub(super) fn apply(&mut self, key: &WorkloadKey, apply: &Apply) {
        assert!(!self.away.contains(apply.cluster.as_str()), "{} doesn't answer", apply.cluster);
        let world = self.fleet.engine.world();
        let workload = &world.workloads[key];
        let tenant = name("shop");
        let target = Target {
            tenant: &tenant,
            key,
            ordinal: apply.ordinal,
            epoch: apply.epoch,
            mode: apply.mode,
            all_exclusive: workload.overlap == Overlap::Forbid,
            completed_jobs: &apply.completed_jobs,
            cluster: world.cluster(world.find_cluster(&apply.cluster).unwrap()).unwrap().fact.as_ref(),
        };
        let objects = &workload.manifests.as_ref().unwrap().objects;
        let busy = self.busy.contains(apply.cluster.as_str());
        for fact in objects.iter().filter(|fact| apply.objects.contains(&fact.object)) {
            let runs = fact.object.kind.runs_pods() && !target.is_off(fact);
            let view = ObjectView {
                applied: true,
                digest: target.digest(fact),
                epoch: apply.epoch,
                ready: true,
                serving: runs,
                idle: !(runs || busy),
                stopped: !runs,
                ..ObjectView::default()
            };
            let member = self.observed.member_mut(&apply.cluster);
            member.note(key, apply.ordinal, fact.object.clone(), Some(view));
        }
        if apply.mode == Mode::Running {
            self.let_jobs_run(key, apply);
        }
        self.gone.remove(&(key.clone(), apply.ordinal, apply.cluster.clone()));
    }

    /// What CronJobs that were applied have begun goes on.
    fn let_jobs_run(&mut self, key: &WorkloadKey, apply: &Apply) {
        let cron_jobs = apply.objects.iter().filter(|object| object.kind.name() == "CronJob");
        let applied: Vec<u64> = cron_jobs.map(|object| fnv1a(object.name.as_bytes())).collect();
        for (job, seen) in self.observed.seat(&apply.cluster, key, apply.ordinal).clone() {
            if seen.halted && applied.contains(&seen.made_by) {
                let view = ObjectView { halted: false, stopped: false, idle: false, ..seen };
                self.observed.member_mut(&apply.cluster).note(key, apply.ordinal, job, Some(view));
            }
        }
    }

    pub(super) fn halt(&mut self, key: &WorkloadKey, halt: &Halt) {
        let idle = !self.busy.contains(halt.cluster.as_str());
        for object in &halt.objects {
            let seen = self.observed.seat(&halt.cluster, key, halt.ordinal)[object];
            let view = ObjectView { digest: 0, idle, serving: false, stopped: true, halted: true, ..seen };
            self.observed.member_mut(&halt.cluster).note(key, halt.ordinal, object.clone(), Some(view));
        }
    }

    pub(super) fn remove(&mut self, key: &WorkloadKey, remove: &Remove) {
        assert!(!self.away.contains(remove.cluster.as_str()), "{} doesn't answer", remove.cluster);
        for object in remove.objects.iter().filter_map(object) {
            // What its owner labelled is left, as by the operator.
            let seen = self.observed.seat(&remove.cluster, key, remove.ordinal).get(&object);
            if seen.is_some_and(|seen| is_owners(self.fleet.engine.world(), key, &remove.cluster, seen)) {
                continue;
            }
            self.observed.member_mut(&remove.cluster).note(key, remove.ordinal, object, None);
        }
        self.gone.insert((key.clone(), remove.ordinal, remove.cluster.clone()));
    }
}
