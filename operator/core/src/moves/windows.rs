//! When moves by preference may begin.

use domicile_crds::{Weekday, Window};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// When the next window opens; `None` if one is open, or there are none.
#[must_use]
pub fn next_window(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    let mut next: Option<Timestamp> = None;
    for window in windows {
        // Yesterday's may still be open; a week ahead, every window has opened once.
        for day in -1..=7 {
            let Some((opens, closes)) = occurrence(window, now, day) else { continue };
            if opens <= now && now < closes {
                return None;
            }
            if opens > now {
                next = Some(next.map_or(opens, |next| next.min(opens)));
            }
        }
    }
    next
}

/// When a window opens and closes on the day that is `days` after today, if it does.
fn occurrence(window: &Window, now: Timestamp, days: i64) -> Option<(Timestamp, Timestamp)> {
    let date = now.to_zoned(TimeZone::UTC).date().checked_add(jiff::Span::new().days(days)).ok()?;
    let weekday = match date.weekday() {
        jiff::civil::Weekday::Monday => Weekday::Mon,
        jiff::civil::Weekday::Tuesday => Weekday::Tue,
        jiff::civil::Weekday::Wednesday => Weekday::Wed,
        jiff::civil::Weekday::Thursday => Weekday::Thu,
        jiff::civil::Weekday::Friday => Weekday::Fri,
        jiff::civil::Weekday::Saturday => Weekday::Sat,
        jiff::civil::Weekday::Sunday => Weekday::Sun,
    };
    if !window.days.is_empty() && !window.days.contains(&weekday) {
        return None;
    }
    let (hour, minute) = window.start.split_once(':')?;
    let opens =
        date.at(hour.parse().ok()?, minute.parse().ok()?, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp();
    let closes = opens.checked_add(SignedDuration::from_mins(i64::from(window.minutes))).ok()?;
    Some((opens, closes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_open_in_utc_and_may_reach_into_the_next_day() {
        let window = Window { days: vec![Weekday::Sat], start: "23:00".to_owned(), minutes: 120 };
        let windows = [window];
        // 2026-11-28 is a Saturday.
        assert_eq!(next_window(&windows, at("2026-11-24T12:00:00Z")), Some(at("2026-11-28T23:00:00Z")));
        assert_eq!(next_window(&windows, at("2026-11-28T23:00:00Z")), None);
        assert_eq!(next_window(&windows, at("2026-11-29T00:59:59Z")), None);
        assert_eq!(next_window(&windows, at("2026-11-29T01:00:00Z")), Some(at("2026-12-05T23:00:00Z")));
        assert_eq!(next_window(&[], at("2026-11-29T01:00:00Z")), None);
    }
}
