use super::*;

fn encoded(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}

fn file(cluster: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "m", "cluster": cluster}],
        "users": [{"name": "other", "user": {"exec": {"command": "rm"}}}, {"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "m", "user": "u"}}],
    })
}

fn good_cluster() -> Value {
    json!({"server": "https://k.example:6443", "certificate-authority-data": encoded("-----BEGIN CERTIFICATE-----\n")})
}

fn with(mut value: Value, key: &str, field: &Value) -> Value {
    value[key] = field.clone();
    value
}

fn refusals(file: &Value) -> Vec<String> {
    match Kubeconfig::parse(&file.to_string()) {
        Err(KubeconfigError::Refused(wrong)) => wrong,
        other => panic!("{other:?} for {file}"),
    }
}

#[test]
fn what_runs_reads_or_trusts_is_refused_by_name() {
    let token = json!({"token": "t"});
    let in_cluster = [
        (
            "certificate-authority",
            json!("/etc/ca.crt"),
            "certificate-authority names a file, which isn't here",
        ),
        ("proxy-url", json!("http://p.example"), "proxy-url would send everything through somebody else"),
        ("insecure-skip-tls-verify", json!(true), "insecure-skip-tls-verify would trust any server"),
        ("server", json!("http://k.example"), "server http://k.example doesn't begin with https://"),
        ("server", json!(""), "server is missing"),
        ("certificate-authority-data", json!(null), "certificate-authority-data is missing"),
        (
            "certificate-authority-data",
            json!("!"),
            "certificate-authority-data is no CERTIFICATE in PEM, in base64",
        ),
        (
            "certificate-authority-data",
            encoded("text"),
            "certificate-authority-data is no CERTIFICATE in PEM, in base64",
        ),
    ];
    for (key, value, message) in in_cluster {
        assert_eq!(refusals(&file(&with(good_cluster(), key, &value), &token)), [message]);
    }
    let in_user = [
        ("exec", json!({"command": "aws"}), "exec would run a command"),
        ("auth-provider", json!({"name": "gcp"}), "auth-provider would run a plugin"),
        ("client-certificate", json!("c.crt"), "client-certificate names a file, which isn't here"),
        ("client-key", json!("c.key"), "client-key names a file, which isn't here"),
        ("tokenFile", json!("/token"), "tokenFile names a file, which isn't here"),
        ("username", json!("a"), "username is of basic authentication, which no supported Kubernetes knows"),
        ("as", json!("system:admin"), "as would act as somebody else all the time"),
        ("as-groups", json!(["system:masters"]), "as-groups would act as somebody else all the time"),
        ("token", json!(""), "token is missing"),
        ("client-key-data", json!("x"), ""),
    ];
    for (key, value, message) in in_user {
        let file = file(&good_cluster(), &with(token.clone(), key, &value));
        if message.is_empty() {
            assert!(Kubeconfig::parse(&file.to_string()).is_ok(), "a token is enough");
        } else {
            assert_eq!(refusals(&file), [message]);
        }
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let file = file(&json!({"proxy-url": "x"}), &json!({"exec": {"command": "x"}, "client-key-data": "x"}));
    let error = Kubeconfig::parse(&file.to_string()).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn what_is_no_kubeconfig_is_refused() {
    assert_eq!(refusals(&json!({"kind": "Secret"})), ["it is no kubeconfig: its kind is not Config"]);
    assert_eq!(refusals(&json!({"kind": "Config"})), ["current-context is missing"]);
    let dangling = json!({"kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "m"}}]});
    assert_eq!(refusals(&dangling), ["clusters has no m with a cluster", "users has no entry with a user"]);
    assert!(matches!(Kubeconfig::parse("a: ["), Err(KubeconfigError::Read(_))));
}

#[test]
fn only_what_is_needed_is_stored() {
    let certificate = json!({
        "client-certificate-data": encoded("-----BEGIN CERTIFICATE-----"),
        "client-key-data": encoded("-----BEGIN PRIVATE KEY-----"),
    });
    let cluster = with(
        with(good_cluster(), "tls-server-name", &json!("kubernetes")),
        "extensions",
        &json!([{"name": "x"}]),
    );
    for user in [json!({"token": "t", "extensions": []}), certificate] {
        let kubeconfig = Kubeconfig::parse(&file(&cluster, &user).to_string()).unwrap();
        let stored = kubeconfig.to_yaml("nl-ams-1");
        assert_eq!(Kubeconfig::parse(&stored).unwrap(), kubeconfig);
        assert!(!stored.contains("extensions") && !stored.contains("rm"), "{stored}");
        assert!(!format!("{kubeconfig:?}").contains("credential"));
    }
}
