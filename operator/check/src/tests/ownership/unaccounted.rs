//! What nobody is known to hold counts as somebody's own: before something isn't said any more, and after.

use super::*;

const DEPENDS: &str = "ProviderNotIndependent";

/// A case's name, what is known, and what is found.
type Case<'a> = (&'a str, &'a [Known<'a>], &'a str);

#[test]
fn a_foreigner_may_have_what_nobody_has() {
    let bob = ("c", "both 100 person bob US");
    let cases: [Case<'_>; 6] = [
        (
            "13 % twice",
            &[("host", "both 74 person ann NL, both 13 person bob US, both 13 person bob US")],
            FOREIGN,
        ),
        ("13 % of it aren't said", &[("host", "both 74 person ann NL, both 13 person bob US")], UNKNOWN),
        ("11 % of it aren't", &[("host", "both 76 person ann NL, both 13 person bob US")], ""),
        ("others leave him 24 %", &[("host", "both 76 person ann NL, both 0-60 person bob US")], ""),
        (
            "over two chains",
            &[("host", "both 74 person ann NL, both 13 @c, both 13 @d"), bob, ("d", "")],
            UNKNOWN,
        ),
        (
            "two have what is left, one after the other",
            &[("host", "both 63 person ann NL, both 12 person bob US, both 12 person cem TR")],
            UNKNOWN,
        ),
    ];
    table(&home(), &cases);
}

#[test]
fn who_is_excluded_may_have_what_nobody_has() {
    let (m, n, vera) =
        (("m", "both 100 @vendor"), ("n", "both 100 @vendor"), ("vendor", "both 100 person vera US"));
    let two = ("host", "both 74 person ann NL, both 13 @m, both 13 @n");
    let half = ("host", "both 75 person ann NL, both 25 @m");
    let circle = ("vendor", "both 90 person vera US, both 10 @m");
    let of_circle = ("host", "both 76 person ann NL, both 24 @vendor");
    let cases: [Case<'_>; 10] = [
        ("24 %, and 24 %", &[vera, ("host", "both 52 person ann NL, both 24 @vendor")], UNKNOWN),
        (
            "24 %, and 0.9 %",
            &[vera, ("host", "both 75.1 person ann NL, both 24 @vendor, both 0.9 unknown x")],
            "",
        ),
        ("nothing at all", &[vera, ("host", "both 76 person ann NL")], ""),
        ("over two chains", &[vera, two, m, n], DEPENDS),
        ("one of them isn't said", &[vera, two, m, ("n", "")], UNKNOWN),
        ("it controls one", &[vera, half, ("m", "both 51 @vendor, both 49 person ann NL")], DEPENDS),
        ("that isn't said", &[vera, half, ("m", "both 49 person ann NL")], UNKNOWN),
        ("it holds itself through another", &[circle, of_circle, m], ""),
        ("that isn't said of the other", &[circle, of_circle, ("m", "")], ""),
        (
            "the host has something of it",
            &[("vendor", "both 52 person vera US, both 24 @host"), ("host", "both 100 person ann NL")],
            UNKNOWN,
        ),
    ];
    table(&json!({"independentOf": ["vendor"]}), &cases);
}

/// Whoever controls a company casts all its votes, whosever the shares in it are.
#[test]
fn what_persons_have_of_opaque_ones_counts_for_nobody() {
    let vera = ("vendor", "both 100 person vera US");
    let two = ("host", "both 74 person ann NL, both 13 @m, both 13 @n");
    let less = ("host", "both 75.1 person ann NL, both 13 @m, both 11.9 @n");
    let half = |name| (name, "both 51 @vendor, both 49 person ann NL");
    let open = |name| (name, "both 49 person ann NL");
    let n_has = |host| [vera, host, half("m"), ("c", "both 50 person ann NL, both 50 @n"), open("n")];
    let cases: [Case<'_>; 12] = [
        ("it controls two", &[vera, two, half("m"), half("n")], DEPENDS),
        ("of one that isn't said", &[vera, two, half("m"), open("n")], UNKNOWN),
        ("of neither is it", &[vera, two, open("m"), open("n")], UNKNOWN),
        ("they have less", &[vera, less, half("m"), open("n")], ""),
        ("nobody can control the other", &[vera, two, half("m"), ("n", "both 50 person ann NL")], ""),
        (
            "somebody unknown does",
            &[vera, two, half("m"), ("n", "both 100 person ann NL, control unknown x")],
            UNKNOWN,
        ),
        (
            "one of whom little is known does",
            &[vera, two, half("m"), ("n", "both 100 person ann NL, control @o"), open("o")],
            UNKNOWN,
        ),
        (
            "of its votes little is known",
            &[vera, two, half("m"), ("n", "capital 100 person ann NL, votes 49 person ann NL")],
            UNKNOWN,
        ),
        (
            "by one of which enough is known",
            &n_has(("host", "both 66 person ann NL, both 17 @m, both 17 @c")),
            UNKNOWN,
        ),
        ("which has less", &n_has(("host", "both 67 person ann NL, both 16 @m, both 17 @c")), ""),
        (
            "it has something of the other alone",
            &[vera, two, ("m", "both 100 person ann NL"), ("n", "both 49 person ann NL, both 1 @vendor")],
            "",
        ),
        (
            "the host may have a say in it",
            &[
                ("vendor", "both 74 person vera US, both 13 @m, both 13 @n"),
                ("host", "both 100 person ann NL"),
                ("m", "both 51 @host, both 49 person eve NL"),
                ("n", "both 49 person eve NL"),
            ],
            UNKNOWN,
        ),
    ];
    table(&json!({"independentOf": ["vendor"]}), &cases);
}

#[test]
fn somebody_may_control_both() {
    let vendor = ("vendor", "both 60 person pia NL, both 40 person vera US");
    let judge = |host| hosted(&json!({"independentOf": ["vendor"]}), &[vendor, ("host", host)]).place();
    assert_eq!(judge("both 60 person pia NL, both 40 person ann NL"), DEPENDS);
    assert_eq!(judge("both 24 person pia NL, both 47 person ann NL, both 29 entity x NL"), UNKNOWN);
    assert_eq!(judge("both 30 person pia NL, both 49.9 person ann NL, both 20.1 entity x NL"), UNKNOWN);
    assert_eq!(judge("both 30 person pia NL, both 50 person ann NL, both 20 entity x NL"), "");
}

#[test]
fn votes_of_those_whom_one_controls_are_ones_own() {
    let all = json!({"notSubjectTo": [{"jurisdiction": "US"}]});
    let bound = "CompelledDisclosure";
    let host = ("host", "both 49 person ann NL, both 26 person bob US, both 25 @m");
    let two = ("host", "both 40 person ann NL, both 30 @m, both 30 @n");
    let bobs = |name| (name, "both 51 person bob US, both 49 person ann NL");
    let halfs = |name| (name, "both 50 person bob US, both 50 person ann NL");
    let cases: [Case<'_>; 6] = [
        ("26 % and 25 %", &[host, bobs("m")], bound),
        ("26 %, and half of 25 %", &[host, halfs("m")], ""),
        ("30 % and 30 %", &[two, bobs("m"), bobs("n")], bound),
        ("30 % and half of 30 %", &[two, bobs("m"), halfs("n")], ""),
        (
            "of votes",
            &[
                (
                    "host",
                    "capital 100 person ann NL, votes 49 person ann NL, votes 26 person bob US, votes 25 @m",
                ),
                bobs("m"),
            ],
            bound,
        ),
        (
            "whose share has a range",
            &[
                (
                    "host",
                    "both 49 person ann NL, both 20-26 person bob US, both 10-25 @m, both 6 entity x NL",
                ),
                bobs("m"),
            ],
            "CompelledDisclosure?",
        ),
    ];
    table(&all, &cases);
}

#[test]
fn own_shares_are_nobodys() {
    let all = json!({"notSubjectTo": [{"jurisdiction": "US"}]});
    let cases: [Case<'_>; 7] = [
        ("they hold each other", &[("host", "both 100 @m"), ("m", "both 100 @host")], "CompelledDisclosure?"),
        (
            "what is left",
            &[("host", "both 40 @m, both 29 person ann NL, both 31 person bob US"), ("m", "both 100 @host")],
            "CompelledDisclosure?",
        ),
        (
            "what is left is somebody's from home",
            &[("host", "both 40 @m, both 60 person ann NL"), ("m", "both 100 @host")],
            "",
        ),
        (
            "of one whom it doesn't control",
            &[
                ("host", "both 40 @m, both 29 person ann NL, both 31 person bob US"),
                ("m", "both 50 @host, both 50 person ann NL"),
            ],
            "",
        ),
        (
            "of one whom it may control",
            &[
                ("host", "both 49 @m, both 20 person ann NL, both 31 person bob US"),
                ("m", "both 30 @host, both 47 person ann NL"),
            ],
            "CompelledDisclosure?",
        ),
        (
            "its own",
            &[("host", "both 49 @host, both 25 person ann NL, both 26 person bob US")],
            "CompelledDisclosure?",
        ),
        (
            "its own, and half is somebody's",
            &[("host", "both 49 @host, both 50 person ann NL, both 1 person bob US")],
            "",
        ),
    ];
    table(&all, &cases);
}

#[test]
fn whom_a_law_binds_may_control() {
    let all = json!({"notSubjectTo": [{"jurisdiction": "US"}]});
    let judge = |text: &str| hosted(&all, &[("host", text)]).place();
    assert_eq!(judge("both 49 person ann NL, both 11 person bob US"), "CompelledDisclosure?");
    assert_eq!(judge("both 50 person ann NL, both 11 person bob US"), "");
    assert_eq!(judge("both 49 person ann NL, both 11 person eve NL"), "");
    assert_eq!(judge("both 49 person ann NL, both 11 person cy"), "CompelledDisclosure?");
    assert_eq!(
        judge("both 49 person ann NL, both 0 person bob US, both 11 person eve NL"),
        "",
        "has nothing"
    );
    let mid = |mid: &str| {
        let known = [("host", "both 49 person ann NL, both 11 @mid"), ("mid", mid)];
        hosted(&all, &known).place()
    };
    assert_eq!(mid("both 100 person ann NL"), "");
    assert_eq!(mid("hq=US, both 100 person ann NL"), "CompelledDisclosure?");
    assert_eq!(mid("both 49 person ann NL"), "CompelledDisclosure?", "who controls mid isn't known");
}

/// What is known rests on persons and states in the end.
#[test]
fn what_belongs_to_opaque_ones_is_nobodys() {
    let law = json!({"notSubjectTo": [{"jurisdiction": "US"}]});
    let unknown = "CompelledDisclosure?";
    let two = ("host", "both 40 person ann NL, both 30 @m, both 30 @n");
    let bob = |name| (name, "both 100 person bob US");
    let half = ("host", "both 49 person ann NL, both 51 @m");
    let m = ("m", "both 50 @n, both 50 @o");
    let o = ("o", "both 50 @m, both 50 @n");
    let by = |other| format!("both 100 person ann NL, control @{other}");
    let (by_o, by_n) = (by("o"), by("n"));
    let contract = |name, other| (name, if other == "o" { by_o.as_str() } else { &by_n });
    let cases: [Case<'_>; 11] = [
        ("both of two are known", &[two, bob("m"), bob("n")], "CompelledDisclosure"),
        ("one of them is", &[two, bob("m"), ("n", "")], unknown),
        ("none is", &[two, ("m", ""), ("n", "")], unknown),
        ("two hold each other", &[half, ("m", "both 100 @n"), ("n", "both 100 @m")], unknown),
        ("so do three, and none controls another", &[half, m, ("n", "both 50 @m, both 50 @o"), o], unknown),
        ("half of one is somebody's", &[half, m, ("n", "both 50 @m, both 50 person ann NL"), o], ""),
        ("less than half is", &[half, m, ("n", "both 51 @m, both 49 person ann NL"), o], unknown),
        (
            "he controls one that has control",
            &[two, bob("m"), contract("n", "o"), bob("o")],
            "CompelledDisclosure",
        ),
        ("that isn't said", &[two, bob("m"), contract("n", "o"), ("o", "")], unknown),
        ("somebody else does", &[two, bob("m"), contract("n", "o"), ("o", "both 100 person ann NL")], ""),
        ("two have control of each other", &[two, bob("m"), contract("n", "o"), contract("o", "n")], unknown),
    ];
    table(&law, &cases);
    let shells = |text, more: &[Known<'_>]| {
        hosted(&any_share(), &[&[two, ("m", text), ("n", text)], more].concat()).place()
    };
    let s = ("s", "hq=US, both 100 person ann NL");
    assert_eq!(shells("both 100 @s", &[s]), FOREIGN);
    assert_eq!(shells("both 100 entity s NL", &[]), UNKNOWN);
}

#[test]
fn who_has_more_than_there_is_has_it() {
    let law = json!({"notSubjectTo": [{"jurisdiction": "US"}]});
    let bob = ("m", "both 100 person bob US");
    let over = ("host", "both 30 @m, both 30 @n, both 100 person ann NL");
    let half = |name| (name, "both 51 person bob US, both 49 person ann NL");
    let silent = |name| (name, "both 49 person ann NL");
    let cases: [Case<'_>; 8] = [
        (
            "60 % and 100 %",
            &[("host", "both 60 person bob US, both 100 person ann NL")],
            "CompelledDisclosure",
        ),
        ("50 % and 100 %", &[("host", "both 50 person bob US, both 100 person ann NL")], ""),
        ("twice 30 %", &[over, bob, ("n", "both 100 person bob US")], "CompelledDisclosure"),
        (
            "of one it isn't known to be his",
            &[over, bob, ("n", "both 10 person bob US")],
            "CompelledDisclosure?",
        ),
        ("he controls both", &[over, half("m"), half("n")], "CompelledDisclosure"),
        ("of one that isn't said", &[over, half("m"), silent("n")], "CompelledDisclosure?"),
        ("of neither is it", &[over, silent("m"), silent("n")], "CompelledDisclosure?"),
        ("he can't control the other", &[over, half("m"), ("n", "both 50 person ann NL")], ""),
    ];
    table(&law, &cases);
}

/// Where `docs/rules.md` itself makes lawful by silence what it bars: before and after something isn't said any more.
/// Whoever changes the page finds here what it changes.
#[test]
fn what_the_page_lets_through() {
    let vendor = json!({"independentOf": ["vendor"]});
    let vera = ("vendor", "both 100 person vera US");
    let over = ("host", "both 100 person ann NL, both 13 @m, both 13 @n");
    let half = |name| (name, "both 51 @vendor, both 49 person ann NL");
    let cases: [(&str, &Value, &[Known<'_>], &[Known<'_>]); 2] = [
        (
            "that two foreigners have the same identifier",
            &home(),
            &[("host", "both 74 person ann NL, both 13 entity b US id=x, both 13 entity c US id=x")],
            &[("host", "both 74 person ann NL, both 13 entity b US id=x, both 13 entity c US")],
        ),
        (
            "who controls one of two that have a say together, if all is somebody's all the same",
            &vendor,
            &[vera, over, half("m"), half("n")],
            &[vera, over, half("m"), ("n", "both 49 person ann NL")],
        ),
    ];
    for (name, asks, before, after) in cases {
        assert_ne!(hosted(asks, before).place(), "", "{name}");
        assert_eq!(hosted(asks, after).place(), "", "{name}");
    }
}

/// What else it doesn't see: 26 % of votes that two cast whom one foreigner controls.
#[test]
fn what_the_page_does_not_see() {
    let half = |name| (name, "both 51 person bob US, both 49 person ann NL");
    let two = ("host", "both 74 person ann NL, both 13 @m, both 13 @n");
    assert_eq!(hosted(&home(), &[two, half("m"), half("n")]).place(), "");
}
