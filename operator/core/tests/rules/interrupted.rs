//! Moves that somebody or something interrupts: answers, aborts, pauses, members that don't answer.

use serde_json::json;

use crate::yard::wanderer;

#[test]
fn an_answer_to_another_plan_is_said_to_be_one() {
    for answer in ["Approved", "Denied"] {
        let mut yard = wanderer("Approval", json!({}));
        yard.calm().answer(answer);
        yard.change_move(|object| object.spec.answer_for = Some("0000000000000000".to_owned())).calm();
        assert_eq!(
            (yard.there("web").as_str(), yard.waits("web").as_str()),
            ("ams-1", "the tenant's answer is for another plan")
        );
        yard.answer("Approved").calm();
        assert_eq!(yard.there("web"), "bru-1", "after {answer} for another");
    }
}
