//! What an API server was asked for: the unit in which Domicile's cost is measured.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

const METRIC: &str = "apiserver_request_total{";

/// Verbs that change something.
const WRITES: [&str; 6] = ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"];

/// Writes that happen without anybody wanting something, or that store nothing: leases and node
/// heartbeats, events, and questions in the form of a POST.
const BACKGROUND: [&str; 9] = [
    "leases",
    "events",
    "nodes",
    "tokenreviews",
    "subjectaccessreviews",
    "localsubjectaccessreviews",
    "selfsubjectaccessreviews",
    "selfsubjectreviews",
    "selfsubjectrulesreviews",
];

/// What was asked, and the answer's code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RequestKey {
    /// As the API server names it, such as `GET`, `LIST`, `APPLY` or `DELETECOLLECTION`.
    pub verb: String,
    /// API group, empty for the core group.
    pub group: String,
    /// Plural resource, such as `deployments`.
    pub resource: String,
    /// Subresource, such as `status`, or empty.
    pub subresource: String,
    /// HTTP status code.
    pub code: u16,
    /// Whether nothing was to be stored.
    pub dry_run: bool,
}

/// Numbers of requests for resources since the API server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts(BTreeMap<RequestKey, u64>);

impl RequestCounts {
    /// Reads the text format of `/metrics`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(METRIC) else { continue };
            let (labels, value) = rest.rsplit_once("} ").with_context(|| format!("no value in: {line}"))?;
            let key = key(labels).with_context(|| format!("labels missing in: {line}"))?;
            let value: f64 = value.parse().with_context(|| format!("no number in: {line}"))?;
            if !key.resource.is_empty() {
                *counts.entry(key).or_default() += whole(value);
            }
        }
        Ok(Self(counts))
    }

    /// What was asked for since `earlier`, which must be of the same API server process.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.0.iter().filter_map(|(key, count)| {
            let more = count.saturating_sub(earlier.0.get(key).copied().unwrap_or_default());
            (more > 0).then(|| (key.clone(), more))
        });
        Self(counts.collect())
    }

    /// What changes something, without leases, node heartbeats, events, reviews, token requests and dry
    /// runs: what is left was wanted by somebody and stored.
    #[must_use]
    pub fn writes(&self) -> Self {
        self.filter(|key| {
            WRITES.contains(&key.verb.as_str())
                && !key.dry_run
                && key.subresource != "token"
                && !BACKGROUND.contains(&key.resource.as_str())
        })
    }

    /// Objects and lists that were asked for; watches aside.
    #[must_use]
    pub fn reads(&self) -> Self {
        self.filter(|key| key.verb == "GET" || key.verb == "LIST")
    }

    /// Only those that `keep` says.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&RequestKey) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| keep(key)).map(|(key, count)| (key.clone(), *count)).collect())
    }

    /// The sum.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each with its number.
    pub fn iter(&self) -> impl Iterator<Item = (&RequestKey, u64)> {
        self.0.iter().map(|(key, count)| (key, *count))
    }
}

fn key(labels: &str) -> anyhow::Result<RequestKey> {
    // No label of this metric holds a quotation mark or a comma: verbs, resources and codes don't.
    let labels: BTreeMap<_, _> = labels
        .split(',')
        .filter_map(|label| label.split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    let get = |name: &str| labels.get(name).copied().with_context(|| format!("no label {name}"));
    Ok(RequestKey {
        verb: get("verb")?.to_owned(),
        group: get("group")?.to_owned(),
        resource: get("resource")?.to_owned(),
        subresource: get("subresource")?.to_owned(),
        code: get("code")?.parse()?,
        dry_run: !get("dry_run")?.is_empty(),
    })
}

/// Prometheus writes every number as a float; a count is exact up to 2^53, which nobody reaches.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are whole and not negative"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP apiserver_request_total [STABLE] Counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 4
apiserver_request_total{code="201",component="apiserver",dry_run="",group="apps",resource="deployments",scope="resource",subresource="",verb="POST",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="All",group="apps",resource="deployments",scope="resource",subresource="",verb="APPLY",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 1.5e+02
"#;

    #[test]
    fn counts_what_was_wanted_and_stored() {
        let counts = RequestCounts::parse(TEXT).unwrap();
        assert_eq!(counts.total(), 159);
        assert_eq!(counts.reads().total(), 4);
        let writes = counts.writes();
        assert_eq!(writes.total(), 3);
        assert_eq!(writes.iter().map(|(key, _)| key.resource.as_str()).collect::<Vec<_>>(), ["deployments"]);
        assert_eq!(counts.since(&counts), RequestCounts::default());
    }
}
