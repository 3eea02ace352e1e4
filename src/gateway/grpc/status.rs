//! gRPC's status codes, and what an answer's headers and trailers say.

use http::{HeaderMap, StatusCode};

use super::frame::unframed;
use crate::gateway::{GatewayError, beginning};

/// A status code as `grpc-status` has it (google.rpc.Code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u32);

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Code {
    /// All is well.
    pub const OK: Self = Self(0);
    /// The input is not what the model takes.
    pub const INVALID_ARGUMENT: Self = Self(3);
    /// There is no such model.
    pub const NOT_FOUND: Self = Self(5);
    /// There is no such method; without a message it is Envoy's 404.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// Nobody behind the gateway takes the request now.
    pub const UNAVAILABLE: Self = Self(14);

    /// The code of an HTTP status that came without one (grpc/doc/http-grpc-status-mapping.md), as far as waiting may cure it.
    fn of_http(status: StatusCode) -> Option<Self> {
        matches!(status.as_u16(), 429 | 502..=504).then_some(Self::UNAVAILABLE)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match usize::try_from(self.0).ok().and_then(|code| NAMES.get(code)) {
            Some(name) => f.write_str(name),
            None => write!(f, "gRPC status {}", self.0),
        }
    }
}

/// The message of an answer, or what the answer says instead.
pub(super) fn judge(
    host: &str,
    status: StatusCode,
    headers: &HeaderMap,
    trailers: Option<&HeaderMap>,
    body: &[u8],
) -> Result<Vec<u8>, GatewayError> {
    let host = host.to_owned();
    // Without a message the status may stand in the headers already.
    let said = trailers.filter(|trailers| trailers.contains_key("grpc-status")).unwrap_or(headers);
    let text = || beginning(&String::from_utf8_lossy(body));
    let Some(code) = said.get("grpc-status") else {
        let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        return Err(match Code::of_http(status) {
            Some(code) => GatewayError::Grpc { host, code, message: text() },
            None if status == StatusCode::NOT_FOUND && body.is_empty() => GatewayError::Status { host, status: 404, body: text() },
            None if status == StatusCode::OK && kind.starts_with("application/grpc") => {
                GatewayError::Unreadable { host, message: "it ended without a gRPC status".into() }
            }
            None => GatewayError::NotGrpc { host, saw: format!("{} {}", status.as_u16(), text()) },
        });
    };
    match code.to_str().ok().and_then(|code| code.parse().ok()).map(Code) {
        Some(Code::OK) => match unframed(body) {
            Ok(message) => Ok(message.to_vec()),
            Err(error) => Err(GatewayError::Unreadable { host, message: error.to_string() }),
        },
        Some(code) => Err(GatewayError::Grpc { host, code, message: message(said) }),
        None => Err(GatewayError::Unreadable { host, message: "its gRPC status is not a number".into() }),
    }
}

/// `grpc-message`, which is percent-encoded; empty where there is none.
fn message(said: &HeaderMap) -> String {
    let encoded = said.get("grpc-message").map(http::HeaderValue::as_bytes).unwrap_or_default();
    let mut bytes = Vec::new();
    let mut rest = encoded;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()) {
            Some(value) if byte == b'%' => {
                bytes.push(value);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    if bytes.is_empty() { String::new() } else { beginning(&String::from_utf8_lossy(&bytes)) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::frame::framed;
    use super::*;
    use crate::error::Explain as _;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn judged(status: u16, of: &[(&'static str, &str)], trailers: &[(&'static str, &str)], body: &[u8]) -> Result<Vec<u8>, GatewayError> {
        judge("h", StatusCode::from_u16(status).unwrap(), &headers(of), Some(&headers(trailers)), body)
    }

    const GRPC: (&str, &str) = ("content-type", "application/grpc");

    #[test]
    fn an_answer_is_its_message() {
        assert_eq!(judged(200, &[GRPC], &[("grpc-status", "0")], &framed(b"yes")).unwrap(), b"yes");
    }

    /// Envoy answers a gRPC request that it has no route for with UNIMPLEMENTED and no message, a server whose method is missing with one.
    #[test]
    fn what_a_status_is_called() {
        let id =
            |code: &str, message: &str| judged(200, &[GRPC, ("grpc-status", code), ("grpc-message", message)], &[], b"").unwrap_err().id();
        assert_eq!(id("12", ""), "GATEWAY_404");
        assert_eq!(id("12", "Method not found!"), "GRPC_UNIMPLEMENTED");
        assert_eq!(id("14", "no healthy upstream"), "GRPC_UNAVAILABLE");
        assert_eq!(id("5", "Model m not found"), "GRPC_NOT_FOUND");
        assert_eq!(id("3", "X has 3 features"), "GRPC_INVALID_ARGUMENT");
        assert_eq!(id("13", "Internal server error"), "PREDICTION_FAILED");
        assert_eq!(id("x", ""), "PREDICTION_FAILED");
        let trailers = judged(200, &[GRPC], &[("grpc-status", "99"), ("grpc-message", "50%25 caf%C3%A9 %zz%")], b"").unwrap_err();
        assert_eq!(trailers.to_string(), "h answered gRPC status 99: 50% café %zz%");
    }

    #[test]
    fn answers_of_http_are_told_apart() {
        let id = |status, of: &[(&'static str, &str)], body: &[u8]| judged(status, of, &[], body).unwrap_err().id();
        assert_eq!(id(404, &[("content-type", "application/json")], br#"{"detail":"Not Found"}"#), "GRPC_HTTP_ONLY");
        assert_eq!(id(200, &[("content-type", "text/html")], b"<html>"), "GRPC_HTTP_ONLY");
        assert_eq!(id(404, &[], b""), "GATEWAY_404");
        assert_eq!(id(503, &[], b"no healthy upstream"), "GRPC_UNAVAILABLE");
        assert_eq!(id(200, &[GRPC], &framed(b"cut off before the trailers")), "PREDICTION_FAILED");
    }

    #[test]
    fn a_status_of_ok_needs_a_message() {
        let error = judged(200, &[GRPC, ("grpc-status", "0")], &[], b"").unwrap_err();
        assert_eq!(error.to_string(), "h sent an answer that cannot be used: it ends within its frame");
    }
}
