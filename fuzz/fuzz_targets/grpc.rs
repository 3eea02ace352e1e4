//! The message of a gRPC answer: decoded and printed. Nothing in it is believed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::predict::{decode_grpc, said};
use quickstart::report::values;

fuzz_target!(|data: &[u8]| {
    if let Ok(answer) = decode_grpc(data) {
        values(&answer);
        said(&answer);
    }
});
