//! Whole inputs in, whole outputs compared.

use domicile_crds::yaml;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const CHART: &str = include_str!("../../tests/data/chart.yaml");
const HOOKS: &str = include_str!("../../tests/data/hooks.yaml");
const WRONG: &str = include_str!("../../tests/data/wrong.yaml");
const LIST: &str = include_str!("../../tests/data/list.json");

fn options() -> Options {
    Options {
        name: WorkloadName::new("orders").unwrap(),
        namespace: NamespaceName::new("shop").unwrap(),
        clusters: None,
        spread_by: None,
        overlap: None,
        secrets: SecretSource::Hub,
        adopt: None,
        drop_hooks: false,
        skip: Vec::new(),
    }
}

fn stdin(text: &str) -> Vec<Input> {
    vec![Input { name: "stdin".to_owned(), text: text.to_owned() }]
}

fn wrapped(text: &str, options: &Options) -> Wrapped {
    wrap(&stdin(text), options).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str, options: &Options) -> String {
    wrap(&stdin(text), options).unwrap_err().to_string()
}

fn shown(wrapped: &Wrapped) -> String {
    let mut lines: Vec<_> = wrapped.notes.iter().map(|note| format!("# {note}")).collect();
    lines.push(yaml::stream(&wrapped.documents));
    lines.join("\n")
}

fn config_map(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"t": text}})
}

fn stream(objects: &[Value]) -> String {
    objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn a_rendered_chart() {
    insta::assert_snapshot!(shown(&wrapped(CHART, &options())));
}

#[test]
fn what_comes_out_is_a_tenant_workload() {
    let documents = wrapped(CHART, &options()).documents;
    let last = documents.last().unwrap().clone();
    let workload: domicile_crds::TenantWorkload = serde_json::from_value(last).unwrap();
    assert_eq!(workload.spec.manifests.len(), 9);
    assert_eq!(workload.spec.secrets.len(), 4);
}

#[test]
fn options_become_fields() {
    let options = Options {
        clusters: Some(2),
        spread_by: Some(SpreadBy::Provider),
        overlap: Some(Overlap::Forbid),
        secrets: SecretSource::Member,
        skip: ["Deployment", "ingress/orders", "CronJob/other"].map(|skip| skip.parse().unwrap()).to_vec(),
        ..options()
    };
    let mut out = wrapped(CHART, &options);
    let spec = out.documents.pop().unwrap()["spec"].take();
    assert_eq!(out.documents, Vec::<Value>::new(), "no Secret comes out that members have already");
    assert_eq!(spec["clusters"], json!({"count": 2, "spreadBy": "Provider"}));
    assert_eq!(spec["overlap"], "Forbid");
    assert_eq!(
        spec["secrets"],
        json!([{"name": "orders-database", "from": "Member"}, {"name": "orders-mail", "from": "Member"}])
    );
    let kinds: Vec<_> =
        spec["manifests"].as_array().unwrap().iter().map(|m| m["kind"].as_str().unwrap()).collect();
    let left = [
        "ServiceAccount",
        "NetworkPolicy",
        "ConfigMap",
        "Service",
        "PodDisruptionBudget",
        "CronJob",
        "HorizontalPodAutoscaler",
    ];
    assert_eq!(kinds, left);
    insta::assert_snapshot!(out.notes.join("\n"));
}

#[test]
fn a_list_of_lists_from_a_cluster_as_json() {
    insta::assert_snapshot!(shown(&wrapped(LIST, &options())));
}

#[test]
fn hooks_are_named_and_left_out_only_when_told() {
    let text = format!("{HOOKS}---\n{}", config_map("a", "b"));
    insta::assert_snapshot!(refused(&text, &options()));
    let out = wrapped(&text, &Options { drop_hooks: true, ..options() });
    assert_eq!(out.documents.len(), 1);
    insta::assert_snapshot!(out.notes.join("\n"));
}

#[test]
fn all_that_is_wrong_is_named_at_once() {
    insta::assert_snapshot!(refused(WRONG, &options()));
}

#[test]
fn a_template_is_recognised() {
    let error = wrap(&stdin("a: {{ .Values.a }}\n"), &options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "stdin can't be read: it looks like a template; render it first, for example with `helm template`"
    );
}

#[test]
fn nothing_is_not_a_workload() {
    for text in ["", "---\n# nothing\n", "{}", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"] {
        assert!(wrap(&stdin(text), &options()).is_err(), "{text:?}");
    }
    assert_eq!(refused("", &options()), "nothing to wrap: the input has no object that a tenant may run");
}

#[test]
fn merge_keys_are_resolved_as_kubectl_does() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  <<: [&x {a: one, b: one}, {b: two, c: two}]\n  a: own\n";
    let manifest = wrapped(text, &options()).documents[0]["spec"]["manifests"][0].take();
    assert_eq!(manifest["data"], json!({"a": "own", "b": "one", "c": "two"}));
}

#[test]
fn size_is_warned_of_and_then_refused() {
    let overhead = config_map("a", "").to_string().len() + 1;
    let of = |bytes: usize| stream(&[config_map("a", &"x".repeat(bytes - overhead))]);
    assert_eq!(wrapped(&of(WARN_BYTES - 1), &options()).notes, Vec::<String>::new());
    let warning = "256 KiB of manifests as JSON: 512 KiB are the most that one TenantWorkload takes";
    assert_eq!(wrapped(&of(WARN_BYTES), &options()).notes, [warning]);
    assert!(wrap(&stdin(&of(MANIFESTS_BYTES_MAX)), &options()).is_ok());
    insta::assert_snapshot!(refused(&of(MANIFESTS_BYTES_MAX + 1), &options()));

    let many: Vec<_> = (0..=MANIFESTS_MAX).map(|i| config_map(&format!("c{i}"), "x")).collect();
    assert!(wrap(&stdin(&stream(&many[1..])), &options()).is_ok());
    insta::assert_snapshot!(refused(&stream(&many), &options()));
}

proptest! {
    #[test]
    fn the_order_of_the_input_does_not_matter(order in Just((0..11).collect::<Vec<_>>()).prop_shuffle(), cut in 0..12_usize) {
        let objects = yaml::documents(CHART).unwrap();
        prop_assert_eq!(objects.len(), 11);
        let mut shuffled: Vec<_> = order.into_iter().filter_map(|i: usize| objects.get(i).cloned()).collect();
        let rest = shuffled.split_off(cut.min(shuffled.len()));
        let mut inputs = stdin(&stream(&shuffled));
        inputs.push(Input { name: "more.json".to_owned(), text: json!({"apiVersion": "v1", "kind": "List", "items": rest}).to_string() });
        let once = wrap(&inputs, &options()).unwrap();
        let want = wrapped(CHART, &options());
        prop_assert_eq!(yaml::stream(&once.documents), yaml::stream(&want.documents));
        prop_assert_eq!(once.notes, want.notes);
        // What comes out can go in again, as far as it is the tenant's own objects.
        let inner = want.documents.last().unwrap()["spec"]["manifests"].as_array().unwrap().clone();
        let again = wrapped(&stream(&inner), &options());
        prop_assert_eq!(&again.documents.last().unwrap()["spec"]["manifests"], &Value::from(inner));
    }

    #[test]
    fn no_input_ends_the_program(text in ".{0,200}") {
        let _ = wrap(&stdin(&text), &options());
    }
}

#[test]
fn one_manifest_is_not_several() {
    let summary = wrapped(&config_map("a", "").to_string(), &options()).summary();
    assert!(summary.starts_with("wrapped 1 manifest; apply with"), "{summary}");
}

/// What is said can be typed.
#[test]
fn what_to_skip_is_named() {
    for kind in ["Role", "CustomResourceDefinition", "Namespace", "LimitRange", "PriorityClass", "Widget"] {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}).to_string();
        let said = refused(&object, &options());
        assert!(said.contains(&format!("leave it out with --skip {kind}")), "{said}");
    }
    let token = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "type": "kubernetes.io/service-account-token"});
    assert!(refused(&token.to_string(), &options()).contains("--skip Secret/x, and"));
}
