use serde_json::{Value, from_value, json};

use super::*;

fn metadata(tenant: &str, name: &str) -> Value {
    json!({"namespace": tenant, "name": name, "uid": "1", "labels": {keys::WORKLOAD_LABEL: name}})
}

fn deployment(tenant: &str, name: &str, ready: i32) -> Deployment {
    from_value(json!({
        "metadata": metadata(tenant, name),
        "spec": {"replicas": 2, "selector": {}, "template": {}},
        "status": {"readyReplicas": ready},
    }))
    .unwrap()
}

fn cron_job(suspend: bool) -> CronJob {
    from_value(json!({
        "metadata": metadata("hospital", "bed-report"),
        "spec": {"schedule": "* * * * *", "suspend": suspend, "jobTemplate": {}},
    }))
    .unwrap()
}

fn told(picture: &Picture) -> Vec<&str> {
    picture.news.iter().map(|news| news.text.as_str()).collect()
}

#[test]
fn a_move_that_makes_before_it_breaks_keeps_the_promises() {
    let mut picture = Picture::default();
    picture.see_deployment("us-va-1", &deployment("webshop", "search", 0), false);
    picture.see_deployment("us-va-1", &deployment("webshop", "search", 2), false);
    picture.see_deployment("de-fra-1", &deployment("webshop", "search", 1), false);
    picture.see_deployment("de-fra-1", &deployment("webshop", "search", 2), false);
    picture.see_deployment("us-va-1", &deployment("webshop", "search", 2), true);
    assert_eq!(
        told(&picture),
        [
            "webshop/search starts on us-va-1",
            "webshop/search is Ready on us-va-1: 2 of 2",
            "webshop/search starts on de-fra-1",
            "webshop/search is Ready on de-fra-1: 2 of 2",
            "webshop/search is gone from us-va-1",
        ]
    );
    assert_eq!(picture.broken, Vec::<String>::new());
}

#[test]
fn a_source_that_goes_too_early_breaks_one() {
    let mut picture = Picture::default();
    picture.see_deployment("us-va-1", &deployment("webshop", "search", 2), false);
    picture.see_deployment("de-fra-1", &deployment("webshop", "search", 1), false);
    picture.see_deployment("us-va-1", &deployment("webshop", "search", 2), true);
    assert_eq!(picture.broken, ["webshop/search had 1 of 2 replicas Ready in all, for a moment"]);
}

#[test]
fn a_tenant_is_never_seen_where_its_policy_never_allowed_it() {
    let mut picture = Picture::default();
    picture.see_deployment("nl-ams-1", &deployment("claims", "intake", 0), false);
    assert_eq!(picture.broken, ["claims/intake was seen on nl-ams-1, where its tenant never allowed it"]);
}

#[test]
fn two_members_on_which_a_cron_job_could_run_are_a_doubt() {
    let mut picture = Picture::default();
    picture.see_cron_job("us-va-1", &cron_job(false), false);
    picture.see_cron_job("nl-ams-1", &cron_job(true), false);
    picture.see_cron_job("us-va-1", &cron_job(true), false);
    picture.see_cron_job("nl-ams-1", &cron_job(false), false);
    assert_eq!(picture.doubts, []);
    picture.see_cron_job("us-va-1", &cron_job(false), false);
    assert_eq!(picture.doubts, [WorkloadKey::new("hospital", "bed-report").unwrap()]);
    assert_eq!(picture.broken, Vec::<String>::new());
}
