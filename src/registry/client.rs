//! Asks registries: tokens and manifests by `oci-client`, blobs by the cache.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::{Answer, busy};
use super::memory::Memory;
use super::{Blob, Credentials, Mirror, Place, RegistryError};
use crate::config::{Environment, Proxies};
use crate::fetch::{self, Cache, Download, FetchError, OnBytes, Policy};

/// One question and its whole answer.
const REQUEST: Duration = Duration::from_mins(1);
const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(30);
/// The specification's lifetime of a token that does not say its own.
const TOKEN: Duration = Duration::from_secs(45);
const USER_AGENT: &str = concat!("quickstart/", env!("CARGO_PKG_VERSION"));

type Token = (Instant, Option<HeaderValue>);

/// All registries, or the one mirror that is asked instead of them.
#[expect(missing_debug_implementations, reason = "oci-client's client has none, and holds secrets")]
pub struct Registry {
    /// By https, then by plain http to the loopback address.
    pub(super) clients: [Client; 2],
    downloads: [reqwest::Client; 2],
    pub(super) cache: Cache,
    pub(super) mirror: Option<Mirror>,
    credentials: Credentials,
    pub(super) memory: Memory,
    logins: Mutex<BTreeMap<String, RegistryAuth>>,
    tokens: Mutex<BTreeMap<String, Token>>,
    policy: Policy,
    pub(super) cancel: CancellationToken,
}

impl Registry {
    /// Nobody is asked yet.
    pub fn new(environment: &Environment, cache: Cache, mirror: Option<Mirror>, cancel: &CancellationToken) -> Result<Self, RegistryError> {
        Ok(Self {
            clients: [client(ClientProtocol::Https, &environment.proxies)?, client(ClientProtocol::Http, &environment.proxies)?],
            downloads: [fetch::client()?, fetch::direct_client()?],
            cache,
            mirror,
            credentials: Credentials::new(environment),
            memory: Memory::default(),
            logins: Mutex::default(),
            tokens: Mutex::default(),
            policy: Policy::default(),
            cancel: cancel.clone(),
        })
    }

    /// The same with a memory: an image that was found once is looked for under the digest that it had then, without a question when its
    /// manifests are in the cache.
    #[must_use]
    pub fn remembering(mut self, folder: PathBuf) -> Self {
        self.memory = Memory::of(folder);
        self
    }

    /// A blob in the cache: as it is there, or as the registry gives it. A cut one goes on where it stopped, also in a later run.
    pub async fn blob(&self, image: &str, place: &Place, blob: &Blob, on_bytes: OnBytes<'_>) -> Result<PathBuf, RegistryError> {
        if let Some(path) = self.cache.get(&blob.sha256).await? {
            on_bytes(blob.size);
            return Ok(path);
        }
        let digest = format!("sha256:{}", blob.sha256);
        let mut download = Download {
            what: format!("{} of {image}", digest.get(..19).unwrap_or(&digest)),
            urls: vec![place.blob(&digest)],
            sha256: Some(blob.sha256.clone()),
            size: Some(blob.size),
            authorization: None,
        };
        let (moved, mut before) = (AtomicU64::new(0), None);
        let on_bytes = |done: u64| {
            moved.store(done, Ordering::Relaxed);
            on_bytes(done);
        };
        loop {
            download.authorization = self.authorize(image, place).await?;
            match self.cache.fetch(&self.downloads[usize::from(place.plain)], &download, &on_bytes, &self.cancel).await {
                Ok(cached) => return Ok(cached.path),
                Err(FetchError::NotFound { urls, .. }) => return Err(RegistryError::NotFound { image: download.what, at: urls }),
                // A token ends while a large blob is on its way; what has come of it stays.
                Err(FetchError::Failed { message, .. })
                    if message.ends_with("401 Unauthorized") && before.is_none_or(|before| moved.load(Ordering::Relaxed) > before) =>
                {
                    before = Some(moved.load(Ordering::Relaxed));
                    self.tokens.lock().await.remove(&place.repository());
                }
                Err(FetchError::Failed { message, .. }) if busy(&message) => {
                    return Err(RegistryError::RateLimit { image: download.what, message });
                }
                Err(FetchError::Failed { message, .. }) if message.ends_with("401 Unauthorized") || message.ends_with("403 Forbidden") => {
                    return Err(RegistryError::Login { image: download.what, registry: place.host().to_owned(), message });
                }
                Err(FetchError::Cancelled { .. }) => return Err(RegistryError::Cancelled),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The header that this repository wants, renewed when it may have ended.
    pub(super) async fn authorize(&self, image: &str, place: &Place) -> Result<Option<HeaderValue>, RegistryError> {
        let key = place.repository();
        if let Some((since, header)) = self.tokens.lock().await.get(&key)
            && since.elapsed() < TOKEN
        {
            return Ok(header.clone());
        }
        let login = self.login(image, place).await?;
        let client = &self.clients[usize::from(place.plain)];
        let token = self.ask(image, place, || client.auth(&place.reference, &login, RegistryOperation::Pull)).await?;
        let value = match (token, &login) {
            (Some(token), _) => Some(format!("Bearer {token}")),
            (None, RegistryAuth::Basic(user, password)) => Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))),
            (None, _) => None,
        };
        let header = value.and_then(|value| HeaderValue::from_str(&value).ok()).map(|mut header| {
            header.set_sensitive(true);
            header
        });
        self.tokens.lock().await.insert(key, (Instant::now(), header.clone()));
        Ok(header)
    }

    pub(super) async fn login(&self, image: &str, place: &Place) -> Result<RegistryAuth, RegistryError> {
        let registry = place.host().to_owned();
        // Held while a helper answers: it is asked once a registry, not once an image.
        let mut logins = self.logins.lock().await;
        if let Some(known) = logins.get(&registry) {
            return Ok(known.clone());
        }
        let found = self.credentials.of(&registry, &self.cancel).await;
        let found = found.map_err(|message| RegistryError::Login { image: image.to_owned(), registry: registry.clone(), message })?;
        logins.insert(registry, found.clone());
        Ok(found)
    }

    /// Asks until there is an answer, as long as another try may help.
    pub(super) async fn ask<T, W>(&self, image: &str, place: &Place, question: impl Fn() -> W) -> Result<T, RegistryError>
    where
        W: Future<Output = Result<T, OciDistributionError>>,
    {
        self.ask_within(REQUEST, image, place, question).await
    }

    /// The same with another bound on each question.
    pub(super) async fn ask_within<T, W>(
        &self,
        limit: Duration,
        image: &str,
        place: &Place,
        question: impl Fn() -> W,
    ) -> Result<T, RegistryError>
    where
        W: Future<Output = Result<T, OciDistributionError>>,
    {
        let mut tried = 0;
        loop {
            let answer = tokio::select! {
                () = self.cancel.cancelled() => return Err(RegistryError::Cancelled),
                answer = tokio::time::timeout(limit, question()) => answer,
            };
            let failed = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => Answer::of(error, image, place.host(), &place.whole()),
                Err(_) => {
                    let message = format!("{} did not answer within {} s", place.host(), limit.as_secs());
                    Answer {
                        error: RegistryError::Failed { image: image.to_owned(), registry: Some(place.host().to_owned()), message },
                        passing: true,
                    }
                }
            };
            tried += 1;
            if !failed.passing || tried >= self.policy.tries {
                return Err(failed.error);
            }
            tracing::debug!(image, error = %failed.error, tried, "ask the registry again");
            tokio::select! {
                () = self.cancel.cancelled() => return Err(RegistryError::Cancelled),
                () = tokio::time::sleep(self.policy.wait(tried + 1, None)) => {}
            }
        }
    }
}

/// A proxy of the environment is for the world outside, never for this machine.
fn client(protocol: ClientProtocol, proxies: &Proxies) -> Result<Client, RegistryError> {
    let none = [proxies.none.as_deref().unwrap_or_default(), "localhost,127.0.0.0/8,::1"].join(",");
    let config = ClientConfig {
        protocol,
        read_timeout: Some(READ),
        connect_timeout: Some(CONNECT),
        user_agent: USER_AGENT,
        https_proxy: proxies.https.clone().or_else(|| proxies.all.clone()),
        http_proxy: proxies.http.clone().or_else(|| proxies.all.clone()),
        no_proxy: Some(none.trim_start_matches(',').to_owned()),
        ..ClientConfig::default()
    };
    let unusable = |error: OciDistributionError| FetchError::Client { message: error.to_string() };
    Ok(Client::try_from(config).map_err(unusable)?)
}
