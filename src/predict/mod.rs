//! A prediction as `quickstart predict` makes it: protocol v1, v2 or v2 over gRPC, through the gateway.

mod grpc;
mod load;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Failure;
use crate::gateway::{Authority, Caller, GatewayError};

pub use grpc::{InputError, decode as decode_grpc};
pub use load::{Load, Summary, load};

/// Which inference protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// `POST /v1/models/NAME:predict` with `instances`.
    V1,
    /// `POST /v2/models/NAME/infer` with `inputs`.
    V2,
    /// `inference.GRPCInferenceService/ModelInfer` with the same `inputs`.
    Grpc,
}

/// A request to an InferenceService.
#[derive(Clone, Debug)]
pub struct Request {
    /// Name of the InferenceService, which is the model's name too.
    pub name: String,
    /// Host header.
    pub host: String,
    /// Port of 127.0.0.1.
    pub port: u16,
    /// What the gateway's certificate is held against; `None`: it speaks HTTP.
    pub authority: Option<Authority>,
    /// Protocol.
    pub protocol: Protocol,
    /// Body.
    pub body: Value,
}

impl Request {
    /// The path of the URL.
    pub fn path(&self) -> String {
        match self.protocol {
            Protocol::V1 => format!("/v1/models/{}:predict", self.name),
            Protocol::V2 => format!("/v2/models/{}/infer", self.name),
            Protocol::Grpc => grpc::METHOD.to_owned(),
        }
    }

    /// Sends it.
    pub async fn send(&self) -> Result<Value, Failure> {
        Ok(self.ask(self.path())?.send(&Caller::new(self.authority.as_ref())?).await?)
    }

    /// The request as it goes over the wire, to its own path or another one.
    pub fn ask(&self, path: String) -> Result<Ask<'_>, InputError> {
        let message = match self.protocol {
            Protocol::V1 | Protocol::V2 => None,
            Protocol::Grpc => Some(grpc::encode(&self.name, &self.body)?),
        };
        Ok(Ask { request: self, path, message })
    }

    /// The same request as a line for a shell: curl, or grpcurl with the protocol's own file beside it.
    pub fn line(&self) -> Result<String, InputError> {
        if self.protocol != Protocol::Grpc {
            return Ok(self.curl());
        }
        Ok(format!(
            "grpcurl {} -proto open_inference_grpc.proto -authority {} -d '{}' 127.0.0.1:{} {}",
            self.authority.as_ref().map_or_else(|| "-plaintext".to_owned(), |authority| format!("-cacert {}", file(authority))),
            self.host,
            quoted(&grpc::json(&self.name, &self.body)?),
            self.port,
            grpc::METHOD.trim_start_matches('/')
        ))
    }

    /// The same request as a line for a shell, where it goes over HTTP.
    pub fn curl(&self) -> String {
        let Self { host, port, .. } = self;
        let to = match &self.authority {
            None => format!("-H 'Host: {host}' -H 'Content-Type: application/json' http://127.0.0.1:{port}"),
            Some(authority) => format!(
                "--cacert {} --resolve {host}:{port}:127.0.0.1 -H 'Content-Type: application/json' https://{host}:{port}",
                file(authority)
            ),
        };
        format!("curl -s {to}{} -d '{}'", self.path(), quoted(&self.body.to_string()))
    }
}

/// The authority's file, as a word of a shell.
fn file(authority: &Authority) -> String {
    format!("'{}'", quoted(&authority.file().to_string_lossy()))
}

/// For between two quotes of a shell.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}

/// A request, encoded once to be sent as often as wanted.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    request: &'a Request,
    path: String,
    message: Option<Vec<u8>>,
}

impl Ask<'_> {
    /// Sends it; the answer as JSON, of gRPC in the form of v2.
    pub async fn send(&self, caller: &Caller) -> Result<Value, GatewayError> {
        let Request { port, host, body, .. } = self.request;
        let Some(message) = &self.message else { return caller.post(*port, host, &self.path, body).await };
        let answer = caller.call(*port, host, &self.path, message).await?;
        grpc::decode(&answer).map_err(|message| GatewayError::Unreadable { host: host.clone(), message })
    }
}

/// Rows of numbers for one protocol as a body of the other: `instances` ↔ `inputs`.
pub fn body(input: &Value, protocol: Protocol) -> Value {
    match (protocol, input.get("instances").and_then(Value::as_array)) {
        (Protocol::V2 | Protocol::Grpc, Some(rows)) => {
            let columns = rows.first().and_then(Value::as_array).map_or(0, Vec::len);
            let data: Vec<Value> = rows.iter().filter_map(Value::as_array).flatten().cloned().collect();
            json!({"inputs": [{"name": "input-0", "shape": [rows.len(), columns], "datatype": "FP32", "data": data}]})
        }
        _ => input.clone(),
    }
}

/// What a model said, without the envelope of either protocol: `predictions`, or the data of the one output.
pub fn said(answer: &Value) -> &Value {
    let data = || match answer.get("outputs")?.as_array()?.as_slice() {
        [output] => output.get("data"),
        _ => None,
    };
    answer.get("predictions").or_else(data).unwrap_or(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_one_tensor_for_v2() {
        let v2 = body(&json!({"instances": [[1.0, 2.0], [3.0, 4.0]]}), Protocol::V2);
        assert_eq!(v2["inputs"][0]["shape"], json!([2, 2]));
        assert_eq!(v2["inputs"][0]["data"], json!([1.0, 2.0, 3.0, 4.0]));
        let own = json!({"inputs": []});
        assert_eq!(body(&own, Protocol::V2), own);
    }

    #[test]
    fn the_curl_line_survives_a_quote_in_the_body() {
        let request = Request {
            name: "m".into(),
            host: "h".into(),
            port: 1,
            authority: None,
            protocol: Protocol::V1,
            body: json!({"instances": ["it's"]}),
        };
        assert!(request.curl().ends_with(r#"-d '{"instances":["it'\''s"]}'"#), "{}", request.curl());
    }
}
