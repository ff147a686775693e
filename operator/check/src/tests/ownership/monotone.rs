//! To say less never makes lawful what was barred.
//!
//! That is so of what providers and holders say of themselves, and of the holdings, but for what
//! `what_the_page_lets_through` shows.

use proptest::prelude::*;

use super::*;

const LEI: &str = "529900T8BM49AURSDO55";

/// Numbers to build a world from, one after the other.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn below(&mut self, sides: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % sides
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn rarely(&mut self) -> bool {
        self.below(9) == 8
    }
}

fn dice() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 300)
}

/// What a tenant asks: one thing, so that nothing else bars what this lets through.
fn asks(dice: &mut Dice<'_>) -> Value {
    match dice.below(6) {
        0 | 1 => {
            let limits = [(24, 39), (24, 39), (50, 39), (39, 24), (100, 100), (100, 100)];
            let (individual, collective) = dice.one(&limits);
            let limits = json!({"individual": individual, "collective": collective});
            json!({"homeCountrySet": "benelux", "maxForeignShare": limits})
        }
        2 | 3 => json!({"independentOf": [dice.one(&["vendor", "VENDOR bv", LEI])]}),
        4 => json!({"notSubjectTo": [{"jurisdiction": "US"}]}),
        _ => json!({
            "notSubjectTo": [{"law": "CLOUD Act"}], "certifications": [{"scheme": "C5", "level": "2"}]
        }),
    }
}

/// What a provider says of itself.
fn settings(dice: &mut Dice<'_>, provider: &str) -> Value {
    let mut spec = record(provider, "");
    spec["identifiers"] = json!([{"scheme": "LEI", "id": if provider == "vendor" { LEI } else { provider }}]);
    spec["registeredIn"] = json!(if dice.rarely() && dice.rarely() { "US" } else { "NL" });
    spec["certifications"] = json!([{"scheme": "C5", "level": "2"}]);
    let headquarters = dice.one(&[Some("NL"), Some("NL"), Some("NL"), Some("NL"), Some("US"), None]);
    merge(&mut spec, &json!({"headquarteredIn": headquarters}));
    if dice.rarely() {
        spec["subjectTo"] = json!([{"jurisdiction": "US", "law": "Cloud Act"}]);
    }
    if dice.rarely() {
        spec["operatedFrom"] = json!(["TR"]);
    }
    spec
}

/// A holding: nobody goes by two names or comes from two countries, but what may be left out may be missing.
fn holding(dice: &mut Dice<'_>, holder: &str, interest: &str, (min, max): (usize, usize)) -> Value {
    let (kind, country) = match holder.split_once(' ') {
        Some(("person", name)) => ("Person", Some(&name[name.len() - 2..])),
        Some(("shell", name)) => ("Entity", Some(&name[name.len() - 2..])),
        Some(_) => ("Unknown", None),
        None => ("Entity", dice.one(&[Some("NL"), Some("NL"), None])),
    };
    let mut entry = json!({
        "holder": {"kind": kind, "name": holder}, "interest": interest, "share": {"min": min, "max": max}
    });
    let said = country.filter(|_| !dice.rarely());
    merge(&mut entry["holder"], &json!({"country": said}));
    if kind == "Entity" && !holder.contains(' ') {
        let id = if holder == "vendor" { LEI } else { holder };
        let described = json!({"provider": holder, "name": format!("{holder} BV"), "id": id});
        merge(&mut entry["holder"], &described);
    }
    entry
}

/// Providers by name, and what they say.
type Web = Vec<(&'static str, Value)>;

const SHARES: [usize; 13] = [0, 1, 12, 13, 23, 24, 25, 26, 30, 49, 50, 51, 76];

/// Anybody may hold anything in anybody, also more often than once and in circles. There are few, so that much of what
/// is said matters.
fn web(dice: &mut Dice<'_>) -> Web {
    let few = ["a", "b", "person bob US"];
    let anybody = [
        "host",
        "vendor",
        "a",
        "b",
        "person ann NL",
        "person bob US",
        "shell x NL",
        "shell y US",
        "unknown z",
    ];
    let holders = if dice.below(2) == 0 { &few[..] } else { &anybody };
    let mut web = Web::new();
    for company in ["host", "vendor", "a", "b"] {
        let mut spec = settings(dice, company);
        let mut entries = Vec::new();
        let mut left = [100, 100];
        for _ in 0..dice.below(5) {
            let holder = dice.one(holders);
            let share = dice.one(&SHARES);
            let more = if dice.rarely() { dice.one(&SHARES) } else { 0 };
            let interests = dice.one(&[
                &["Capital", "Votes"][..],
                &["Capital", "Votes"],
                &["Capital"],
                &["Votes"],
                &["Control"],
            ]);
            for interest in interests {
                let of = usize::from(*interest == "Votes");
                let min = if *interest == "Control" { 0 } else { share.min(left[of]) };
                left[of] -= min;
                entries.push(holding(dice, holder, interest, (min, (min + more).min(100))));
            }
        }
        if !dice.rarely() {
            entries.push(holding(dice, "person ann NL", "Capital", (left[0], left[0])));
            entries.push(holding(dice, "person ann NL", "Votes", (left[1], left[1])));
        }
        spec["ownership"] = json!(entries);
        web.push((company, spec));
    }
    web
}

/// Two in which few hold about half each, and which hold something of the host or of the vendor: together as much as
/// matters, if somebody may control both.
fn halves(dice: &mut Dice<'_>) -> Web {
    let mut web = Web::new();
    let order = dice.one(&[["host", "vendor"], ["vendor", "host"]]);
    for company in [order[0], order[1], "a", "b"] {
        let mut spec = settings(dice, company);
        let (holders, shares) = match company {
            "a" | "b" => (&["host", "vendor", "a", "b", "person bob US"][..], &[1, 26, 49, 50, 51][..]),
            _ if company == order[0] => {
                (&["a", "b", "a", "b", "person bob US"][..], &[12, 13, 24, 26, 30][..])
            }
            _ => (&["person vera US"][..], &[0, 26, 76][..]),
        };
        let mut entries = Vec::new();
        let mut left = [100, 100];
        let mut hold = |dice: &mut Dice<'_>, holder: &str, share: usize| {
            let one = dice.one(&[&["Capital", "Votes"][..], &["Capital", "Votes"], &["Capital"], &["Votes"]]);
            for interest in one {
                let share = share.min(left[usize::from(*interest == "Votes")]);
                left[usize::from(*interest == "Votes")] -= share;
                entries.push(holding(dice, holder, interest, (share, share)));
            }
        };
        for _ in 0..=dice.below(3) {
            let (holder, share) = (dice.one(holders), dice.one(shares));
            hold(dice, holder, share);
        }
        let rest = dice.one(&[0, 24, 48, 49, 50, 61, 74, 76, 100, 100, 100]);
        hold(dice, "person ann NL", rest);
        if dice.rarely() {
            let holder = dice.one(holders);
            entries.push(holding(dice, holder, "Control", (0, 0)));
        }
        spec["ownership"] = json!(entries);
        web.push((company, spec));
    }
    web
}

/// Something to leave out: a provider, the way to where it is said, and the keys or the indices.
type Without = (usize, String, Vec<String>);

/// All that may be left out of what providers and holders say of themselves.
fn sayings(web: &Web) -> Vec<Without> {
    let mut found = Vec::new();
    for (provider, (_, spec)) in web.iter().enumerate() {
        for key in ["headquarteredIn", "subjectTo", "operatedFrom"] {
            found.push((provider, String::new(), vec![key.to_owned()]));
        }
        found.push((provider, "/certifications/0".to_owned(), vec!["level".to_owned()]));
        for entry in 0..spec["ownership"].as_array().unwrap().len() {
            for key in ["country", "id"] {
                found.push((provider, format!("/ownership/{entry}/holder"), vec![key.to_owned()]));
            }
        }
    }
    found.retain(|without| is_said(web, without));
    found
}

/// All holdings of capital and votes, one by one and all that one holder has, and which HostingProvider describes a
/// holder.
fn accounts(web: &Web) -> Vec<Without> {
    let mut found = Vec::new();
    for (provider, (_, spec)) in web.iter().enumerate() {
        let entries = spec["ownership"].as_array().unwrap();
        for (index, entry) in entries.iter().enumerate() {
            found.push((provider, format!("/ownership/{index}/holder"), vec!["provider".to_owned()]));
            if entry["interest"] != "Control" {
                let same = |(_, other): &(usize, &Value)| {
                    other["interest"] != "Control" && other["holder"]["name"] == entry["holder"]["name"]
                };
                let all = entries.iter().enumerate().filter(same).map(|(i, _)| i.to_string()).collect();
                found.push((provider, "/ownership".to_owned(), vec![index.to_string()]));
                found.push((provider, "/ownership".to_owned(), all));
            }
        }
    }
    found.retain(|without| is_said(web, without));
    found
}

fn some(dice: &mut Dice<'_>, of: Vec<Without>) -> Vec<Without> {
    (0..8.min(of.len())).map(|_| of[dice.below(of.len())].clone()).collect()
}

fn is_said(web: &Web, (provider, way, keys): &Without) -> bool {
    keys.iter().all(|key| web[*provider].1.pointer(&format!("{way}/{key}")).is_some())
}

/// Each holder holds in one provider only, and no more is held than there is.
fn tree(dice: &mut Dice<'_>) -> Web {
    // For each but the first: in which of those before it it holds something, if in any.
    let order = dice.one(&[["host", "vendor", "a", "b", "c"], ["vendor", "host", "a", "b", "c"]]);
    let parents: Vec<_> =
        (0..order.len()).map(|i| (i > 0 && dice.below(4) > 0).then(|| dice.below(i.max(1)))).collect();
    let in_one_tree = parents[1].is_some();
    let mut web = Web::new();
    for (company, name) in order.into_iter().enumerate() {
        let mut spec = settings(dice, name);
        let children: Vec<_> = (1..order.len()).filter(|i| parents[*i] == Some(company)).collect();
        let controlled = dice.rarely();
        let mut entries = Vec::new();
        for interest in ["Capital", "Votes"] {
            let mut left = 100;
            let mut holds = |dice: &mut Dice<'_>, holder: &str, shares: &[usize]| {
                let max = dice.one(shares).min(left);
                let min = if dice.rarely() { dice.one(&SHARES).min(max) } else { max };
                left -= max;
                (max > 0).then(|| holding(dice, holder, interest, (min, max)))
            };
            for child in &children {
                entries.extend(holds(dice, order[*child], &[0, 1, 8, 13, 24, 30, 51, 60, 100]));
            }
            // One of the two may belong to the same person as the other, unless one holds the other.
            if !in_one_tree && company < 2 && dice.rarely() {
                entries.extend(holds(dice, "person pia NL", &[13, 25, 50, 51, 76]));
            }
            for kind in 0..dice.below(4) {
                let kind = dice
                    .one(&["person h{} NL", "person h{} US", "person h{} TR", "shell h{} NL", "shell h{} US"])
                    .replace("{}", &format!("{company}{kind}"));
                entries.extend(holds(dice, &kind, &SHARES));
            }
            if dice.below(4) > 0 {
                entries.extend(holds(dice, &format!("person rest{company} NL"), &[100]));
            }
        }
        if controlled {
            let holder = children.first().map_or("person chief US", |child| order[*child]);
            entries.push(holding(dice, holder, "Control", (0, 0)));
        }
        spec["ownership"] = json!(entries);
        web.push((name, spec));
    }
    web
}

/// Leaves out one thing after another, each time only that, and finds nothing lawful that wasn't.
fn nothing_is_gained(asks: &Value, web: &Web, without: &[Without]) -> Result<(), TestCaseError> {
    let mut world = hosted(asks, &[]);
    for (provider, spec) in web {
        world.provider_of(provider, spec.clone());
    }
    let before = world.place();
    if before.is_empty() {
        return Ok(());
    }
    for (provider, way, keys) in without {
        let (name, mut spec) = web[*provider].clone();
        for key in keys.iter().rev() {
            match spec.pointer_mut(way).unwrap() {
                Value::Array(list) => drop(list.remove(key.parse().unwrap())),
                object => drop(object.as_object_mut().unwrap().remove(key)),
            }
        }
        let mut world = world.clone();
        world.provider_of(name, spec);
        let after = world.place();
        prop_assert_ne!(
            &after,
            "",
            "{} goes without {}{}/{:?}: {:#} {}",
            before,
            name,
            way,
            keys,
            asks,
            serde_json::to_string(web).unwrap()
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn who_says_less_of_oneself_gains_nothing(numbers in dice()) {
        let mut dice = Dice(numbers.iter());
        let (asks, web) = (asks(&mut dice), web(&mut dice));
        nothing_is_gained(&asks, &web, &some(&mut dice, sayings(&web)))?;
    }

    #[test]
    fn who_says_less_of_who_holds_it_gains_nothing(numbers in dice()) {
        let mut dice = Dice(numbers.iter());
        let (asks, web) = (asks(&mut dice), web(&mut dice));
        nothing_is_gained(&asks, &web, &some(&mut dice, accounts(&web)))?;
    }

    #[test]
    fn who_says_less_of_two_that_act_together_gains_nothing(numbers in dice()) {
        let mut dice = Dice(numbers.iter());
        let (asks, web) = (asks(&mut dice), halves(&mut dice));
        nothing_is_gained(&asks, &web, &some(&mut dice, accounts(&web)))?;
    }

    #[test]
    fn who_says_less_of_who_holds_it_gains_nothing_in_a_tree(numbers in dice()) {
        let mut dice = Dice(numbers.iter());
        let (asks, tree) = (asks(&mut dice), tree(&mut dice));
        nothing_is_gained(&asks, &tree, &some(&mut dice, accounts(&tree)))?;
    }
}
