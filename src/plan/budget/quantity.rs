//! Kubernetes' quantities as numbers, and what a container asks for.

use std::ops::Add;

use serde::Serialize;
use serde_json::Value;

/// CPU and memory that are set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Thousandths of a CPU.
    pub cpu_millis: u64,
    /// Bytes.
    pub memory: u64,
}

impl Amount {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { cpu_millis: self.cpu_millis.max(other.cpu_millis), memory: self.memory.max(other.memory) }
    }

    /// So many of it.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { cpu_millis: self.cpu_millis.saturating_mul(count), memory: self.memory.saturating_mul(count) }
    }

    /// The requests of `resources`; where only a limit is named, the API server takes it for the request.
    pub(super) fn requested(resources: Option<&Value>) -> Self {
        let of = |name: &str| {
            let named = |list: &str| resources?.get(list)?.get(name);
            named("requests").or_else(|| named("limits")).and_then(thousandths).unwrap_or(0)
        };
        Self { cpu_millis: of("cpu"), memory: of("memory").div_ceil(1000) }
    }

    /// From two quantities.
    pub(super) fn of(cpu: Option<&Value>, memory: Option<&Value>) -> Self {
        let read = |quantity: Option<&Value>| quantity.and_then(thousandths).unwrap_or(0);
        Self { cpu_millis: read(cpu), memory: read(memory).div_ceil(1000) }
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { cpu_millis: self.cpu_millis.saturating_add(other.cpu_millis), memory: self.memory.saturating_add(other.memory) }
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// `100m`, `0.5`, `1Gi`, `2e3` in thousandths, rounded up as Kubernetes does; none of what is no quantity or does not fit.
pub(super) fn thousandths(quantity: &Value) -> Option<u64> {
    let text = match quantity {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && decimals.is_empty() || decimals.contains('.') {
        return None;
    }
    let mantissa: u128 = format!("{whole}{decimals}").parse().ok()?;
    let ten = |power: usize| 10_u128.checked_pow(u32::try_from(power).ok()?);
    // Nanos are the smallest unit.
    let (times, per): (u128, u128) = match suffix {
        "" => (1, 1),
        "n" => (1, ten(9)?),
        "u" => (1, ten(6)?),
        "m" => (1, ten(3)?),
        "k" => (ten(3)?, 1),
        "M" => (ten(6)?, 1),
        "G" => (ten(9)?, 1),
        "T" => (ten(12)?, 1),
        "P" => (ten(15)?, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let size = ten(usize::try_from(power.unsigned_abs()).ok()?)?;
            if power < 0 { (1, size) } else { (size, 1) }
        }
    };
    let above = mantissa.checked_mul(times)?.checked_mul(1000)?;
    u64::try_from(above.div_ceil(per.checked_mul(ten(decimals.len())?)?)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities() {
        for (text, expected) in [
            (json!("100m"), 100),
            (json!("1"), 1000),
            (json!(2), 2000),
            (json!("0.5"), 500),
            (json!(".5"), 500),
            (json!("1e3"), 1_000_000),
            (json!("5e-1"), 500),
            (json!("1n"), 1),
            (json!("1500u"), 2),
            (json!("1Ki"), 1_024_000),
            (json!("1.5Gi"), 1_610_612_736_000),
            (json!("2M"), 2_000_000_000),
        ] {
            assert_eq!(thousandths(&text), Some(expected), "{text}");
        }
        for wrong in [json!(""), json!("."), json!("1.2.3"), json!("m"), json!("1 Gi"), json!("1GB"), json!(null), json!("99999999999Pi")] {
            assert_eq!(thousandths(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_limit_stands_for_a_request_that_is_not_named() {
        let resources = json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Gi"}});
        assert_eq!(Amount::requested(Some(&resources)), Amount { cpu_millis: 100, memory: 1 << 30 });
        assert_eq!(Amount::requested(None), Amount::default());
    }
}
