//! Names and identifiers as the API takes them.

use std::fmt;
use std::str::FromStr;

use domicile_crds::{CountryCode, Identifier, IdentifierScheme};

/// Most identifiers of a HostingProvider.
const IDENTIFIERS_MAX: usize = 16;
/// Longest identifier.
pub(super) const ID_MAX: usize = 64;
/// Longest name of a provider or holder.
pub(super) const NAME_MAX: usize = 256;

/// A Legal Entity Identifier whose check digits are right (ISO 17442).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lei(String);

impl Lei {
    /// The 20 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Lei {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = text.len() == 20
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && text.bytes().skip(18).all(|b| b.is_ascii_digit());
        if !shape {
            return Err("an LEI has 18 capitals or digits and 2 check digits".to_owned());
        }
        // ISO 7064, MOD 97-10: letters count as 10 to 35.
        let rest = text.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, digit| {
            if digit < 10 { (rest * 10 + digit) % 97 } else { (rest * 100 + digit) % 97 }
        });
        if rest == 1 {
            Ok(Self(text.to_owned()))
        } else {
            Err("its check digits are wrong (ISO 17442): a character was mistyped".to_owned())
        }
    }
}

/// A text on one line without characters that can't be seen, and whether it had to be cut.
pub(super) fn clean(text: &str, max: usize) -> (String, bool) {
    let shown: String = text.chars().map(|c| if is_seen(c) { c } else { ' ' }).collect();
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(max).collect();
    let whole = cut.len() == words.len();
    (cut.trim_end().to_owned(), !whole)
}

/// Line breaks would end a comment, and marks of direction show a text in another order than it has.
fn is_seen(c: char) -> bool {
    let unseen = matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    );
    !c.is_control() && !unseen
}

/// The country of a code of a country or a part of one, such as `US-DE`.
pub(super) fn country(code: &str) -> Result<CountryCode, String> {
    let country = code.split('-').next().unwrap_or_default();
    CountryCode::new(country).map_err(|error| error.to_string())
}

/// Identifiers that the API takes, each with what a reader should know.
#[derive(Debug, Default)]
pub(super) struct Identifiers {
    pub(super) taken: Vec<(Identifier, Option<String>)>,
    pub(super) doubts: Vec<String>,
}

impl Identifiers {
    /// Takes one, or notes why not. `register` is what the source calls the register.
    pub(super) fn add(&mut self, scheme: IdentifierScheme, id: &str, register: Option<&str>) {
        let (id, cut) = clean(id, ID_MAX);
        let name = register.map_or_else(|| format!("{scheme:?}"), |register| clean(register, 80).0);
        if cut || id.is_empty() {
            self.doubts
                .push(format!("an identifier of {name} is left out: it must have 1 to {ID_MAX} characters"));
            return;
        }
        let id = if scheme == IdentifierScheme::Lei { id.to_ascii_uppercase() } else { id };
        if scheme == IdentifierScheme::Lei
            && let Err(why) = Lei::from_str(&id)
        {
            self.doubts.push(format!("the LEI {id} is left out: {why}"));
            return;
        }
        let identifier = Identifier { scheme, id };
        if self.taken.iter().any(|(taken, _)| *taken == identifier) {
            return;
        }
        let register = register.filter(|_| scheme == IdentifierScheme::National).map(|_| name);
        self.taken.push((identifier, register));
    }

    /// The best known first; what is too much is noted.
    pub(super) fn finish(mut self) -> Self {
        self.taken.sort_by_key(|(identifier, _)| rank(identifier.scheme));
        let over = self.taken.len().saturating_sub(IDENTIFIERS_MAX);
        if over > 0 {
            self.taken.truncate(IDENTIFIERS_MAX);
            self.doubts.push(format!(
                "{over} identifiers are left out: {IDENTIFIERS_MAX} are the most that can be kept"
            ));
        }
        self
    }

    /// The one that others know it by.
    pub(super) fn best(&self) -> Option<String> {
        self.taken.first().map(|(identifier, _)| identifier.id.clone())
    }
}

fn rank(scheme: IdentifierScheme) -> u8 {
    match scheme {
        IdentifierScheme::Lei => 0,
        IdentifierScheme::Euid => 1,
        IdentifierScheme::Vat => 2,
        IdentifierScheme::National => 3,
    }
}

/// The register that a code of org-id.guide, or a register's name, stands for.
pub(super) fn scheme(code: Option<&str>, name: Option<&str>) -> IdentifierScheme {
    let code = code.unwrap_or_default().to_ascii_uppercase();
    let name = name.unwrap_or_default().to_ascii_uppercase();
    let says = |word: &str| {
        code.split('-').skip(1).any(|part| part == word)
            || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word)
    };
    if says("LEI") || name.contains("LEGAL ENTITY IDENTIFIER") {
        IdentifierScheme::Lei
    } else if says("EUID") || name.contains("EUROPEAN UNIQUE IDENTIFIER") {
        IdentifierScheme::Euid
    } else if says("VAT") {
        IdentifierScheme::Vat
    } else {
        IdentifierScheme::National
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_checked() {
        let error = |text: &str| Lei::from_str(text).unwrap_err();
        // Invented; the digits are computed as ISO 17442 says.
        assert!(Lei::from_str(&with_digits("529900SCHELDEMAAS0")).is_ok());
        assert!(error("529900SCHELDEMAAS000").contains("mistyped"));
        assert!(error("529900scheldemaas012").contains("18 capitals"));
        assert!(error("").contains("18 capitals"));
    }

    /// 98 less the rest of the number with `00` at its end.
    fn with_digits(base: &str) -> String {
        let digits = format!("{base}00").chars().fold(0u32, |rest, c| {
            let digit = c.to_digit(36).unwrap();
            if digit < 10 { (rest * 10 + digit) % 97 } else { (rest * 100 + digit) % 97 }
        });
        format!("{base}{:02}", 98 - digits)
    }

    #[test]
    fn registers_are_told_by_code_or_name() {
        assert_eq!(scheme(Some("XI-LEI"), None), IdentifierScheme::Lei);
        assert_eq!(scheme(None, Some("Global Legal Entity Identifier Index")), IdentifierScheme::Lei);
        assert_eq!(scheme(Some("NL-VAT"), None), IdentifierScheme::Vat);
        assert_eq!(scheme(None, Some("VAT number")), IdentifierScheme::Vat);
        assert_eq!(scheme(None, Some("EUID")), IdentifierScheme::Euid);
        assert_eq!(scheme(Some("NL-KVK"), Some("Kamer van Koophandel")), IdentifierScheme::National);
        assert_eq!(scheme(None, None), IdentifierScheme::National);
    }

    #[test]
    fn a_part_of_a_country_is_its_country() {
        assert_eq!(country("US-DE").map(|country| country.to_string()), Ok("US".to_owned()));
        assert_eq!(country("NL").map(|country| country.to_string()), Ok("NL".to_owned()));
        assert!(country("UK").unwrap_err().contains("the United Kingdom is GB"));
        assert!(country("").is_err());
    }

    #[test]
    fn what_cannot_be_seen_is_removed() {
        assert_eq!(clean(" A\nB\u{202e}C\u{85}  D ", 20), ("A B C D".to_owned(), false));
        assert_eq!(clean("abcdef", 3), ("abc".to_owned(), true));
    }
}
