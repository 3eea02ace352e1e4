//! Asking a registry: does it answer, and how many pulls does it still allow?
//!
//! The protocol is the OCI distribution specification's (`/v2/`) with Docker's token authentication; the headers of the allowance
//! are Docker Hub's ("Docker Hub usage and limits"), which does not count a HEAD.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::network::{Allowance, Registry};
use crate::error::innermost;

/// Bound on everything that one registry is asked.
const WITHIN: Duration = Duration::from_secs(3);
const HUB: &str = "docker.io";
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// Asks all of them side by side; each with the references that `up` would pull from it.
pub(super) async fn ask_all(all: impl IntoIterator<Item = (String, Vec<String>)>) -> Vec<Registry> {
    let client = crate::fetch::client().map_err(|error| error.to_string());
    join_all(all.into_iter().map(|(name, references)| {
        let client = client.clone();
        async move {
            let asked = async { ask(&client?, &base(&name), (name == HUB).then(|| references.first()).flatten()).await };
            let late = || Err(format!("no answer within {} s", WITHIN.as_secs()));
            let answer = tokio::time::timeout(WITHIN, asked).await.unwrap_or_else(|_| late());
            Registry { images: references.len(), answer, name }
        }
    }))
    .await
}

/// How many addresses a registry's host has.
pub(super) async fn resolve(registry: &str) -> (String, Result<usize, String>) {
    let base = base(registry);
    let host = base.split_once("://").map_or(base.as_str(), |(_, host)| host).to_owned();
    let address = if host.contains(':') { host.clone() } else { format!("{host}:443") };
    let resolved = match tokio::time::timeout(WITHIN, tokio::net::lookup_host(address)).await {
        Ok(Ok(addresses)) => Ok(addresses.count()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
    };
    (host, resolved)
}

/// The address behind a registry's name; engines speak HTTP to one on this machine.
fn base(registry: &str) -> String {
    match registry {
        HUB => "https://registry-1.docker.io".to_owned(),
        local if local.starts_with("localhost") || local.starts_with("127.") => format!("http://{local}"),
        other => format!("https://{other}"),
    }
}

/// `limited`: a reference of a registry that counts pulls.
async fn ask(client: &reqwest::Client, base: &str, limited: Option<&String>) -> Result<Option<Allowance>, String> {
    let answer = client.get(format!("{base}/v2/")).send().await.map_err(|error| innermost(&error))?;
    if answer.status().is_server_error() {
        return Err(format!("it answers {}", answer.status()));
    }
    let challenge = answer.headers().get("www-authenticate").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    // What it still allows is worth knowing, but no reason to call it silent.
    Ok(match limited.and_then(|reference| manifest(reference)) {
        Some((repository, tag)) => allowance(client, base, &challenge, repository, tag).await,
        None => None,
    })
}

/// Repository and tag (or digest) of a full reference.
fn manifest(reference: &str) -> Option<(&str, &str)> {
    let (_, path) = reference.split_once('/')?;
    path.split_once('@').or_else(|| path.rsplit_once(':'))
}

async fn allowance(client: &reqwest::Client, base: &str, challenge: &str, repository: &str, tag: &str) -> Option<Allowance> {
    let mut head = client.head(format!("{base}/v2/{repository}/manifests/{tag}")).header("accept", MANIFESTS);
    if let Some(realm) = parameter(challenge, "realm") {
        let scope = format!("repository:{repository}:pull");
        let mut address = reqwest::Url::parse(realm).ok()?;
        address.query_pairs_mut().append_pair("service", parameter(challenge, "service").unwrap_or_default()).append_pair("scope", &scope);
        let text = client.get(address).send().await.ok()?.text().await.ok()?;
        let granted: Value = serde_json::from_str(&text).ok()?;
        head = head.bearer_auth(granted.get("token").or_else(|| granted.get("access_token"))?.as_str()?);
    }
    let answer = head.send().await.ok()?;
    let number = |name: &str| answer.headers().get(name)?.to_str().ok()?.split(';').next()?.trim().parse().ok();
    Some(Allowance { left: number("ratelimit-remaining")?, of: number("ratelimit-limit") })
}

/// A parameter of `Bearer realm="…",service="…"`.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let parameters = challenge.strip_prefix("Bearer ").or_else(|| challenge.strip_prefix("bearer "))?;
    let at = parameters.find(&format!("{name}=\""))? + name.len() + 2;
    parameters[at..].split('"').next()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn client() -> reqwest::Client {
        drop(rustls::crypto::ring::default_provider().install_default());
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    /// A registry as Docker Hub is one; `hub` of false knows no tokens and no limits.
    async fn registry(hub: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let own = base.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                let count = socket.read(&mut buffer).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&buffer[..count]).to_lowercase();
                let (status, headers, body) = if request.starts_with("get /token?service=reg&scope=repository%3aistio%2fpilot%3apull") {
                    ("200 OK", String::new(), r#"{"token": "t0k"}"#)
                } else if request.starts_with("head /v2/istio/pilot/manifests/1.27.1") && request.contains("bearer t0k") {
                    ("200 OK", "ratelimit-limit: 100;w=21600\r\nratelimit-remaining: 7;w=21600\r\n".to_owned(), "")
                } else if hub {
                    ("401 Unauthorized", format!("www-authenticate: Bearer realm=\"{own}/token\",service=\"reg\"\r\n"), "")
                } else {
                    ("200 OK", String::new(), "")
                };
                let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = socket.write_all(text.as_bytes()).await;
            }
        });
        base
    }

    #[tokio::test]
    async fn a_registry_that_counts_is_asked_for_the_rest_with_a_token() {
        let reference = "docker.io/istio/pilot:1.27.1".to_owned();
        let base = registry(true).await;
        assert_eq!(ask(&client(), &base, Some(&reference)).await, Ok(Some(Allowance { left: 7, of: Some(100) })));
        assert_eq!(ask(&client(), &base, None).await, Ok(None));
        let base = registry(false).await;
        assert_eq!(ask(&client(), &base, Some(&reference)).await, Ok(None), "no limits are no trouble");
    }

    #[tokio::test]
    async fn nobody_there_is_the_transports_own_word() {
        let error = ask(&client(), "http://127.0.0.1:1", None).await.unwrap_err();
        assert!(error.to_lowercase().contains("refused"), "{error}");
    }

    #[test]
    fn names_and_references_are_taken_apart() {
        assert_eq!(base("docker.io"), "https://registry-1.docker.io");
        assert_eq!(base("localhost:5001"), "http://localhost:5001");
        assert_eq!(manifest("docker.io/istio/pilot:1.27.1"), Some(("istio/pilot", "1.27.1")));
        assert_eq!(manifest("gcr.io/a/b@sha256:00"), Some(("a/b", "sha256:00")));
        assert_eq!(parameter("Bearer realm=\"https://a/t\",service=\"s\"", "service"), Some("s"));
        assert_eq!(parameter("Basic realm=\"x\"", "realm"), None);
    }
}
