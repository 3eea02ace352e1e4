//! HTTP to istio-ingressgateway on localhost: the way every prediction goes.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Exit, Explain};
use crate::rules;

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
}

impl Explain for GatewayError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "GATEWAY_UNREACHABLE",
            Self::Status { status: 404, .. } => "GATEWAY_404",
            Self::Status { .. } | Self::NotJson { .. } => "PREDICTION_FAILED",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } => Exit::NotRunning,
            _ => Exit::StageFailed,
        }
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => "`quickstart status` tells whether the cluster runs and on which port".into(),
            Self::Status { status: 404, .. } => {
                "is the InferenceService Ready, and its host under the cluster's domain? `quickstart doctor route NAME` goes along its way hop by hop".into()
            }
            _ => "`kubectl logs` of the model's pod holds its side of the story".into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}

/// A client for localhost: no proxy, whatever the environment says.
fn client() -> Result<reqwest::Client, GatewayError> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .connect_timeout(Duration::from_secs(3))
        .build()
        .map_err(|error| GatewayError::Unreachable { address: "localhost".into(), message: error.to_string() })
}

/// Does anything speak HTTP there? Any status will do: without a matching host the gateway says 404.
pub async fn answers(port: u16) -> Result<(), GatewayError> {
    let address = format!("127.0.0.1:{port}");
    client()?
        .get(format!("http://{address}/"))
        .header("host", "quickstart.invalid")
        .timeout(Duration::from_secs(5))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| unreachable(&address, &error))
}

/// A POST with a Host header; the answer as JSON.
pub async fn post(port: u16, host: &str, path: &str, body: &Value) -> Result<Value, GatewayError> {
    Caller::new()?.post(port, host, path, body).await
}

/// Somebody who asks more than once, over the same connections.
#[derive(Clone, Debug)]
pub struct Caller(reqwest::Client);

impl Caller {
    /// Without connections yet.
    pub fn new() -> Result<Self, GatewayError> {
        client().map(Self)
    }

    /// As [`post`].
    pub async fn post(&self, port: u16, host: &str, path: &str, body: &Value) -> Result<Value, GatewayError> {
        let address = format!("127.0.0.1:{port}");
        let mut response = self
            .0
            .post(format!("http://{address}{path}"))
            .header("host", host)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .map_err(|error| unreachable(&address, &error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&address, &error))? {
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
}

fn beginning(text: &str) -> String {
    let text: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().is_empty() { "(no body)".into() } else { text.trim().to_owned() }
}

fn unreachable(address: &str, error: &reqwest::Error) -> GatewayError {
    let mut current: &dyn std::error::Error = error;
    while let Some(source) = current.source() {
        current = source;
    }
    GatewayError::Unreachable { address: address.to_owned(), message: current.to_string() }
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
        let error = post(port, "h", "/p", &Value::Null).await.unwrap_err();
        assert!(matches!(&error, GatewayError::NotJson { body, .. } if body.len() == 300), "{error}");
        endless.await.unwrap();
    }
}
