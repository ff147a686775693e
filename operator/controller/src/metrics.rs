//! Prometheus metrics.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// A kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct KindLabel {
    /// The kind.
    pub(crate) kind: String,
}

/// A member cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ClusterLabel {
    /// The cluster.
    pub(crate) cluster: String,
}

/// An order and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OrderLabel {
    /// The kind of order.
    pub(crate) order: &'static str,
    /// `done` or `failed`.
    pub(crate) outcome: &'static str,
}

/// All that is measured.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    registry: Registry,
    /// 1 while this replica holds the lease.
    pub(crate) leader: Gauge,
    /// Orders carried out.
    pub(crate) orders: Family<OrderLabel, Counter>,
    /// Acts that the second opinion refused: each is an incident.
    pub(crate) refused: Counter,
    /// Objects that couldn't be read.
    pub(crate) unreadable: Family<KindLabel, Counter>,
    /// Errors of watches.
    pub(crate) watch_errors: Family<KindLabel, Counter>,
    /// 1 while a member answers.
    pub(crate) reachable: Family<ClusterLabel, Gauge>,
    /// Workloads that wait for a person.
    pub(crate) stalled: Gauge,
    /// Workloads of which something is, or may be, where it may not be.
    pub(crate) not_compliant: Gauge,
    /// Workloads known.
    pub(crate) workloads: Gauge,
    /// Objects on members that somebody else had changed.
    pub(crate) drift: Counter,
}

impl Metrics {
    /// All metrics, registered.
    pub(crate) fn new() -> Self {
        let mut metrics = Self::default();
        let registry = &mut metrics.registry;
        registry.register("domicile_leader", "1 while this replica holds the lease", metrics.leader.clone());
        registry.register("domicile_orders", "Orders carried out", metrics.orders.clone());
        registry.register(
            "domicile_check_refused",
            "Acts that the second opinion refused; each is an incident",
            metrics.refused.clone(),
        );
        registry.register(
            "domicile_objects_unreadable",
            "Objects that could not be read",
            metrics.unreadable.clone(),
        );
        registry.register("domicile_watch_errors", "Errors of watches", metrics.watch_errors.clone());
        registry.register(
            "domicile_member_reachable",
            "1 while the member answers",
            metrics.reachable.clone(),
        );
        registry.register(
            "domicile_workloads_stalled",
            "Workloads that wait for a person",
            metrics.stalled.clone(),
        );
        registry.register(
            "domicile_workloads_not_compliant",
            "Workloads of which something is, or may be, where it may not be",
            metrics.not_compliant.clone(),
        );
        registry.register("domicile_workloads", "Workloads known", metrics.workloads.clone());
        registry.register(
            "domicile_drift_repaired",
            "Objects on members that somebody else had changed",
            metrics.drift.clone(),
        );
        metrics
    }

    /// In the text format of OpenMetrics.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_manual_names_all_metrics_and_no_other() {
        let metrics = Metrics::new();
        // What has labels shows once it was counted.
        let kind = KindLabel { kind: String::new() };
        metrics.unreadable.get_or_create(&kind).inc();
        metrics.watch_errors.get_or_create(&kind).inc();
        metrics.orders.get_or_create(&OrderLabel { order: "", outcome: "" }).inc();
        metrics.reachable.get_or_create(&ClusterLabel { cluster: String::new() }).set(1);
        let text = metrics.encode().unwrap();
        let helps = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let counted = helps.map(|line| match line.split_once(' ') {
            Some((name, "counter")) => format!("{name}_total"),
            Some((name, _)) => name.to_owned(),
            None => line.to_owned(),
        });
        let there: BTreeSet<String> = counted.collect();
        let manual = include_str!("../../../docs/operate.md");
        let rows = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        // Policies and roles have tables, too.
        let is_metric = |name: &str| !name.contains([':', '-']);
        let named: BTreeSet<String> =
            rows.map(|(name, _)| name.to_owned()).filter(|name| is_metric(name)).collect();
        assert_eq!(named, there);
    }
}
