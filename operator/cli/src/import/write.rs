//! HostingProviders as YAML, with a comment beside whatever a reader should know.

use std::fmt::Write;

use domicile_crds::yaml;
use serde::Serialize;
use serde_json::{Value, json};

use super::Source;
use super::draft::{Draft, Holding};
use super::ids::clean;

/// Longest comment: names and codes in it are others' words.
const COMMENT_MAX: usize = 400;

/// The whole output. `facts` are about the files as a whole.
///
/// # Errors
///
/// If something has no JSON form.
pub(super) fn write(
    sources: &[Source],
    facts: &[String],
    drafts: &[Draft],
) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    comment(
        &mut out,
        "",
        "Made by kubectl domicile import, to review: nothing has been applied. Whoever applies it vouches for it.",
    );
    for source in sources {
        comment(&mut out, "", &format!("source: {}, SHA-256 {}", source.name, source.sha256));
    }
    for fact in facts {
        comment(&mut out, "", fact);
    }
    comment(
        &mut out,
        "",
        "Not in such data, so not known until you add it: certifications, subjectTo, operatedFrom. Names of objects are made \
         of legal names: see whether your hub has the same entities under others.",
    );
    for (index, draft) in drafts.iter().enumerate() {
        out.push_str(if index > 0 { "---\n" } else { "" });
        provider(&mut out, draft)?;
    }
    Ok(out)
}

fn provider(out: &mut String, draft: &Draft) -> Result<(), serde_json::Error> {
    for doubt in draft.doubts.iter().chain(&draft.identifiers.doubts) {
        comment(out, "", &format!("DOUBT: {doubt}"));
    }
    if draft.headquartered_in.is_none() {
        comment(out, "", "DOUBT: the data doesn't say from where it is led (headquarteredIn)");
    }
    if draft.holdings.is_empty() {
        comment(out, "", "DOUBT: the data says nothing of who owns or controls it, so that may be anybody");
    }
    out.push_str(&yaml::document(&json!({
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "HostingProvider",
        "metadata": {"name": draft.name.as_str()},
        "spec": serde_json::to_value(draft.spec())?,
    })));
    // `spec` is the last key, so what follows with its indent belongs to it.
    if !draft.identifiers.taken.is_empty() {
        out.push_str("  identifiers:\n");
    }
    for (identifier, register) in &draft.identifiers.taken {
        if let Some(register) = register {
            comment(out, "  ", register);
        }
        item(out, identifier)?;
    }
    if !draft.holdings.is_empty() {
        out.push_str("  ownership:\n");
    }
    for Holding { ownership, origin, doubts } in &draft.holdings {
        comment(out, "  ", origin);
        for doubt in doubts {
            comment(out, "  ", &format!("DOUBT: {doubt}"));
        }
        item(out, ownership)?;
    }
    Ok(())
}

fn item<T: Serialize>(out: &mut String, value: &T) -> Result<(), serde_json::Error> {
    let list = yaml::document(&Value::Array(vec![serde_json::to_value(value)?]));
    for line in list.lines() {
        // Nobody is left to be told that a String can't be written.
        let _ = writeln!(out, "  {line}");
    }
    Ok(())
}

fn comment(out: &mut String, indent: &str, text: &str) {
    let _ = writeln!(out, "{indent}# {}", clean(text, COMMENT_MAX).0);
}
