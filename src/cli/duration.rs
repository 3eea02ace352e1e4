//! Durations as people type them: `90s`, `15m`, `1h30m`.

use std::{fmt, time::Duration};

/// Reads `90s`, `15m`, `1h` or parts joined, `1h30m`. A number without a unit is refused: 15 what?
///
/// # Errors
/// A sentence that says what is wrong and what is expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let expected = || format!("`{text}` is not a duration: write it like 90s, 15m or 1h30m");
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{text}` has no unit: write {text}s, {text}m or {text}h"));
    }
    let mut total = 0_u64;
    let mut number = String::new();
    let mut largest = u64::MAX;
    for character in text.chars() {
        if character.is_ascii_digit() {
            number.push(character);
            continue;
        }
        let unit = match character {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(expected()),
        };
        if unit >= largest {
            return Err(expected());
        }
        largest = unit;
        let count: u64 = std::mem::take(&mut number).parse().map_err(|_| expected())?;
        total = count.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(expected)?;
    }
    if !number.is_empty() || largest == u64::MAX {
        return Err(expected());
    }
    if total == 0 {
        return Err(format!("`{text}` leaves no time at all"));
    }
    Ok(Duration::from_secs(total))
}

/// A duration that prints the way it is typed, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        for (count, unit) in [(hours, 'h'), (minutes, 'm'), (rest, 's')] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        if seconds == 0 { f.write_str("0s") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3600), ("1h30m", 5400), (" 2m5s ", 125)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for text in ["", "m", "15x", "1m1m", "1s1m", "15m3", "-1m", "1.5h", "99999999999999999999h", "18446744073709551615h"] {
            assert!(parse_duration(text).unwrap_err().contains("15m"), "{text}");
        }
        assert_eq!(parse_duration("15").unwrap_err(), "`15` has no unit: write 15s, 15m or 15h");
        assert_eq!(parse_duration("0m").unwrap_err(), "`0m` leaves no time at all");
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["90m", "1s", "1h", "2h3m4s"] {
            let read = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&Span(read).to_string()), Ok(read));
        }
        assert_eq!(Span(Duration::from_mins(15)).to_string(), "15m");
    }
}
