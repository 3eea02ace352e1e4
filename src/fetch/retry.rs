//! Which answers are worth another try, and when.

use std::error::Error;
use std::time::Duration;

use reqwest::StatusCode;

use crate::error::innermost;

/// How patient a download is.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// A source that sends nothing for so long is given up for this try.
    pub idle: Duration,
    /// Tries of one source that bring nothing new.
    pub tries: u32,
    /// Wait before the second try; doubles with each further one.
    pub backoff: Duration,
    /// Longest wait, also for a server that asks for more.
    pub backoff_limit: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), tries: 4, backoff: Duration::from_millis(500), backoff_limit: Duration::from_secs(20) }
    }
}

impl Policy {
    /// The wait before try number `next` (from 2), or what the server asked for.
    pub fn wait(&self, next: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.backoff.saturating_mul(1 << next.saturating_sub(2).min(16));
        asked.unwrap_or(doubled).min(self.backoff_limit)
    }
}

/// Why one try of one source ended.
#[derive(Debug)]
pub enum Trouble {
    /// The source has no such file.
    Missing(StatusCode),
    /// The source refuses for good.
    Refused(StatusCode),
    /// May pass by itself.
    Transient {
        /// The last thing seen.
        message: String,
        /// What the server asked for.
        after: Option<Duration>,
    },
    /// No connection at all: waiting rarely helps.
    NoConnection(String),
    /// Not trusted.
    Tls(String),
}

impl Trouble {
    pub(super) fn of_status(response: &reqwest::Response) -> Option<Self> {
        let status = response.status();
        if status.is_success() {
            return None;
        }
        Some(match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::Missing(status),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Self::Transient { message: status.to_string(), after: retry_after(response) }
            }
            _ if status.is_server_error() => Self::Transient { message: status.to_string(), after: retry_after(response) },
            _ => Self::Refused(status),
        })
    }

    /// What a request without an answer means.
    pub fn of_error(error: &reqwest::Error) -> Self {
        let message = innermost(error);
        if is_tls(error) {
            Self::Tls(message)
        } else if error.is_connect() {
            Self::NoConnection(message)
        } else {
            Self::Transient { message, after: None }
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(status) | Self::Refused(status) => write!(f, "{status}"),
            Self::Transient { message, .. } | Self::NoConnection(message) | Self::Tls(message) => f.write_str(message),
        }
    }
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn is_tls(error: &dyn Error) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        let text = error.to_string();
        if ["invalid peer certificate", "x509", "UnknownIssuer", "certificate"].iter().any(|sign| text.contains(sign)) {
            return true;
        }
        current = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_a_server_may_ask_for_less_than_that() {
        let policy = Policy::default();
        let waits: Vec<u128> = (2..9).map(|next| policy.wait(next, None).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 20_000]);
        assert_eq!(policy.wait(2, Some(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(policy.wait(2, Some(Duration::from_hours(1))), policy.backoff_limit);
    }

    #[test]
    fn an_untrusted_certificate_is_recognised_deep_inside() {
        #[derive(Debug, thiserror::Error)]
        #[error("error sending request")]
        struct Outer(#[source] std::io::Error);
        assert!(is_tls(&Outer(std::io::Error::other("invalid peer certificate: UnknownIssuer"))));
        assert!(!is_tls(&Outer(std::io::Error::other("Connection refused (os error 111)"))));
    }
}
