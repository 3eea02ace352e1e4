//! HTTP, HTTPS and gRPC to istio-ingressgateway on localhost: the way every prediction goes.

mod grpc;
mod tls;

use std::time::Duration;

use serde_json::Value;

use crate::error::{Exit, Explain, innermost};
use crate::rules;

pub use grpc::Code;
pub use tls::Authority;

/// Where the gateway's Service is.
pub const SERVICE: &str = "/api/v1/namespaces/istio-system/services/istio-ingressgateway";

/// The address, or the name, that a load balancer gave a Service.
pub fn balanced(service: &Value) -> Option<String> {
    let given = service.pointer("/status/loadBalancer/ingress/0")?;
    let text = |key: &str| given.get(key)?.as_str().filter(|text| !text.is_empty());
    text("hostname").or(text("ip")).map(str::to_owned)
}

/// Bound on one request; a model that was scaled to zero needs its time.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bound on the way to the port.
const CONNECT: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read; a prediction has some dozen, and whoever sits on the port may send without end.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A request through the gateway that gave no answer to use.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GatewayError {
    /// Nobody answers on the port.
    #[error("nothing answers on {address}: {message}")]
    Unreachable {
        /// `127.0.0.1:8080`.
        address: String,
        /// Innermost cause.
        message: String,
    },
    /// Whoever answers on the port has no certificate of this cluster's authority.
    #[error("{address} has no certificate of this cluster for {name}: {message}")]
    Untrusted {
        /// `127.0.0.1:8080`.
        address: String,
        /// The name that it was asked for.
        name: String,
        /// Innermost cause.
        message: String,
    },
    /// The cluster's authority cannot be read.
    #[error("the certificate of the gateway's authority cannot be read: {message}")]
    NoAuthority {
        /// Where it should be, or why it cannot be asked for.
        message: String,
    },
    /// An HTTP status other than 200.
    #[error("{host} answered {status}: {body}")]
    Status {
        /// Host header.
        host: String,
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// Not JSON.
    #[error("{host} answered something that is not JSON: {body}")]
    NotJson {
        /// Host header.
        host: String,
        /// The beginning of the body.
        body: String,
    },
    /// A gRPC status other than OK.
    #[error("{host} answered {code}: {}", words(.message))]
    Grpc {
        /// Authority.
        host: String,
        /// gRPC status.
        code: Code,
        /// What the server says of it; may be empty.
        message: String,
    },
    /// An answer to a gRPC call that is not gRPC.
    #[error("{host} does not answer in gRPC: {saw}")]
    NotGrpc {
        /// Authority.
        host: String,
        /// The answer in short.
        saw: String,
    },
    /// gRPC, but no message to use.
    #[error("{host} sent an answer that cannot be used: {message}")]
    Unreadable {
        /// Authority.
        host: String,
        /// What is wrong with it.
        message: String,
    },
}

impl GatewayError {
    /// Whether it may be the routes or the pods that are not there yet: right after Ready that passes.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Status { status: 404 | 502..=504, .. } => true,
            Self::Grpc { code, .. } => *code == Code::UNAVAILABLE || self.no_route(),
            _ => false,
        }
    }

    /// Whether the gateway itself answered that it knows no such host. To gRPC it says so by a status alone; a server adds words to it.
    fn no_route(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status == 404,
            Self::Grpc { code, message, .. } => *code == Code::UNIMPLEMENTED && message.is_empty(),
            _ => false,
        }
    }
}

impl Explain for GatewayError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "GATEWAY_UNREACHABLE",
            Self::Untrusted { .. } | Self::NoAuthority { .. } => "GATEWAY_CERTIFICATE",
            _ if self.no_route() => "GATEWAY_404",
            Self::NotGrpc { .. } => "GRPC_HTTP_ONLY",
            Self::Grpc { code: Code::UNIMPLEMENTED, .. } => "GRPC_UNIMPLEMENTED",
            Self::Grpc { code: Code::UNAVAILABLE, .. } => "GRPC_UNAVAILABLE",
            Self::Grpc { code: Code::NOT_FOUND, .. } => "GRPC_NOT_FOUND",
            Self::Grpc { code: Code::INVALID_ARGUMENT, .. } => "GRPC_INVALID_ARGUMENT",
            Self::Status { .. } | Self::NotJson { .. } | Self::Grpc { .. } | Self::Unreadable { .. } => "PREDICTION_FAILED",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } => Exit::NotRunning,
            Self::Untrusted { .. } | Self::NoAuthority { .. } => Exit::Verification,
            _ => Exit::StageFailed,
        }
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => "`quickstart status` tells whether the cluster runs and on which port".into(),
            Self::Untrusted { .. } => "another program may listen there: `quickstart status` names the port, `quickstart up` makes a new certificate".into(),
            Self::NoAuthority { .. } => "`quickstart up` makes it again".into(),
            _ if self.no_route() => {
                "is the InferenceService Ready, and its host under the cluster's domain? `quickstart doctor route NAME` goes along its way hop by hop".into()
            }
            _ => match self.id() {
                "PREDICTION_FAILED" => "`kubectl logs` of the model's pod holds its side of the story".into(),
                id => rules::rule(id)?.hint.into(),
            },
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}

/// A client for localhost: no proxy, whatever the environment says.
fn client(authority: Option<&Authority>) -> Result<reqwest::Client, GatewayError> {
    let builder = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).connect_timeout(CONNECT);
    let builder = match authority {
        None => builder,
        Some(authority) => authority.trusted(builder)?,
    };
    builder.build().map_err(|error| GatewayError::Unreachable { address: "localhost".into(), message: error.to_string() })
}

/// Does anything speak HTTP there, or HTTPS with a certificate of this authority? Any status will do: without a matching host the gateway
/// says 404.
pub async fn answers(port: u16, authority: Option<&Authority>) -> Result<(), GatewayError> {
    let host = "quickstart.invalid";
    client(authority)?
        .get(url(port, authority, host, "/"))
        .header("host", host)
        .timeout(Duration::from_secs(5))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| failed(port, &error))
}

/// A POST with a Host header; the answer as JSON.
pub async fn post(port: u16, authority: Option<&Authority>, host: &str, path: &str, body: &Value) -> Result<Value, GatewayError> {
    Caller::new(authority)?.post(port, host, path, body).await
}

/// The address of a path at the gateway.
fn url(port: u16, authority: Option<&Authority>, host: &str, path: &str) -> String {
    match authority {
        None => format!("http://127.0.0.1:{port}{path}"),
        Some(authority) => format!("https://{}:{port}{path}", authority.name_for(host)),
    }
}

/// Somebody who asks more than once, over the same connections.
#[derive(Clone, Debug)]
pub struct Caller {
    http: reqwest::Client,
    grpc: grpc::Line,
    authority: Option<Authority>,
}

impl Caller {
    /// Without connections yet; `authority`: it is HTTPS.
    pub fn new(authority: Option<&Authority>) -> Result<Self, GatewayError> {
        Ok(Self { http: client(authority)?, grpc: grpc::Line::new(authority), authority: authority.cloned() })
    }

    /// As [`post`].
    pub async fn post(&self, port: u16, host: &str, path: &str, body: &Value) -> Result<Value, GatewayError> {
        let mut response = self
            .http
            .post(url(port, self.authority.as_ref(), host, path))
            .header("host", host)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .map_err(|error| failed(port, &error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(port, &error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER {
                break;
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if status != 200 {
            return Err(GatewayError::Status { host: host.to_owned(), status, body: beginning(&text) });
        }
        serde_json::from_str(&text).map_err(|_| GatewayError::NotJson { host: host.to_owned(), body: beginning(&text) })
    }

    /// A gRPC call of a method (`/package.Service/Method`) with the host as its authority: a message there, a message back.
    pub async fn call(&self, port: u16, host: &str, method: &str, message: &[u8]) -> Result<Vec<u8>, GatewayError> {
        self.grpc.call(port, host, method, message).await
    }
}

fn words(message: &str) -> &str {
    if message.is_empty() { "(no message)" } else { message }
}

fn beginning(text: &str) -> String {
    let text: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().is_empty() { "(no body)".into() } else { text.trim().to_owned() }
}

fn failed(port: u16, error: &reqwest::Error) -> GatewayError {
    unreachable(port, error.url().and_then(reqwest::Url::host_str).unwrap_or_default(), innermost(error))
}

/// Nobody is there, or somebody whose certificate for `name` is no good.
fn unreachable(port: u16, name: &str, message: String) -> GatewayError {
    let address = format!("127.0.0.1:{port}");
    match message.strip_prefix(tls::REFUSED) {
        None => GatewayError::Unreachable { address, message },
        Some(why) => GatewayError::Untrusted { address, name: name.to_owned(), message: why.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// The whole body was collected, however long it was: whoever listened on the port could take all memory within the minute.
    #[tokio::test]
    async fn an_answer_without_end_is_cut_off() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let endless = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
            while stream.write_all(&vec![b'1'; 65536]).await.is_ok() {}
        });
        let error = post(port, None, "h", "/p", &Value::Null).await.unwrap_err();
        assert!(matches!(&error, GatewayError::NotJson { body, .. } if body.len() == 300), "{error}");
        endless.await.unwrap();
    }
}
