//! BODS.

use domicile_crds::{HolderKind, Interest};
use serde_json::{Value, json};

use super::*;

fn input(file: &str, text: &str) -> Input {
    Input { file: PathBuf::from(file), bytes: text.as_bytes().to_vec() }
}

fn made(text: &str) -> Imported {
    bods(&[input("a.json", text)]).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    bods(&[input("a.json", text)]).unwrap_err().to_string()
}

/// A statement as short as it can be.
fn statement(number: usize, record: &str, kind: &str, details: &Value) -> Value {
    json!({
        "statementId": format!("invented-statement-{number:016}"), "declarationSubject": "e", "statementDate": "2026-01-01",
        "recordId": record, "recordType": kind, "recordDetails": details,
    })
}

fn entity(number: usize, record: &str, name: &str) -> Value {
    let details = json!({"entityType": {"type": "registeredEntity"}, "name": name, "jurisdiction": {"name": "x", "code": "NL"}});
    statement(number, record, "entity", &details)
}

fn person(number: usize, record: &str, details: &Value) -> Value {
    let mut all = json!({"personType": "knownPerson", "names": [{"fullName": record}]});
    all.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
    statement(number, record, "person", &all)
}

fn relationship(number: usize, subject: &str, party: &Value, interests: &Value) -> Value {
    let details = json!({"subject": subject, "interestedParty": party, "interests": interests});
    statement(number, &format!("r{number}"), "relationship", &details)
}

/// What one holder has of `e`, from statements about it.
fn holding(party: &Value, interest: &Value, others: &[Value]) -> domicile_crds::Ownership {
    let mut statements = vec![entity(1, "e", "Acme"), relationship(2, "e", party, &json!([interest]))];
    statements.extend(others.iter().cloned());
    let imported = made(&Value::Array(statements).to_string());
    let mut ownership = provider(&providers(&imported.text), "acme").spec.ownership.clone();
    assert_eq!(ownership.len(), 1, "{}", imported.text);
    ownership.remove(0)
}

#[test]
fn a_network_becomes_providers() {
    let imported = bods(&[Input::read(&data("bods.json")).unwrap()]).unwrap();
    assert_eq!(providers(&imported.text).len(), 3);
    insta::assert_snapshot!(imported.text);
}

#[test]
fn nothing_personal_comes_out() {
    let text = bods(&[Input::read(&data("bods.json")).unwrap()]).unwrap().text;
    for personal in ["1970", "Secret", "Post Street", "SPECI2014", "free text", "Annie", "p-anna"] {
        assert!(!text.contains(personal), "{personal}");
    }
    let wrong = person(1, "p", &json!({"addresses": "7 Secret Street, expected nowhere at line 3"}));
    let error = refused(&json!([wrong]).to_string());
    assert!(error.ends_with("wanted a sequence, found something else"), "{error}");
}

#[test]
fn lines_and_arrays_are_the_same() {
    let array = std::fs::read_to_string(data("bods.json")).unwrap();
    let statements: Vec<Value> = serde_json::from_str(&array).unwrap();
    let lines: Vec<_> = statements.iter().map(Value::to_string).collect();
    let digests = |text: &str, of: &str| {
        let digest = sha256(of.as_bytes());
        text.replace(&format!("\"{digest}\""), &digest).replace(&digest, "digest")
    };
    let joined = format!("\u{feff}{}\n", lines.join("\n"));
    assert_eq!(digests(&made(&joined).text, &joined), digests(&made(&array).text, &array));
}

#[test]
fn nobody_known_is_never_nobody() {
    for reason in [
        "noBeneficialOwners",
        "subjectUnableToConfirmOrIdentifyBeneficialOwner",
        "interestedPartyHasNotProvidedInformation",
        "subjectExemptFromDisclosure",
        "interestedPartyExemptFromDisclosure",
        "unknown",
        "informationUnknownToPublisher",
    ] {
        let statements =
            json!([entity(1, "e", "Acme"), relationship(2, "e", &json!({"reason": reason}), &json!([]))]);
        let all = providers(&made(&statements.to_string()).text);
        let [held] = provider(&all, "acme").spec.ownership.as_slice() else { panic!("{all:?}") };
        assert_eq!((held.holder.kind, held.interest), (HolderKind::Unknown, Interest::Control), "{reason}");
        assert_eq!(held.holder.name, format!("Not known ({reason}): holder of acme"));
    }
    let kinds = [
        person(3, "p", &json!({"personType": "anonymousPerson"})),
        person(3, "p", &json!({"personType": "unknownPerson"})),
        person(3, "p", &json!({"deathDate": "2020"})),
        person(3, "p", &json!({"names": []})),
        person(3, "p", &json!({"unspecifiedPersonDetails": {"reason": "unknown"}})),
        entity(3, "other", "Other"),
    ];
    for other in kinds {
        let interest = json!({"type": "shareholding", "directOrIndirect": "direct", "share": {"exact": 100}});
        let mut statements =
            vec![entity(1, "e", "Acme"), relationship(2, "e", &json!("p"), &json!([interest]))];
        statements.push(other);
        let all = providers(&made(&Value::Array(statements).to_string()).text);
        assert_eq!(provider(&all, "acme").spec.ownership[0].holder.kind, HolderKind::Unknown);
    }
}

#[test]
fn only_what_is_direct_counts_at_least() {
    let range = |how: &Value, share: Value| {
        let mut interest = json!({"type": "shareholding", "share": share});
        interest["directOrIndirect"] = how.clone();
        let share = holding(&json!("p"), &interest, &[person(3, "p", &json!({}))]).share;
        (share.min, share.max)
    };
    let direct = json!("direct");
    assert_eq!(range(&direct, json!({"exact": 40})), (40.0, 40.0));
    assert_eq!(range(&direct, json!({"minimum": 25, "exclusiveMaximum": 50})), (25.0, 50.0));
    assert_eq!(range(&direct, json!({"exclusiveMinimum": 75})), (75.0, 100.0));
    assert_eq!(range(&direct, json!({"exact": 40, "minimum": 25, "maximum": 50})), (25.0, 50.0));
    assert_eq!(range(&direct, json!({})), (0.0, 100.0));
    assert_eq!(range(&direct, Value::Null), (0.0, 100.0));
    assert_eq!(range(&direct, json!({"minimum": 60, "maximum": 50})), (0.0, 100.0));
    assert_eq!(range(&direct, json!({"exact": 140})), (0.0, 100.0));
    for how in [json!("indirect"), json!("unknown"), Value::Null] {
        assert_eq!(range(&how, json!({"exact": 40})), (0.0, 40.0), "{how}");
    }
}

#[test]
fn every_interest_means_something() {
    let codes = [
        ("shareholding", Interest::Capital),
        ("votingRights", Interest::Votes),
        ("rightsToProfitOrIncome", Interest::Capital),
        ("rightsToSurplusAssetsOnDissolution", Interest::Capital),
        ("enjoymentAndUseOfAssets", Interest::Capital),
        ("rightToProfitOrIncomeFromAssets", Interest::Capital),
        ("appointmentOfBoard", Interest::Control),
        ("otherInfluenceOrControl", Interest::Control),
        ("seniorManagingOfficial", Interest::Control),
        ("boardChair", Interest::Control),
        ("nominee", Interest::Control),
        ("unknownInterest", Interest::Control),
        ("unpublishedInterest", Interest::Control),
        ("conditionalRightsGrantedByContract", Interest::Control),
        ("noSuchInterest", Interest::Control),
    ];
    for (code, wanted) in codes {
        let interest = json!({"type": code, "directOrIndirect": "direct", "share": {"exact": 30}});
        let held = holding(&json!("p"), &interest, &[person(3, "p", &json!({}))]);
        assert_eq!(held.interest, wanted, "{code}");
        let counts = matches!(code, "shareholding" | "votingRights");
        assert_eq!(held.share.min > 0.0, counts, "{code}");
    }
}

#[test]
fn a_person_has_a_country_only_if_all_agrees() {
    let country = |details: Value| {
        let interest = json!({"type": "shareholding"});
        holding(&json!("p"), &interest, &[person(3, "p", &details)])
            .holder
            .country
            .map(|country| country.to_string())
    };
    let nl = json!({"name": "Netherlands", "code": "NL"});
    let us = json!({"name": "United States", "code": "US"});
    let address = |kind: &str, country: &Value| json!([{"type": kind, "country": country}]);
    assert_eq!(country(json!({"nationalities": [nl]})), Some("NL".to_owned()));
    assert_eq!(country(json!({"nationalities": [nl], "taxResidencies": [nl]})), Some("NL".to_owned()));
    assert_eq!(
        country(json!({"nationalities": [nl], "addresses": address("service", &us)})),
        Some("NL".to_owned())
    );
    assert_eq!(country(json!({"nationalities": [nl], "addresses": address("residence", &us)})), None);
    assert_eq!(country(json!({"nationalities": [nl, us]})), None);
    assert_eq!(country(json!({"nationalities": [nl], "taxResidencies": [us]})), None);
    assert_eq!(country(json!({"nationalities": [nl, {"name": "Elsewhere"}]})), None);
    assert_eq!(country(json!({"taxResidencies": [nl]})), None, "nationality isn't told");
}

#[test]
fn dates_bound_a_holding_and_wrong_ones_do_not() {
    let held = |start: &str, end: &str| {
        let interest = json!({"type": "shareholding", "directOrIndirect": "direct", "share": {"exact": 30},
            "startDate": start, "endDate": end});
        holding(&json!("p"), &interest, &[person(3, "p", &json!({}))])
    };
    let good = held("2020-01-01", "2026-01-01");
    assert_eq!(good.from.unwrap().0.to_string(), "2020-01-01T00:00:00Z");
    assert_eq!(good.until.unwrap().0.to_string(), "2026-01-01T00:00:00Z");
    for (start, end) in [
        ("2020", "2026-01-01"),
        ("2020-01-01", "soon"),
        ("2026-01-01", "2020-01-01"),
        ("2020-01-01", "2020-01-01"),
    ] {
        let wrong = held(start, end);
        assert_eq!((wrong.from, wrong.until, wrong.share.min), (None, None, 0.0), "{start} {end}");
    }
}

#[test]
fn the_latest_statement_holds_whatever_the_order() {
    let mut old = entity(1, "e", "Old");
    let mut new = entity(2, "e", "New");
    old["statementDate"] = json!("2026-01-01T10:00:00Z");
    new["statementDate"] = json!("2026-01-02");
    for order in [json!([old, new]), json!([new, old])] {
        let imported = made(&order.to_string());
        assert_eq!(providers(&imported.text)[0].spec.legal_name, "New");
        assert!(imported.notes.contains(
            &"left out: 1 x statement replaced by a later one about the same record (invented-statement-0000000000000001)".to_owned()
        ));
    }
    let mut closed = relationship(3, "e", &json!("p"), &json!([]));
    closed["recordStatus"] = json!("closed");
    let all = providers(&made(&json!([new, closed]).to_string()).text);
    assert_eq!(all[0].spec.ownership, []);
}

#[test]
fn what_does_not_fit_is_summed_up() {
    let interest = |kind: &str, share: f64| json!([{"type": kind, "directOrIndirect": "direct", "share": {"exact": share}}]);
    let mut statements = vec![entity(1, "e", "Acme")];
    for number in 0..200 {
        let name = format!("p{number}");
        statements.push(person(1000 + number, &name, &json!({})));
        let kind = if number < 150 { "shareholding" } else { "otherInfluenceOrControl" };
        statements.push(relationship(2000 + number, "e", &json!(name), &interest(kind, 0.25)));
    }
    let all = providers(&made(&Value::Array(statements).to_string()).text);
    let ownership = &all[0].spec.ownership;
    let controls = ownership.iter().filter(|held| held.interest == Interest::Control).count();
    let unknown: Vec<_> = ownership.iter().filter(|held| held.holder.kind == HolderKind::Unknown).collect();
    assert_eq!((ownership.len(), controls, unknown.len()), (126, 50, 1));
    assert_eq!((unknown[0].share.min, unknown[0].share.max), (0.0, 18.75), "75 of the 150 shares");
}

#[test]
fn others_words_stay_words() {
    let name = "Acme\n  registeredIn: NL\u{2028}# x\u{202e}";
    let mut wrong = entity(1, "e", name);
    wrong["recordDetails"]["identifiers"] = json!([{"scheme": "X\nspec: {}", "id": "1\n2"}]);
    let interest = json!([{"type": "x\nspec: {}", "directOrIndirect": "\u{85}spec: {}"}]);
    let statements = json!([wrong, relationship(2, "e", &json!({"reason": "a\nspec: {}"}), &interest)]);
    let text = made(&statements.to_string()).text;
    let all = providers(&text);
    assert_eq!(all[0].spec.legal_name, "Acme registeredIn: NL # x");
    assert!(text.lines().all(|line| !line.starts_with("spec: {}")), "{text}");
}

#[test]
fn names_too_long_are_cut_and_said_so() {
    let text = made(&json!([entity(1, "e", &"Long ".repeat(100))]).to_string()).text;
    assert!(text.contains("# DOUBT: the name is longer than 256 characters, and cut"), "{text}");
    assert!(providers(&text)[0].spec.legal_name.len() <= 256);
}

#[test]
fn errors_say_where_and_what_to_do() {
    let versioned = |version: &str| {
        let mut old = entity(1, "e", "Acme");
        old["publicationDetails"] = json!({"bodsVersion": version});
        refused(&json!([old]).to_string())
    };
    let mut undated = entity(1, "e", "Acme");
    undated["statementDate"] = json!("yesterday");
    let errors = [
        refused("[{\"statementId\": \"a\",\n  oops}]"),
        refused("[{\"statementId\": 7}]"),
        refused("{\"statementId\": \"a\"}\n{\"stat"),
        versioned("0.2"),
        versioned("0.3"),
        versioned("0.5"),
        refused("[{\"statementID\": \"a\", \"statementType\": \"entityStatement\"}]"),
        refused(&json!([entity(1, "a", "A"), entity(1, "b", "B")]).to_string()),
        refused(&json!([entity(1, "a", "A"), person(2, "a", &json!({}))]).to_string()),
        refused(&json!([undated]).to_string()),
        refused("[{\"statementId\": \"a\", \"recordId\": \"b\"}]"),
        refused("{\"records\": []}"),
        refused("LEI,Entity.LegalName\n"),
        refused("PK\u{3}\u{4}"),
        refused("  "),
        refused("[]"),
        refused(&json!([person(1, "p", &json!({}))]).to_string()),
        Input::read(&data("")).unwrap_err().to_string(),
    ];
    let errors = errors.join("\n").replace(&data("").display().to_string(), "FOLDER/");
    insta::assert_snapshot!(errors);
}
