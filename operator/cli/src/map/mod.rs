//! `kubectl domicile map`: where everything runs.
//!
//! Made of what the hub has recorded (Assignments, and Migrations that haven't ended), which holds whether or not anybody keeps watch.
//! [`chart`] is pure: objects in, a [`Chart`] out.

use std::collections::BTreeMap;

use domicile_crds::{
    Assignment, ClusterName, MemberCluster, Migration, MigrationStep, Scheduling, Seat, SeatPhase, Site,
    SiteState,
};
use kube::ResourceExt;
use kube::api::Api;
use serde::Serialize;

use crate::args::{HubArgs, MapArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::output::{Paint, State, render};

/// The map can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The map can't be written.
    #[error("the map can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What stands for a country, provider or site that isn't recorded.
const UNKNOWN: &str = "unknown";

/// Country → provider → site → cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Chart(pub BTreeMap<String, BTreeMap<String, BTreeMap<String, SiteEntry>>>);

/// A site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteEntry {
    /// What it is used for at present; absent if there is no Site of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<SiteState>,
    /// Its clusters.
    pub clusters: BTreeMap<String, ClusterEntry>,
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterEntry {
    /// Whether it takes workloads; absent if there is no MemberCluster of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// Copies by tenant.
    pub tenants: BTreeMap<String, usize>,
    /// Copies that are being removed.
    #[serde(skip_serializing_if = "is_zero")]
    pub leaving: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If the hub doesn't show what is needed.
pub async fn run(args: &MapArgs, options: &HubArgs) -> Result<String, MapError> {
    let hub = Cluster::hub(&options.target()).await?;
    let clusters =
        hub.collect_readable(Api::all(hub.client.clone()), |cluster: MemberCluster| cluster).await?;
    let sites = hub.collect_readable(Api::all(hub.client.clone()), |site: Site| site).await?;
    let (assignments, migrations) = match &args.namespace {
        Some(namespace) => {
            let namespace = namespace.as_str();
            (Api::namespaced(hub.client.clone(), namespace), Api::namespaced(hub.client.clone(), namespace))
        }
        None => (Api::all(hub.client.clone()), Api::all(hub.client.clone())),
    };
    let placed = |assignment: Assignment| (workload(&assignment), seats_of(assignment));
    let mut seats: BTreeMap<_, _> = hub.collect_readable(assignments, placed).await?.into_iter().collect();
    let moving = |migration: Migration| source_of(&migration);
    for (workload, ordinal, from) in hub.collect_readable(migrations, moving).await?.into_iter().flatten() {
        add_source(seats.entry(workload).or_default(), ordinal, &from);
    }
    let mut chart = chart(&clusters, &sites, seats.values().flatten());
    if args.namespace.is_some() {
        chart.drop_empty();
    }
    Ok(render(args.output, &chart, |wide| text(&chart, wide, Paint::for_stdout()))?)
}

/// A tenant and one of its copies.
pub type TenantSeat = (String, Seat);

/// The copies of an Assignment, without their inventory.
#[must_use]
pub fn seats_of(assignment: Assignment) -> Vec<TenantSeat> {
    let namespace = assignment.namespace().unwrap_or_default();
    // Only what an older operator left half-written names no tenant.
    let tenant = assignment.spec.tenant.map_or_else(|| format!("({namespace})"), |tenant| tenant.to_string());
    let seats = assignment.spec.seats.into_iter();
    seats.map(|seat| (tenant.clone(), Seat { inventory: Vec::new(), ..seat })).collect()
}

fn workload(assignment: &Assignment) -> (String, String) {
    (assignment.namespace().unwrap_or_default(), assignment.name_any())
}

/// Of a move that hasn't ended: the workload, the copy, and where that was before.
fn source_of(migration: &Migration) -> Option<((String, String), i32, ClusterName)> {
    let step = migration.status.as_ref().and_then(|status| status.step);
    let workload = (migration.namespace().unwrap_or_default(), migration.spec.workload.to_string());
    let from = (workload, migration.spec.seat, migration.spec.from.clone());
    (!step.is_some_and(MigrationStep::is_final)).then_some(from)
}

/// Once a move has switched, the Assignment doesn't name its source any more, where the copy may still run.
fn add_source(seats: &mut Vec<TenantSeat>, ordinal: i32, from: &ClusterName) {
    let moved = seats.iter().find(|(_, seat)| seat.ordinal == ordinal && seat.cluster != *from);
    if let Some((tenant, seat)) = moved.cloned() {
        seats.push((tenant, Seat { cluster: from.clone(), phase: SeatPhase::Leaving, ..seat }));
    }
}

/// Draws the map.
pub fn chart<'a>(
    clusters: &[MemberCluster],
    sites: &[Site],
    seats: impl Iterator<Item = &'a TenantSeat>,
) -> Chart {
    let mut entries: BTreeMap<String, ClusterEntry> = BTreeMap::new();
    for cluster in clusters {
        let entry = ClusterEntry { scheduling: Some(cluster.spec.scheduling), ..ClusterEntry::default() };
        entries.insert(cluster.name_any(), entry);
    }
    for (tenant, seat) in seats {
        let entry = entries.entry(seat.cluster.to_string()).or_default();
        match seat.phase {
            SeatPhase::Active => *entry.tenants.entry(tenant.clone()).or_default() += 1,
            SeatPhase::Leaving => entry.leaving += 1,
        }
    }
    let mut chart = Chart::default();
    for (name, entry) in entries {
        let cluster = clusters.iter().find(|cluster| cluster.name_any() == name);
        let site_name = cluster.map_or(UNKNOWN, |cluster| cluster.spec.site.as_str());
        let site = sites.iter().find(|site| site.name_any() == site_name);
        let country = site.map_or_else(|| UNKNOWN.to_owned(), |site| site.spec.country.to_string());
        let provider = site.map_or_else(|| UNKNOWN.to_owned(), |site| site.spec.operated_by.to_string());
        let place = chart.0.entry(country).or_default().entry(provider).or_default();
        let place = place.entry(site_name.to_owned()).or_default();
        place.state = site.map(|site| site.spec.state);
        place.clusters.insert(name, entry);
    }
    chart
}

impl Chart {
    /// Leaves out what has no copy.
    fn drop_empty(&mut self) {
        self.0.retain(|_, providers| {
            providers.retain(|_, sites| {
                sites.retain(|_, site| {
                    site.clusters.retain(|_, cluster| !cluster.tenants.is_empty() || cluster.leaving > 0);
                    !site.clusters.is_empty()
                });
                !sites.is_empty()
            });
            !providers.is_empty()
        });
    }
}

/// The map as an indented list. Wide: one line for each tenant instead of one for all.
#[must_use]
pub fn text(chart: &Chart, wide: bool, paint: Paint) -> String {
    let mut lines = Vec::new();
    for (country, providers) in &chart.0 {
        lines.push(paint.state(country, State::Title));
        for (provider, sites) in providers {
            lines.push(format!("  {provider}"));
            for (site, entry) in sites {
                let state = match entry.state {
                    Some(SiteState::Online) => String::new(),
                    Some(state) => format!("  ({state:?})"),
                    None => "  (not recorded)".to_owned(),
                };
                lines.push(format!("    {site}{state}"));
                for (cluster, entry) in &entry.clusters {
                    cluster_lines(cluster, entry, wide, &mut lines);
                }
            }
        }
    }
    if lines.is_empty() {
        lines.push("nothing runs anywhere".to_owned());
    }
    lines.join("\n") + "\n"
}

fn cluster_lines(name: &str, entry: &ClusterEntry, wide: bool, lines: &mut Vec<String>) {
    let scheduling = match entry.scheduling {
        Some(Scheduling::Open) => String::new(),
        Some(scheduling) => format!("  ({scheduling:?})"),
        None => "  (not recorded)".to_owned(),
    };
    let mut counts: Vec<_> =
        entry.tenants.iter().map(|(tenant, count)| format!("{tenant} {count}")).collect();
    if entry.leaving > 0 {
        counts.push(format!("{} leaving", entry.leaving));
    }
    if counts.is_empty() {
        counts.push("empty".to_owned());
    }
    if wide {
        lines.push(format!("      {name}{scheduling}"));
        lines.extend(counts.into_iter().map(|count| format!("        {count}")));
    } else {
        lines.push(format!("      {name}{scheduling}: {}", counts.join(", ")));
    }
}

#[cfg(test)]
mod tests;
