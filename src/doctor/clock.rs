//! The engine's clock beside ours: certificates of a node are made by the one and judged by the other.

use jiff::Timestamp;

use super::check::CheckResult;

/// Beyond: tokens and certificates may be refused for a while.
const NOTICEABLE: i64 = 30;
/// Beyond: TLS to registries and inside the cluster fails.
const TOO_MUCH: i64 = 5 * 60;

/// Seconds that the engine's clock is ahead of ours; `asked` and `answered` are our own before and after it told its time.
pub(super) fn ahead(engine: Timestamp, asked: Timestamp, answered: Timestamp) -> i64 {
    let engine = engine.as_second();
    // Any moment of the question may have been the one: only what lies outside counts.
    if engine < asked.as_second() {
        engine - asked.as_second()
    } else if engine > answered.as_second() {
        engine - answered.as_second()
    } else {
        0
    }
}

/// `None`: the engine did not tell its time.
pub(super) fn clock(ahead: Option<i64>) -> Option<CheckResult> {
    let (id, title) = ("engine-clock", "the engine's clock is this machine's");
    let ahead = ahead?;
    let apart = ahead.saturating_abs();
    let saw = match ahead {
        0 => "the same".to_owned(),
        1.. => format!("{apart} s ahead"),
        _ => format!("{apart} s behind"),
    };
    if apart <= NOTICEABLE {
        return Some(CheckResult::ok(id, title, saw));
    }
    let hint = "set both by the network's time; a virtual machine that slept (Docker Desktop, colima, WSL) gets it right after a restart";
    let check = if apart > TOO_MUCH { CheckResult::error(id, title, saw, hint) } else { CheckResult::warning(id, title, saw, hint) };
    Some(check.named("CLOCK_SKEW"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn only_what_the_question_does_not_explain_counts() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(ahead(at(105), at(100), at(110)), 0);
        assert_eq!(ahead(at(170), at(100), at(110)), 60);
        assert_eq!(ahead(at(40), at(100), at(110)), -60);
    }

    #[test]
    fn half_a_minute_is_a_warning_and_five_an_error() {
        let of = |seconds| clock(Some(seconds)).unwrap();
        assert_eq!([of(-30).result, of(31).result, of(-301).result], [Outcome::Ok, Outcome::Warning, Outcome::Error]);
        assert_eq!((of(-301).saw.as_str(), of(-301).error_id.as_deref()), ("301 s behind", Some("CLOCK_SKEW")));
        assert_eq!(clock(None), None);
    }
}
