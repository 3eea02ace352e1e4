//! From the JSON of protocol v2 to a `ModelInferRequest`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::datatype::{Datatype, room};
use super::messages::{Choice, Contents, InferRequest, Parameter, Tensor, WantedOutput};
use crate::error::{Exit, Explain};

/// A body that cannot be put into the protocol's messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input cannot be sent over gRPC: {0}")]
pub struct InputError(String);

impl Explain for InputError {
    fn id(&self) -> &'static str {
        "USAGE"
    }
    fn exit(&self) -> Exit {
        Exit::Usage
    }
    fn hint(&self) -> Option<String> {
        Some(r#"JSON such as {"inputs": [{"name": "input-0", "shape": [1, 4], "datatype": "FP32", "data": [6.8, 2.8, 4.8, 1.4]}]}"#.into())
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    id: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<i64>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Value,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// The request that a body of v2 stands for.
pub(crate) fn request(model: &str, body: &Value) -> Result<InferRequest, InputError> {
    let body = Body::deserialize(body).map_err(|error| InputError(error.to_string()))?;
    Ok(InferRequest {
        model_name: model.to_owned(),
        id: body.id,
        parameters: parameters("the request", body.parameters)?,
        inputs: body.inputs.into_iter().map(tensor).collect::<Result<_, _>>()?,
        outputs: body
            .outputs
            .into_iter()
            .map(|wanted| Ok(WantedOutput { parameters: parameters(&wanted.name, wanted.parameters)?, name: wanted.name }))
            .collect::<Result<_, _>>()?,
    })
}

fn tensor(input: Input) -> Result<Tensor, InputError> {
    let wrong = |message: String| InputError(format!("{}: {message}", input.name));
    let datatype = Datatype::parse(&input.datatype).ok_or_else(|| wrong(format!("there is no datatype {}", input.datatype)))?;
    if datatype.only_raw() {
        return Err(wrong(format!("{} has no form in JSON; {} has", datatype.name(), Datatype::Fp32.name())));
    }
    let mut values = Vec::new();
    flatten(&input.data, &mut values);
    // KServe's servers answer this with an internal error that says nothing.
    if room(&input.shape) != Some(values.len()) {
        return Err(wrong(format!("it has {} values, which do not fill the shape {:?}", values.len(), input.shape)));
    }
    Ok(Tensor {
        contents: Some(contents(datatype, &values).map_err(wrong)?),
        parameters: parameters(&input.name, input.parameters)?,
        datatype: datatype.name().into(),
        shape: input.shape,
        name: input.name,
    })
}

/// The data may be nested as its shape is, or flat.
fn flatten<'a>(data: &'a Value, values: &mut Vec<&'a Value>) {
    match data {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, values)),
        value => values.push(value),
    }
}

fn contents(datatype: Datatype, values: &[&Value]) -> Result<Contents, String> {
    let mut out = Contents::default();
    let unfit = |value: &Value| format!("{value} is not of datatype {}", datatype.name());
    match datatype {
        Datatype::Bool => out.bools = each(values, unfit, Value::as_bool)?,
        Datatype::Int8 => out.ints = each(values, unfit, |value| i8::try_from(value.as_i64()?).ok().map(i32::from))?,
        Datatype::Int16 => out.ints = each(values, unfit, |value| i16::try_from(value.as_i64()?).ok().map(i32::from))?,
        Datatype::Int32 => out.ints = each(values, unfit, |value| i32::try_from(value.as_i64()?).ok())?,
        Datatype::Int64 => out.longs = each(values, unfit, Value::as_i64)?,
        Datatype::Uint8 => out.unsigned = each(values, unfit, |value| u8::try_from(value.as_u64()?).ok().map(u32::from))?,
        Datatype::Uint16 => out.unsigned = each(values, unfit, |value| u16::try_from(value.as_u64()?).ok().map(u32::from))?,
        Datatype::Uint32 => out.unsigned = each(values, unfit, |value| u32::try_from(value.as_u64()?).ok())?,
        Datatype::Uint64 => out.unsigned_longs = each(values, unfit, Value::as_u64)?,
        Datatype::Fp32 => out.floats = each(values, unfit, single)?,
        Datatype::Fp64 => out.doubles = each(values, unfit, Value::as_f64)?,
        Datatype::Bytes => out.bytes = each(values, unfit, bytes)?,
        Datatype::Fp16 | Datatype::Bf16 => {}
    }
    Ok(out)
}

fn each<T>(values: &[&Value], unfit: impl Fn(&Value) -> String, of: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, String> {
    values.iter().map(|value| of(value).ok_or_else(|| unfit(value))).collect()
}

fn single(value: &Value) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "the nearest one is what FP32 means")]
    let single = value.as_f64()? as f32;
    single.is_finite().then_some(single)
}

/// A text, or `{"b64": …}` for what is none, as TensorFlow's and KServe's v1 write it.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(fields) if fields.len() == 1 => STANDARD.decode(fields.get("b64")?.as_str()?).ok(),
        _ => None,
    }
}

fn parameters(place: &str, given: Map<String, Value>) -> Result<BTreeMap<String, Parameter>, InputError> {
    let choice = |value: &Value| {
        Some(match value {
            Value::Bool(value) => Choice::Bool(*value),
            Value::String(text) => Choice::Text(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Choice::Int(number),
                (None, Some(number)) => Choice::Unsigned(number),
                (None, None) => Choice::Double(number.as_f64()?),
            },
            _ => return None,
        })
    };
    let one = |(name, value): (String, Value)| match choice(&value) {
        Some(choice) => Ok((name, Parameter { choice: Some(choice) })),
        None => Err(InputError(format!("{place}: parameter {name} is neither a text nor a number nor true or false"))),
    };
    given.into_iter().map(one).collect()
}
