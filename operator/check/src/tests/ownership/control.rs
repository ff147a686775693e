//! Control, as far as `ForeignControl` shows it.

use super::*;

#[test]
fn control_reaches_through_those_who_control() {
    table(
        &any_share(),
        &[
            (
                "51 % of 80 %",
                &[
                    ("host", "both 80 @mid, both 20 person ann NL"),
                    ("mid", "both 51 person bob US, both 49 person ann NL"),
                ],
                FOREIGN,
            ),
            (
                "50 % of 80 %",
                &[
                    ("host", "both 80 @mid, both 20 person ann NL"),
                    ("mid", "both 50 person bob US, both 50 person ann NL"),
                ],
                "",
            ),
            (
                "51 % of 50 %",
                &[
                    ("host", "both 50 @mid, both 50 person ann NL"),
                    ("mid", "both 51 person bob US, both 49 person ann NL"),
                ],
                "",
            ),
            ("at most", &[("host", "both 45-51 person bob US, both 49-55 person ann NL")], FOREIGN),
            (
                "by votes alone",
                &[("host", "capital 100 person ann NL, votes 51 person bob US, votes 49 person ann NL")],
                FOREIGN,
            ),
            (
                "in two entries",
                &[("host", "both 26 person bob US, both 25 person Bob US, both 49 person ann NL")],
                FOREIGN,
            ),
        ],
    );
    let of = |last: &str| {
        [
            ("host", "both 51 @a, both 49 person ann NL".to_owned()),
            ("a", "both 51 @b, both 49 person ann NL".to_owned()),
            ("b", last.to_owned()),
        ]
    };
    let judge = |last: &str| {
        let known = of(last);
        hosted(&home(), &known.each_ref().map(|(name, text)| (*name, text.as_str()))).place()
    };
    assert_eq!(judge("both 51 person bob US, both 49 person ann NL"), FOREIGN, "13 %, and it controls");
    assert_eq!(judge("both 50 person bob US, both 50 person ann NL"), "", "13 %, and it doesn't");
}

#[test]
fn only_an_entity_is_described() {
    let judge = |kind: &str, interests: [&str; 2], country: &str| {
        let holder = json!({"kind": kind, "name": "mid", "provider": "mid", "country": "NL"});
        let entry =
            |interest| json!({"holder": holder, "interest": interest, "share": {"min": 100, "max": 100}});
        let mut spec = record("host", if interests[0] == "Control" { "both 100 person ann NL" } else { "" });
        spec["ownership"].as_array_mut().unwrap().extend(interests.map(entry));
        let mut world = hosted(&home(), &[("mid", &format!("hq={country}, both 100 person ann NL"))]);
        world.provider_of("host", spec);
        world.place()
    };
    for interests in [["Capital", "Votes"], ["Control", "Control"]] {
        assert_eq!(judge("Entity", interests, "NL"), "");
        assert_eq!(judge("Entity", interests, "US"), FOREIGN);
        assert_eq!(judge("Person", interests, "US"), "", "nobody stands behind it");
        assert_eq!(judge("State", interests, "US"), "");
        assert_eq!(judge("Unknown", interests, "NL"), UNKNOWN, "it may be anybody");
    }
}

#[test]
fn control_by_other_means_counts_whatever_its_share() {
    held(
        &any_share(),
        &[
            ("from home", "both 100 person ann NL, control person ann NL", ""),
            ("from abroad", "both 100 person ann NL, control person bob US", FOREIGN),
            ("by a state", "both 100 person ann NL, control state us US", FOREIGN),
            ("by an entity from abroad", "both 100 person ann NL, control entity shell US", FOREIGN),
            (
                "by an entity that nobody describes",
                "both 100 person ann NL, control entity shell NL",
                UNKNOWN,
            ),
            ("by somebody", "both 100 person ann NL, control unknown x NL", UNKNOWN),
            ("by a person from nowhere", "both 100 person ann NL, control person cy", UNKNOWN),
        ],
    );
    let mid = |text| {
        hosted(&any_share(), &[("host", "both 100 person ann NL, control @mid"), ("mid", text)]).place()
    };
    assert_eq!(mid("both 100 person ann NL"), "");
    assert_eq!(mid("hq=US, both 100 person ann NL"), FOREIGN);
    assert_eq!(mid("both 100 person bob US"), FOREIGN);
    assert_eq!(mid("hq=-, both 100 person ann NL"), UNKNOWN);
    assert_eq!(mid("both 50 person ann NL"), "", "half is enough to know who doesn't control it");
    assert_eq!(mid("both 49 person ann NL"), UNKNOWN);
    assert_eq!(mid("capital 100 person ann NL, votes 49-100 person ann NL"), UNKNOWN);
    assert_eq!(mid("both 100 person ann NL, control unknown x"), UNKNOWN);
}
