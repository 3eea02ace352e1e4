//! An archive of `docker save`: its tags, and its repair.
//!
//! The first byte: 1 puts checksums of headers right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::bundle::{repair, tags};
use quickstart_fuzz::{file, mended};

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    let bytes = if how & 1 == 1 { mended(bytes) } else { bytes.to_vec() };
    let path = file("image.tar", &bytes);
    let _ = tags(&path);
    if let Ok(true) = repair(&path, "amd64") {
        assert!(matches!(repair(&path, "amd64"), Ok(false)), "what was repaired needs no repair");
    }
});
