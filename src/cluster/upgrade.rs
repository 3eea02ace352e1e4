//! A pod's port-forward as the raw connection that kubectl, too, speaks SPDY on: many streams, one after another or side by side.

use http::Request;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::time::timeout;

use super::{Cluster, ClusterError, connect::REQUEST_TIMEOUT};

/// Bytes to and from the kubelet, through the API server.
pub type Raw = TokioIo<hyper::upgrade::Upgraded>;

impl Cluster {
    /// Asks for an upgrade to SPDY/3.1 on a pod's port-forward. `None`: the server, or a proxy before it, does not speak it.
    pub async fn spdy(&self, namespace: &str, pod: &str) -> Result<Option<Raw>, ClusterError> {
        let what = format!("port-forward to {namespace}/{pod}");
        let transport = |message: String| ClusterError::Transport { what: what.clone(), message };
        let request = Request::post(format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward"))
            .header("connection", "Upgrade")
            .header("upgrade", "SPDY/3.1")
            .header("x-stream-protocol-version", "portforward.k8s.io")
            .header("content-length", "0")
            .body(Body::empty())
            .map_err(|error| transport(error.to_string()))?;
        let upgrade = async {
            let response = self.streams.send(request).await.map_err(|error| ClusterError::from_kube(&what, &error))?;
            let status = response.status().as_u16();
            if status == 101 {
                let upgraded = hyper::upgrade::on(response).await.map_err(|error| transport(error.to_string()))?;
                return Ok(Some(TokioIo::new(upgraded)));
            }
            let text = response.into_body().collect_bytes().await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let text = text.unwrap_or_default();
            // 400 and 405 are what proxies and servers say to a protocol that they do not know; everything else is about this pod.
            if matches!(status, 200 | 400 | 405 | 426) {
                return Ok(None);
            }
            Err(ClusterError::from_answer(&what, status, &text))
        };
        timeout(REQUEST_TIMEOUT, upgrade)
            .await
            .unwrap_or(Err(ClusterError::Timeout { what: what.clone(), seconds: REQUEST_TIMEOUT.as_secs() }))
    }
}
