//! `state.json`: read, and written back as what was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::state::State;
use quickstart_fuzz::file;

fuzz_target!(|data: &[u8]| {
    let path = file("state.json", data);
    let Ok(Some(state)) = State::read(&path) else { return };
    let text = serde_json::to_string(&state).expect("a state is JSON");
    let again = State::read(&file("again.json", text.as_bytes())).expect("ours").expect("is there");
    assert_eq!(serde_json::to_string(&again).expect("a state is JSON"), text);
});
