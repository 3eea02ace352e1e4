//! The messages of `inference.GRPCInferenceService/ModelInfer`, with the field numbers of `open_inference_grpc.proto`
//! (kserve/open-inference-protocol; KServe 0.20 has the same ones). As JSON they are what grpcurl takes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

/// `ModelInferRequest`, without the raw form of its contents.
#[derive(Clone, PartialEq, Serialize, prost::Message)]
pub(crate) struct InferRequest {
    #[prost(string, tag = "1")]
    pub(crate) model_name: String,
    #[prost(string, tag = "3")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    #[prost(btree_map = "string, message", tag = "4")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parameters: BTreeMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) inputs: Vec<Tensor>,
    #[prost(message, repeated, tag = "6")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) outputs: Vec<WantedOutput>,
}

/// `InferInputTensor` and `InferOutputTensor`, which are the same.
#[derive(Clone, PartialEq, Serialize, prost::Message)]
pub(crate) struct Tensor {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub(crate) shape: Vec<i64>,
    #[prost(btree_map = "string, message", tag = "4")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parameters: BTreeMap<String, Parameter>,
    #[prost(message, optional, tag = "5")]
    pub(crate) contents: Option<Contents>,
}

/// `InferRequestedOutputTensor`.
#[derive(Clone, PartialEq, Serialize, prost::Message)]
pub(crate) struct WantedOutput {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(btree_map = "string, message", tag = "2")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parameters: BTreeMap<String, Parameter>,
}

/// `ModelInferResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct InferResponse {
    #[prost(string, tag = "1")]
    pub(crate) model_name: String,
    #[prost(string, tag = "2")]
    pub(crate) model_version: String,
    #[prost(string, tag = "3")]
    pub(crate) id: String,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(crate) parameters: BTreeMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) outputs: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub(crate) raw_output_contents: Vec<Vec<u8>>,
}

/// `InferParameter`.
#[derive(Clone, PartialEq, Serialize, prost::Message)]
pub(crate) struct Parameter {
    #[prost(oneof = "Choice", tags = "1, 2, 3, 4, 5")]
    #[serde(flatten)]
    pub(crate) choice: Option<Choice>,
}

/// Its value.
#[derive(Clone, PartialEq, Serialize, prost::Oneof)]
pub(crate) enum Choice {
    #[prost(bool, tag = "1")]
    #[serde(rename = "bool_param")]
    Bool(bool),
    #[prost(int64, tag = "2")]
    #[serde(rename = "int64_param")]
    Int(i64),
    #[prost(string, tag = "3")]
    #[serde(rename = "string_param")]
    Text(String),
    #[prost(double, tag = "4")]
    #[serde(rename = "double_param")]
    Double(f64),
    #[prost(uint64, tag = "5")]
    #[serde(rename = "uint64_param")]
    Unsigned(u64),
}

/// `InferTensorContents`: one of its lists has the values, which one depends on the tensor's datatype.
#[derive(Clone, PartialEq, Serialize, prost::Message)]
pub(crate) struct Contents {
    #[prost(bool, repeated, tag = "1")]
    #[serde(rename = "bool_contents", skip_serializing_if = "Vec::is_empty")]
    pub(crate) bools: Vec<bool>,
    #[prost(int32, repeated, tag = "2")]
    #[serde(rename = "int_contents", skip_serializing_if = "Vec::is_empty")]
    pub(crate) ints: Vec<i32>,
    #[prost(int64, repeated, tag = "3")]
    #[serde(rename = "int64_contents", skip_serializing_if = "Vec::is_empty")]
    pub(crate) longs: Vec<i64>,
    #[prost(uint32, repeated, tag = "4")]
    #[serde(rename = "uint_contents", skip_serializing_if = "Vec::is_empty")]
    pub(crate) unsigned: Vec<u32>,
    #[prost(uint64, repeated, tag = "5")]
    #[serde(rename = "uint64_contents", skip_serializing_if = "Vec::is_empty")]
    pub(crate) unsigned_longs: Vec<u64>,
    #[prost(float, repeated, tag = "6")]
    #[serde(rename = "fp32_contents", skip_serializing_if = "Vec::is_empty")]
    pub(crate) floats: Vec<f32>,
    #[prost(double, repeated, tag = "7")]
    #[serde(rename = "fp64_contents", skip_serializing_if = "Vec::is_empty")]
    pub(crate) doubles: Vec<f64>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    #[serde(rename = "bytes_contents", skip_serializing_if = "Vec::is_empty", serialize_with = "base64_each")]
    pub(crate) bytes: Vec<Vec<u8>>,
}

fn base64_each<S: Serializer>(all: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(all.len()))?;
    for bytes in all {
        list.serialize_element(&STANDARD.encode(bytes))?;
    }
    list.end()
}
