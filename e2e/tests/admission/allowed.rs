//! What everybody must be able to do: policies and roles that are too strict would be switched off.

use std::fs;

use domicile_crds::{ALLOWED_KINDS, COUNTRY_CODES, definitions, yaml};
use domicile_e2e::{
    props::{
        claim, config_map, cron_job, deployment, job, provider, service, site, stateful_set, tenant, with,
        workload,
    },
    stage::root,
};
use serde_json::{Value, json};

use crate::{
    asking::{API, Ask, together},
    ground::{Ground, move_path, token, workload_path},
};

pub(crate) async fn all(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let mut failures = a_tenant(ground).await?;
    failures.extend(an_engineer(ground).await);
    failures.extend(who_serves_itself(ground).await);
    let token = Ask::create("/api/v1/namespaces/bakery/secrets?dryRun=All", &token());
    failures.extend(token.granted(&ground.admin, "a token for whoever may create tokens").await);
    failures.extend(an_auditor(ground).await);
    Ok(failures)
}

/// One manifest of each kind.
fn every_kind() -> Vec<Value> {
    let object = |api: &str, kind: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "all"}, "spec": spec});
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "all"});
    let backend = json!({"service": {"name": "all", "port": {"number": 80}}});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "all"}}),
        object("networking.k8s.io/v1", "NetworkPolicy", json!({"podSelector": {}, "ingress": [{}]})),
        config_map("all", "a"),
        claim("all"),
        service("all"),
        object("policy/v1", "PodDisruptionBudget", json!({"minAvailable": 1})),
        object("networking.k8s.io/v1", "Ingress", json!({"defaultBackend": backend})),
        stateful_set("all"),
        deployment("all", "1"),
        job("all"),
        cron_job("all"),
        object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"scaleTargetRef": target, "maxReplicas": 3}),
        ),
    ]
}

/// The workloads of the examples, as if they were anna's.
fn examples() -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for path in ["examples/benelux/12-workloads.yaml", "examples/first-placement/03-workload.yaml"] {
        for document in yaml::documents(&fs::read_to_string(root().join(path))?)? {
            if document["kind"] == "TenantWorkload" {
                all.push(with(document, json!({"metadata": {"namespace": "bakery"}})));
            }
        }
    }
    anyhow::ensure!(all.len() >= 9, "the examples have only {} workloads", all.len());
    Ok(all)
}

async fn a_tenant(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let anna = &ground.anna;
    let every = every_kind();
    let kinds: Vec<_> = every.iter().map(|m| (m["apiVersion"].as_str(), m["kind"].as_str())).collect();
    assert_eq!(kinds, ALLOWED_KINDS.map(|(api, kind, _)| (Some(api), Some(kind))));
    let mut workloads = examples()?;
    workloads.push(workload("bakery", "all", &every, json!({})));
    let mut failures = together(&workloads, |object| async {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = workload_path(name);
        let steps = [
            Ask::apply(&path, object),
            Ask::apply(&path, &with(object.clone(), json!({"spec": {"drainSeconds": 3}}))),
            Ask::merge(&path, &json!({"metadata": {"annotations": {"example.com/note": "hello"}}})),
            Ask::get(&path),
            Ask::delete(&path),
        ];
        in_turn(anna, &format!("workload {name}"), &steps).await
    })
    .await;
    let answer = json!({"spec": {"answer": "Approved", "answerFor": "0123456789abcdef"}});
    let secret = json!({"metadata": {"name": "mine"}, "stringData": {"a": "b"}});
    let (secrets, mine) = ("/api/v1/namespaces/bakery/secrets", "/api/v1/namespaces/bakery/secrets/mine");
    let steps = [
        Ask::merge(&move_path("web-0"), &answer),
        Ask::merge(&move_path("web-0"), &json!({"spec": {"answer": "Denied"}})),
        Ask::merge(&move_path("web-0"), &json!({"spec": {"answer": null, "answerFor": null}})),
        Ask::merge(&move_path("web-0"), &json!({"spec": {"abort": true}})),
        Ask::merge(&move_path("web-0"), &json!({"metadata": {"annotations": {"example.com/ticket": "7"}}})),
        Ask::get(&format!("{API}/namespaces/bakery/migrations")),
        Ask::get(&format!("{API}/namespaces/bakery/assignments/web")),
        Ask::get("/apis/events.k8s.io/v1/namespaces/bakery/events"),
        Ask::get("/api/v1/namespaces/bakery/events"),
        Ask::create(secrets, &secret),
        Ask::merge(mine, &json!({"stringData": {"a": "c"}})),
        Ask::get(secrets),
        Ask::delete(mine),
    ];
    failures.extend(in_turn(anna, "what a tenant does", &steps).await);
    Ok(failures)
}

async fn in_turn(client: &kube::Client, what: &str, steps: &[Ask]) -> Option<String> {
    for step in steps {
        let complaint = step.granted(client, &format!("{what}: {step:?}")).await;
        if complaint.is_some() {
            return complaint;
        }
    }
    None
}

/// Every fact is written, changed and deleted; what others decide and run is read.
async fn an_engineer(ground: &Ground) -> Vec<String> {
    let member =
        json!({"kind": "MemberCluster", "spec": {"site": "nl-ams", "connection": {"kubeconfigSecret": "m"}}});
    let code = COUNTRY_CODES[0];
    let set = json!({"members": [{"country": code, "basis": "Agreement", "source": "a test"}]});
    let facts = [
        ("countrysets", json!({"kind": "CountrySet", "spec": set})),
        ("hostingproviders", provider("new")),
        ("sites", site("new", "polder", "NL")),
        ("memberclusters", member),
        ("tenants", with(tenant("new"), json!({"spec": {"namespaces": ["new"]}}))),
        ("installations", json!({"kind": "Installation", "metadata": {"name": "default"}, "spec": {}})),
    ];
    let mut failures = together(facts, |(plural, object)| async move {
        let more = json!({"apiVersion": "domicile.dev/v1alpha1"});
        let name = object["metadata"]["name"].as_str().unwrap_or("new").to_owned();
        let object = with(with(object, more), json!({"metadata": {"name": name}}));
        let path = format!("{API}/{plural}/{name}");
        let steps = [
            Ask::apply(&path, &object),
            Ask::merge(&path, &json!({"metadata": {"annotations": {"example.com/note": "hello"}}})),
            Ask::delete(&path),
        ];
        in_turn(&ground.petra, plural, &steps).await
    })
    .await;
    failures.extend(reads_all(&ground.petra, "a platform engineer").await);
    let web = json!({"spec": {"drainSeconds": 1}});
    let refused = [
        (Ask::merge(&workload_path("web"), &web), "cannot patch resource \"tenantworkloads\""),
        (Ask::delete(&workload_path("web")), "cannot delete resource \"tenantworkloads\""),
        (Ask::create(&format!("{API}/decisions"), &json!({})), "cannot create resource \"decisions\""),
        (Ask::delete(&format!("{API}/decisions/polder-approved")), "cannot delete resource \"decisions\""),
        (
            Ask::merge(
                "/api/v1/namespaces/bakery",
                &json!({"metadata": {"labels": {"domicile.dev/tenant": "x"}}}),
            ),
            "cannot patch resource \"namespaces\"",
        ),
        (Ask::get("/api/v1/namespaces/hospital/secrets"), "cannot list resource \"secrets\""),
        (Ask::merge(&move_path("web-0"), &json!({})), "cannot patch resource \"migrations\""),
    ];
    failures
        .extend(together(refused, |(ask, says)| async move { ask.refused(&ground.petra, says).await }).await);
    failures
}

/// Whom a tenant names gets its Secrets: that is for those who may grant that themselves. Everything else of a Tenant, and taking
/// somebody off, is an engineer's.
async fn who_serves_itself(ground: &Ground) -> Vec<String> {
    let served = |spec: Value| {
        let object = with(tenant("served"), json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Tenant"}));
        with(object, json!({"spec": spec}))
    };
    let (path, all) = (format!("{API}/tenants/served"), format!("{API}/tenants"));
    let (petra, says) =
        (json!({"kind": "User", "name": "petra"}), "may bind the ClusterRole domicile:tenant");
    let anna = json!({"kind": "User", "name": "anna"});
    let mut failures = Vec::new();
    let to_petra = served(json!({"subjects": [petra]}));
    failures.extend(Ask::create(&all, &to_petra).refused(&ground.petra, says).await);
    let both = json!([anna, json!({"kind": "Group", "name": "developers"})]);
    let made = Ask::create(&all, &served(json!({"subjects": both})));
    failures.extend(made.granted(&ground.admin, "a tenant with subjects, by an administrator").await);
    for change in [json!({"subjects": [anna, petra]}), json!({"namespaces": ["served", "more"]})] {
        failures.extend(Ask::merge(&path, &json!({"spec": change})).refused(&ground.petra, says).await);
    }
    let steps = [
        Ask::merge(&path, &json!({"spec": {"migration": {"mode": "Manual"}}})),
        Ask::merge(&path, &json!({"spec": {"subjects": [anna]}})),
        Ask::merge(&path, &json!({"spec": {"subjects": null, "namespaces": ["served", "more"]}})),
        Ask::delete(&path),
    ];
    failures.extend(in_turn(&ground.petra, "a tenant with subjects, by an engineer", &steps).await);
    failures
}

/// All that `kubectl domicile explain`, `plan` and `map` look at.
async fn reads_all(client: &kube::Client, who: &str) -> Vec<String> {
    let ours = definitions().into_iter().map(|definition| format!("{API}/{}", definition.spec.names.plural));
    let paths = ours.chain(["/api/v1/namespaces", "/apis/events.k8s.io/v1/events"].map(str::to_owned));
    together(
        paths,
        |path| async move { Ask::get(&path).granted(client, &format!("{who} reading {path}")).await },
    )
    .await
}

async fn an_auditor(ground: &Ground) -> Vec<String> {
    let mut failures = reads_all(&ground.aldo, "an auditor").await;
    failures.extend(reads_all(&ground.clara, "a compliance officer").await);
    let secrets = Ask::get("/api/v1/secrets");
    failures.extend(secrets.refused(&ground.aldo, "cannot list resource \"secrets\"").await);
    failures.extend(secrets.refused(&ground.clara, "cannot list resource \"secrets\"").await);
    failures
}
