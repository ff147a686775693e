//! Countries, as ISO 3166-1 alpha-2 codes.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The 249 officially assigned codes of ISO 3166-1 alpha-2.
///
/// Greece is `GR` (`EL` is the EU's own usage) and the United Kingdom `GB` (`UK` is reserved, not assigned).
#[rustfmt::skip]
pub const COUNTRY_CODES: [&str; 249] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX",
    "AZ", "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ",
    "BR", "BS", "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK",
    "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM",
    "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR",
    "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS",
    "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN",
    "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN",
    "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV",
    "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ",
    "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF", "NG", "NI",
    "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM",
    "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC",
    "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST", "SV",
    "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR",
    "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI",
    "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

/// A country, by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CountryCode([u8; 2]);

/// A string isn't an assigned country code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an ISO 3166-1 alpha-2 code{hint}")]
pub struct CountryError {
    found: String,
    hint: String,
}

impl CountryCode {
    /// Takes an assigned code, in capitals.
    ///
    /// # Errors
    ///
    /// If the code isn't assigned; the message names the right one for `UK`, `EL` and small letters.
    pub fn new(code: &str) -> Result<Self, CountryError> {
        if COUNTRY_CODES.binary_search(&code).is_ok()
            && let Ok(bytes) = <[u8; 2]>::try_from(code.as_bytes())
        {
            return Ok(Self(bytes));
        }
        let capitals = code.to_ascii_uppercase();
        let hint = match capitals.as_str() {
            "UK" => ": the United Kingdom is GB".to_owned(),
            "EL" => ": Greece is GR".to_owned(),
            other if COUNTRY_CODES.binary_search(&other).is_ok() => format!(": write {other}"),
            _ => String::new(),
        };
        Err(CountryError { found: code.chars().take(20).collect(), hint })
    }

    /// The two capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The constructor took nothing but assigned codes, which are ASCII.
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl TryFrom<String> for CountryCode {
    type Error = CountryError;

    fn try_from(code: String) -> Result<Self, CountryError> {
        Self::new(&code)
    }
}

impl std::str::FromStr for CountryCode {
    type Err = CountryError;

    fn from_str(code: &str) -> Result<Self, CountryError> {
        Self::new(code)
    }
}

impl From<CountryCode> for String {
    fn from(code: CountryCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JsonSchema for CountryCode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CountryCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": COUNTRY_CODES.as_slice()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(COUNTRY_CODES.is_sorted());
    }

    #[test]
    fn reserved_codes_are_refused_with_the_right_one() {
        let error = |code| CountryCode::new(code).unwrap_err().to_string();
        assert_eq!(error("UK"), "`UK` is not an ISO 3166-1 alpha-2 code: the United Kingdom is GB");
        assert_eq!(error("EL"), "`EL` is not an ISO 3166-1 alpha-2 code: Greece is GR");
        assert_eq!(error("nl"), "`nl` is not an ISO 3166-1 alpha-2 code: write NL");
        assert_eq!(error("uk"), "`uk` is not an ISO 3166-1 alpha-2 code: the United Kingdom is GB");
        assert_eq!(error("Holland"), "`Holland` is not an ISO 3166-1 alpha-2 code");
        assert!(CountryCode::new("CH").is_ok());
    }
}
