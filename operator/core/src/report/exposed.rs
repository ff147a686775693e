//! Whether clients find what a workload exposes.

use domicile_crds::{Endpoint, Seat, SeatStatus, condition_of, keys::condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Claim, Situation};
use crate::{
    expose::ExposeFact,
    observed::{By, Host, Reach},
    orders::{is_ready, service_object, slice_object},
};

/// Most addresses of one copy in a status.
const ENDPOINTS_MAX: usize = 64;

impl Situation<'_> {
    /// Where what a copy exposes can be reached. While nobody knows, as after a start, what was said before stands.
    pub(super) fn endpoints(&self, seat: &Seat, old: &[SeatStatus]) -> Vec<Endpoint> {
        if self.world.workloads.get(self.key()).is_none_or(|workload| workload.expose.is_empty()) {
            return Vec::new();
        }
        let Some(reached) = self.observed.reached(&seat.cluster, self.key(), seat.ordinal) else {
            let here = |it: &&SeatStatus| it.ordinal == seat.ordinal && it.place.cluster == seat.cluster;
            return old.iter().find(here).map(|it| it.endpoints.clone()).unwrap_or_default();
        };
        let of_port = |(reach, hosts): &(&Reach, Vec<Host>)| {
            let endpoint = |port: i32| {
                let service = reach.service.clone();
                let of_host = move |host: &Host| Endpoint {
                    service: service.clone(),
                    address: host.name.clone(),
                    port,
                };
                hosts.iter().map(of_host).collect::<Vec<_>>()
            };
            reach.ports.iter().flat_map(|(_, port)| endpoint(*port)).collect::<Vec<_>>()
        };
        reached.iter().flat_map(of_port).take(ENDPOINTS_MAX).collect()
    }

    /// Whether what is exposed has its addresses on the hub. While nobody knows what is there, what was said before stands.
    pub(super) fn exposed(&self, old: &[Condition]) -> Option<Claim> {
        let workload = self.world.workloads.get(self.key()).filter(|it| !it.expose.is_empty())?;
        let claim =
            |status, reason: &str, message: &str| Claim::new(condition::EXPOSED, status, reason, message);
        if !self.world.exposure.known {
            let told = condition_of(old, condition::EXPOSED)?;
            let status = ["True", "False"].into_iter().find(|it| *it == told.status).unwrap_or("Unknown");
            return Some(claim(status, &told.reason, &told.message));
        }
        if let Some((reason, message)) = self.cannot_expose() {
            return Some(claim("False", reason, &message));
        }
        let hidden = workload.expose.iter().find(|fact| self.leads_to(fact).is_empty());
        if let Some(fact) = hidden {
            let (reason, message) = self.why_hidden(fact);
            return Some(claim("False", reason, &message));
        }
        let services = workload
            .expose
            .iter()
            .map(|fact| format!("{} leads to {}", fact.service, self.leads_to(fact).join(" and ")));
        Some(claim("True", "Exposed", &services.collect::<Vec<_>>().join("; ")))
    }

    /// What keeps a Service from being exposed until a person acts.
    pub(super) fn cannot_expose(&self) -> Option<(&'static str, String)> {
        let workload = self.world.workloads.get(self.key())?;
        if let Some(fault) = workload.expose.iter().find_map(|fact| fact.fault.as_ref()) {
            return Some(("ExposeInvalid", fault.to_string()));
        }
        let exposure = &self.world.exposure;
        workload.expose.iter().find_map(|fact| {
            let mut taken = exposure.taken(self.key()).map(|(name, _)| name);
            let name = taken.find(|name| is_of(name, &fact.service))?;
            let message = format!(
                "{name} in namespace {} of the hub isn't Domicile's, and is left as it is: delete or rename it there, or remove {} from \
                 spec.expose",
                self.key().namespace,
                fact.service
            );
            Some(("ExposeNameTaken", message))
        })
    }

    /// The clusters to which a Service on the hub leads.
    fn leads_to(&self, fact: &ExposeFact) -> Vec<String> {
        let slices = self.world.exposure.of(self.key()).slices.values().map(|kept| &kept.body);
        let of_it = slices.filter(|slice| slice.service == fact.service && !slice.addresses.is_empty());
        let mut clusters: Vec<String> = of_it.map(|slice| slice.cluster.to_string()).collect();
        clusters.sort();
        clusters.dedup();
        clusters
    }

    fn why_hidden(&self, fact: &ExposeFact) -> (&'static str, String) {
        let seats = self.world.active_seats(self.key());
        let ready = |seat: &&&Seat| is_ready(self.world, self.observed, self.key(), seat);
        let Some(seat) = seats.iter().find(ready) else {
            return ("NotReady", format!("no copy is ready that {} could lead to", fact.service));
        };
        let at = &seat.cluster;
        let reached = self.observed.reached(at, self.key(), seat.ordinal).unwrap_or_default();
        let of_it = || reached.iter().filter(|(reach, _)| *reach.service == *fact.service);
        if of_it().any(|(_, hosts)| hosts.iter().any(|host: &Host| !host.addresses.is_empty())) {
            return (
                "NotWritten",
                format!("{} on the hub doesn't lead to MemberCluster/{at} yet", fact.service),
            );
        }
        let why = match of_it().next().map(|(reach, _)| &reach.by) {
            Some(By::Nodes) => "no node there that is Ready has an address",
            Some(By::Balancer(_)) => "no name of its load balancer can be looked up",
            None => "it needs the type NodePort, or LoadBalancer where the member has one",
        };
        let message = format!(
            "Service/{} on MemberCluster/{at} has no address by which it is reached from outside: {why}",
            fact.service
        );
        ("NoAddress", message)
    }
}

/// Whether an object on the hub, such as `EndpointSlice/web-0-ipv4`, is kept for a Service.
fn is_of(object: &str, service: &str) -> bool {
    let is_slice = || {
        let (ordinal, family) =
            object.strip_prefix(&slice_object(service))?.strip_prefix('-')?.split_once('-')?;
        Some(ordinal.parse::<u32>().is_ok() && ["ipv4", "ipv6"].contains(&family))
    };
    object == service_object(service) || is_slice() == Some(true)
}
