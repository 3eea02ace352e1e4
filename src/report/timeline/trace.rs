//! Chrome's trace event format, for chrome://tracing and Perfetto ("Trace Event Format", complete events `X`, times in microseconds).

use serde_json::{Value, json};

use super::{link, told};
use crate::timeline::Timeline;

/// One thread per stage; waits lie inside of it.
pub fn timeline_trace(run: &Timeline) -> Value {
    let name = format!("quickstart {} {}", run.verb, run.cluster);
    let mut events = vec![json!({"name": "process_name", "ph": "M", "pid": 1, "args": {"name": name}})];
    for (number, lane) in run.stages.iter().enumerate() {
        let Some(began) = lane.began_ms else { continue };
        let thread = number + 1;
        events.push(json!({"name": "thread_name", "ph": "M", "pid": 1, "tid": thread, "args": {"name": lane.stage}}));
        let facts = json!({"ended": lane.ended, "critical": link(run, lane).is_some(), "told": told(lane)});
        events.push(span(&lane.stage.to_string(), "stage", thread, (began, lane.took_ms()), &facts));
        for wait in &lane.waits {
            let span_of = (wait.from_ms.max(began), wait.to_ms.saturating_sub(wait.from_ms.max(began)));
            events.push(span(&wait.what, "wait", thread, span_of, &json!({"saw": wait.saw})));
        }
    }
    json!({"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"set": run.set, "profile": run.profile, "at": run.at}})
}

fn span(name: &str, kind: &str, thread: usize, (from, took): (u64, u64), facts: &Value) -> Value {
    json!({"name": name, "cat": kind, "ph": "X", "pid": 1, "tid": thread, "ts": from * 1000, "dur": took * 1000, "args": facts})
}
