//! The participant's side of `serve`: is it the bundle that the code means, the bundle itself, and a word for the board.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::code::is_sha256;
use super::{Cache, Cached, Code, Download, FetchError, Link, OnBytes};
use crate::error::{Exit, Explain, innermost};
use crate::rules;

/// The answer to the first question must be there within.
const FIRST: Duration = Duration::from_secs(15);
/// A board that does not answer within is left alone.
const TOLD: Duration = Duration::from_secs(3);
/// Where a room has its bundle, relative to its address.
const BUNDLE: &str = "bundle";
/// Where it takes reports.
const REPORT: &str = "board/report";

/// What `--as` sends, and all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What was given with `--as`.
    pub name: String,
    /// The stage that started last; `bundle` while that is fetched, `ready` at the end.
    pub stage: String,
    /// Stages that are done; of `bundle`, bytes.
    pub done: u64,
    /// Of how many.
    pub of: u64,
    /// The ID of the error with which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The bundle that a room offers, and that is the one of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// All 64 characters.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// Why a room cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The link is not one of `serve`'s.
    #[error("--join: {message}")]
    Link {
        /// What is wrong with it.
        message: String,
    },
    /// Nobody in this network announces the code's bundle.
    #[error("no room with the bundle of this code was heard of within {seconds} s")]
    NotNear {
        /// How long it was listened.
        seconds: u64,
    },
    /// Multicast DNS cannot be used.
    #[error("rooms cannot be listened for: {message}")]
    Deaf {
        /// The library's word.
        message: String,
    },
    /// The secret is not the room's.
    #[error("{address} does not take this code")]
    Refused {
        /// Of the room.
        address: String,
    },
    /// Nobody answers there, or somebody else.
    #[error("no bundle is served at {address}")]
    Nobody {
        /// Of the room.
        address: String,
        /// What was seen.
        #[source]
        saw: std::io::Error,
    },
    /// The bundle there is not the code's.
    #[error("the bundle at {address} is not the one of the code: its sha256 starts with {found}, the code says {digest}")]
    Other {
        /// Of the room.
        address: String,
        /// Of the code.
        digest: String,
        /// As far as the code's.
        found: String,
    },
    /// The way of the bytes.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl Explain for JoinError {
    fn id(&self) -> &'static str {
        match self {
            Self::Link { .. } | Self::Refused { .. } => "JOIN_CODE",
            Self::Nobody { .. } | Self::NotNear { .. } | Self::Deaf { .. } => "JOIN_UNREACHABLE",
            Self::Other { .. } => "JOIN_BUNDLE",
            Self::Fetch(error) => error.id(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Link { .. } => Exit::Usage,
            Self::Refused { .. } | Self::Nobody { .. } | Self::NotNear { .. } | Self::Deaf { .. } => Exit::Prerequisite,
            Self::Other { .. } => Exit::Verification,
            Self::Fetch(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Link { .. } => Some("write `--join 'http://ADDRESS:PORT/#CODE'` as `quickstart serve` prints it, with the quotes".into()),
            Self::NotNear { .. } | Self::Deaf { .. } => Some(
                "ask for the whole link, `--join 'http://ADDRESS:PORT/#CODE'`: many networks keep multicast away from their guests".into(),
            ),
            Self::Fetch(FetchError::Failed { .. } | FetchError::Cancelled { .. }) => {
                Some("the same command again goes on where it stopped; is `quickstart serve` still running?".into())
            }
            Self::Fetch(error) => error.hint(),
            _ => Some(rules::rule(self.id())?.hint.into()),
        }
    }
}

/// What was given with `--join`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invitation {
    /// The whole link.
    Link(Link),
    /// A code alone: the room is to be found.
    Code(Code),
}

impl FromStr for Invitation {
    type Err = JoinError;

    fn from_str(text: &str) -> Result<Self, JoinError> {
        let wrong = |message| JoinError::Link { message };
        let text = text.trim();
        let code = text.strip_prefix('#').unwrap_or(text);
        // Neither a secret nor a digest holds any of these.
        if code.contains([':', '/', '#']) { text.parse().map(Self::Link) } else { code.parse().map(Self::Code) }.map_err(wrong)
    }
}

/// The bundle of a code, if it is in the cache already: then the room need not even be there.
pub async fn cached(code: &Code, cache: &Cache) -> Result<Option<PathBuf>, JoinError> {
    for sha256 in cache.starting_with(code.digest()).await? {
        if let Some(path) = cache.get(&sha256).await? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// A room, seen from a participant.
#[derive(Clone, Debug)]
pub struct Room {
    link: Link,
    client: reqwest::Client,
}

impl Room {
    /// A client for the room of a link. Nothing is sent yet. No proxy is asked the way to the own network, and no redirect is followed:
    /// the code is for this address only.
    pub fn new(link: Link) -> Result<Self, JoinError> {
        let mut headers = HeaderMap::new();
        let password = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("join:{}", link.code.secret().as_str()));
        let mut value =
            HeaderValue::try_from(format!("Basic {password}")).map_err(|error| JoinError::Link { message: error.to_string() })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        let builder = reqwest::Client::builder().default_headers(headers).redirect(reqwest::redirect::Policy::none());
        let builder = if link.is_near() { builder.no_proxy() } else { builder };
        Ok(Self { client: super::client::finish(builder)?, link })
    }

    /// The address without the code.
    pub fn address(&self) -> &str {
        self.link.address()
    }

    /// What the link's code says.
    pub fn code(&self) -> &Code {
        &self.link.code
    }

    /// Asks for the bundle's sum and size. A bundle that is not the code's is refused before a byte of it is read.
    pub async fn offer(&self) -> Result<Offer, JoinError> {
        let nobody = |saw: String| JoinError::Nobody { address: self.address().to_owned(), saw: std::io::Error::other(saw) };
        let asking = self.client.head(self.link.url(BUNDLE)).timeout(FIRST).send();
        let answer = asking.await.map_err(|error| nobody(innermost(&error)))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(JoinError::Refused { address: self.address().to_owned() }),
            status => return Err(nobody(format!("it answers {status}: that is no `quickstart serve`"))),
        }
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let sha256 = text(ETAG).map(|tag| tag.trim_matches('"').to_owned()).filter(|sum| is_sha256(sum));
        let size = text(CONTENT_LENGTH).and_then(|size| size.parse().ok());
        let (Some(sha256), Some(size)) = (sha256, size) else {
            return Err(nobody("it does not say what it has: that is no `quickstart serve`".to_owned()));
        };
        let code = &self.link.code;
        if !code.is_of(&sha256) {
            let found = sha256.chars().take(code.digest().len()).collect();
            return Err(JoinError::Other { address: self.address().to_owned(), digest: code.digest().to_owned(), found });
        }
        Ok(Offer { sha256, size })
    }

    /// The bundle, verified, in the cache; one whose transfer was cut goes on where it stopped.
    pub async fn fetch(
        &self,
        cache: &Cache,
        offer: &Offer,
        on_bytes: OnBytes<'_>,
        cancel: &CancellationToken,
    ) -> Result<Cached, JoinError> {
        let download = Download {
            what: "the room's bundle".into(),
            urls: vec![self.link.url(BUNDLE)],
            sha256: Some(offer.sha256.clone()),
            size: Some(offer.size),
            // The client brings it.
            authorization: None,
        };
        Ok(cache.fetch(&self.client, &download, on_bytes, cancel).await?)
    }

    /// Tells the board. `false`: it did not hear it, which is no reason to do anything else than before.
    pub async fn tell(&self, report: &Report) -> bool {
        let Ok(text) = serde_json::to_vec(report) else { return false };
        let sending = self.client.post(self.link.url(REPORT)).header("content-type", "application/json").timeout(TOLD).body(text).send();
        match sending.await {
            Ok(answer) => answer.status().is_success(),
            Err(error) => {
                tracing::debug!(error = innermost(&error), "the board does not answer");
                false
            }
        }
    }
}
