//! `kubectl domicile wrap`: manifests in, a TenantWorkload and its Secrets out.
//!
//! # Guarantees
//!
//! A pure filter: nothing but the input and the options matters, and neither does the order of the
//! input, so a chart that renders its objects in another order gives the same bytes. Whatever can't
//! be taken is named, all of it at once, and then nothing comes out.

mod clean;
mod judge;
mod needs;
mod pods;
mod read;
mod secrets;

use std::collections::BTreeMap;
use std::fmt;

pub use clean::is_noted;
use domicile_crds::{
    ALLOWED_KINDS, ClusterName, MANIFESTS_BYTES_MAX, MANIFESTS_MAX, NamespaceName, Overlap, SecretSource,
    SpreadBy, WorkloadName,
};
pub use judge::Refusal;
pub use needs::needs;
pub use read::Input;
pub use secrets::needed;
use serde_json::{Map, Value, json};

/// Above this much JSON a warning is given: half of what is taken, and about where client-side
/// `kubectl apply` stops, whose annotation may have 256 KiB.
pub const WARN_BYTES: usize = MANIFESTS_BYTES_MAX / 2;

/// What to make of the input.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the TenantWorkload.
    pub name: WorkloadName,
    /// Its namespace, and so that of everything in it.
    pub namespace: NamespaceName,
    /// On how many clusters it runs.
    pub clusters: Option<i32>,
    /// What keeps its copies apart.
    pub spread_by: Option<SpreadBy>,
    /// Whether two copies may run during a move.
    pub overlap: Option<Overlap>,
    /// Whence members get the Secrets.
    pub secrets: SecretSource,
    /// The member that the input was read from, on which it is to go on running.
    pub adopt: Option<ClusterName>,
    /// Leaves Helm hooks out instead of refusing them.
    pub drop_hooks: bool,
    /// Objects to leave out.
    pub skip: Vec<Which>,
}

/// Objects by `Kind`, or one by `Kind/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Which {
    kind: String,
    name: Option<String>,
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').map_or((text, None), |(kind, name)| (kind, Some(name)));
        if kind.is_empty() || name.is_some_and(str::is_empty) {
            return Err("wanted KIND or KIND/NAME, for example Role or Role/reader".to_owned());
        }
        Ok(Self { kind: kind.to_owned(), name: name.map(str::to_owned) })
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

impl Which {
    /// Whether they are of a kind.
    #[must_use]
    pub fn is_of(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether one object is meant, and not all of a kind.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.name.is_some()
    }

    /// Whether an object is one of them.
    #[must_use]
    pub fn matches(&self, kind: &str, name: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.name.as_ref().is_none_or(|wanted| wanted == name)
    }
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrapped {
    /// The Secrets, by name, and then the TenantWorkload.
    pub documents: Vec<Value>,
    /// What the user should know, in sentences.
    pub notes: Vec<String>,
}

impl Wrapped {
    /// What came out and how it is applied, in a line or two.
    #[must_use]
    pub fn summary(&self) -> String {
        let secrets = self.documents.len() - 1;
        let workload = self.documents.last().and_then(|workload| workload.pointer("/spec/manifests"));
        let manifests = workload.and_then(Value::as_array).map_or(0, Vec::len);
        let and = match secrets {
            0 => String::new(),
            1 => ", and a Secret beside it, whose value is in the output".to_owned(),
            n => format!(", and {n} Secrets beside it, whose values are in the output"),
        };
        let wrapped = if manifests == 1 { "1 manifest".to_owned() } else { format!("{manifests} manifests") };
        format!("wrapped {wrapped}{and}; apply with: kubectl apply --server-side -f -")
    }
}

/// Nothing comes out.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// The input isn't YAML or JSON.
    #[error("{name} can't be read{hint}")]
    Read {
        /// Which input.
        name: String,
        /// What may be wrong.
        hint: &'static str,
        /// What the library says.
        #[source]
        source: domicile_crds::yaml::YamlError,
    },
    /// Some objects can't be taken.
    #[error("{}", Listed(.0))]
    Refused(Vec<Refusal>),
    /// There is nothing to run.
    #[error("nothing to wrap: the input has no object that a tenant may run")]
    Empty,
    /// There is too much.
    #[error(
        "too much for one TenantWorkload: {found}, at most {max} are taken; split the application, one `wrap` for each part"
    )]
    TooMuch {
        /// How much there is, with its unit.
        found: String,
        /// How much is taken.
        max: String,
    },
}

struct Listed<'a>(&'a [Refusal]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "1 problem keeps this from becoming a TenantWorkload:")?,
            n => write!(f, "{n} problems keep this from becoming a TenantWorkload:")?,
        }
        // What is wrong with many objects for one reason is said once.
        let mut together: Vec<(&Refusal, Vec<&str>)> = Vec::new();
        for refusal in self.0 {
            let same = together
                .iter_mut()
                .find(|(first, _)| (&first.why, &first.todo) == (&refusal.why, &refusal.todo));
            match same {
                Some((_, objects)) => objects.push(&refusal.what),
                None => together.push((refusal, vec![&refusal.what])),
            }
        }
        together.iter().try_for_each(|(Refusal { why, todo, .. }, what)| {
            write!(f, "\n  {}: {why}; {todo}", what.join(", "))
        })
    }
}

/// Makes a TenantWorkload of `inputs`.
///
/// # Errors
///
/// All that can't be taken, or that there is nothing, or too much.
pub fn wrap(inputs: &[Input], options: &Options) -> Result<Wrapped, WrapError> {
    let items = read::items(inputs)?;
    let mut judged = judge::judge(items, options);
    if !judged.refusals.is_empty() {
        judged.refusals.sort();
        return Err(WrapError::Refused(judged.refusals));
    }
    if judged.manifests.is_empty() {
        return Err(WrapError::Empty);
    }
    let mut notes = judged.notes;
    let manifests = in_order(judged.manifests);
    check_size(&manifests, &mut notes)?;
    let references = secrets::references(&manifests, &judged.secrets, options, &mut notes)?;
    let mut documents = Vec::new();
    if options.secrets == SecretSource::Hub {
        documents.extend(in_order(judged.secrets));
    }
    documents.push(workload(manifests, references, options));
    Ok(Wrapped { documents, notes })
}

/// What others need comes first, as the operator applies it; then by name.
fn in_order(objects: BTreeMap<(String, String), Value>) -> Vec<Value> {
    let rank = |kind: &str| ALLOWED_KINDS.iter().position(|(_, allowed, _)| *allowed == kind);
    let mut ranked: Vec<_> =
        objects.into_iter().map(|((kind, name), object)| (rank(&kind), name, object)).collect();
    ranked.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    ranked.into_iter().map(|(_, _, object)| object).collect()
}

fn check_size(manifests: &[Value], notes: &mut Vec<String>) -> Result<(), WrapError> {
    if manifests.len() > MANIFESTS_MAX {
        let found = format!("{} manifests", manifests.len());
        return Err(WrapError::TooMuch { found, max: MANIFESTS_MAX.to_string() });
    }
    let bytes: usize = manifests.iter().map(|manifest| manifest.to_string().len() + 1).sum();
    let kib = bytes.div_ceil(1024);
    if bytes > MANIFESTS_BYTES_MAX {
        let max = format!("{} KiB", MANIFESTS_BYTES_MAX / 1024);
        return Err(WrapError::TooMuch { found: format!("{kib} KiB of manifests as JSON"), max });
    }
    if bytes >= WARN_BYTES {
        let max = MANIFESTS_BYTES_MAX / 1024;
        notes.push(format!(
            "{kib} KiB of manifests as JSON: {max} KiB are the most that one TenantWorkload takes"
        ));
    }
    Ok(())
}

/// Only what was asked for: the API server fills in the rest, and its fields stay free for others to set.
fn workload(manifests: Vec<Value>, references: Vec<Value>, options: &Options) -> Value {
    let mut spec = Map::new();
    if let Some(cluster) = &options.adopt {
        spec.insert("adopt".to_owned(), json!(cluster));
    }
    let mut clusters = Map::new();
    if let Some(count) = options.clusters {
        clusters.insert("count".to_owned(), json!(count));
    }
    if let Some(spread_by) = options.spread_by {
        clusters.insert("spreadBy".to_owned(), json!(spread_by));
    }
    if !clusters.is_empty() {
        spec.insert("clusters".to_owned(), Value::Object(clusters));
    }
    spec.insert("manifests".to_owned(), Value::Array(manifests));
    if let Some(overlap) = options.overlap {
        spec.insert("overlap".to_owned(), json!(overlap));
    }
    if !references.is_empty() {
        spec.insert("secrets".to_owned(), Value::Array(references));
    }
    json!({
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "TenantWorkload",
        "metadata": {"name": options.name.as_str(), "namespace": options.namespace.as_str()},
        "spec": spec,
    })
}

#[cfg(test)]
mod tests;
