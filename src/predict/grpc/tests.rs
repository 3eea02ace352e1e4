use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::datatype::Datatype;
use super::messages::{Contents, InferRequest, InferResponse, Parameter, Tensor};
use super::{decode, encode, json};

/// What a model that gives back its input would answer.
fn echoed(request: &[u8]) -> Vec<u8> {
    let request = InferRequest::decode(request).unwrap();
    let InferRequest { model_name, id, parameters, inputs, .. } = request;
    InferResponse { model_name, id, parameters, outputs: inputs, ..InferResponse::default() }.encode_to_vec()
}

fn of(datatype: &str, shape: &[i64], data: &Value) -> Value {
    json!({"name": "t", "shape": shape, "datatype": datatype, "data": data})
}

/// Encodes one input and decodes it again.
fn there_and_back(input: &Value) -> Result<Value, String> {
    let bytes = encode("m", &json!({"inputs": [input]})).map_err(|error| error.to_string())?;
    Ok(decode(&echoed(&bytes))?["outputs"][0].clone())
}

fn raw(datatype: &str, shape: &[i64], bytes: &[u8]) -> Result<Value, String> {
    let tensor = Tensor { name: "t".into(), datatype: datatype.into(), shape: shape.to_vec(), ..Tensor::default() };
    let response = InferResponse { outputs: vec![tensor], raw_output_contents: vec![bytes.to_vec()], ..InferResponse::default() };
    Ok(decode(&response.encode_to_vec())?["outputs"][0]["data"].clone())
}

/// Field by field as protoc's own encoder writes it: a number of a field that is off by one would only be noticed by a real server.
#[test]
fn the_bytes_of_a_request() {
    let body = json!({"id": "7", "parameters": {"p": true}, "inputs": [{"name": "x", "shape": [1, 2], "datatype": "INT32", "data": [1, 300]}],
        "outputs": [{"name": "y"}]});
    let wanted = [
        b"\x0a\x01m".as_slice(),
        b"\x1a\x017",
        b"\x22\x07\x0a\x01p\x12\x02\x08\x01",
        b"\x2a\x15\x0a\x01x\x12\x05INT32\x1a\x02\x01\x02\x2a\x05\x12\x03\x01\xac\x02",
        b"\x32\x03\x0a\x01y",
    ];
    assert_eq!(encode("m", &body).unwrap(), wanted.concat());
}

#[test]
fn every_datatype_goes_there_and_back() {
    for (datatype, data) in [
        ("BOOL", json!([true, false])),
        ("INT8", json!([-128, 127])),
        ("INT16", json!([-32768, 32767])),
        ("INT32", json!([i32::MIN, i32::MAX])),
        ("INT64", json!([i64::MIN, i64::MAX])),
        ("UINT8", json!([0, 255])),
        ("UINT16", json!([0, 65535])),
        ("UINT32", json!([0, u32::MAX])),
        ("UINT64", json!([0, u64::MAX])),
        ("FP32", json!([0.1, -6.8])),
        ("FP64", json!([0.1, 1e300])),
        ("BYTES", json!(["Blüte", {"b64": "/w=="}])),
    ] {
        let input = of(datatype, &[2], &data);
        assert_eq!(there_and_back(&input).unwrap(), input);
    }
}

#[test]
fn what_is_not_of_its_datatype_is_refused_with_its_name() {
    for (datatype, shape, data, says) in [
        ("INT8", 1, json!([128]), "t: 128 is not of datatype INT8"),
        ("UINT32", 1, json!([-1]), "t: -1 is not of datatype UINT32"),
        ("INT32", 1, json!([1.5]), "t: 1.5 is not of datatype INT32"),
        ("BOOL", 1, json!([1]), "t: 1 is not of datatype BOOL"),
        ("FP32", 1, json!([1e300]), "is not of datatype FP32"),
        ("BYTES", 1, json!([1]), "t: 1 is not of datatype BYTES"),
        ("FP16", 1, json!([1.0]), "t: FP16 has no form in JSON; FP32 has"),
        ("fp32", 1, json!([1.0]), "t: there is no datatype fp32"),
        ("FP32", 2, json!([1.0]), "t: it has 1 values, which do not fill the shape [2]"),
        ("FP32", -1, json!([1.0]), "which do not fill the shape [-1]"),
    ] {
        let error = there_and_back(&of(datatype, &[shape], &data)).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    assert!(encode("m", &json!({"instances": []})).unwrap_err().to_string().contains("missing field `inputs`"));
    let listed = json!({"parameters": {"p": []}, "inputs": []});
    assert!(encode("m", &listed).unwrap_err().to_string().contains("the request: parameter p"));
}

#[test]
fn nested_data_and_parameters() {
    let nested = of("FP64", &[2, 2], &json!([[1.0, 2.0], [3.0, 4.0]]));
    assert_eq!(there_and_back(&nested).unwrap()["data"], json!([1.0, 2.0, 3.0, 4.0]));
    let body = json!({"parameters": {"a": "x", "b": -1, "c": 1.5, "d": false, "e": u64::MAX}, "inputs": []});
    assert_eq!(decode(&echoed(&encode("m", &body).unwrap())).unwrap()["parameters"], body["parameters"]);
}

/// Field names of the protocol's file, bytes in Base64: what grpcurl reads.
#[test]
fn the_json_of_grpcurl() {
    let body = json!({"parameters": {"p": 2}, "inputs": [of("BYTES", &[1], &json!(["ja"])), of("INT64", &[1], &json!([5]))]});
    let wanted = json!({"model_name": "m", "parameters": {"p": {"int64_param": 2}}, "inputs": [
        {"name": "t", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": ["amE="]}},
        {"name": "t", "datatype": "INT64", "shape": [1], "contents": {"int64_contents": [5]}}]});
    assert_eq!(serde_json::from_str::<Value>(&json("m", &body).unwrap()).unwrap(), wanted);
}

/// Triton and whoever is asked in raw form answer so.
#[test]
fn raw_contents() {
    assert_eq!(raw("FP32", &[2], &[0, 0, 128, 63, 0, 0, 0, 192]).unwrap(), json!([1.0, -2.0]));
    assert_eq!(raw("INT64", &[1], &(-2_i64).to_le_bytes()).unwrap(), json!([-2]));
    assert_eq!(raw("BOOL", &[2], &[0, 1]).unwrap(), json!([false, true]));
    assert_eq!(raw("BYTES", &[2], b"\x02\0\0\0ja\x01\0\0\0\xff").unwrap(), json!(["ja", {"b64": "/w=="}]));
    assert_eq!(raw("FP32", &[1], &f32::NAN.to_le_bytes()).unwrap(), json!([null]));
    let halves = [0x3c00_u16, 0xc000, 0x7bff, 0x0001, 0x7c00];
    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    assert_eq!(raw("FP16", &[5], &bytes).unwrap(), json!([1.0, -2.0, 65504.0, 5.960_464_5e-8, null]));
    assert_eq!(raw("BF16", &[1], &[0x80, 0x3f]).unwrap(), json!([1.0]));
}

#[test]
fn what_a_server_may_answer_wrongly() {
    let says = |answer: Result<Value, String>, text: &str| {
        let error = answer.unwrap_err();
        assert!(error.contains(text), "{error}");
    };
    says(raw("FP32", &[2], &[0; 7]), "7 raw bytes for values of 4 bytes");
    says(raw("FP32", &[2], &[0; 4]), "1 values of datatype FP32 for the shape [2]");
    says(raw("FP32", &[-1], &[0; 4]), "for the shape [-1]");
    says(raw("UINT8", &[i64::MAX, i64::MAX], &[0]), "for the shape");
    says(raw("BYTES", &[1], b"\x02\0\0"), "raw bytes end within a length");
    says(raw("BYTES", &[1], b"\xff\xff\xff\xffa"), "raw bytes end within a value");
    says(raw("COMPLEX", &[1], &[0]), "there is no datatype COMPLEX");
    let response = InferResponse { raw_output_contents: vec![Vec::new()], ..InferResponse::default() };
    says(decode(&response.encode_to_vec()), "0 outputs with 1 raw contents");
    let elsewhere = Tensor {
        datatype: "INT64".into(),
        shape: vec![1],
        contents: Some(Contents { ints: vec![1], ..Contents::default() }),
        ..Tensor::default()
    };
    says(decode(&InferResponse { outputs: vec![elsewhere], ..InferResponse::default() }.encode_to_vec()), "0 values of datatype INT64");
    let unset = InferResponse { parameters: [("p".to_owned(), Parameter::default())].into(), ..InferResponse::default() };
    assert_eq!(decode(&unset.encode_to_vec()).unwrap()["parameters"], json!({"p": null}));
}

fn tensors() -> impl Strategy<Value = Value> {
    let datatypes: Vec<Datatype> = Datatype::all().filter(|datatype| !datatype.only_raw()).collect();
    let items = proptest::collection::vec((any::<i64>(), any::<f64>(), any::<Vec<u8>>()), 0..20);
    (proptest::sample::select(datatypes), items, ".*").prop_map(|(datatype, items, name)| {
        let data: Vec<Value> = items.into_iter().map(|(int, float, bytes)| value(datatype, int, float, &bytes)).collect();
        json!({"name": name, "shape": [data.len()], "datatype": datatype.name(), "data": data})
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "any value of the type will do")]
fn value(datatype: Datatype, int: i64, float: f64, bytes: &[u8]) -> Value {
    match datatype {
        Datatype::Bool => json!(int % 2 == 0),
        Datatype::Int8 => json!(int as i8),
        Datatype::Int16 => json!(int as i16),
        Datatype::Int32 => json!(int as i32),
        Datatype::Int64 => json!(int),
        Datatype::Uint8 => json!(int as u8),
        Datatype::Uint16 => json!(int as u16),
        Datatype::Uint32 => json!(int as u32),
        Datatype::Uint64 => json!(int as u64),
        // Eight bits of a fraction: one decimal in FP32 as in FP64.
        Datatype::Fp32 | Datatype::Fp16 | Datatype::Bf16 => json!(f64::from(int as i8) / 256.0),
        Datatype::Fp64 => json!(float),
        Datatype::Bytes => std::str::from_utf8(bytes).map_or_else(|_| json!({"b64": base64(bytes)}), |text| json!(text)),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(tensor in tensors()) {
        prop_assert_eq!(there_and_back(&tensor).unwrap(), tensor);
    }

    #[test]
    fn bytes_of_a_server_are_an_answer_or_an_error(bytes: Vec<u8>, datatype in "[A-Z0-9]{4,6}", shape: Vec<i64>) {
        let _ = decode(&bytes);
        let _ = raw(&datatype, &shape, &bytes);
    }
}
