//! From a `ModelInferResponse` to the JSON of protocol v2. Whatever a server says is checked: datatypes, sizes, shapes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value, json};

use super::datatype::{Datatype, room};
use super::messages::{Choice, Contents, InferResponse, Parameter, Tensor};

/// The answer as v2 would give it over HTTP. The error says what is wrong with it.
pub(crate) fn answer(response: InferResponse) -> Result<Value, String> {
    let mut raw = response.raw_output_contents.into_iter();
    if raw.len() != 0 && raw.len() != response.outputs.len() {
        return Err(format!("{} outputs with {} raw contents", response.outputs.len(), raw.len()));
    }
    let outputs: Result<Vec<Value>, String> = response.outputs.into_iter().map(|tensor| output(tensor, raw.next().as_deref())).collect();
    let mut answer = Map::new();
    answer.insert("model_name".into(), json!(response.model_name));
    for (key, text) in [("model_version", response.model_version), ("id", response.id)] {
        if !text.is_empty() {
            answer.insert(key.into(), json!(text));
        }
    }
    add_parameters(&mut answer, response.parameters);
    answer.insert("outputs".into(), json!(outputs?));
    Ok(answer.into())
}

fn output(tensor: Tensor, raw: Option<&[u8]>) -> Result<Value, String> {
    let wrong = |message: String| format!("output {}: {message}", tensor.name);
    let datatype = Datatype::parse(&tensor.datatype).ok_or_else(|| wrong(format!("there is no datatype {}", tensor.datatype)))?;
    let values = match (raw, tensor.contents) {
        (Some(raw), _) => of_raw(datatype, raw).map_err(wrong)?,
        (None, contents) => of_contents(datatype, contents.unwrap_or_default()),
    };
    if room(&tensor.shape) != Some(values.len()) {
        return Err(wrong(format!("{} values of datatype {} for the shape {:?}", values.len(), datatype.name(), tensor.shape)));
    }
    let mut output = Map::new();
    output.insert("name".into(), json!(tensor.name));
    output.insert("shape".into(), json!(tensor.shape));
    output.insert("datatype".into(), json!(datatype.name()));
    add_parameters(&mut output, tensor.parameters);
    output.insert("data".into(), Value::Array(values));
    Ok(output.into())
}

fn of_contents(datatype: Datatype, contents: Contents) -> Vec<Value> {
    match datatype {
        Datatype::Bool => list(contents.bools),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => list(contents.ints),
        Datatype::Int64 => list(contents.longs),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => list(contents.unsigned),
        Datatype::Uint64 => list(contents.unsigned_longs),
        Datatype::Fp32 => contents.floats.into_iter().map(single).collect(),
        Datatype::Fp64 => contents.doubles.into_iter().map(double).collect(),
        Datatype::Bytes => contents.bytes.iter().map(|bytes| text(bytes)).collect(),
        Datatype::Fp16 | Datatype::Bf16 => Vec::new(),
    }
}

/// Little-endian, without padding; each of BYTES has its length in four bytes before it.
fn of_raw(datatype: Datatype, raw: &[u8]) -> Result<Vec<Value>, String> {
    Ok(match datatype {
        Datatype::Bool => raw.iter().map(|byte| json!(*byte != 0)).collect(),
        Datatype::Int8 => list(each(raw, i8::from_le_bytes)?),
        Datatype::Int16 => list(each(raw, i16::from_le_bytes)?),
        Datatype::Int32 => list(each(raw, i32::from_le_bytes)?),
        Datatype::Int64 => list(each(raw, i64::from_le_bytes)?),
        Datatype::Uint8 => list(raw.to_vec()),
        Datatype::Uint16 => list(each(raw, u16::from_le_bytes)?),
        Datatype::Uint32 => list(each(raw, u32::from_le_bytes)?),
        Datatype::Uint64 => list(each(raw, u64::from_le_bytes)?),
        Datatype::Fp16 => each(raw, |bytes| single(half(u16::from_le_bytes(bytes))))?,
        Datatype::Bf16 => each(raw, |bytes| single(f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)))?,
        Datatype::Fp32 => each(raw, |bytes| single(f32::from_le_bytes(bytes)))?,
        Datatype::Fp64 => each(raw, |bytes| double(f64::from_le_bytes(bytes)))?,
        Datatype::Bytes => texts(raw)?,
    })
}

fn list<T: Into<Value>>(values: Vec<T>) -> Vec<Value> {
    values.into_iter().map(Into::into).collect()
}

fn each<T, const N: usize>(raw: &[u8], of: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (values, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("{} raw bytes for values of {N} bytes", raw.len()));
    }
    Ok(values.iter().copied().map(of).collect())
}

fn texts(mut raw: &[u8]) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    while !raw.is_empty() {
        let Some((length, rest)) = raw.split_first_chunk::<4>() else { return Err("raw bytes end within a length".into()) };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((value, rest)) = rest.split_at_checked(length) else { return Err("raw bytes end within a value".into()) };
        values.push(text(value));
        raw = rest;
    }
    Ok(values)
}

/// Text, or `{"b64": …}` where it is none: JSON has no bytes.
fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| json!({"b64": STANDARD.encode(bytes)}), |text| json!(text))
}

/// The shortest decimal that is this FP32; null for what JSON has no number for.
fn single(value: f32) -> Value {
    value.to_string().parse().map_or(Value::Null, double)
}

fn double(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// IEEE 754 binary16: one bit of sign, five of exponent, ten of fraction.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from((bits >> 10) & 0x1f), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2_f32.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

fn add_parameters(object: &mut Map<String, Value>, parameters: BTreeMap<String, Parameter>) {
    let value = |choice| match choice {
        Choice::Bool(value) => json!(value),
        Choice::Int(value) => json!(value),
        Choice::Text(value) => json!(value),
        Choice::Double(value) => double(value),
        Choice::Unsigned(value) => json!(value),
    };
    if !parameters.is_empty() {
        let parameters = parameters.into_iter().map(|(name, parameter)| (name, parameter.choice.map_or(Value::Null, value)));
        object.insert("parameters".into(), Value::Object(parameters.collect()));
    }
}
