//! Text on its way into the archive of logs, and the certificates that doctor reads: no secret goes through, whatever stands before it.
//!
//! The first byte: 1 says that the text may begin in the middle of something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::doctor::fuzzing::expiries;
use quickstart::logs::fuzzing::redacted;

const SECRET: &str = "Zx81-quokka-7f3e9a";

fuzz_target!(|data: &[u8]| {
    let Some((how, text)) = data.split_first() else { return };
    let torn = how & 1 == 1;
    redacted(text, torn).expect("no stream that fails");
    if let Ok(text) = std::str::from_utf8(text) {
        expiries(text);
    }
    // The fuzzer reads along and writes the word itself.
    if holds(text) {
        return;
    }
    let planted = [text, format!("\npassword: {SECRET}\n").as_bytes()].concat();
    let safe = redacted(&planted, torn).expect("no stream that fails");
    assert!(!holds(&safe), "{}", String::from_utf8_lossy(&safe));
});

fn holds(text: &[u8]) -> bool {
    text.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}
