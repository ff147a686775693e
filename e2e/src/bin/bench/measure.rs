//! What a stretch of time has cost: CPU by kind of process, and writes by verb and resource.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::Context as _;
use domicile_e2e::fleet::RequestCounts;
use serde::Serialize;
use tokio::time::Instant;

use crate::ground::Ground;

/// CPU time at an instant.
#[derive(Debug)]
pub(crate) struct Cpu {
    at: Instant,
    ours: BTreeMap<String, f64>,
    bench: f64,
    machine: f64,
}

/// CPU time of a stretch.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CpuSpent {
    /// How long it was.
    pub(crate) seconds: f64,
    /// CPU seconds by kind of process.
    pub(crate) by_process: BTreeMap<String, f64>,
    /// CPU seconds of this program: clients, watches, and the readiness that it plays.
    pub(crate) bench: f64,
    /// How many cores others on this machine kept busy on average.
    pub(crate) others_cores: f64,
}

impl Cpu {
    pub(crate) fn now(ground: &Ground) -> anyhow::Result<Self> {
        Ok(Self { at: Instant::now(), ours: ground.cpu()?, bench: own_seconds()?, machine: busy_seconds()? })
    }

    /// What was spent since, up to `later`.
    pub(crate) fn until(&self, later: &Self) -> CpuSpent {
        let seconds = (later.at - self.at).as_secs_f64();
        let by_process: BTreeMap<String, f64> = later
            .ours
            .iter()
            .map(|(name, spent)| (name.clone(), spent - self.ours.get(name).copied().unwrap_or_default()))
            .collect();
        let bench = later.bench - self.bench;
        let mine: f64 = by_process.values().sum::<f64>() + bench;
        let others_cores = ((later.machine - self.machine - mine) / seconds.max(0.001)).max(0.0);
        CpuSpent { seconds, by_process, bench, others_cores }
    }
}

impl CpuSpent {
    /// Operator, API servers and stores; controllers and this program aside.
    pub(crate) fn counted(&self) -> f64 {
        self.by_process.iter().filter(|(name, _)| !name.ends_with("controller-manager")).map(|(_, s)| s).sum()
    }
}

fn ticks_per_second() -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(rustix::param::clock_ticks_per_second())?))
}

fn own_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("/proc/self/stat has no program name")?;
    let times: Vec<f64> = fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(times.iter().sum::<f64>() / ticks_per_second()?)
}

/// CPU time of everything on this machine.
fn busy_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let all: Vec<f64> = line.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<_, _>>()?;
    // User, nice, system, then idle and waiting for disks, then interrupts and what a hypervisor took.
    let busy: f64 = all.iter().enumerate().filter(|(i, _)| ![3, 4].contains(i)).map(|(_, ticks)| ticks).sum();
    Ok(busy / ticks_per_second()?)
}

/// Requests of one kind.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Requests {
    /// Who wrote it, and where: `hub`, `members` for all members together, `namespace` for what sets a namespace up
    /// on a member once, and `itself` for what a member's API server does by itself.
    pub(crate) cluster: &'static str,
    /// Such as `POST assignments` or `APPLY tenantworkloads/status`, with the code if it failed.
    pub(crate) request: String,
    /// How many.
    pub(crate) count: u64,
}

/// What was written in between, without what users and this program have written themselves.
pub(crate) fn writes(
    before: &BTreeMap<String, RequestCounts>,
    after: &BTreeMap<String, RequestCounts>,
) -> Vec<Requests> {
    requests(before, after, RequestCounts::writes)
}

/// What was asked for in between, watches aside. Includes what controllers and API servers ask themselves.
pub(crate) fn reads(
    before: &BTreeMap<String, RequestCounts>,
    after: &BTreeMap<String, RequestCounts>,
) -> Vec<Requests> {
    requests(before, after, RequestCounts::reads)
}

fn requests(
    before: &BTreeMap<String, RequestCounts>,
    after: &BTreeMap<String, RequestCounts>,
    of: fn(&RequestCounts) -> RequestCounts,
) -> Vec<Requests> {
    let mut sums: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
    for (name, counts) in after {
        let cluster = if name == "hub" { "hub" } else { "members" };
        let earlier = before.get(name).cloned().unwrap_or_default();
        for (key, count) in of(&counts.since(&earlier)).iter() {
            let mut request = format!("{} {}", key.verb, key.resource);
            if !key.subresource.is_empty() {
                request = format!("{request}/{}", key.subresource);
            }
            if key.code >= 300 {
                request = format!("{request} ({})", key.code);
            }
            let is_users = request == "POST tenantworkloads" || request == "POST decisions";
            // No controller of Deployments runs, so all of these are readiness that we play.
            let is_played = cluster == "members" && request.starts_with("PATCH deployments/status");
            if !is_users && !is_played && !key.resource.ends_with("reviews") {
                let cluster = if cluster == "members" { on_member(&key.resource) } else { cluster };
                *sums.entry((cluster, request)).or_default() += count;
            }
        }
    }
    sums.into_iter().map(|((cluster, request), count)| Requests { cluster, request, count }).collect()
}

fn on_member(resource: &str) -> &'static str {
    match resource {
        // For each Service, over its own loopback.
        "ipaddresses" => "itself",
        "namespaces" | "networkpolicies" | "resourcequotas" | "rolebindings" | "serviceaccounts" => {
            "namespace"
        }
        _ => "members",
    }
}

/// Their sum in one place.
pub(crate) fn total(writes: &[Requests], cluster: &str) -> u64 {
    writes.iter().filter(|write| write.cluster == cluster).map(|write| write.count).sum()
}

/// The value below which a share `q` of all lies.
pub(crate) fn quantile(sorted: &[Duration], q: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, within bounds")]
    #[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
    let index = ((sorted.len() as f64 * q).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let of = |n: u64| (1..=n).map(Duration::from_secs).collect::<Vec<_>>();
        assert_eq!(quantile(&of(100), 0.5).as_secs(), 50);
        assert_eq!(quantile(&of(100), 0.99).as_secs(), 99);
        assert_eq!(quantile(&of(100), 1.0).as_secs(), 100);
        assert_eq!(quantile(&of(3), 0.99).as_secs(), 3);
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn the_machine_has_been_busy_and_so_have_we() {
        assert!(busy_seconds().unwrap() > 0.0);
        assert!(own_seconds().unwrap() >= 0.0);
    }
}
