//! The picture as a table: a row for each workload, a column for each cluster.

use domicile_crds::{SubjectKind, Verdict, WorkloadKey, keys};

use super::{
    picture::{Copy, Move, Picture},
    screen::{Line, Span, Tone},
};

/// The members, in the order of the story.
pub(super) const CLUSTERS: [&str; 4] = ["us-va-1", "nl-ams-1", "de-fra-1", "ch-zrh-1"];

const NAME_WIDTH: usize = 21;
const CLUSTER_WIDTH: usize = 16;
const LAWFUL_WIDTH: usize = 9;

/// Where everything is, whether it may be there, and what it waits for.
pub(super) fn table(picture: &Picture) -> Vec<Line> {
    let mut lines = header(picture);
    lines.extend(picture.workloads.keys().map(|key| row(picture, key)));
    lines
}

fn header(picture: &Picture) -> Vec<Line> {
    let site = |cluster: &str| picture.site_of(cluster).map(|site| &site.spec);
    let mut clusters = start("");
    let mut countries = start("");
    let mut providers = start("");
    let mut standings = start("WORKLOAD");
    for cluster in CLUSTERS {
        clusters.push(cell(Tone::Strong, cluster));
        countries.push(cell(Tone::Plain, site(cluster).map_or("", |site| site.country.as_str())));
        providers.push(cell(Tone::Plain, site(cluster).map_or("", |site| site.operated_by.as_str())));
        let (tone, standing) = standing(picture, cluster);
        standings.push(cell(tone, &standing));
    }
    standings.push((Tone::Faint, format!("{:<LAWFUL_WIDTH$}WAITS FOR", "LAWFUL")));
    vec![Line::new(), clusters, countries, providers, standings]
}

fn start(text: &str) -> Line {
    vec![(Tone::Faint, format!("  {text:<NAME_WIDTH$}"))]
}

fn cell(tone: Tone, text: &str) -> Span {
    (tone, format!("{text:<CLUSTER_WIDTH$}"))
}

/// What is decided about the provider of a cluster; `in part` if not for everybody everywhere.
fn standing(picture: &Picture, cluster: &str) -> (Tone, String) {
    let Some(site) = picture.site_of(cluster) else { return (Tone::Faint, String::new()) };
    let decision = picture.standing(SubjectKind::HostingProvider, site.spec.operated_by.as_str());
    let (tone, word) = match decision.map(|it| it.decision) {
        Some(Verdict::Revoked) => (Tone::Bad, "revoked"),
        Some(Verdict::Suspended) => (Tone::Bad, "suspended"),
        Some(Verdict::Frozen) => (Tone::Waiting, "frozen"),
        Some(Verdict::Approved) if picture.is_online(cluster) => (Tone::Good, "approved"),
        Some(Verdict::Approved) => (Tone::Waiting, "not online"),
        None => (Tone::Faint, "not approved"),
    };
    let in_part = decision.is_some_and(|it| it.decision != Verdict::Approved && !it.scope.is_empty());
    (tone, if in_part { format!("{word} in part") } else { word.to_owned() })
}

fn row(picture: &Picture, key: &WorkloadKey) -> Line {
    let mut line = vec![(Tone::Plain, format!("  {:<NAME_WIDTH$}", key.to_string()))];
    let (lawful_tone, lawful) = lawful(picture, key);
    for cluster in CLUSTERS {
        let copy = picture.copies.get(key).and_then(|copies| copies.get(cluster));
        line.push(copy.map_or_else(
            || cell(Tone::Faint, "."),
            |copy| {
                let tone = match lawful_tone {
                    Tone::Bad => Tone::Bad,
                    _ if copy.works() => Tone::Good,
                    _ => Tone::Waiting,
                };
                cell(tone, &words(copy))
            },
        ));
    }
    line.push((lawful_tone, format!("{lawful:<LAWFUL_WIDTH$}")));
    line.push(waits_for(picture, key));
    line
}

fn words(copy: &Copy) -> String {
    match copy {
        Copy::Deployment { ready, wanted, .. } => format!("{ready}/{wanted} Ready"),
        Copy::CronJob { suspended: true, .. } => "suspended".to_owned(),
        Copy::CronJob { suspended: false, .. } => "scheduled".to_owned(),
    }
}

/// What the workload's own status says. A move costs it one write, at the end, so that while one that must be made
/// goes on, the status still speaks of what was before.
fn lawful(picture: &Picture, key: &WorkloadKey) -> (Tone, &'static str) {
    if picture.move_of(key).is_some_and(|it| it.compulsory) {
        return (Tone::Waiting, "leaving");
    }
    let workload = picture.workloads.get(key);
    match workload.and_then(|it| it.condition(keys::condition::COMPLIANT)).map(|(status, ..)| status) {
        Some("True") => (Tone::Good, "yes"),
        Some("False") => (Tone::Bad, "NO"),
        Some(_) => (Tone::Waiting, "unknown"),
        None => (Tone::Faint, "-"),
    }
}

fn waits_for(picture: &Picture, key: &WorkloadKey) -> Span {
    if let Some(it) = picture.move_of(key) {
        return (Tone::Waiting, move_waits_for(picture, key, it));
    }
    let Some(workload) = picture.workloads.get(key) else { return (Tone::Plain, String::new()) };
    if workload.condition(keys::condition::READY).is_some_and(|(_, reason, _)| reason == "UpdateHeld") {
        return (Tone::Waiting, "a decision: its update is held".to_owned());
    }
    let decided = picture.standing(SubjectKind::Tenant, key.namespace.as_str());
    if decided.is_some_and(|it| it.decision == Verdict::Frozen) {
        return (Tone::Waiting, "a decision: its tenant is frozen".to_owned());
    }
    match workload.condition(keys::condition::STALLED) {
        Some((_, "NoLawfulPlace", _)) => (Tone::Bad, "a lawful place; nothing is deleted".to_owned()),
        Some((_, reason, _)) => (Tone::Bad, reason.to_owned()),
        None => (Tone::Plain, String::new()),
    }
}

fn move_waits_for(picture: &Picture, key: &WorkloadKey, it: &Move) -> String {
    if let Some(message) = it.message.as_deref().filter(|_| it.waits()) {
        return message.trim_start_matches("waits for ").to_owned();
    }
    let copies = picture.copies.get(key);
    let at = |cluster: &str| copies.and_then(|copies| copies.get(cluster));
    match (at(&it.from), at(&it.to)) {
        (_, None) => format!("its start on {}", it.to),
        (Some(Copy::CronJob { suspended: false, .. }), _) => format!("its stop on {}", it.from),
        (_, Some(copy)) if !copy.works() => format!("its copy on {}", it.to),
        (Some(_), _) => format!("its end on {}", it.from),
        (None, _) => "the record of it".to_owned(),
    }
}
