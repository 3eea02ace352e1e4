//! The one HTTP client for downloads.

use std::time::Duration;

use super::FetchError;
use crate::error::innermost;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("quickstart/", env!("CARGO_PKG_VERSION"));

/// A client that honours the environment's proxies and trusts what the system trusts.
///
/// The process must have installed a rustls provider before; `main` does.
pub fn client() -> Result<reqwest::Client, FetchError> {
    finish(reqwest::Client::builder())
}

/// The same without any proxy, for servers on this machine.
pub fn direct_client() -> Result<reqwest::Client, FetchError> {
    finish(reqwest::Client::builder().no_proxy())
}

pub(super) fn finish(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, FetchError> {
    builder
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
        .map_err(|error| FetchError::Client { message: innermost(&error) })
}
