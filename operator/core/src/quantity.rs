//! Amounts of cpu, memory and pods.

use std::ops::{AddAssign, SubAssign};

use domicile_crds::Amounts;

/// What pods ask for, or what a cluster can give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Number of pods.
    pub pods: i64,
}

impl Resources {
    /// The amounts for `count` of the same.
    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Self {
            cpu: self.cpu.saturating_mul(count),
            memory: self.memory.saturating_mul(count),
            pods: self.pods.saturating_mul(count),
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Self) {
        self.cpu = self.cpu.saturating_add(other.cpu);
        self.memory = self.memory.saturating_add(other.memory);
        self.pods = self.pods.saturating_add(other.pods);
    }
}

impl SubAssign for Resources {
    fn sub_assign(&mut self, other: Self) {
        self.cpu = self.cpu.saturating_sub(other.cpu);
        self.memory = self.memory.saturating_sub(other.memory);
        self.pods = self.pods.saturating_sub(other.pods);
    }
}

/// Most that a cluster can take; what is `None` isn't limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Thousandths of a CPU.
    pub cpu: Option<i64>,
    /// Bytes.
    pub memory: Option<i64>,
    /// Number of pods.
    pub pods: Option<i64>,
}

impl Limit {
    /// The smaller of what was declared and what was observed, each amount by itself.
    ///
    /// An amount that can't be read counts as zero: unknown is not allowed.
    #[must_use]
    pub fn of(declared: Option<&Amounts>, observed: Option<&Amounts>) -> Self {
        let read = |amounts: Option<&Amounts>| Self {
            cpu: amounts.and_then(|a| a.cpu.as_deref()).map(|q| millis(q).unwrap_or(0)),
            memory: amounts.and_then(|a| a.memory.as_deref()).map(|q| whole(q).unwrap_or(0)),
            pods: amounts.and_then(|a| a.pods),
        };
        let (a, b) = (read(declared), read(observed));
        let least = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        Self { cpu: least(a.cpu, b.cpu), memory: least(a.memory, b.memory), pods: least(a.pods, b.pods) }
    }

    /// Whether `used` and `more` fit in.
    #[must_use]
    pub fn fits(&self, used: Resources, more: Resources) -> bool {
        let fits = |limit: Option<i64>, used: i64, more: i64| {
            more == 0 || limit.is_none_or(|limit| used.saturating_add(more) <= limit)
        };
        fits(self.cpu, used.cpu, more.cpu)
            && fits(self.memory, used.memory, more.memory)
            && fits(self.pods, used.pods, more.pods)
    }

    /// What is free, in eighths of the scarcest amount. 8 is wholly free or not limited.
    #[must_use]
    pub fn free_eighths(&self, used: Resources) -> u8 {
        let eighths = |limit: Option<i64>, used: i64| match limit {
            None => 8,
            Some(limit) if limit <= 0 || used >= limit => 0,
            Some(limit) => u8::try_from((i128::from(limit - used) * 8) / i128::from(limit)).unwrap_or(8),
        };
        eighths(self.cpu, used.cpu).min(eighths(self.memory, used.memory)).min(eighths(self.pods, used.pods))
    }
}

/// Reads a Kubernetes quantity in thousandths, rounded up. `None` if it isn't one.
#[must_use]
pub fn millis(quantity: &str) -> Option<i64> {
    parse(quantity, 1000)
}

/// Reads a Kubernetes quantity as a whole number, rounded up. `None` if it isn't one.
#[must_use]
pub fn whole(quantity: &str) -> Option<i64> {
    parse(quantity, 1)
}

/// The value of `quantity` times `scale`, rounded up and capped.
fn parse(quantity: &str, scale: i128) -> Option<i64> {
    let end = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (digits, suffix) = quantity.split_at(end);
    let (numerator, denominator): (i128, i128) = match suffix {
        "" => (1, 1),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => return None,
    };
    let (int, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if digits.is_empty()
        || int.len() > 15
        || fraction.len() > 9
        || digits.len() == digits.matches('.').count()
    {
        return None;
    }
    let tens = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let value: i128 = format!("{int}{fraction}").parse().ok()?;
    let value = value.checked_mul(numerator)?.checked_mul(scale)?;
    let divisor = tens.checked_mul(denominator)?;
    Some(i64::try_from((value + divisor - 1) / divisor).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, wanted) in
            [("1", 1000), ("500m", 500), ("0.5", 500), ("1.0005", 1001), ("2k", 2_000_000), ("0", 0)]
        {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
        for (text, wanted) in [("1Gi", 1 << 30), ("1.5Ki", 1536), ("100m", 1), ("128M", 128_000_000)] {
            assert_eq!(whole(text), Some(wanted), "{text}");
        }
        for text in ["", ".", "1.2.3", "1X", "Gi", "-1", "1 Gi", "1e3"] {
            assert_eq!(whole(text), None, "{text:?} was read");
        }
        assert_eq!(whole("999999999999E"), Some(i64::MAX));
    }

    #[test]
    fn what_is_not_limited_always_fits_and_what_is_full_never_does() {
        let limit = Limit { cpu: Some(1000), memory: None, pods: None };
        let ask = |cpu| Resources { cpu, memory: 1, pods: 1 };
        assert!(limit.fits(ask(400), ask(600)));
        assert!(!limit.fits(ask(400), ask(601)));
        assert!(limit.fits(ask(5000), ask(0)), "who asks for nothing fits everywhere");
        assert_eq!(limit.free_eighths(ask(0)), 8);
        assert_eq!(limit.free_eighths(ask(500)), 4);
        assert_eq!(limit.free_eighths(ask(1000)), 0);
    }
}
