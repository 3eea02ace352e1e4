//! Patience, on a clock that stands still until it is waited for.

use std::sync::Mutex;

use super::*;
use crate::health::pods::trouble;
use crate::plan::Probe;
use crate::rules::{self, Found, Patience};

/// Answers by the time that somebody has been waiting.
struct Script<F>(F);

impl<F: Fn(u64) -> Verdict + Sync> Asked for Script<F> {
    async fn answer(&self, _: &Check, waited: Duration, _: bool) -> Verdict {
        (self.0)(waited.as_secs())
    }
}

/// Never answers.
struct Silence;

impl Asked for Silence {
    async fn answer(&self, _: &Check, _: Duration, _: bool) -> Verdict {
        std::future::pending().await
    }
}

fn check(deadline: u64) -> Check {
    Check { id: "t/rollout/x".into(), probe: Probe::ApiAnswers, hint: "look at x".into(), deadline }
}

fn of(id: &str, patience: Patience, saw: &str) -> Verdict {
    trouble(Found { rule: rules::rule(id).unwrap(), patience }, saw)
}

/// How it ended, after how many seconds, and what was told on the way.
async fn wait(asked: &impl Asked, deadline: u64) -> (Result<Duration, Failure>, u64, Vec<String>) {
    let told = Mutex::new(Vec::new());
    let started = Instant::now();
    let result = poll(asked, &check(deadline), &CancellationToken::new(), &mut |saw: &str| told.lock().unwrap().push(saw.to_owned())).await;
    (result, started.elapsed().as_secs(), told.into_inner().unwrap())
}

/// Every sign of the table is waited for as long as it says, and then names its rule with exit 4; those that may pass by themselves
/// are waited for until the deadline, which then names the rule with exit 5.
#[tokio::test(start_paused = true)]
async fn every_sign_has_its_seconds() {
    let mut signs = 0;
    for rule in rules::all() {
        for sign in rule.signs {
            signs += 1;
            let (result, took, _) = wait(&Script(|_| of(rule.id, sign.patience, "it")), 300).await;
            let failure = result.unwrap_err();
            let (seconds, exit) = match sign.patience {
                Patience::Seconds(seconds) => (seconds, Exit::StageFailed),
                Patience::Deadline => (300, Exit::Deadline),
            };
            assert!((seconds..=seconds + 1).contains(&took), "{}: {took} s instead of {seconds}", rule.id);
            assert_eq!((failure.id.as_str(), failure.exit, failure.cause.as_deref()), (rule.id, exit, Some("it")));
            assert_eq!(failure.hint.as_deref(), Some(rule.hint));
        }
    }
    assert!(signs > 30, "{signs}");
}

/// A crash loop counts its restarts in the message: other words are not another trouble.
#[tokio::test(start_paused = true)]
async fn a_change_of_words_keeps_the_clock() {
    let script = Script(|second| of("CRASH_LOOP", Patience::Seconds(90), &format!("restart {}", second / 10)));
    let (result, took, told) = wait(&script, 300).await;
    assert_eq!(result.unwrap_err().id, "CRASH_LOOP");
    assert!((90..=91).contains(&took), "{took}");
    assert_eq!(told.len(), 10, "each new word is told once: {told:?}");
}

/// What goes away in between begins anew: a pull that fails now and then gets on.
#[tokio::test(start_paused = true)]
async fn a_pending_in_between_resets_the_clock() {
    let script = Script(|second| match second {
        50..60 => Verdict::Pending("pulls".into()),
        _ => of("IMAGE_PULL", Patience::Seconds(90), "no such host"),
    });
    let (result, took, _) = wait(&script, 300).await;
    assert_eq!(result.unwrap_err().id, "IMAGE_PULL");
    assert!((150..=152).contains(&took), "{took}");
}

/// Another trouble is another clock, also when the first one comes back.
#[tokio::test(start_paused = true)]
async fn another_trouble_has_its_own_clock() {
    let script = Script(|second| match second {
        10..20 => of("IMAGE_PULL", Patience::Seconds(90), "no such host"),
        _ => of("INSUFFICIENT_CPU", Patience::Seconds(15), "1 Insufficient cpu"),
    });
    let (result, took, _) = wait(&script, 300).await;
    assert_eq!(result.unwrap_err().id, "INSUFFICIENT_CPU");
    assert!((35..=37).contains(&took), "{took}");
}

/// Trouble that passes within its seconds is no failure at all.
#[tokio::test(start_paused = true)]
async fn trouble_that_passes_is_forgotten() {
    let script = Script(|second| if second < 80 { of("CRASH_LOOP", Patience::Seconds(90), "ends") } else { Verdict::Ready });
    let (result, took, _) = wait(&script, 300).await;
    assert!(result.is_ok() && (80..=82).contains(&took), "{took}");
}

/// Nothing was told for 65 s when the first answer hung; now its absence is, and the deadline holds though nobody answers.
#[tokio::test(start_paused = true)]
async fn silence_is_told_and_bounded() {
    let (result, took, told) = wait(&Silence, 20).await;
    let failure = result.unwrap_err();
    assert_eq!((failure.id.as_str(), failure.exit), ("DEADLINE", Exit::Deadline));
    assert!((20..=21).contains(&took), "{took}");
    assert_eq!(told.first().map(String::as_str), Some("no answer yet"));
}

/// Told to stop, a check in trouble says which: a deadline of the run would else be a bare DEADLINE.
#[tokio::test(start_paused = true)]
async fn a_check_that_is_stopped_names_its_trouble() {
    let cancel = CancellationToken::new();
    let stop = async {
        sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    };
    let check = check(300);
    let script = Script(|_| of("CRASH_LOOP", Patience::Seconds(90), "pod x: c ends with code 1"));
    let mut told = |_: &str| {};
    let (result, ()) = tokio::join!(poll(&script, &check, &cancel, &mut told), stop);
    let failure = result.unwrap_err();
    assert_eq!((failure.id.as_str(), failure.exit), ("CRASH_LOOP", Exit::Interrupted));
    assert_eq!(failure.cause.as_deref(), Some("t/rollout/x: pod x: c ends with code 1"));
    let pending = stopped(&check, &Verdict::Pending("starts".into()));
    assert_eq!((pending.id.as_str(), pending.cause.as_deref()), ("INTERRUPTED", Some("t/rollout/x: starts")));
}

/// Pods of a dozen Deployments were listed 250 times in one `up`, three times a second each, on a machine that had no time to spare.
#[tokio::test(start_paused = true)]
async fn the_reason_is_asked_for_once_a_second() {
    struct Counted(Mutex<Vec<bool>>);
    impl Asked for Counted {
        async fn answer(&self, _: &Check, waited: Duration, closely: bool) -> Verdict {
            self.0.lock().unwrap().push(closely);
            match waited.as_millis() {
                ..10_500 if closely => Verdict::Pending(format!("{} s", waited.as_secs())),
                ..10_500 => Verdict::Pending("a glance says nothing".into()),
                _ => Verdict::Ready,
            }
        }
    }
    let asked = Counted(Mutex::default());
    let (result, _, told) = wait(&asked, 300).await;
    assert!(result.unwrap() < Duration::from_secs(11), "a glance sees that it is ready");
    let asked = asked.0.into_inner().unwrap();
    let closely = asked.iter().filter(|closely| **closely).count();
    assert!(asked[0] && (8..=11).contains(&closely) && asked.len() > 3 * closely, "{closely} of {}", asked.len());
    assert!(closely - told.len() <= 1 && told.iter().all(|saw| saw.ends_with(" s")), "{told:?}");
}
