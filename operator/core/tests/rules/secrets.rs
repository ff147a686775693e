//! When a copy of a Secret is as the one on the hub.

use domicile_core::{
    Change,
    manifests::{Kind, ObjectFact},
    observed::ObjectView,
    render::{Mode, Target, digest_of_copy, secret_version},
};
use serde_json::json;

use crate::fixture::{Fleet, key, name};

/// `shop/web`, which takes a Secret from the hub, in Amsterdam.
fn fleet() -> Fleet {
    let mut fleet = Fleet::placed();
    fleet.workload(json!({"secrets": [{"name": "db", "from": "Hub"}, {"name": "other", "from": "Member"}]}));
    fleet
}

fn secret(fleet: &Fleet) -> ObjectFact {
    let manifests = fleet.engine.world().workloads[&key("shop/web")].manifests.clone().unwrap();
    manifests.objects.into_iter().find(|object| object.object.kind == Kind::SECRET).unwrap()
}

#[test]
fn a_copy_is_as_it_should_be_as_long_as_its_version_is() {
    let fleet = fleet();
    let (tenant, key) = (name("shop"), key("shop/web"));
    let target = |epoch| Target {
        tenant: &tenant,
        key: &key,
        ordinal: 0,
        epoch,
        mode: Mode::Running,
        all_exclusive: false,
        completed_jobs: &[],
        cluster: None,
    };
    let object = secret(&fleet);
    let (first, second) = (secret_version("uid", "7"), secret_version("uid", "8"));
    let seen = ObjectView {
        digest: digest_of_copy(target(1).digest(&object), first),
        epoch: 1,
        ..Default::default()
    };
    let is_applied = |epoch, seen: &ObjectView, version| target(epoch).is_applied(&object, seen, version);
    assert!(is_applied(1, &seen, Some(first)));
    assert!(!is_applied(1, &seen, Some(second)), "it was changed");
    assert!(!is_applied(1, &seen, Some(secret_version("other", "7"))), "it was made again");
    assert!(!is_applied(2, &seen, Some(first)), "it is another copy's");
    // What isn't known, such as after a restart, changes nothing.
    assert!(is_applied(1, &seen, None));
    assert!(!is_applied(2, &seen, None));
    assert!(!is_applied(1, &ObjectView { digest: 0, ..seen }, None), "somebody has edited it");
    // One of before copies had versions.
    let old = ObjectView { digest: target(1).digest(&object), ..seen };
    assert!(is_applied(1, &old, None));
    assert!(!is_applied(1, &old, Some(first)));
}

#[test]
fn only_who_takes_a_secret_is_looked_at_when_it_changes() {
    let mut fleet = fleet();
    fleet.workload_named("idle", "u2", json!({}));
    fleet.decided_anew();
    let version = |secret: &str, version| Change::Secret(name("shop"), secret.to_owned(), version);
    let mut dirty = |change| {
        fleet.engine.apply(change, fleet.now);
        fleet.engine.take_dirty().into_iter().map(|key| key.to_string()).collect::<Vec<_>>()
    };
    for (at, wanted) in [(Some(1), true), (Some(1), false), (Some(2), true), (None, true), (None, false)] {
        let wanted = if wanted { vec!["shop/web"] } else { vec![] };
        assert_eq!(dirty(version("db", at)), wanted, "{at:?}");
    }
    assert!(dirty(version("other", Some(1))).is_empty(), "it is on the member already");
    let elsewhere = Change::Secret(name("bank"), "db".to_owned(), Some(1));
    assert!(dirty(elsewhere).is_empty());
}
