//! Which bytes a request wants (RFC 9110, sections 13 and 14): one range, as long as the file is still the same.

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// What of a thing is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// 200.
    Whole,
    /// 206: from this byte, so many.
    Part {
        /// First byte.
        from: u64,
        /// Bytes.
        size: u64,
    },
    /// 416.
    Beyond,
    /// 304.
    Unchanged,
}

/// What is wanted of a thing of this size and entity tag (with its quotes). Several ranges at once are answered with the whole, which
/// the RFC leaves to the server.
pub(super) fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let same = |list: &str| list.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag);
    if text(IF_NONE_MATCH).is_some_and(same) {
        return Wanted::Unchanged;
    }
    if text(IF_RANGE).is_some_and(|other| other != tag) {
        return Wanted::Whole;
    }
    let Some((first, last)) = text(RANGE).and_then(|range| range.strip_prefix("bytes=")).and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::Whole;
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (from, to) = match (first, last) {
        ("", last) => match number(last) {
            Some(count) => (size.saturating_sub(count), if count == 0 { 0 } else { size }),
            None => return Wanted::Whole,
        },
        (first, "") => match number(first) {
            Some(first) => (first, size),
            None => return Wanted::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
            _ => return Wanted::Whole,
        },
    };
    if from < to { Wanted::Part { from, size: to - from } } else { Wanted::Beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(http::HeaderName, &str)]) -> Wanted {
        wanted(&headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect(), "\"tag\"", 100)
    }

    #[test]
    fn one_range_is_honoured() {
        for (range, from, size) in [
            ("bytes=0-9", 0, 10),
            ("bytes=90-", 90, 10),
            ("bytes=-10", 90, 10),
            ("bytes=99-500", 99, 1),
            ("bytes=-500", 0, 100),
            ("bytes=0-18446744073709551615", 0, 100),
        ] {
            assert_eq!(of(&[(RANGE, range)]), Wanted::Part { from, size }, "{range}");
        }
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=18446744073709551615-"] {
            assert_eq!(of(&[(RANGE, range)]), Wanted::Beyond, "{range}");
        }
        for range in ["bytes=9-0", "bytes=0-1,5-6", "lines=1-2", "bytes=a-", "bytes=+1-", "bytes=-", "bytes=99999999999999999999-", "x"] {
            assert_eq!(of(&[(RANGE, range)]), Wanted::Whole, "{range}");
        }
        assert_eq!(of(&[]), Wanted::Whole);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_sent_from_its_start() {
        assert_eq!(of(&[(RANGE, "bytes=5-"), (IF_RANGE, "\"other\"")]), Wanted::Whole);
        assert_eq!(of(&[(RANGE, "bytes=5-"), (IF_RANGE, "\"tag\"")]), Wanted::Part { from: 5, size: 95 });
        assert_eq!(of(&[(IF_NONE_MATCH, "\"x\", W/\"tag\"")]), Wanted::Unchanged);
        assert_eq!(of(&[(IF_NONE_MATCH, "\"x\"")]), Wanted::Whole);
    }
}
