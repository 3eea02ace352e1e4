//! Access to an API server: always an explicit kubeconfig and context, never the environment's.

use std::path::Path;
use std::time::Duration;

use hyper_util::client::legacy::{Client as HttpClient, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::BoxError;
use tower::util::MapErrLayer;

use super::ClusterError;

/// Bound on one request.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that went away without a word is noticed after this.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    /// For requests with an answer: bounded.
    pub(super) requests: Client,
    /// For streams (port-forward): unbounded reads.
    pub(super) streams: Client,
    /// Address of the API server.
    pub server: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Reads one kubeconfig file; `context` of `None` is its current one.
    pub async fn from_file(path: &Path, context: Option<&str>) -> Result<Self, ClusterError> {
        let text = fs_err::tokio::read_to_string(path)
            .await
            .map_err(|error| ClusterError::Kubeconfig { place: path.display().to_string(), message: error.to_string() })?;
        Self::from_texts(&[(path.display().to_string(), text)], context).await
    }

    /// Merges kubeconfig files as kubectl does (the first one wins) and connects to one context of them.
    pub async fn from_texts(texts: &[(String, String)], context: Option<&str>) -> Result<Self, ClusterError> {
        let merged = merge(texts)?;
        let place = texts.first().map_or("", |(place, _)| place.as_str()).to_owned();
        let asked_for_proxy =
            merged.clusters.iter().any(|cluster| cluster.cluster.as_ref().is_some_and(|cluster| cluster.proxy_url.is_some()));
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(merged, &options).await.map_err(|error| invalid(&place, &error))?;
        // kube takes HTTPS_PROXY for 127.0.0.1 too, whatever NO_PROXY says (kube 5.0.0 asks it about the proxy's own address).
        if !asked_for_proxy {
            config.proxy_url = None;
        }
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.write_timeout = Some(REQUEST_TIMEOUT);
        let server = config.cluster_url.to_string();
        let streams = streams(config.clone()).map_err(|error| invalid(&place, &error))?;
        config.read_timeout = Some(REQUEST_TIMEOUT);
        config.reset_reader_on_write = true;
        let requests = Client::try_from(config).map_err(|error| invalid(&place, &error))?;
        Ok(Self { requests, streams, server })
    }
}

/// Kubeconfig files as one, as kubectl merges them: the first one wins. The texts come with their places.
pub fn merge(texts: &[(String, String)]) -> Result<Kubeconfig, ClusterError> {
    let mut merged = Kubeconfig::default();
    for (place, text) in texts {
        let next = Kubeconfig::from_yaml(text).map_err(|error| invalid(place, &error))?;
        merged = merged.merge(next).map_err(|error| invalid(place, &error))?;
    }
    Ok(merged)
}

fn invalid(place: &str, error: &dyn std::error::Error) -> ClusterError {
    ClusterError::Kubeconfig { place: place.to_owned(), message: error.to_string() }
}

/// A client for streams. kube's own leaves Nagle's algorithm on: a small write behind another waits for the other side's delayed
/// acknowledgement, 40 ms and more, which is the p99 of a tunnel.
fn streams(mut config: Config) -> kube::Result<Client> {
    config.read_timeout = None;
    if config.proxy_url.is_some() {
        return Client::try_from(config);
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_keepalive(Some(KEEPALIVE));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http = HttpClient::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let builder = ClientBuilder::new(http, config.default_namespace.clone())
        .with_layer(&MapErrLayer::new(|error: hyper_util::client::legacy::Error| BoxError::from(error)))
        .with_layer(&config.extra_headers_layer()?);
    Ok(match config.auth_layer()? {
        Some(layer) => builder.with_layer(&layer).with_layer(&config.base_uri_layer()).build(),
        None => builder.with_layer(&config.base_uri_layer()).build(),
    })
}
