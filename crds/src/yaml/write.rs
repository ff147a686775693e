//! YAML that every reader reads alike.
//!
//! kubectl reads YAML 1.1, in which `NO` and `yes` are booleans, `1_000` is a number and `2001-01-01` a time.
//! Libraries that write for YAML 1.2 leave them unquoted: Norway vanished from the enum of countries, and a
//! ConfigMap's text would arrive as something else. This writer quotes whatever could be misread.

use std::fmt::Write;

use serde_json::Value;

/// Words that some version of YAML takes for a boolean, null or number, in lower case.
const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];

/// Keys that come first, as people write them; the others follow by the alphabet.
const FIRST: [&str; 5] = ["apiVersion", "kind", "metadata", "name", "namespace"];

/// Writes one document, without a leading `---`.
#[must_use]
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => write_list(&mut out, items, 0),
        scalar => {
            write_scalar(&mut out, scalar, 0);
            out.push('\n');
        }
    }
    out
}

/// Writes a stream of documents.
#[must_use]
pub fn stream(values: &[Value]) -> String {
    values.iter().map(document).collect::<Vec<_>>().join("---\n")
}

fn write_map(out: &mut String, map: &serde_json::Map<String, Value>, indent: usize) {
    let mut entries: Vec<_> = map.iter().collect();
    entries
        .sort_by_key(|(key, _)| (FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()), *key));
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str(&inline(key));
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                pad(out, indent + 2);
                write_map(out, inner, indent + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                pad(out, indent);
                write_list(out, items, indent);
            }
            scalar => {
                out.push(' ');
                write_scalar(out, scalar, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn write_list(out: &mut String, items: &[Value], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => write_map(out, inner, indent + 2),
            Value::Array(inner) if !inner.is_empty() => write_list(out, inner, indent + 2),
            scalar => {
                write_scalar(out, scalar, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if is_block(text) => write_block(out, text, indent),
        Value::String(text) => out.push_str(&inline(text)),
        // null, booleans, numbers and what is empty are the same in JSON.
        other => out.push_str(&other.to_string()),
    }
}

/// Whether a text with line breaks can be shown as it is: no blank that a reader would lose or take
/// for indentation, and nothing but printable characters.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.lines().all(|line| !line.ends_with([' ', '\t']))
        && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn write_block(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
    // The line break that ends the scalar is the caller's.
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}

/// A string on one line, quoted unless every reader takes the plain form for the same string.
fn inline(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let inner = |c: char| c.is_ascii_alphanumeric() || " ._/-:=@+,()".contains(c);
    begins
        && text.chars().all(inner)
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            // All of these are below U+10000, where YAML's \u and JSON's are the same.
            c => {
                let written = write!(out, "\\u{:04x}", u32::from(c));
                debug_assert!(written.is_ok(), "a String takes all that is written to it");
            }
        }
    }
    out.push('"');
    out
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_be_misread_is_quoted() {
        let words = [
            "yes",
            "On",
            "n",
            "0644",
            "1_000",
            "12:30:45",
            "2001-01-01",
            "~",
            "",
            "=",
            "<<",
            "-",
            "a: b",
            "x:",
        ];
        for text in words
            .into_iter()
            .chain(["1e3", ".5", "+1", "0x1F", "null", "True", "a #b", "%a", "é", "{x}", "*a"])
        {
            assert_eq!(document(&json!({"k": text})), format!("k: {}\n", json!(text)), "{text}");
        }
        for text in
            ["nginx", "/var/lib", "registry.example/app:1.27", "example.com/app@sha256:ab", "a b, c (d)"]
        {
            assert_eq!(document(&json!({"k": text})), format!("k: {text}\n"));
        }
    }

    #[test]
    fn structure_reads_like_yaml_written_by_hand() {
        let value = json!({
            "a": {"b": [1, {"c": true, "d": ["x"]}, [2, [3]], {}], "empty": [], "none": null},
            "script": "set -e\n\nexec true\n",
            "tail": "a\nb\n\n\n",
            "open": "a\nb",
            "name": "n",
        });
        insta::assert_snapshot!(document(&value));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>(), "[ -~\n\t]{0,24}", "[a-z0-9:._-]{0,8}", "([ a#:-]|\n){0,12}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,8}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any_value()) {
            let text = document(&json!([value]));
            prop_assert_eq!(crate::yaml::documents(&text).unwrap(), [json!([value])], "{}", text);
        }
    }
}
