//! Refusals as the API server words them: `Status` objects, and the plain page of a path that nobody serves.

use serde_json::{Value, json};

use super::resources::Resource;

/// An answer that is not a success.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP code.
    pub code: u16,
    /// `None` for the plain 404 page.
    pub status: Option<Value>,
}

impl Refusal {
    /// A `Status` with these parts.
    pub fn new(code: u16, reason: &str, message: impl Into<String>, details: Value) -> Self {
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message.into(), "reason": reason, "code": code});
        if !details.is_null() {
            status["details"] = details;
        }
        Self { code, status: Some(status) }
    }

    /// A path that no group, version or resource answers to: the real server writes a plain page, which client-go words as
    /// "the server could not find the requested resource".
    pub fn page_not_found() -> Self {
        Self { code: 404, status: None }
    }

    /// `deployments.apps "x" not found`.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified()), details(resource, name))
    }

    /// `namespaces "x" not found`, for an object that should go into it.
    pub fn no_namespace(name: &str) -> Self {
        Self::new(404, "NotFound", format!("namespaces \"{name}\" not found"), json!({"name": name, "kind": "namespaces"}))
    }

    /// A create of what is there.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()), details(resource, name))
    }

    /// A write that carries an old resourceVersion.
    pub fn modified(resource: &Resource, name: &str) -> Self {
        let what = resource.qualified();
        let message = format!(
            "Operation cannot be fulfilled on {what} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
        );
        Self::new(409, "Conflict", message, details(resource, name))
    }

    /// Server-side apply met fields of other managers; `(manager, field)` of each.
    pub fn apply_conflict(api_version: &str, conflicts: &[(String, String)]) -> Self {
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with \"{manager}\" using {api_version}"), "field": field})
            })
            .collect();
        let list: Vec<String> = conflicts.iter().map(|(_, field)| format!("- {field}")).collect();
        let count = conflicts.len();
        let message = match conflicts {
            [(manager, field)] => format!("Apply failed with 1 conflict: conflict with \"{manager}\" using {api_version}: {field}"),
            _ => format!(
                "Apply failed with {count} conflicts: conflicts with \"{}\" using {api_version}:\n{}",
                conflicts.first().map_or("", |(manager, _)| manager),
                list.join("\n")
            ),
        };
        Self::new(409, "Conflict", message, json!({"causes": causes}))
    }

    /// Validation.
    pub fn invalid(resource: &Resource, name: &str, field: &str, problem: &str) -> Self {
        let mut details = details(resource, name);
        details["kind"] = json!(resource.kind);
        details["causes"] = json!([{"reason": "FieldValueInvalid", "message": problem, "field": field}]);
        let kind = match resource.group.as_str() {
            "" => resource.kind.clone(),
            group => format!("{}.{group}", resource.kind),
        };
        Self::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {field}: {problem}"), details)
    }

    /// A request that makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    /// A webhook could not be asked.
    pub fn webhook_failed(webhook: &str, why: &str) -> Self {
        let cause = format!("failed calling webhook \"{webhook}\": failed to call webhook: {why}");
        let message = format!("Internal error occurred: {cause}");
        Self::new(500, "InternalError", message, json!({"causes": [{"message": cause}]}))
    }

    /// A webhook said no.
    pub fn denied(code: u16, webhook: &str, why: &str) -> Self {
        let reason = if code == 403 { "Forbidden" } else { "BadRequest" };
        Self::new(code, reason, format!("admission webhook \"{webhook}\" denied the request: {why}"), Value::Null)
    }

    /// What a scripted fault of this code says.
    pub fn scripted(code: u16) -> Self {
        match code {
            403 => Self::new(403, "Forbidden", "forbidden: User \"kubernetes-admin\" cannot do this at the cluster scope", Value::Null),
            409 => Self::new(409, "Conflict", "Operation cannot be fulfilled: the object has been modified", Value::Null),
            422 => Self::new(422, "Invalid", "the object is invalid: scripted", Value::Null),
            429 => Self::new(429, "TooManyRequests", "too many requests, please try again later", json!({"retryAfterSeconds": 1})),
            503 => Self::new(503, "ServiceUnavailable", "the server is currently unable to handle the request", Value::Null),
            504 => Self::new(504, "Timeout", "etcdserver: request timed out", Value::Null),
            code => Self::new(code, "InternalError", "Internal error occurred: scripted", Value::Null),
        }
    }
}

fn details(resource: &Resource, name: &str) -> Value {
    let mut details = json!({"name": name, "kind": resource.plural});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    details
}
