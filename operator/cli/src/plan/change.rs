//! The changes that have a flag of their own.

use std::collections::BTreeMap;

use domicile_core::snapshot::Snapshot;
use domicile_crds::{ProviderName, SiteName};
use serde_json::{Value, json};

use super::{Plan, PlanError};
use crate::args::PlanArgs;

/// The authority of what is decided for a plan only.
const AUTHORITY: &str = "plan";
/// Its reason.
const REASON: &str = "what if";

/// What was changed.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// In words.
    pub asked: Vec<String>,
    /// Decisions that are made for the plan only.
    decisions: Vec<String>,
}

impl Made {
    /// Says "this plan" for them: nobody knows them by name.
    pub(super) fn name(&self, plan: &mut Plan) {
        for name in &self.decisions {
            let told = format!("Decision/{name} of {AUTHORITY}: {REASON}");
            for step in &mut plan.steps {
                for text in std::iter::once(&mut step.why).chain(&mut step.nearest) {
                    *text = text.replace(&told, "this plan");
                }
            }
        }
    }

    /// A decision about a provider. By two users, so that it counts under any rule.
    fn decide(
        &mut self,
        snapshot: &mut Snapshot,
        provider: &ProviderName,
        verdict: &str,
    ) -> Result<(), PlanError> {
        need(snapshot, "HostingProvider", provider.as_str())?;
        for user in ["one", "another"] {
            let free = |name: &String| snapshot.get("Decision", "", name).is_none();
            let name = (1..=u32::MAX).map(|number| format!("plan-{number}")).find(free).unwrap_or_default();
            snapshot.put(json!({
                "apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": name},
                "spec": {
                    "subject": {"kind": "HostingProvider", "name": provider}, "decision": verdict,
                    "basis": "Request", "authority": AUTHORITY, "decidedBy": user, "reason": REASON,
                },
            }));
            self.decisions.push(name);
        }
        Ok(())
    }
}

/// Makes the changes.
pub(super) fn change(snapshot: &mut Snapshot, args: &PlanArgs, made: &mut Made) -> Result<(), PlanError> {
    refuse_contradictions(args)?;
    for provider in &args.revoke {
        made.decide(snapshot, provider, "Revoked")?;
        made.asked.push(format!("{provider} were revoked"));
    }
    for provider in &args.freeze {
        made.decide(snapshot, provider, "Frozen")?;
        made.asked.push(format!("{provider} were frozen"));
    }
    for provider in &args.approve {
        lift(snapshot, provider);
        made.decide(snapshot, provider, "Approved")?;
        let by = if takes_two(snapshot) { ", by two users (twoPersonRule)," } else { "" };
        made.asked.push(format!("{provider} were approved{by} and nothing else decided about it"));
    }
    for (sites, state) in [(&args.online, "Online"), (&args.close, "Closing")] {
        for site in sites {
            set_state(snapshot, site, state)?;
            made.asked.push(format!("{site} were {}", state.to_lowercase()));
        }
    }
    Ok(())
}

/// Whether one user alone approves nothing.
fn takes_two(snapshot: &Snapshot) -> bool {
    let installation = snapshot.get("Installation", "", "default");
    installation.and_then(|it| it.pointer("/spec/twoPersonRule")).and_then(Value::as_bool).unwrap_or_default()
}

/// Of two changes of the same object only the stricter, or the last, would be planned, and the other said to be.
fn refuse_contradictions(args: &PlanArgs) -> Result<(), PlanError> {
    let mut said: BTreeMap<(&str, &str), &'static str> = BTreeMap::new();
    let providers = [("--revoke", &args.revoke), ("--freeze", &args.freeze), ("--approve", &args.approve)];
    let sites = [("--online", &args.online), ("--close", &args.close)];
    let of_providers = providers
        .iter()
        .flat_map(|(option, all)| all.iter().map(move |it| (*option, "provider", it.as_str())));
    let of_sites =
        sites.iter().flat_map(|(option, all)| all.iter().map(move |it| (*option, "site", it.as_str())));
    for (other, kind, name) in of_providers.chain(of_sites) {
        let one = *said.entry((kind, name)).or_insert(other);
        if one != other {
            return Err(PlanError::Contradictory { one, other, name: name.to_owned() });
        }
    }
    Ok(())
}

/// Takes away what restricts a provider.
fn lift(snapshot: &mut Snapshot, provider: &ProviderName) {
    let restricts = |object: &Value| {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        text("/spec/subject/kind") == Some("HostingProvider")
            && text("/spec/subject/name") == Some(provider.as_str())
            && text("/spec/decision") != Some("Approved")
    };
    let all = snapshot.of_kind("Decision").filter(|(_, object)| restricts(object));
    for key in all.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
        snapshot.remove(&key);
    }
}

fn set_state(snapshot: &mut Snapshot, site: &SiteName, state: &str) -> Result<(), PlanError> {
    let mut object = need(snapshot, "Site", site.as_str())?;
    if let Some(Value::Object(spec)) = object.get_mut("spec") {
        spec.insert("state".to_owned(), state.into());
        spec.remove("onlineFrom");
    }
    snapshot.put(object);
    Ok(())
}

fn need(snapshot: &Snapshot, kind: &'static str, name: &str) -> Result<Value, PlanError> {
    snapshot.get(kind, "", name).cloned().ok_or_else(|| {
        let there: Vec<String> = snapshot.of_kind(kind).map(|((_, _, name), _)| name.clone()).collect();
        PlanError::Missing { kind, name: name.to_owned(), there: crate::hub::listed(&there) }
    })
}
