//! `ForeignControl`, and `OwnershipUnknown` for a tenant that names its home.

use super::*;

#[test]
fn one_foreigner_may_have_24_percent_and_all_together_39() {
    // SecNumCloud 3.2, 19.6. The two numbers are easily taken for each other.
    held(
        &home(),
        &[
            ("nobody foreign", "both 100 person ann NL", ""),
            ("exactly 24", "both 76 person ann NL, both 24 person bob US", ""),
            ("a little more", "both 75.99 person ann NL, both 24.01 person bob US", FOREIGN),
            ("less than a millionth more", "both 76 person ann NL, both 24.0000009 person bob US", ""),
            ("more than a millionth more", "both 75 person ann NL, both 24.000002 person bob US", FOREIGN),
            ("one of 30, below 39", "both 70 person ann NL, both 30 person bob US", FOREIGN),
            (
                "three of 13",
                "both 61 person ann NL, both 13 person bob US, both 13 person cem TR, both 13 person dan CH",
                "",
            ),
            (
                "four of 12",
                "both 52 person ann NL, both 12 person b US, both 12 person c TR, both 12 person d CH, both 12 person e US",
                FOREIGN,
            ),
            ("a state is a holder too", "both 70 person ann NL, both 30 state qatar QA", FOREIGN),
        ],
    );
    let strict = json!({"homeCountrySet": "benelux", "maxForeignShare": {"individual": 0, "collective": 0}});
    held(
        &strict,
        &[
            ("none", "both 100 person ann NL", ""),
            ("a bit", "both 99 person ann NL, both 1 person b US", FOREIGN),
        ],
    );
}

#[test]
fn capital_and_votes_are_counted_apart() {
    held(
        &home(),
        &[
            (
                "24 of one and 24 of the other",
                "capital 76 person ann NL, capital 24 person bob US, votes 76 person ann NL, votes 24 person cem US",
                "",
            ),
            (
                "too many votes",
                "capital 100 person ann NL, votes 70 person ann NL, votes 30 person bob US",
                FOREIGN,
            ),
            (
                "too much capital",
                "votes 100 person ann NL, capital 70 person ann NL, capital 30 person bob US",
                FOREIGN,
            ),
            ("no votes are accounted for", "capital 100 person ann NL", UNKNOWN),
            ("24 % of votes aren't", "capital 100 person ann NL, votes 76 person ann NL", ""),
            ("more of them aren't", "capital 100 person ann NL, votes 75.9 person ann NL", UNKNOWN),
            ("no capital is", "votes 100 person ann NL", UNKNOWN),
        ],
    );
}

#[test]
fn ranges_are_taken_at_their_worst() {
    held(
        &home(),
        &[
            ("up to 30, the rest at home", "both 70 person ann NL, both 0-30 person bob US", FOREIGN),
            ("the others leave no more than 24", "both 76 person ann NL, both 0-30 person bob US", ""),
            ("home is what it is at least", "both 70-100 person ann NL, both 0-30 person bob US", FOREIGN),
            ("10 to 30, and 15 are nobody's", "both 75 person ann NL, both 10-30 person bob US", FOREIGN),
            ("nobody is known to have 25", "both 75-80 person ann NL", UNKNOWN),
            (
                "together 60 at most, but 39 are left",
                "both 61 person ann NL, both 13-20 person b US, both 13-20 person c TR, both 13-20 person d CH",
                "",
            ),
            (
                "and here 40 are",
                "both 60 person ann NL, both 13-20 person b US, both 13-20 person c TR, both 13-20 person d CH",
                FOREIGN,
            ),
        ],
    );
    let for_one = json!({"homeCountrySet": "benelux", "maxForeignShare": {"individual": 100}});
    held(
        &for_one,
        &[("39 aren't home", "both 61 person ann NL", ""), ("40 aren't", "both 60 person ann NL", UNKNOWN)],
    );
}

#[test]
fn a_foreign_provider_fails_and_one_led_from_nowhere_is_not_known() {
    let all = ", both 100 person ann NL";
    let says = |settings: &str| hosted(&home(), &[("host", &format!("{settings}{all}"))]).place();
    assert_eq!(says("registered=BE"), "");
    assert_eq!(says("registered=US"), FOREIGN);
    assert_eq!(says("hq=US"), FOREIGN);
    assert_eq!(says("hq=-"), UNKNOWN);
    assert_eq!(says("registered=US, hq=-"), FOREIGN);
}

#[test]
fn the_same_holder_under_different_names_is_one() {
    let lei = "lei=529900T8BM49AURSDO55";
    table(
        &home(),
        &[
            (
                "in other letters",
                &[("host", "both 74 person ann NL, both 13 entity BobInc US, both 13 entity BOBINC US")],
                FOREIGN,
            ),
            (
                "with the same id",
                &[("host", "both 74 person ann NL, both 13 entity b US id=x1, both 13 entity c US id=X1")],
                FOREIGN,
            ),
            (
                "through a third who has something of both",
                &[
                    ("host", "both 74 person ann NL, both 13 entity b US, both 13 entity c US"),
                    ("far", "both 1 entity b US id=x1, both 1 entity c US id=x1"),
                ],
                FOREIGN,
            ),
            (
                "once by its HostingProvider, once by its name",
                &[
                    ("host", "both 74 person ann NL, both 13 @mid, both 13 entity M US name=MID"),
                    ("mid", "hq=US, named=Mid"),
                ],
                FOREIGN,
            ),
            (
                "once by its HostingProvider, once by its identifier",
                &[
                    (
                        "host",
                        &format!(
                            "both 74 person ann NL, both 13 @mid, both 13 entity M US id={}",
                            &lei[4..].to_lowercase()
                        ),
                    ),
                    ("mid", &format!("hq=US, {lei}")),
                ],
                FOREIGN,
            ),
            (
                "two who have nothing in common",
                &[("host", "both 74 person ann NL, both 13 entity b US, both 13 entity c US")],
                "",
            ),
            (
                "who is said to be from two countries",
                &[("host", "both 70 person ann NL, both 10 person bob US, both 20 person bob NL")],
                FOREIGN,
            ),
        ],
    );
}

/// What is recorded of somebody is true of it wherever it is recorded, as long as it counts.
#[test]
fn where_somebody_is_from_is_told_by_all_entries_that_count() {
    let bob = ("host", "both 70 person ann NL, both 30 person bob NL");
    let later = "both 1 person bob US from=2026-06-01T12:00:01Z";
    let ended = format!("both 1 person bob US until={NOON}");
    let here = format!("both 70 person ann NL, both 30 person bob NL, both 1 person bob US until={NOON}");
    let cy = ("host", "both 51 person cy, both 49 person ann NL");
    table(
        &home(),
        &[
            ("elsewhere", &[bob, ("far", "both 1 person bob US")], FOREIGN),
            ("by another name", &[bob, ("far", "both 1 person b US id=x, both 1 person bob id=x")], FOREIGN),
            ("elsewhere, and it has ended", &[bob, ("far", &ended)], ""),
            ("elsewhere, and it hasn't begun", &[bob, ("far", later)], ""),
            ("here, and it has ended", &[("host", &here)], ""),
            (
                "home is told by the entry alone",
                &[("host", "both 70 person ann NL, both 30 person bob"), ("far", "both 1 person bob NL")],
                UNKNOWN,
            ),
        ],
    );
    table(
        &any_share(),
        &[
            ("from nowhere", &[cy], UNKNOWN),
            ("from home, elsewhere", &[cy, ("far", "both 1 person cy NL")], ""),
            ("from abroad, elsewhere", &[cy, ("far", "both 1 person cy US")], FOREIGN),
        ],
    );
}

#[test]
fn who_may_be_anybody_belongs_to_the_rest() {
    held(
        &home(),
        &[
            ("an entity that nobody describes", "both 75 person ann NL, both 25 entity shell NL", UNKNOWN),
            ("24 % of it", "both 76 person ann NL, both 24 entity shell NL", ""),
            ("it says that it is foreign", "both 75 person ann NL, both 25 entity shell US", FOREIGN),
            ("it doesn't say from where it is", "both 75 person ann NL, both 25 entity shell", UNKNOWN),
            ("somebody", "both 75 person ann NL, both 25 unknown x NL", UNKNOWN),
            ("two of 13 %", "both 74 person ann NL, both 13 unknown x NL, both 13 entity y BE", UNKNOWN),
            (
                "who names a HostingProvider that doesn't exist",
                "both 75 person ann NL, both 25 @ghost NL",
                UNKNOWN,
            ),
            ("a person from nowhere", "both 75 person ann NL, both 25 person cy", UNKNOWN),
            ("24 % of that", "both 76 person ann NL, both 24 person cy", ""),
            ("a person names a HostingProvider in vain", "both 100 person ann NL, both 0 person host NL", ""),
        ],
    );
    table(
        &home(),
        &[
            (
                "25 % of one that is led from nowhere",
                &[("host", "both 75 person ann NL, both 25 @mid"), ("mid", "hq=-, both 100 person ann NL")],
                UNKNOWN,
            ),
            (
                "24 % of it",
                &[("host", "both 76 person ann NL, both 24 @mid"), ("mid", "hq=-, both 100 person ann NL")],
                "",
            ),
            (
                "13 % of a foreigner, who may have the 20 % behind it as well",
                &[
                    ("host", "both 67 person ann NL, both 13 person bob US, both 20 @mid"),
                    ("mid", "hq=-, both 100 person bob US"),
                ],
                FOREIGN,
            ),
            (
                "13 % of a foreigner, and 20 % of somebody else's",
                &[
                    ("host", "both 67 person ann NL, both 13 person bob US, both 20 @mid"),
                    ("mid", "hq=-, both 100 person ann NL"),
                ],
                UNKNOWN,
            ),
        ],
    );
}

#[test]
fn entries_count_from_their_first_instant_and_not_at_their_last() {
    let (before, after_it) = ("2026-06-01T11:59:59Z", "2026-06-01T12:00:01Z");
    let when = |when: &str| {
        hosted(&home(), &[("host", &format!("both 70 person ann NL, both 30 person bob US {when}"))]).place()
    };
    assert_eq!(when(""), FOREIGN);
    assert_eq!(when(&format!("from={NOON}")), FOREIGN);
    assert_eq!(when(&format!("from={after_it}")), UNKNOWN, "until then nobody has it");
    assert_eq!(when(&format!("until={after_it}")), FOREIGN);
    assert_eq!(when(&format!("until={NOON}")), UNKNOWN);
    assert_eq!(when(&format!("from={before} until={after_it}")), FOREIGN);
}

#[test]
fn home_is_what_the_set_contains_at_the_time() {
    let known = ("host", "both 100 person ann NL");
    let missing = json!({"homeCountrySet": "gone"});
    assert_eq!(hosted(&missing, &[known]).place(), "ForeignControl?");
    assert_eq!(hosted(&missing, &[("host", "hq=-")]).place(), "ForeignControl?", "and nothing more is asked");
    let member = |patch: Value| {
        let member = json!({"country": "NL", "basis": "Membership", "source": "treaty"});
        let mut world = hosted(&json!({"homeCountrySet": "there"}), &[known]);
        world.country_set_of("there", vec![merged(member, &patch)]);
        world.place()
    };
    assert_eq!(member(json!({})), "");
    assert_eq!(member(json!({"until": NOON})), FOREIGN);
    assert_eq!(member(json!({"from": NOON})), "");
    assert_eq!(member(json!({"scope": "trade"})), FOREIGN);
}

#[test]
fn records_that_contradict_themselves_open_nothing() {
    held(
        &home(),
        &[
            ("more than there is", "both 100 person ann NL, both 25 person bob US", FOREIGN),
            (
                "more than there is, of two",
                "both 100 person ann NL, both 20 person bob US, both 20 person cem TR",
                FOREIGN,
            ),
        ],
    );
}
