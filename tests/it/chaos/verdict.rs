//! Is it what the script implies? And what holds of every run.

use serde_json::{Value, json};

use super::{script::Script, wrong::Allowed};
use crate::{
    small::{error_id, of},
    support::sandbox::Output,
};

/// Texts that must never reach a person: a panic, or the Debug form of a library's error.
const NEVER: &[&str] = &[
    "panicked at",
    "RUST_BACKTRACE",
    "ErrorResponse",
    "Status {",
    "Os {",
    "HyperError",
    "hyper::Error",
    "reqwest::Error",
    "Some(",
    "Err(",
];

pub(super) fn that(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Exit 0.
pub(super) fn success(output: &Output, what: &str) -> Result<(), String> {
    that(output.code == Some(0), || format!("{what} failed:\n{}", brief(output)))?;
    talk(output)
}

/// The end of a run with `-o json` holds the answer of the model.
pub(super) fn prediction(output: &Output) -> Result<(), String> {
    let last = output.events().pop().unwrap_or_default();
    that(last["outcome"]["prediction"] == json!({"predictions": [1, 1]}), || format!("no prediction: {last}"))
}

/// The outcome's name, when the script allows it and the run told it as it must.
pub(super) fn judge(script: &Script, output: &Output) -> Result<String, String> {
    let allowed = allowed(script);
    talk(output)?;
    let told = match output.code {
        None => {
            that(allowed.killed, || format!("killed:\n{}", brief(output)))?;
            return Ok("killed".into());
        }
        // What a second run said while it waited was read by somebody else.
        Some(130) if script.wrongs[0] == super::wrong::Wrong::WaitInterrupted => return Ok("INTERRUPTED (130)".into()),
        Some(0) => {
            that(allowed.success, || format!("it succeeded, and should have ended with {:?}:\n{}", allowed.failures, brief(output)))?;
            None
        }
        Some(code) => Some((if script.json { json_id(output)? } else { plain_id(output)? }, code)),
    };
    if script.json {
        events(output)?;
    }
    let Some((id, code)) = told else {
        that(script.json || output.stdout.contains("[1, 1]"), || format!("no prediction:\n{}", brief(output)))?;
        return Ok("ok".into());
    };
    let expected = allowed.failures.iter().any(|(name, exit)| *name == id && *exit == code);
    that(expected, || format!("{id} ({code}) instead of {:?}, success: {}\n{}", allowed.failures, allowed.success, brief(output)))?;
    Ok(format!("{id} ({code})"))
}

/// Success only where every fault lets it pass; a failure where one of them explains it.
fn allowed(script: &Script) -> Allowed {
    let mut all = Allowed { success: true, ..Allowed::default() };
    for wrong in &script.wrongs {
        let one = wrong.allowed();
        all.success &= one.success;
        all.killed |= one.killed;
        all.failures.extend(one.failures);
    }
    all
}

fn talk(output: &Output) -> Result<(), String> {
    let bad = NEVER.iter().find(|text| output.stderr.contains(**text) || output.stdout.contains(**text));
    that(bad.is_none(), || format!("{bad:?} was printed:\n{}", brief(output)))
}

/// Three lines, and nothing on standard output.
fn plain_id(output: &Output) -> Result<String, String> {
    let errors = output.stderr.lines().filter(|line| line.starts_with("error[")).count();
    that(errors == 1, || format!("{errors} errors:\n{}", brief(output)))?;
    that(output.stderr.lines().any(|line| line.starts_with("hint: ")), || format!("no hint:\n{}", brief(output)))?;
    that(output.stdout.is_empty(), || format!("stdout is data:\n{}", brief(output)))?;
    Ok(error_id(output).unwrap_or_default().to_owned())
}

fn json_id(output: &Output) -> Result<String, String> {
    let last = output.stdout.lines().last().unwrap_or_default();
    let last: Value = serde_json::from_str(last).map_err(|error| format!("{error}: {last}\n{}", brief(output)))?;
    let failure = if last["error"].is_object() { &last["error"] } else { &last["failure"] };
    that(failure["hint"].is_string(), || format!("no hint: {last}"))?;
    Ok(failure["id"].as_str().unwrap_or_default().to_owned())
}

/// First the start, last the end, each once; nothing of a stage before it starts or after it has ended; each ends once.
fn events(output: &Output) -> Result<(), String> {
    let mut all = Vec::new();
    for line in output.stdout.lines() {
        all.push(serde_json::from_str::<Value>(line).map_err(|error| format!("stdout is data: {error}: {line}"))?);
    }
    if all.len() == 1 && all[0]["error"].is_object() {
        return Ok(());
    }
    that(all.first().is_some_and(|first| first["event"] == "run_started"), || format!("it starts with {:?}", all.first()))?;
    let last = all.last().cloned().unwrap_or_default();
    that(last["event"] == "run_finished" && last["exit"] == json!(output.code), || format!("it ends with {last}"))?;
    that(of(&all, "run_started").len() == 1 && of(&all, "run_finished").len() == 1, || "two starts or two ends".into())?;
    let (mut started, mut ended) = (Vec::new(), Vec::new());
    for event in &all {
        let stage = event["stage"].clone();
        match event["event"].as_str().unwrap_or_default() {
            "stage_started" => {
                that(!started.contains(&stage), || format!("{stage} started twice"))?;
                started.push(stage);
            }
            "stage_finished" | "stage_skipped" | "stage_failed" => {
                that(started.contains(&stage) && !ended.contains(&stage), || format!("{stage} ended out of turn"))?;
                ended.push(stage);
            }
            "stage_cancelled" => {
                that(!ended.contains(&stage), || format!("{stage} ended twice"))?;
                ended.push(stage);
            }
            "object_applied" | "check_passed" => {
                that(started.contains(&stage) && !ended.contains(&stage), || format!("{stage} is not at work: {event}"))?;
            }
            _ => {}
        }
    }
    let planned = all[0]["stages"].as_array().map_or(0, Vec::len);
    that(ended.len() == planned, || format!("{} of {planned} stages ended", ended.len()))
}

/// The end of what a run printed.
fn brief(output: &Output) -> String {
    let text = output.text();
    let lines: Vec<&str> = text.lines().collect();
    let shown: Vec<String> = lines.iter().rev().take(25).rev().map(|line| line.chars().take(400).collect()).collect();
    shown.join("\n")
}
