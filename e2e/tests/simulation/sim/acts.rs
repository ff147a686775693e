//! What the simulated operator does, and what becomes of it on hub and members.

use std::sync::Arc;

use domicile_core::{
    Change,
    manifests::ObjectRef,
    observed::ObjectView,
    orders::{Apply, Because, Halt, KeepClaims, Order, Outlook, Removal, Remove, object},
    render::Target,
};
use domicile_crds::{
    Assignment, AssignmentSpec, CLEANUP_FINALIZER, Migration, MigrationSpec, MigrationStatus, TenantName,
    WorkloadKey,
};
use domicile_operator::second::{Knowledge, second_opinion};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{Sim, There};

impl Sim {
    pub(super) fn carry_out(&mut self, key: &WorkloadKey, outlook: Outlook) -> usize {
        let count = outlook.orders.len();
        for order in outlook.orders {
            let known = Knowledge {
                facts: &self.facts,
                world: self.engine.world(),
                observed: &self.observed,
                workload: self.workloads.get(key).map(AsRef::as_ref),
                assignment: self.assignments.get(key).map(AsRef::as_ref),
            };
            if let Err(violations) = second_opinion(&known, key, &order, self.now) {
                let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
                self.fail(&format!("the second opinion refuses {order:?} for {key}: {}", said.join("; ")));
            }
            if self.chance(12) {
                // It fails, and is tried again.
                self.engine.touch(key.clone());
                continue;
            }
            self.note(format!("{key}: {order:?}"));
            self.execute(key, order);
            self.engine.touch(key.clone());
        }
        count
    }

    pub(super) fn execute(&mut self, key: &WorkloadKey, order: Order) {
        match order {
            Order::CreateAssignment(spec) => {
                assert!(!self.assignments.contains_key(key), "an Assignment is made twice");
                self.write_assignment(key, *spec);
            }
            Order::UpdateAssignment(spec) => self.write_assignment(key, *spec),
            Order::ReleaseAssignment => {
                self.assignments.remove(key);
                self.gone.retain(|(other, ..)| other != key);
                self.engine.apply(Change::Assignment(key.clone(), None), self.now);
            }
            Order::CreateMigration(name, spec) => {
                self.write_migration(key, name, *spec, MigrationStatus::default());
            }
            Order::RetargetMigration(name, to, digest) => {
                let old = self.migrations[&(key.clone(), name.clone())].clone();
                let spec = MigrationSpec { to, digest, ..old.spec };
                self.write_migration(key, name, spec, old.status.unwrap_or_default());
            }
            Order::ReleaseMigration(name) => {
                self.migrations.remove(&(key.clone(), name.clone()));
                self.memory.forget(key, &name);
                self.engine.apply(Change::Migration(key.clone(), name, None), self.now);
            }
            Order::FinishMigration { name, step, message, given_up } => {
                let old = self.migrations[&(key.clone(), name.clone())].clone();
                self.memory.end(key, (&name, old.spec.seat), given_up, self.now);
                let status = MigrationStatus {
                    step: Some(step),
                    message: Some(message),
                    ..MigrationStatus::default()
                };
                self.write_migration(key, name, old.spec, status);
            }
            Order::Verify(name) => {
                if !self.unreachable.contains(&name) {
                    self.read_member(&name);
                }
            }
            Order::Apply(apply) => self.apply(key, &apply),
            Order::Remove(remove) => self.remove(key, &remove),
            Order::Halt(halt) => self.halt(key, &halt),
            Order::KeepClaims(keep) => self.keep_claims(key, &keep),
            Order::Publish(publish) => self.publish(key, &publish),
        }
    }

    pub(super) fn write_assignment(&mut self, key: &WorkloadKey, spec: AssignmentSpec) {
        let old = self.assignments.get(key).map(|a| a.metadata.clone());
        let owner = OwnerReference {
            uid: format!("uid-{}-{}", key.namespace, key.name),
            ..OwnerReference::default()
        };
        let metadata = old.unwrap_or(ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        });
        let object = Assignment { metadata, spec };
        self.remember_completed(key, &object.spec);
        self.assignments.insert(key.clone(), Arc::new(object.clone()));
        self.engine.apply(Change::Assignment(key.clone(), Some(Box::new(object))), self.now);
    }

    pub(super) fn write_migration(
        &mut self,
        key: &WorkloadKey,
        name: String,
        spec: MigrationSpec,
        status: MigrationStatus,
    ) {
        let known = self.migrations.get(&(key.clone(), name.clone())).map(|known| known.metadata.clone());
        let metadata = known.unwrap_or_else(|| ObjectMeta {
            name: Some(name.clone()),
            finalizers: Some(vec![CLEANUP_FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        });
        let object = Migration { metadata, spec, status: Some(status) };
        self.tell_migration(key, name, object);
    }

    pub(super) fn tell_migration(&mut self, key: &WorkloadKey, name: String, object: Migration) {
        self.migrations.insert((key.clone(), name.clone()), object.clone());
        self.engine.apply(Change::Migration(key.clone(), name, Some(Box::new(object))), self.now);
    }

    pub(super) fn apply(&mut self, key: &WorkloadKey, apply: &Apply) {
        if self.unreachable.contains(&apply.cluster) {
            self.fail(&format!("{key} is applied on {}, which doesn't answer", apply.cluster));
        }
        let fact = self.engine.world().workloads[key].clone();
        let manifests = fact.manifests.as_ref().unwrap();
        let tenant = TenantName::new(key.namespace.as_str()).unwrap();
        let world = self.engine.world();
        let id = world.find_cluster(&apply.cluster).unwrap();
        let target = Target {
            tenant: &tenant,
            key,
            ordinal: apply.ordinal,
            epoch: apply.epoch,
            mode: apply.mode,
            all_exclusive: fact.overlap == domicile_crds::Overlap::Forbid,
            completed_jobs: &apply.completed_jobs,
            cluster: world.cluster(id).unwrap().fact.as_ref(),
        };
        let mut written = Vec::new();
        let before = &self.members[&apply.cluster];
        for spec in manifests.objects.iter().filter(|o| apply.objects.contains(&o.object)) {
            let pods = spec.object.kind.runs_pods();
            let runs = pods && !target.is_off(spec);
            let view = ObjectView {
                applied: true,
                digest: target.digest(spec),
                epoch: apply.epoch,
                ready: !pods,
                // Its pods don't stop to serve by being updated.
                serving: runs
                    && before
                        .get(&(key.clone(), apply.ordinal, spec.object.clone()))
                        .is_some_and(|it| it.view.serving),
                idle: !pods,
                completed: false,
                terminating: false,
                stopped: !runs,
                halted: false,
                deletes_claims: false,
                made_by: 0,
            };
            let (exclusive, since, manifest) = (spec.exclusive, self.now, spec.hash);
            let mut there = There { view, runs, exclusive, since, manifest, expires: false };
            if spec.object.kind.name() == "Job" {
                let sent = target.render(spec, &self.workloads[key].spec.manifests[spec.index.unwrap()]);
                let before = before.get(&(key.clone(), apply.ordinal, spec.object.clone())).copied();
                self.job_applied((key, apply.ordinal), (spec, &sent), (before, &mut there));
            }
            written.push((spec.object.clone(), there));
        }
        self.gone.remove(&(key.clone(), apply.ordinal, apply.cluster.clone()));
        for (object, there) in written {
            self.members
                .get_mut(&apply.cluster)
                .unwrap()
                .insert((key.clone(), apply.ordinal, object.clone()), there);
            self.observed.member_mut(&apply.cluster).note(key, apply.ordinal, object, Some(there.view));
        }
        if apply.because == Because::Moving {
            self.never_twice(key);
        }
    }

    fn halt(&mut self, key: &WorkloadKey, halt: &Halt) {
        for object in &halt.objects {
            let place = (key.clone(), halt.ordinal, object.clone());
            if self.members[&halt.cluster].get(&place).is_some_and(|there| there.view.deletes_claims) {
                self.fail(&format!("{key}: {object:?} is scaled down and loses its volumes"));
            }
            let Some(there) = self.members.get_mut(&halt.cluster).unwrap().get_mut(&place) else {
                self.fail(&format!("{key}: {object:?} isn't there and is to stop"))
            };
            there.runs = false;
            there.view = ObjectView {
                ready: false,
                serving: false,
                idle: false,
                stopped: true,
                halted: true,
                ..there.view
            };
            let view = there.view;
            self.observed.member_mut(&halt.cluster).note(key, halt.ordinal, object.clone(), Some(view));
        }
    }

    fn keep_claims(&mut self, key: &WorkloadKey, keep: &KeepClaims) {
        for set in &keep.sets {
            let place = (key.clone(), keep.ordinal, set.clone());
            let Some(there) = self.members.get_mut(&keep.cluster).unwrap().get_mut(&place) else { continue };
            there.view.deletes_claims = false;
            let view = there.view;
            self.observed.member_mut(&keep.cluster).note(key, keep.ordinal, set.clone(), Some(view));
        }
    }

    pub(super) fn remove(&mut self, key: &WorkloadKey, remove: &Remove) {
        self.has_no_clients(key, remove);
        if let Removal::Moved { to } | Removal::Strayed { to } = &remove.because {
            let there = self.members[to]
                .iter()
                .filter(|((other, ordinal, _), _)| other == key && *ordinal == remove.ordinal);
            let (mut any, mut ready) = (false, true);
            for ((_, _, object), there) in there {
                any = true;
                // One that has completed elsewhere waits there suspended, and is never run again.
                ready &= there.view.ready || self.has_completed(key, remove.ordinal, object);
            }
            any |= self.has_run(key, remove.ordinal);
            if !(any && ready) {
                self.fail(&format!("{key} is removed from {} before it is ready on {to}", remove.cluster));
            }
        }
        let objects: Vec<ObjectRef> = remove.objects.iter().filter_map(object).collect();
        for object in objects {
            let place = (key.clone(), remove.ordinal, object.clone());
            let takes_along =
                self.members[&remove.cluster].get(&place).is_some_and(|t| t.view.deletes_claims);
            if remove.retain_claims && takes_along {
                self.fail(&format!("{key}: {object:?} is removed and takes its volumes along"));
            }
            self.members.get_mut(&remove.cluster).unwrap().remove(&(
                key.clone(),
                remove.ordinal,
                object.clone(),
            ));
            self.observed.member_mut(&remove.cluster).note(key, remove.ordinal, object, None);
        }
        if remove.because != Removal::Pruned {
            self.gone.insert((key.clone(), remove.ordinal, remove.cluster.clone()));
        }
    }
}
