//! The Open Inference Protocol over gRPC: the same JSON as v2 in and out, protobuf in between.

mod datatype;
mod decode;
mod encode;
mod messages;
#[cfg(test)]
mod tests;

use prost::Message as _;
use serde_json::Value;

pub use encode::InputError;

/// The method, as a path.
pub(super) const METHOD: &str = "/inference.GRPCInferenceService/ModelInfer";

/// A body of v2 as the bytes of a `ModelInferRequest`.
pub(super) fn encode(model: &str, body: &Value) -> Result<Vec<u8>, InputError> {
    Ok(encode::request(model, body)?.encode_to_vec())
}

/// The bytes of a `ModelInferResponse` as v2 answers; an error says what is wrong with them.
pub fn decode(bytes: &[u8]) -> Result<Value, String> {
    decode::answer(messages::InferResponse::decode(bytes).map_err(|error| error.to_string())?)
}

/// A body of v2 as grpcurl takes it.
pub(super) fn json(model: &str, body: &Value) -> Result<String, InputError> {
    let request = encode::request(model, body)?;
    // Texts, numbers and lists: nothing that JSON could refuse.
    Ok(serde_json::to_string(&request).unwrap_or_default())
}
