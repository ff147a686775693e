//! Whether a workload alone asks for more than a member has.
//!
//! # Caveats
//!
//! This is the weak half of CapacityExceeded: what else is placed there isn't among the facts, and only
//! what is surely asked for is counted. Too little room breaks no promise about where data lives.

use domicile_crds::{Amounts, MemberCluster, TenantWorkload};
use serde_json::Value;

use crate::manifests::{array, at, kind, pod_spec};

/// Billionths of a CPU, of a byte or of a pod.
type Nano = i128;

const ONE: Nano = 1_000_000_000;

/// What there is too little of.
pub(crate) fn exceeded(workload: &TenantWorkload, member: &MemberCluster) -> Option<&'static str> {
    let status = member.status.as_ref().and_then(|s| s.allocatable.as_ref());
    let gives: [Option<&Amounts>; 2] = [member.spec.capacity.as_ref(), status];
    let manifests = &workload.spec.manifests;
    // An autoscaler can lower what it scales to one pod.
    let scaled = manifests.iter().any(|m| kind(m) == "HorizontalPodAutoscaler");
    let most = if scaled { 1 } else { i64::MAX };
    let asked = |resource| manifests.iter().map(|m| pods(m, most) * per_pod(m, resource)).sum::<Nano>();
    let least = |of: fn(&Amounts) -> Option<Nano>| gives.into_iter().flatten().filter_map(of).min();
    let cpu = least(|a| a.cpu.as_deref().map(quantity)).is_some_and(|gives| asked("cpu") > gives);
    let memory = least(|a| a.memory.as_deref().map(quantity)).is_some_and(|gives| asked("memory") > gives);
    let pods = least(|a| a.pods.map(|n| Nano::from(n) * ONE))
        .is_some_and(|gives| manifests.iter().map(|m| pods(m, most)).sum::<Nano>() * ONE > gives);
    [(cpu, "cpu"), (memory, "memory"), (pods, "pods")]
        .into_iter()
        .find_map(|(over, name)| over.then_some(name))
}

/// How many pods a manifest surely makes at once, of at most `most`; Jobs and CronJobs run when they run.
fn pods(manifest: &Value, most: i64) -> Nano {
    match kind(manifest) {
        "Deployment" | "StatefulSet" => {
            let replicas = at(manifest, "/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
            Nano::from(replicas.clamp(0, most))
        }
        _ => 0,
    }
}

fn per_pod(manifest: &Value, resource: &str) -> Nano {
    let containers = pod_spec(manifest).map_or(&[][..], |pod| array(pod, "/containers"));
    let asks = |container: &Value| {
        let amount = container.get("resources")?.get("requests")?.get(resource)?;
        amount.as_str().map(quantity).or_else(|| amount.as_i64().map(|n| Nano::from(n) * ONE))
    };
    containers.iter().filter_map(asks).sum()
}

/// A Kubernetes quantity such as `500m` or `2Gi`. What can't be read is nothing.
fn quantity(text: &str) -> Nano {
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let kibi: Nano = 1024;
    let factor = match suffix {
        "m" => ONE / 1_000,
        "" => ONE,
        "k" => ONE * 1_000,
        "M" => ONE * 1_000_000,
        "G" => ONE * 1_000_000_000,
        "T" => ONE * 1_000_000_000_000,
        "P" => ONE * 1_000_000_000_000_000,
        "E" => ONE * 1_000_000_000_000_000_000,
        "Ki" => ONE * kibi,
        "Mi" => ONE * kibi.pow(2),
        "Gi" => ONE * kibi.pow(3),
        "Ti" => ONE * kibi.pow(4),
        "Pi" => ONE * kibi.pow(5),
        "Ei" => ONE * kibi.pow(6),
        _ => return 0,
    };
    // Nine digits are more than Kubernetes keeps.
    let digits = format!("{whole}{fraction:0<9.9}");
    digits.parse::<Nano>().map_or(0, |nanos| nanos.saturating_mul(factor) / ONE)
}
