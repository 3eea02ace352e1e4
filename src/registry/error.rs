//! What can go wrong between a reference and the blobs of its image.

use oci_client::errors::{OciDistributionError, OciErrorCode};

use super::place::is_loopback;
use crate::error::{Exit, Explain};
use crate::fetch::{FetchError, Trouble};
use crate::rules::{self, Source};

/// An image that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A reference or the address of a mirror that nobody can be asked by.
    #[error("{address}: {message}")]
    Address {
        /// As written.
        address: String,
        /// What is wrong with it.
        message: String,
    },
    /// The registry has no such image, or lacks a part of it.
    #[error("{image} is not at {at}")]
    NotFound {
        /// As the manifests write it.
        image: String,
        /// Where it was looked for.
        at: String,
    },
    /// The registry lets nobody of this address or account pull any more for now.
    #[error("{image}: {message}")]
    RateLimit {
        /// As the manifests write it.
        image: String,
        /// The registry's words.
        message: String,
    },
    /// It does not exist for this platform.
    #[error("{image} is not there for {wanted}; it is for {has}")]
    Platform {
        /// As the manifests write it.
        image: String,
        /// `linux/arm64`.
        wanted: String,
        /// What there is.
        has: String,
    },
    /// The registry gave other bytes than the digest says.
    #[error("{image}: {message}")]
    Checksum {
        /// As the manifests write it.
        image: String,
        /// Expected and found.
        message: String,
    },
    /// The registry wants other credentials, or those that are there cannot be read.
    #[error("{image}: {message}")]
    Login {
        /// As the manifests write it.
        image: String,
        /// Registry, for `docker login`.
        registry: String,
        /// What it said.
        message: String,
    },
    /// A certificate on the way is not trusted.
    #[error("{image}: {message}")]
    Tls {
        /// As the manifests write it.
        image: String,
        /// What TLS says.
        message: String,
    },
    /// No answer, or one that no registry should give.
    #[error("{image}: {message}")]
    Failed {
        /// As the manifests write it.
        image: String,
        /// Who did not answer; `None` where it is the answer that cannot be used.
        registry: Option<String>,
        /// The last thing seen.
        message: String,
    },
    /// A blob that could not be had.
    #[error(transparent)]
    Fetch(Box<FetchError>),
    /// Ctrl-C.
    #[error("reading images from registries was interrupted")]
    Cancelled,
}

impl From<FetchError> for RegistryError {
    fn from(source: FetchError) -> Self {
        Self::Fetch(source.into())
    }
}

impl RegistryError {
    /// Whether every other image of the same registry would end so, too, for now.
    pub fn is_of_registry(&self) -> bool {
        match self {
            Self::RateLimit { .. } | Self::Tls { .. } | Self::Failed { registry: Some(_), .. } => true,
            Self::Fetch(source) => matches!(**source, FetchError::Failed { .. } | FetchError::Tls { .. }),
            _ => false,
        }
    }

    /// Whether it was somebody beyond this machine who did not answer: through a proxy, where the environment has one.
    pub fn is_from_outside(&self) -> bool {
        match self {
            Self::Failed { registry: Some(registry), .. } => !is_loopback(registry),
            Self::Fetch(source) => {
                // It begins with the address that was asked; what is asked by plain HTTP is here.
                let FetchError::Failed { message, .. } = &**source else { return false };
                let host = message.strip_prefix("https://").and_then(|rest| rest.split('/').next());
                host.is_some_and(|host| !is_loopback(host))
            }
            _ => false,
        }
    }
}

/// What a registry calls that it has no such thing.
const MISSING: [OciErrorCode; 5] = [
    OciErrorCode::ManifestUnknown,
    OciErrorCode::NameUnknown,
    OciErrorCode::NotFound,
    OciErrorCode::BlobUnknown,
    OciErrorCode::ManifestBlobUnknown,
];

/// An answer that is none, and whether another try may help.
pub(super) struct Answer {
    pub(super) error: RegistryError,
    pub(super) passing: bool,
}

impl Answer {
    /// What a failure of the client means for this image at this registry.
    pub(super) fn of(error: OciDistributionError, image: &str, registry: &str, at: &str) -> Self {
        let image = image.to_owned();
        let lasting = |error| Self { error, passing: false };
        let login = |message: String| RegistryError::Login { image: image.clone(), registry: registry.to_owned(), message };
        match error {
            OciDistributionError::RegistryError { envelope, .. } => {
                let said =
                    envelope.errors.iter().map(|error| error.message.as_str()).find(|text| !text.is_empty()).unwrap_or("no reason given");
                let has = |wanted: &[OciErrorCode]| envelope.errors.iter().any(|error| wanted.contains(&error.code));
                if has(&[OciErrorCode::Toomanyrequests]) {
                    return Self { error: RegistryError::RateLimit { image, message: said.to_owned() }, passing: true };
                }
                lasting(if has(&MISSING) {
                    RegistryError::NotFound { image, at: at.to_owned() }
                } else if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                    login(format!("{registry} refuses it: {said}"))
                } else {
                    RegistryError::Failed { image, registry: Some(registry.to_owned()), message: format!("{registry} says: {said}") }
                })
            }
            OciDistributionError::ServerError { code, .. } => match code {
                429 => Self {
                    error: RegistryError::RateLimit { image, message: format!("{registry} answers 429 too many requests") },
                    passing: true,
                },
                404 | 410 => lasting(RegistryError::NotFound { image, at: at.to_owned() }),
                401 | 403 => lasting(login(format!("{registry} answers {code}"))),
                _ => Self {
                    error: RegistryError::Failed {
                        image,
                        registry: Some(registry.to_owned()),
                        message: format!("{registry} answers {code}"),
                    },
                    passing: code == 408 || code >= 500,
                },
            },
            OciDistributionError::RequestError(error) if error.status().is_some() => {
                let code = error.status().map_or(0, |status| status.as_u16());
                Self::of(OciDistributionError::ServerError { code, url: String::new(), message: String::new() }, &image, registry, at)
            }
            OciDistributionError::ImageManifestNotFoundError(_) => lasting(RegistryError::NotFound { image, at: at.to_owned() }),
            OciDistributionError::UnauthorizedError { .. } => {
                lasting(login(format!("{registry} wants a login, or has no such image for everybody")))
            }
            OciDistributionError::AuthenticationFailure(said) if busy(&said) => {
                Self { error: RegistryError::RateLimit { image, message: first_line(&said) }, passing: true }
            }
            OciDistributionError::AuthenticationFailure(said) => {
                lasting(login(format!("{registry} refuses the login: {}", first_line(&said))))
            }
            OciDistributionError::DigestError(error) => lasting(RegistryError::Checksum { image, message: error.to_string() }),
            OciDistributionError::RequestError(error) => match Trouble::of_error(&error) {
                Trouble::Tls(message) => {
                    lasting(RegistryError::Tls { image, message: format!("the certificate of {registry}: {message}") })
                }
                trouble => Self {
                    error: RegistryError::Failed { image, registry: Some(registry.to_owned()), message: format!("{registry}: {trouble}") },
                    passing: true,
                },
            },
            other => lasting(RegistryError::Failed { image, registry: Some(registry.to_owned()), message: format!("{registry}: {other}") }),
        }
    }
}

/// Whether a text speaks of a limit.
pub(super) fn busy(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["toomanyrequests", "too many requests", "rate limit"].iter().any(|sign| lower.contains(sign))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

impl Explain for RegistryError {
    fn id(&self) -> &'static str {
        match self {
            Self::Address { .. } => "USAGE",
            Self::NotFound { .. } => "IMAGE_NOT_FOUND",
            Self::RateLimit { .. } => "IMAGE_RATE_LIMIT",
            Self::Platform { .. } => "IMAGE_ARCH",
            Self::Checksum { .. } => "CHECKSUM",
            Self::Login { .. } => "REGISTRY_LOGIN",
            Self::Tls { .. } => "REGISTRY_TLS",
            Self::Failed { message, .. } => rules::find(Source::Download, "", message).map_or("DOWNLOAD_FAILED", |found| found.rule.id),
            Self::Fetch(source) => source.id(),
            Self::Cancelled => "INTERRUPTED",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Address { .. } => Exit::Usage,
            Self::Checksum { .. } => Exit::Verification,
            Self::Fetch(source) => source.exit(),
            Self::Cancelled => Exit::Interrupted,
            _ => Exit::Prerequisite,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } => "write REGISTRY/NAME:TAG, and --mirror https://HOST[:PORT][/PREFIX]".into(),
            Self::NotFound { .. } => "check its name with `docker manifest inspect`; a mirror must hold every image of the plan".into(),
            Self::RateLimit { .. } => {
                "`docker login` raises the limit, --mirror URL asks another registry; the same command again goes on where it stopped"
                    .into()
            }
            Self::Platform { .. } => "leave this platform out, or choose a version that has it with --set COMPONENT=VERSION".into(),
            Self::Checksum { .. } => "do not use it: the registry or something on the way changed the image; try another network".into(),
            Self::Login { registry, .. } => {
                let named = if registry == "index.docker.io" { String::new() } else { format!(" {registry}") };
                format!("`docker login{named}`, then run the same command again")
            }
            Self::Tls { .. } => {
                "a proxy that opens TLS needs its CA in the system's trust store (or SSL_CERT_FILE); a wrong clock looks the same".into()
            }
            Self::Fetch(source) if !matches!(**source, FetchError::Failed { .. }) => return source.hint(),
            Self::Failed { .. } | Self::Fetch(_) => {
                "offline? behind a proxy set HTTPS_PROXY; the same command again goes on where it stopped".into()
            }
            Self::Cancelled => "the same command again goes on where it stopped".into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}
