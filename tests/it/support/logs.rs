//! `GET …/pods/X/log`: what the kubelet answers for a container in its state.

use serde_json::{Value, json};

use super::{
    routes::{Answer, Call},
    status::Refusal,
    store::World,
};

/// The end of a container's log, or the kubelet's word that there is none.
pub fn answer(world: &World, call: &Call<'_>, pod: &Value) -> Answer {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let statuses: Vec<&Value> =
        ["initContainerStatuses", "containerStatuses"].iter().filter_map(|key| pod["status"][key].as_array()).flatten().collect();
    let status = match (call.query.get("container"), statuses.as_slice()) {
        (Some(wanted), all) => {
            let found = all.iter().find(|status| status["name"] == json!(wanted));
            *found.ok_or_else(|| Refusal::bad_request(format!("container {wanted} is not valid for pod {name}")))?
        }
        (None, [only]) => only,
        (None, all) => {
            let names: Vec<&str> = all.iter().filter_map(|status| status["name"].as_str()).collect();
            let names = names.join(" ");
            return Err(Refusal::bad_request(format!("a container name must be specified for pod {name}, choose one of: [{names}]")));
        }
    };
    let container = status["name"].as_str().unwrap_or_default();
    let ended_before = !status["lastState"]["terminated"].is_null();
    let previous = call.query.get("previous").is_some_and(|value| value == "true");
    if previous && !ended_before {
        return Err(Refusal::bad_request(format!("previous terminated container \"{container}\" in pod \"{name}\" not found")));
    }
    if let Some(reason) = status["state"]["waiting"]["reason"].as_str().filter(|_| !ended_before) {
        return Err(Refusal::bad_request(format!("container \"{container}\" in pod \"{name}\" is waiting to start: {reason}")));
    }
    let number = |key: &str| call.query.get(key).and_then(|value| value.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let log = world.logs.get(container).map_or("", String::as_str);
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let mut text = lines[lines.len().saturating_sub(number("tailLines"))..].concat();
    text.truncate(number("limitBytes"));
    Ok((200, json!(text)))
}
