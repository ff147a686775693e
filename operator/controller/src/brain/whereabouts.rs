//! What a member's nodes say of where they are, held against where its site is recorded to be.

use domicile_crds::CountryCode;

/// Most contradictions that a member's status holds.
const CONTRADICTIONS_MAX: usize = 16;

/// Where regions of nodes contradict the country of their site.
pub(super) fn contradictions(regions: &[String], country: CountryCode) -> Vec<String> {
    let contradiction = |region: &String| {
        let other = country_of(region).filter(|other| *other != country)?;
        Some(format!(
            "nodes have the label topology.kubernetes.io/region={region}, which reads as {other}; the site is recorded in {country}"
        ))
    };
    regions.iter().filter_map(contradiction).take(CONTRADICTIONS_MAX).collect()
}

/// The country that a region names: as an ISO 3166-1 code (`ch`), with a place behind it (`ch-zrh`), or as a UN/LOCODE
/// (`CHZRH`, in capitals, since words have five letters, too). Other names, such as `eu-west-1`, say nothing certain.
fn country_of(region: &str) -> Option<CountryCode> {
    let is_place = |place: &str| {
        place.len() == 3 && place.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'9').contains(&b))
    };
    let code = match (region.len(), region.split_once('-')) {
        (2, None) => region,
        (_, Some((code, place))) if is_place(place) => code,
        (5, None) if !region.contains(char::is_lowercase) => {
            region.split_at_checked(2).filter(|(_, place)| is_place(place))?.0
        }
        _ => return None,
    };
    CountryCode::new(&code.to_uppercase()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_names_another_country_is_a_contradiction() {
        let of = |region: &str| contradictions(&[region.to_owned()], CountryCode::new("NL").unwrap()).len();
        for region in ["nl", "NL", "nl-ams", "NLAMS", "NLAM2"] {
            assert_eq!(of(region), 0, "{region}");
        }
        for region in ["ch", "CH", "ch-zrh", "CHZRH", "US-NYC"] {
            assert_eq!(of(region), 1, "{region}");
        }
        for region in ["", "eu-west-1", "sa-east-1", "us-east-1", "north", "zone-a", "xx", "QQABC", "é-abc"]
        {
            assert_eq!(of(region), 0, "{region}");
        }
    }
}
