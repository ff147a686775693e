//! `ProviderNotIndependent`, and `OwnershipUnknown` for a tenant that asks for independence.

use super::*;

const DEPENDS: &str = "ProviderNotIndependent";
const LEI: &str = "529900T8BM49AURSDO55";

fn of(entry: &str) -> Value {
    json!({"independentOf": [entry]})
}

/// A vendor that belongs to Vera, and a host.
#[track_caller]
fn judge(name: &str, host: &str, more: &[Known<'_>], wanted: &str) {
    let mut world = hosted(&of("vendor"), &[("vendor", "both 100 person vera US"), ("host", host)]);
    for known in more {
        world.known(*known);
    }
    assert_eq!(world.place(), wanted, "{name}");
}

#[test]
fn nobody_is_independent_of_itself_by_whatever_name() {
    let host = format!("lei={LEI}, named=Host Group, both 100 person ann NL");
    let ask =
        |entry: &str| hosted(&of(entry), &[("host", &host), ("vendor", "both 100 person vera US")]).place();
    for name in ["host", "HOST", LEI, &LEI.to_lowercase(), "Host Group", "host group"] {
        assert_eq!(ask(name), DEPENDS, "{name}");
    }
    assert_eq!(ask("vendor"), "");
    let sharp =
        hosted(&of("MÜLLER STRASSE AG"), &[("host", "named=Müller Straße AG, both 100 person ann NL")]);
    assert_eq!(sharp.place(), DEPENDS);
}

#[test]
fn who_is_excluded_may_have_no_say_in_the_host() {
    judge("nobody does", "both 100 person ann NL", &[], "");
    judge("25 %", "both 75 person ann NL, both 25 @vendor", &[], DEPENDS);
    judge("less", "both 75.1 person ann NL, both 24.9 @vendor", &[], "");
    judge("25 % at most", "both 75 person ann NL, both 0-25 @vendor", &[], DEPENDS);
    judge(
        "25 % of votes",
        "capital 100 person ann NL, votes 75 person ann NL, votes 25 @vendor",
        &[],
        DEPENDS,
    );
    judge("control", "both 100 person ann NL, control @vendor", &[], DEPENDS);
    let (m, n) = (("m", "both 100 @vendor"), ("n", "both 100 @vendor"));
    judge("25 % over two chains", "both 75 person ann NL, both 13 @m, both 12 @n", &[m, n], DEPENDS);
    judge(
        "less over two chains",
        "both 75 person ann NL, both 13 @m, both 11.9 @n, both 0.1 person ann NL",
        &[m, n],
        "",
    );
    judge(
        "half of 50 %",
        "both 50 person ann NL, both 50 @m",
        &[("m", "both 50 @vendor, both 50 person ann NL")],
        DEPENDS,
    );
}

#[test]
fn who_controls_one_that_has_a_say_has_a_say() {
    let host = "both 75 person ann NL, both 25 @m";
    judge("51 % of 25 %", host, &[("m", "both 51 @vendor, both 49 person ann NL")], DEPENDS);
    judge("50 % of 25 %", host, &[("m", "both 50 @vendor, both 50 person ann NL")], "");
    judge(
        "51 % of less",
        "both 75.1 person ann NL, both 24.9 @m",
        &[("m", "both 51 @vendor, both 49 person ann NL")],
        "",
    );
    let far = [("m", "both 51 @n, both 49 person ann NL"), ("n", "both 51 @vendor, both 49 person ann NL")];
    judge("51 % of 51 % of 25 %", host, &far, DEPENDS);
    let other = [("m", "both 100 person ann NL, control @n"), ("n", "both 100 @vendor")];
    judge("control of control of 25 %", host, &other, DEPENDS);
}

#[test]
fn who_controls_several_has_what_all_of_them_have() {
    let host = "both 74 person ann NL, both 13 @m, both 13 @n";
    let half = "both 51 @vendor, both 49 person ann NL";
    let less = "both 50 @vendor, both 50 person ann NL";
    let by_other_means = "both 100 person ann NL, control @vendor";
    judge("13 % twice", host, &[("m", half), ("n", half)], DEPENDS);
    judge("13 % and half of it", host, &[("m", half), ("n", less)], "");
    judge("it has nothing of them", host, &[("m", by_other_means), ("n", by_other_means)], DEPENDS);
    judge(
        "one has the other, which counts once",
        "both 80 person ann NL, both 20 @m",
        &[("m", "both 51 @n, both 49 @vendor"), ("n", "both 100 @vendor")],
        "",
    );
    let open = "both 10 @vendor, both 39 person ann NL";
    judge("it may control one", host, &[("m", half), ("n", open)], UNKNOWN);
    judge(
        "it may, and it is too little",
        "both 76 person ann NL, both 12 @m, both 12 @n",
        &[("m", half), ("n", open)],
        "",
    );
    let vendor = [("vendor", "both 100 person vera US"), ("host", host), ("m", half), ("n", half)];
    assert_eq!(hosted(&of("vera"), &vendor).place(), DEPENDS, "nor is it independent of who controls it");
}

#[test]
fn nobody_has_more_than_others_leave() {
    judge("24 %", "both 76 person ann NL, both 0-60 @vendor", &[], "");
    judge("25 %", "both 75 person ann NL, both 0-60 @vendor", &[], DEPENDS);
    judge("less than what it has", "both 100 person ann NL, both 25 @vendor", &[], DEPENDS);
}

#[test]
fn the_host_may_have_no_say_in_who_is_excluded() {
    let ask = |vendor: &str, more: &[Known<'_>]| {
        let mut world = hosted(&of("vendor"), &[("vendor", vendor), ("host", "both 100 person ann NL")]);
        for known in more {
            world.known(*known);
        }
        world.place()
    };
    assert_eq!(ask("both 75 person vera US, both 25 @host", &[]), DEPENDS);
    assert_eq!(ask("both 75.1 person vera US, both 24.9 @host", &[]), "");
    assert_eq!(ask("both 100 person vera US, control @host", &[]), DEPENDS);
    let between = [("m", "both 100 @host")];
    assert_eq!(ask("both 75 person vera US, both 25 @m", &between), DEPENDS);
    assert_eq!(ask("both 75 person vera US, both 25 entity x US name=HOST", &[]), DEPENDS);
}

#[test]
fn nobody_may_control_both() {
    let ask = |host: &str, vendor: &str| {
        let parent = ("parent", "both 100 person pia NL");
        hosted(&of("vendor"), &[("host", host), ("vendor", vendor), parent]).place()
    };
    let (host, vendor) =
        ("both 51 @parent, both 49 person ann NL", "both 51 @parent, both 49 person vera US");
    assert_eq!(ask(host, vendor), DEPENDS, "sisters");
    assert_eq!(ask("both 50 @parent, both 50 person ann NL", vendor), "");
    assert_eq!(ask(host, "both 50 @parent, both 50 person vera US"), "");
    assert_eq!(ask(host, "both 51 person pia NL, both 49 person vera US"), DEPENDS, "an aunt");
    assert_eq!(
        ask("both 51 person pia NL, both 49 person ann NL", "both 51 person Pia NL, both 49 person v US"),
        DEPENDS
    );
    assert_eq!(ask("both 100 person ann NL, control person pia NL", vendor), DEPENDS);
}

#[test]
fn a_holder_is_meant_by_its_name_or_identifier_too() {
    let ask = |entry: &str, host: &str| {
        hosted(&of(entry), &[("vendor", &format!("lei={LEI}, both 100 person vera US")), ("host", host)])
            .place()
    };
    let holder = |word: &str| format!("both 75 person ann NL, both 25 entity v US {word}");
    assert_eq!(ask("vendor", &holder("name=VENDOR")), DEPENDS);
    assert_eq!(ask("vendor", &holder(&format!("id={}", LEI.to_lowercase()))), DEPENDS);
    assert_eq!(ask(LEI, &holder("name=Vendor")), DEPENDS, "by what else the HostingProvider is called");
    assert_eq!(ask("ghost", &holder("name=Ghost")), DEPENDS, "one that no HostingProvider describes");
    assert_eq!(ask("ghost", "both 100 person ann NL"), UNKNOWN, "and nobody has heard of");
    assert_eq!(ask("V", &holder("name=v")), DEPENDS);
    assert_eq!(ask("vera", "both 75 person ann NL, both 25 person Vera US"), DEPENDS);
    assert_eq!(
        ask("vera", "both 75.1 person ann NL, both 24.9 person Vera US"),
        UNKNOWN,
        "a person isn't described"
    );
    let two = json!({"independentOf": ["vendor", "ghost"]});
    let known = [("vendor", "both 100 person vera US"), ("host", "both 100 person ann NL")];
    assert_eq!(hosted(&two, &known).place(), UNKNOWN);
}

#[test]
fn who_has_a_quarter_or_control_must_be_known_of_both() {
    judge("a quarter isn't", "both 75 person ann NL", &[], UNKNOWN);
    judge("less than a quarter isn't", "both 75.1 person ann NL", &[], "");
    judge("a quarter of votes isn't", "capital 100 person ann NL, votes 75 person ann NL", &[], UNKNOWN);
    judge("75 % at least", "both 75-100 person ann NL", &[], UNKNOWN);
    judge("a shell has a quarter", "both 75 person ann NL, both 25 entity shell NL", &[], UNKNOWN);
    judge("a shell has less", "both 75.1 person ann NL, both 24.9 entity shell NL", &[], "");
    let half = [("m", "both 50 person ann NL")];
    judge("half of 50 % isn't", "both 50 person ann NL, both 50 @m", &half, UNKNOWN);
    judge("half of 49 % isn't", "both 51 person ann NL, both 49 @m", &half, "");
    judge("control by somebody", "both 100 person ann NL, control unknown x", &[], UNKNOWN);
    judge(
        "control by one of whom it isn't",
        "both 100 person ann NL, control @m",
        &[("m", "both 49 person ann NL")],
        UNKNOWN,
    );
    judge("from where they are is no matter", "hq=-, both 100 person bob", &[], "");
    judge("they hold each other", "both 100 @m", &[("m", "both 100 @host")], UNKNOWN);
    let vendor =
        |text| hosted(&of("vendor"), &[("vendor", text), ("host", "both 100 person ann NL")]).place();
    assert_eq!(vendor("both 75 person vera US"), UNKNOWN);
    assert_eq!(vendor("both 75.1 person vera US"), "");
    assert_eq!(vendor("both 100 person vera US, control entity shell US"), UNKNOWN);
}

#[test]
fn what_fails_is_said_before_what_is_not_known() {
    let all = json!({"independentOf": ["vendor"], "homeCountrySet": "benelux"});
    let known = |host| hosted(&all, &[("vendor", "both 100 person vera NL"), ("host", host)]).place();
    assert_eq!(known("both 100 person ann NL"), "");
    assert_eq!(known("both 30 @vendor, both 30 person bob US"), "ProviderNotIndependent ForeignControl");
    assert_eq!(known("both 30 @vendor"), "ProviderNotIndependent");
    assert_eq!(known("both 30 person bob US"), "ForeignControl");
    assert_eq!(known("both 30 person ann NL"), UNKNOWN);
    let gone = json!({"independentOf": ["vendor"], "homeCountrySet": "gone"});
    let known = |host| hosted(&gone, &[("vendor", "both 100 person vera NL"), ("host", host)]).place();
    assert_eq!(known("both 100 person ann NL"), "ForeignControl?");
    assert_eq!(known("both 30 person ann NL"), "ForeignControl? OwnershipUnknown");
    assert_eq!(known("both 30 @vendor"), "ProviderNotIndependent ForeignControl?");
}
