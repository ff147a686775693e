use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use serde_json::json;

use super::*;

fn object(kind: &str, metadata: &Value, spec: &Value) -> Value {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// What is said against a file with that in it.
fn refused(name: &str, object: &Value) -> String {
    let file = std::env::temp_dir().join(format!("domicile-{}-{name}.yaml", std::process::id()));
    std::fs::write(&file, yaml::document(object)).unwrap();
    let found = objects(&file);
    std::fs::remove_file(&file).unwrap();
    found.err().map_or_else(String::new, |error| output::explained(&error))
}

#[test]
fn a_misspelt_field_is_refused_by_name() {
    let tenant = |spec: Value| object("Tenant", &json!({"name": "shop"}), &spec);
    let said = refused("misspelt", &tenant(json!({"providers": {"independantOf": ["US"]}})));
    let wanted =
        "Tenant/shop has a field that its kind doesn't have, spec.providers.independantOf; there are ";
    assert!(said.contains(wanted) && said.contains("independentOf"), "{said}");
    let residency = json!({"residency": {"allowed": [{"country": "NL"}, {"contry": "BE"}]}});
    let said = refused("list", &tenant(residency));
    assert!(said.contains("spec.residency.allowed[1].contry"), "{said}");
    let mut root = tenant(json!({}));
    root["sepc"] = json!({});
    let said = refused("root", &root);
    assert!(said.contains(", sepc; there are spec, status"), "{said}");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [root]});
    assert!(refused("items", &list).contains(", sepc;"));
}

#[test]
fn what_is_free_stays_free() {
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "anything": {"at": "all"}});
    let metadata =
        json!({"name": "web", "namespace": "shop", "annotations": {"x": "y"}, "managedFields": []});
    assert_eq!(refused("free", &object("TenantWorkload", &metadata, &json!({"manifests": [manifest]}))), "");
    let secrets = json!({"labels": {"a": "b"}});
    assert_eq!(
        refused(
            "map",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}, "x": secrets})
        ),
        ""
    );
}

#[test]
fn what_the_hub_has_no_place_for_is_refused() {
    let says = |name: &str, object: &Value, wanted: &str| {
        let said = refused(name, object);
        assert!(said.contains(wanted), "{said}");
    };
    let (at, none) = (json!({"name": "a"}), json!({}));
    says(
        "kind",
        &object("HostingProvidr", &at, &none),
        "is of no kind that Domicile has; there are CountrySet,",
    );
    says("name", &object("Site", &json!({"name": "A.b"}), &none), "Site/A.b needs a metadata.name");
    says("nameless", &object("Site", &none, &none), "Site/ needs a metadata.name");
    says("namespace", &object("TenantWorkload", &at, &none), "TenantWorkload/a needs a metadata.namespace");
    let mut later = object("Site", &at, &none);
    later["apiVersion"] = json!("domicile.dev/v2");
    says("version", &later, "Site/a is of domicile.dev/v2: this program reads domicile.dev/v1alpha1");
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    says("others", &other, "holds none of Domicile's objects");
}

#[test]
fn the_examples_have_only_fields_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["examples/benelux", "examples/first-placement", "charts/domicile/countrysets"] {
        assert!(!objects(&root.join(folder)).unwrap().is_empty());
    }
}

/// A hub that answers everything alike, and what it is asked.
fn hub(code: u16, answer: &Value) -> (Cluster, Arc<Mutex<Vec<String>>>) {
    hub_of([(code, answer.clone()), (code, answer.clone())])
}

/// One that answers in one way to what would change something, and in another to what would make it.
fn hub_of(answers: [(u16, Value); 2]) -> (Cluster, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        heard.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        let (code, answer) = &answers[usize::from(request.method() == "POST")];
        let answer = Response::builder().status(*code).body(Body::from(answer.to_string().into_bytes()));
        async move { Ok::<_, tower::BoxError>(answer?) }
    });
    let client = kube::Client::new(service, "default");
    let config = kube::Config::new("http://hub.invalid".parse().unwrap());
    (Cluster { label: "the hub".to_owned(), client, config }, asked)
}

#[tokio::test]
async fn the_hub_is_asked_without_being_changed() {
    let site = |spec: Value| object("Site", &json!({"name": "a"}), &spec);
    let merged = site(json!({"country": "NL", "state": "Closing"}));
    let (hub, asked) = hub(200, &merged);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}});
    let mut objects = [namespace.clone(), site(json!({"country": "NL"}))];
    assert_eq!(ask(&hub, &mut objects).await.unwrap(), Vec::<String>::new());
    assert_eq!(objects, [namespace, merged], "with what somebody else has said of it");
    let asked = asked.lock().unwrap().clone();
    let [one] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(one.starts_with("PATCH /apis/domicile.dev/v1alpha1/sites/a?"), "{one}");
    for part in ["dryRun=All", "force=true", "fieldManager=kubectl", "fieldValidation=Strict"] {
        assert!(one.contains(part), "{part} isn't in {one}");
    }
}

#[tokio::test]
async fn what_the_hub_refuses_is_told_and_what_it_may_not_be_asked_is_noted() {
    let mut site = [object("Site", &json!({"name": "a"}), &json!({}))];
    let status = |code: u16, message: &str| json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "x", "code": code});
    let (invalid, _) = hub(422, &status(422, "until must be later than from"));
    let error = ask(&invalid, &mut site).await.unwrap_err();
    assert!(output::explained(&error).ends_with("until must be later than from"), "{error}");
    let (forbidden, _) = hub(403, &status(403, "sites is forbidden"));
    let notes = ask(&forbidden, &mut site).await.unwrap();
    assert_eq!(notes, ["the hub didn't check Site/a: sites is forbidden"]);
    let (denied, _) = hub(403, &status(403, "ValidatingAdmissionPolicy 'x' denied request: not you"));
    let notes = ask(&denied, &mut site).await.unwrap();
    let wanted =
        "the hub would refuse to take from you Site/a: ValidatingAdmissionPolicy 'x' denied request: not you";
    assert_eq!(notes, [wanted]);
}

#[tokio::test]
async fn whoever_may_only_make_an_object_has_it_checked() {
    let status = |code: u16, message: &str| {
        (
            code,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "x", "code": code}),
        )
    };
    let made = |name: &str| object("Decision", &json!({"name": name}), &json!({}));
    let forbidden = status(403, "decisions is forbidden");
    let (takes, asked) = hub_of([forbidden.clone(), (201, made("as-the-hub-would-have-it"))]);
    let mut objects = [made("a")];
    assert_eq!(ask(&takes, &mut objects).await.unwrap(), Vec::<String>::new());
    assert_eq!(objects, [made("as-the-hub-would-have-it")]);
    let asked = asked.lock().unwrap().clone();
    assert!(asked.iter().all(|it| it.contains("dryRun=All")), "{asked:?}");

    let (refuses, _) = hub_of([forbidden.clone(), status(422, "spec.reason: Required value")]);
    let error = ask(&refuses, &mut [made("a")]).await.unwrap_err();
    assert!(output::explained(&error).ends_with("spec.reason: Required value"), "{error}");
    let denied = "ValidatingAdmissionPolicy 'x' denied request: decidedBy must be you";
    let (guarded, _) = hub_of([forbidden.clone(), status(403, denied)]);
    let notes = ask(&guarded, &mut [made("a")]).await.unwrap();
    assert_eq!(notes, [format!("the hub would refuse to take from you Decision/a: {denied}")]);
    let (has_it, _) = hub_of([forbidden, status(409, "already exists")]);
    let notes = ask(&has_it, &mut [made("a")]).await.unwrap();
    assert_eq!(notes, ["the hub didn't check Decision/a: decisions is forbidden"]);
}

#[tokio::test]
async fn of_files_the_time_is_told_in_seconds() {
    use clap::Parser as _;
    let sets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/domicile/countrysets");
    let cli = crate::args::Cli::parse_from(["kubectl-domicile", "plan", "--from", sets.to_str().unwrap()]);
    let crate::args::Command::Plan(args) = cli.command else { panic!("another command") };
    let facts = Facts::read(&args.facts, &cli.hub).await.unwrap();
    assert_eq!(facts.now.subsec_nanosecond(), 0);
}
