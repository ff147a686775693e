//! Shares over chains of holdings, as far as `ForeignControl` shows them.

use super::*;

#[test]
fn shares_multiply_along_a_chain_and_add_up_over_chains() {
    table(
        &home(),
        &[
            (
                "48 % of 50 %",
                &[
                    ("host", "both 50 @mid, both 50 person ann NL"),
                    ("mid", "both 48 person bob US, both 52 person ann NL"),
                ],
                "",
            ),
            (
                "49 % of 50 %",
                &[
                    ("host", "both 50 @mid, both 50 person ann NL"),
                    ("mid", "both 49 person bob US, both 51 person ann NL"),
                ],
                FOREIGN,
            ),
            (
                "20 % and 40 % of 12.5 %",
                &[
                    ("host", "both 20 person bob US, both 12.5 @mid, both 67.5 person ann NL"),
                    ("mid", "both 40 person bob US, both 60 person ann NL"),
                ],
                FOREIGN,
            ),
            (
                "20 % and 32 % of 12.5 %",
                &[
                    ("host", "both 20 person bob US, both 12.5 @mid, both 67.5 person ann NL"),
                    ("mid", "both 32 person bob US, both 68 person ann NL"),
                ],
                "",
            ),
            (
                "votes don't multiply with capital",
                &[
                    ("host", "votes 50 @mid, votes 50 person ann NL, capital 100 person ann NL"),
                    ("mid", "capital 50 person bob US, capital 50 person ann NL, votes 100 person ann NL"),
                ],
                "",
            ),
        ],
    );
}

#[test]
fn chains_end_at_a_foreign_holder() {
    table(
        &home(),
        &[
            (
                "24 % of a foreign one that is owned from home",
                &[("host", "both 76 person ann NL, both 24 @mid"), ("mid", "hq=US, both 100 person ann NL")],
                "",
            ),
            (
                "25 % of it",
                &[("host", "both 75 person ann NL, both 25 @mid"), ("mid", "hq=US, both 100 person ann NL")],
                FOREIGN,
            ),
            (
                "two of 20 %",
                &[
                    ("host", "both 60 person ann NL, both 20 @mid, both 20 @too"),
                    ("mid", "hq=US, both 100 person ann NL"),
                    ("too", "registered=CH, both 100 person ann NL"),
                ],
                FOREIGN,
            ),
            (
                "what is behind it isn't home",
                &[("host", "both 60 person ann NL, both 20 @mid"), ("mid", "hq=US, both 100 person ann NL")],
                UNKNOWN,
            ),
            (
                "a described one is from where it says, not from where its holding says",
                &[("host", "both 75 person ann NL, both 25 @mid US"), ("mid", "both 100 person ann NL")],
                "",
            ),
        ],
    );
}

#[test]
fn cycles_end() {
    let all_of_a = ("a", "both 100 @host");
    table(
        &home(),
        &[
            (
                "it holds 5 % of its only holder",
                &[("host", "both 100 @b"), ("b", "both 5 @host, both 95 person ann NL")],
                "",
            ),
            (
                "its holder of 5 % is all its own",
                &[("host", "both 5 @a, both 95 person ann NL"), all_of_a],
                "",
            ),
            // 22.8 % of 95 % are 24 %.
            (
                "a foreigner with 24 % of what is anybody's",
                &[
                    ("host", "both 100 @b"),
                    ("b", "both 5 @host, both 72.2 person ann NL, both 22.8 person bob US"),
                ],
                "",
            ),
            (
                "a foreigner with more",
                &[
                    ("host", "both 100 @b"),
                    ("b", "both 5 @host, both 72.1 person ann NL, both 22.9 person bob US"),
                ],
                FOREIGN,
            ),
            ("it holds itself", &[("host", "both 50 @host, both 50 person ann NL")], ""),
            (
                "they hold each other and nobody holds them",
                &[("host", "both 100 @b"), ("b", "both 100 @host")],
                UNKNOWN,
            ),
            ("it holds itself and nobody else does", &[("host", "both 100 @host")], UNKNOWN),
        ],
    );
}

#[test]
fn a_chain_has_at_most_32_holdings() {
    let judge = |between: usize| {
        let names: Vec<_> =
            (0..=between).map(|i| if i == 0 { "host".to_owned() } else { format!("c{i}") }).collect();
        let mut world = hosted(&home(), &[]);
        for pair in names.windows(2) {
            world.known((&pair[0], &format!("both 100 @{}", pair[1])));
        }
        world.known((names.last().unwrap(), "both 100 person ann NL"));
        world.place()
    };
    assert_eq!(judge(31), "");
    assert_eq!(judge(32), UNKNOWN);
}
