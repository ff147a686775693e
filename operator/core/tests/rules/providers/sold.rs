//! What becomes of what runs where a provider is sold.

use serde_json::json;

use super::*;

/// The workload runs with providers that the tenant's policy allows; then the operating one is sold.
fn sold(change: impl FnOnce(&mut Fleet)) -> Fleet {
    let mut fleet = Fleet::placed();
    fleet.set_of("home", vec![json!({"country": "NL", "basis": "Membership", "source": "treaty"})]);
    for provider in ["runs", "owns"] {
        owned(&mut fleet, provider, &[person("Jansen", "NL", 100)]);
    }
    fleet.tenant(json!({"providers": home()}));
    assert_eq!(fleet.wish(), "stay");
    owned(&mut fleet, "runs", &[person("Smith", "US", 60), person("Jansen", "NL", 40)]);
    change(&mut fleet);
    fleet
}

#[test]
fn a_change_of_control_freezes_and_only_a_decision_evacuates() {
    assert_eq!(sold(|_| {}).wish(), "freeze");
    let draining = sold(|fleet| {
        fleet.cluster("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}));
    });
    assert_eq!({ draining }.wish(), "freeze");
    let revoked = |about: &str| {
        let about = about.to_owned();
        sold(move |fleet| {
            fleet.decide("r", &about, "Revoked", json!({}));
            // Somebody else may have it.
            owned(fleet, "other", &[person("Vries", "NL", 100)]);
            fleet.site("de-fra", "NL", json!({"operatedBy": "other", "ownedBy": "other"}));
        })
        .wish()
    };
    for about in ["runs", "Site/nl-ams"] {
        let wish = revoked(about);
        assert!(wish.starts_with("must move to fra-1, ApprovalRevoked"), "{about}: {wish}");
    }
    let frozen_too = sold(|fleet| {
        fleet.decide("r", "runs", "Revoked", json!({}));
        fleet.decide("f", "Tenant/shop", "Frozen", json!({}));
    });
    assert_eq!({ frozen_too }.wish(), "freeze", "somebody else says that nothing is to move");
}

#[test]
fn nothing_is_deleted_where_a_change_of_control_freezes() {
    let kept = |fleet: &Fleet| {
        let (key, at) =
            (crate::fixture::key("shop/web"), ("shop".parse().unwrap(), "ams-1".parse().unwrap()));
        domicile_core::orders::kept_at(fleet.engine.world(), &key, (&at.0, &at.1), fleet.now).is_some()
    };
    assert!(kept(&sold(|_| {})));
    assert!(!kept(&sold(|fleet| owned(fleet, "runs", &[person("Jansen", "NL", 100)]))));
    let revoked = sold(|fleet| {
        fleet.decide("r", "runs", "Revoked", json!({}));
    });
    assert!(!kept(&revoked), "whoever revokes wants it gone");
}

#[test]
fn a_country_that_the_tenant_does_not_allow_is_left_in_spite_of_a_change_of_control() {
    let elsewhere = |fleet: &mut Fleet| {
        owned(fleet, "other", &[person("Vries", "NL", 100)]);
        fleet.site("de-fra", "DE", json!({"operatedBy": "other", "ownedBy": "other"}));
        fleet.tenant(json!({"providers": home(), "residency": {"allowed": [{"country": "DE"}]}}));
    };
    let wish = sold(elsewhere).wish();
    assert!(wish.starts_with("must move to fra-1, ResidencyChanged"), "{wish}");
}

#[test]
fn what_may_be_frozen_is_held() {
    let missing = sold(|fleet| {
        fleet.apply(domicile_core::Change::CountrySet("home".parse().unwrap(), None));
        fleet.cluster("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}));
    });
    assert_eq!({ missing }.wish(), "hold");
}
