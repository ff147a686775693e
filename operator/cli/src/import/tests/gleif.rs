//! GLEIF.

use domicile_crds::{HolderKind, Interest};

use super::*;

const SCHELDE: &str = "5299INVENTEDSCHELD45";
const ALONE: &str = "5299INVENTEDALONE126";
const SOLE: &str = "5299INVENTEDPERSON16";
const CSV: [&str; 3] = ["gleif-lei2.csv", "gleif-rr.csv", "gleif-repex.csv"];
const JSON: [&str; 3] = ["gleif-lei2.json", "gleif-rr.json", "gleif-repex.json"];

fn files(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| data(name)).collect()
}

fn leis(leis: &[&str]) -> Vec<Lei> {
    leis.iter().map(|lei| lei.parse().unwrap()).collect()
}

fn refused(names: &[PathBuf], asked: &[&str]) -> String {
    gleif(names, &leis(asked)).unwrap_err().to_string()
}

/// A file of its own, which goes when the test has ended.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, text: &str) -> Self {
        let file = std::env::temp_dir().join(format!("domicile-{}-{name}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        Self(file)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn parents_come_along_and_have_control() {
    let imported = gleif(&files(&CSV), &leis(&[SCHELDE])).unwrap();
    let all = providers(&imported.text);
    assert_eq!(all.len(), 3);
    let held = all.iter().flat_map(|provider| &provider.spec.ownership);
    assert!(held.clone().all(|held| held.interest == Interest::Control), "accounts are no shares");
    assert!(held.into_iter().all(|held| held.share.min == 0.0));
    insta::assert_snapshot!(imported.text);
}

#[test]
fn what_an_exception_hides_is_somebody() {
    let all = providers(&gleif(&files(&CSV), &leis(&[ALONE])).unwrap().text);
    let [first, second] = provider(&all, "alone-gmbh").spec.ownership.as_slice() else { panic!("{all:?}") };
    assert!([first, second].iter().all(|held| held.holder.kind == HolderKind::Unknown));
    assert_eq!(first.holder.name, "Not known (NO_KNOWN_PERSON): parent of alone-gmbh");
    assert_eq!(second.holder.name, "Not known (NON_PUBLIC, BINDING_LEGAL_COMMITMENTS): parent of alone-gmbh");
}

#[test]
fn json_and_csv_say_the_same_in_any_order() {
    let plain = |text: &str| {
        let kept = text.lines().filter(|line| !line.contains("ource: ") && !line.contains("sha256: "));
        kept.map(|line| line.replace(".json", "").replace(".csv", "")).collect::<Vec<_>>()
    };
    let mut backwards = files(&JSON);
    backwards.reverse();
    for asked in [&[SCHELDE, ALONE][..], &[]] {
        let csv = gleif(&files(&CSV), &leis(asked)).unwrap().text;
        assert_eq!(plain(&csv), plain(&gleif(&files(&JSON), &leis(asked)).unwrap().text));
        assert_eq!(plain(&csv), plain(&gleif(&backwards, &leis(asked)).unwrap().text));
    }
}

#[test]
fn no_natural_person_comes_out() {
    let imported = gleif(&files(&CSV), &[]).unwrap();
    assert_eq!(providers(&imported.text).len(), 4);
    for personal in ["Anna", "Secret", "Street"] {
        assert!(!imported.text.contains(personal), "{personal}");
    }
    let line = format!(
        "left out: 1 x entity of which no HostingProvider is made: a sole proprietor is a natural person ({SOLE})"
    );
    assert!(imported.notes.contains(&line), "{:?}", imported.notes);
}

#[test]
fn without_level_2_nothing_is_known_of_owners() {
    let text = gleif(&files(&CSV[..1]), &leis(&[SCHELDE])).unwrap().text;
    assert_eq!(providers(&text)[0].spec.ownership, []);
    assert!(
        text.contains("# DOUBT: the data says nothing of who owns or controls it, so that may be anybody")
    );
}

#[test]
fn errors_say_where_and_what_to_do() {
    let lei2 = std::fs::read_to_string(data("gleif-lei2.csv")).unwrap();
    let twice = Written::new("twice.csv", &format!("{lei2}{}\n", lei2.lines().nth(1).unwrap()));
    let short = Written::new("short.csv", &format!("{lei2}\"{ALONE}\",\"x\"\n"));
    let other = Written::new("other.csv", &lei2.replace("Entity.EntityCategory", "Entity.Category"));
    let odd = Written::new("odd.csv", "a,b\n1,2\n");
    let broken = Written::new("broken.json", "{\"records\": [\n  {\"LEI\": {\"$\": 7}}]}");
    let cut = Written::new("cut.json", "{\"relations\": [");
    let api = Written::new("api.json", "{\"data\": []}");
    let xml = Written::new("x.xml", "<lei:LEIData/>");
    let empty = Written::new("empty.csv", "");
    let one = |written: &Written| refused(std::slice::from_ref(&written.0), &[]);
    let errors = [
        refused(&files(&CSV), &[SOLE, "529900SCHELDEMAAS016"]),
        refused(&files(&CSV[1..]), &[]),
        one(&twice),
        one(&short),
        one(&other),
        one(&odd),
        one(&broken),
        one(&cut),
        one(&api),
        one(&xml),
        one(&empty),
        refused(&files(&["bods.json"]), &[]),
        refused(&[PathBuf::from("-")], &[]),
        refused(&files(&["none.csv"]), &[]),
    ];
    let temporary =
        std::env::temp_dir().join(format!("domicile-{}-", std::process::id())).display().to_string();
    let errors = errors.join("\n").replace(&temporary, "").replace(&data("").display().to_string(), "");
    insta::assert_snapshot!(errors);
}
