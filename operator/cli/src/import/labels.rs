//! Names of objects, made of names of companies.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::ProviderName;

use super::sha256;

/// Longest name of an object.
const MAX: usize = 63;

/// A DNS label for each of `(legal name, key)`. Equal ones are told apart by a digest of the key, not by a number: a
/// number would pass to another company when one is added or leaves, and the object of that name with it.
pub(super) fn labels<'a>(of: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, ProviderName> {
    let plain: Vec<_> = of.into_iter().map(|(name, key)| (label(name), key)).collect();
    let mut often: BTreeMap<&str, usize> = BTreeMap::new();
    for (label, _) in &plain {
        *often.entry(label).or_default() += 1;
    }
    let alone = |label: &str| !label.is_empty() && often.get(label) == Some(&1);
    let mut taken: BTreeSet<String> =
        plain.iter().map(|(label, _)| label.clone()).filter(|label| alone(label)).collect();
    let mut named = BTreeMap::new();
    for (label, key) in &plain {
        let name = if alone(label) { label.clone() } else { told_apart(label, key, &mut taken) };
        // What isn't a label would be a mistake of this file, and then has no object.
        if let Ok(name) = ProviderName::new(&name) {
            named.insert((*key).to_owned(), name);
        }
    }
    named
}

fn told_apart(label: &str, key: &str, taken: &mut BTreeSet<String>) -> String {
    let base = if label.is_empty() { "entity" } else { label };
    let mut seed = key.to_owned();
    loop {
        let digest: String = sha256(seed.as_bytes()).chars().take(8).collect();
        let name = format!("{}-{digest}", cut(base, MAX - 9));
        if taken.insert(name.clone()) {
            return name;
        }
        seed.push('+');
    }
}

fn label(name: &str) -> String {
    let mut label = String::new();
    for c in name.chars() {
        let c = c.to_lowercase().next().unwrap_or(c);
        match latin(c) {
            Some(letters) if label.is_empty() || label.ends_with('-') => {
                label.push_str(letters.trim_start_matches('-'));
            }
            Some(letters) => label.push_str(letters),
            None if c.is_ascii_alphanumeric() => label.push(c),
            // `B.V.` is `bv`, and `d'Or` is `dor`.
            None if matches!(c, '.' | '\'' | '\u{2019}') => {}
            None if label.ends_with('-') || label.is_empty() => {}
            None => label.push('-'),
        }
    }
    cut(&label, MAX).to_owned()
}

fn cut(label: &str, max: usize) -> &str {
    label.get(..max).unwrap_or(label).trim_end_matches('-')
}

/// Letters of the languages of Europe without their marks, and `&`.
fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ģ' | 'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' => "i",
        'ķ' => "k",
        'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ř' => "r",
        'ś' | 'š' | 'ș' | 'ş' => "s",
        'ß' => "ss",
        'ť' | 'ț' | 'ţ' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '&' => "-and-",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels() {
        assert_eq!(label("Schelde-Maas Hosting B.V."), "schelde-maas-hosting-bv");
        assert_eq!(label("Größe & Söhne GmbH"), "grosse-and-sohne-gmbh");
        assert_eq!(label("  (Énergie) d'Or  "), "energie-dor");
        assert_eq!(label("Облако"), "");
        assert_eq!(label(&"a".repeat(80)).len(), 63);
    }

    #[test]
    fn equal_names_are_told_apart_whatever_else_there_is() {
        let all = labels([("Acme", "1"), ("ACME", "2"), ("Other", "3"), ("Облако", "4")]);
        let few = labels([("ACME", "2"), ("Acme", "1")]);
        assert_eq!(all["1"], few["1"]);
        assert_ne!(all["1"], all["2"]);
        assert_eq!(all["3"].as_str(), "other");
        assert!(all["4"].as_str().starts_with("entity-"), "{}", all["4"]);
    }
}
