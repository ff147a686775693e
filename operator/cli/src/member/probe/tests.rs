use super::*;

fn rule(verbs: &[&str], resource: &str, names: &[&str]) -> ResourceRule {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    ResourceRule {
        verbs: owned(verbs),
        resources: Some(vec![resource.to_owned()]),
        resource_names: Some(owned(names)),
        ..ResourceRule::default()
    }
}

fn judged(rules: &[ResourceRule]) -> (Found, Vec<String>) {
    let mut wrong = Vec::new();
    let found = judge_rules(rules, &mut wrong);
    (found, wrong)
}

#[test]
fn admitted_tenants_are_read_from_the_rules() {
    let group = rule(&["impersonate:user-info"], "groups", &["domicile:tenants"]);
    let acme = rule(&["impersonate:user-info"], "users", &["domicile:tenant:acme"]);
    let on = rule(&["impersonate-on:user-info:get"], "configmaps", &[]);
    let (found, wrong) = judged(&[group, acme, on, rule(&["get"], "pods", &[])]);
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(found.impersonation, Some(Impersonation::Constrained));
    assert_eq!(found.tenants, [TenantName::new("acme").unwrap()]);

    let (found, wrong) = judged(&[rule(&["impersonate"], "users", &["domicile:tenant:acme"])]);
    assert_eq!((found.impersonation, wrong.len()), (Some(Impersonation::Legacy), 0));
    assert_eq!(judged(&[]).0.impersonation, None);
}

#[test]
fn acting_as_others_is_wrong() {
    for (rules, message) in [
        (
            vec![rule(&["impersonate"], "users", &[])],
            "it can act as anybody: a rule to impersonate has no resourceNames",
        ),
        (vec![rule(&["impersonate"], "users", &["alice"])], "it can act as alice, who is no tenant"),
        (
            vec![rule(&["impersonate:user-info"], "users", &["domicile:tenant:A"])],
            "it can act as domicile:tenant:A, who is no tenant",
        ),
        (
            vec![
                rule(&["impersonate-on:user-info:get"], "pods", &[]),
                rule(&["impersonate"], "users", &["domicile:tenant:a"]),
            ],
            "it has both kinds of impersonation: remove the verb impersonate, which makes the limits of the other void",
        ),
    ] {
        assert_eq!(judged(&rules).1, [message]);
    }
}

#[test]
fn long_lists_of_problems_end() {
    let error = ProbeError::Wrong((0..20).map(|i| format!("p{i}")).collect());
    let text = error.to_string();
    assert!(text.contains("p11") && !text.contains("p12") && text.contains("and 8 more"), "{text}");
}
