//! `kubectl domicile map`: where everything runs.
//!
//! Made of what the hub has recorded (Assignments, and Migrations that haven't ended), which holds whether or not anybody keeps watch.
//! Whether a copy may be where it is, is what the operator has said of its workload, as long as that keeps watch.
//! [`chart`] is pure: objects in, a [`Chart`] out.

mod standing;

use std::collections::BTreeMap;

use domicile_crds::{
    Assignment, ClusterName, MemberCluster, Migration, MigrationStep, Place, Scheduling, Seat, SeatPhase,
    Site, SiteState, TenantWorkload,
};
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;
pub use standing::{Copied, Said, Standing, copies};

use crate::args::{HubArgs, MapArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::output::{self, Paint, State, render};
use crate::sight::{Eyes, Sight, SightError};
use crate::status;

/// The map can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What is needed may not be seen.
    #[error(transparent)]
    Sight(#[from] SightError),
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
    /// Whether there may be one that can't be seen.
    #[serde(skip)]
    pub hidden: bool,
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
    /// How these stand, of tenants that have one that may not be there, is suspended, or of which that isn't known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub standing: BTreeMap<String, Standing>,
    /// Copies that are being removed.
    #[serde(skip_serializing_if = "is_zero")]
    pub leaving: usize,
    /// How those stand.
    #[serde(skip_serializing_if = "Standing::is_fine")]
    pub leaving_standing: Standing,
    /// Whether there may be a MemberCluster that can't be seen.
    #[serde(skip)]
    pub hidden: bool,
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
    let eyes = Eyes { hub: &hub, namespace: args.namespace.as_ref() };
    let clusters: Sight<Vec<MemberCluster>> = eyes.all().await?;
    let sites: Sight<Vec<Site>> = eyes.all().await?;
    let placed = |assignment: Assignment| (workload(&assignment), seats_of(assignment));
    let seats = hub.collect_readable(eyes.api(), placed).await;
    let mut seats: BTreeMap<_, _> = eyes.needed(seats, || eyes.right::<Assignment>())?.into_iter().collect();
    let moving = hub.collect_readable(eyes.api(), |migration: Migration| source_of(&migration)).await;
    for (workload, ordinal, from) in eyes.needed(moving, || eyes.right::<Migration>())?.into_iter().flatten()
    {
        add_source(seats.entry(workload).or_default(), ordinal, &from);
    }
    let said: BTreeMap<_, _> = said(eyes).await?.into_iter().collect();
    let now = watched(eyes, options).await?;
    let copied: Vec<_> =
        seats.iter().flat_map(|(workload, seats)| copies(seats, said.get(workload), now)).collect();
    let mut chart = chart(clusters.seen().map(Vec::as_slice), sites.seen().map(Vec::as_slice), &copied);
    if args.namespace.is_some() {
        chart.drop_empty();
    }
    if clusters.seen().is_none() || sites.seen().is_none() {
        output::note(
            "note: you may not see memberclusters or sites: places are as the operator has said of the workloads",
        );
    }
    Ok(render(args.output, &chart, |wide| text(&chart, wide, Paint::for_stdout()))?)
}

/// What the operator has said of the workloads; nothing, if they may not be seen.
async fn said(eyes: Eyes<'_>) -> Result<Vec<((String, String), Said)>, ClusterError> {
    let key = |workload: &TenantWorkload| (workload.namespace().unwrap_or_default(), workload.name_any());
    let keep = |workload: TenantWorkload| (key(&workload), Said::from(workload));
    let found = Eyes::shown(eyes.hub.collect_readable(eyes.api(), keep).await)?;
    if found.seen().is_none() {
        output::note(
            "note: you may not see tenantworkloads: whether something may be where it is can't be said",
        );
    }
    Ok(found.into_seen().unwrap_or_default())
}

/// What time it is, unless nobody keeps watch. Who may not see that takes what was said as it stands.
async fn watched(eyes: Eyes<'_>, options: &HubArgs) -> Result<Option<Timestamp>, ClusterError> {
    let lease = Eyes::shown(status::lease(eyes.hub, options).await)?;
    let now = eyes.hub.now().await?;
    let alive = lease.seen().is_none_or(|lease| status::alive(lease.as_ref(), now));
    Ok(alive.then_some(now))
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

/// Draws the map. Clusters or sites that may not be seen are absent.
#[must_use]
pub fn chart(clusters: Option<&[MemberCluster]>, sites: Option<&[Site]>, copies: &[Copied]) -> Chart {
    let hidden = clusters.is_none();
    let mut entries: BTreeMap<String, ClusterEntry> = BTreeMap::new();
    for cluster in clusters.unwrap_or_default() {
        let entry = ClusterEntry { scheduling: Some(cluster.spec.scheduling), ..ClusterEntry::default() };
        entries.insert(cluster.name_any(), entry);
    }
    for copy in copies {
        let name = copy.seat.cluster.to_string();
        entries.entry(name).or_insert_with(|| ClusterEntry { hidden, ..ClusterEntry::default() }).count(copy);
    }
    let mut chart = Chart::default();
    for (name, entry) in entries {
        let cluster = clusters.unwrap_or_default().iter().find(|cluster| cluster.name_any() == name);
        let mut here = copies.iter().filter(|copy| copy.seat.cluster.as_str() == name);
        // What the operator has said is only asked where the facts may not be seen.
        let said = here.find_map(|copy| copy.place.as_ref()).filter(|_| hidden || sites.is_none());
        let site_name = cluster.map(|cluster| &cluster.spec.site);
        let site_name = site_name.or_else(|| said.filter(|_| hidden)?.site.as_ref()).map(ToString::to_string);
        let site_name = site_name.unwrap_or_else(|| UNKNOWN.to_owned());
        let site = sites.unwrap_or_default().iter().find(|site| site.name_any() == site_name);
        let (country, provider) = owned(site, said.filter(|_| sites.is_none()));
        let place = chart.0.entry(country).or_default().entry(provider).or_default();
        let place = place.entry(site_name).or_default();
        place.state = site.map(|site| site.spec.state);
        place.hidden = sites.is_none();
        place.clusters.insert(name, entry);
    }
    chart
}

/// Country and provider of a site, or of what was said of a place.
fn owned(site: Option<&Site>, said: Option<&Place>) -> (String, String) {
    let country = site.map(|site| site.spec.country).or_else(|| said?.country);
    let provider = site.map(|site| &site.spec.operated_by).or_else(|| said?.provider.as_ref());
    let unknown = || UNKNOWN.to_owned();
    (country.map_or_else(unknown, |c| c.to_string()), provider.map_or_else(unknown, ToString::to_string))
}

impl ClusterEntry {
    fn count(&mut self, copy: &Copied) {
        match copy.seat.phase {
            SeatPhase::Active => {
                *self.tenants.entry(copy.tenant.clone()).or_default() += 1;
                if !copy.standing.is_fine() {
                    self.standing.entry(copy.tenant.clone()).or_default().add(copy.standing);
                }
            }
            SeatPhase::Leaving => {
                self.leaving += 1;
                self.leaving_standing.add(copy.standing);
            }
        }
    }

    fn standings(&self) -> impl Iterator<Item = Standing> {
        self.standing.values().copied().chain([self.leaving_standing])
    }
}

impl Chart {
    /// How all copies stand.
    fn standing(&self) -> Standing {
        let sites = self.0.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        let mut all = Standing::default();
        sites
            .flat_map(|site| site.clusters.values())
            .flat_map(ClusterEntry::standings)
            .for_each(|one| all.add(one));
        all
    }

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
                    None if entry.hidden => String::new(),
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
    let legend = chart.standing().legend();
    if !legend.is_empty() {
        lines.push(String::new());
        lines.extend(legend.into_iter().map(str::to_owned));
    }
    lines.join("\n") + "\n"
}

fn cluster_lines(name: &str, entry: &ClusterEntry, wide: bool, lines: &mut Vec<String>) {
    let scheduling = match entry.scheduling {
        Some(Scheduling::Open) => String::new(),
        Some(scheduling) => format!("  ({scheduling:?})"),
        None if entry.hidden => String::new(),
        None => "  (not recorded)".to_owned(),
    };
    let standing = |tenant| entry.standing.get(tenant).map(Standing::text).unwrap_or_default();
    let count = |(tenant, count)| format!("{tenant} {count}{}", standing(tenant));
    let mut counts: Vec<_> = entry.tenants.iter().map(count).collect();
    if entry.leaving > 0 {
        counts.push(format!("{} leaving{}", entry.leaving, entry.leaving_standing.text()));
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
