//! Faults by script, and the log of requests; the API server and the engine share both.

use std::time::Duration;

use serde_json::Value;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// This HTTP code, with the `Status` that belongs to it.
    Status(u16),
    /// This HTTP code and body, as JSON.
    Answer(u16, Value),
    /// No answer while the server lives.
    Hang,
    /// The connection ends without a byte.
    Close,
    /// The client is killed while the server works on its write: nothing is stored.
    ClientGone,
    /// The right answer, half of it at once and the rest after this time.
    SlowBody(Duration),
    /// The right answer, cut in the middle.
    CutBody,
}

impl FaultKind {
    /// The API server's 500 for a webhook that it could not ask.
    pub fn webhook(name: &str, why: &str) -> Self {
        Self::Answer(500, super::status::Refusal::webhook_failed(name, why).status.unwrap_or_default())
    }
}

/// A fault: which requests, how many of them, and what happens to them.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `None`: every method.
    pub method: Option<&'static str>,
    /// A part of path and query.
    pub path_contains: String,
    /// How many requests it hits; `u32::MAX` for all.
    pub times: u32,
    /// What happens.
    pub kind: FaultKind,
}

impl Fault {
    /// For requests whose path contains this, of every method.
    pub fn on(path_contains: &str, times: u32, kind: FaultKind) -> Self {
        Self { method: None, path_contains: path_contains.to_owned(), times, kind }
    }

    /// The same for one method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }
}

/// Takes the first fault that fits, and counts it.
pub fn take(faults: &mut [Fault], method: &str, target: &str) -> Option<FaultKind> {
    let fault = faults
        .iter_mut()
        .find(|fault| fault.times > 0 && fault.method.is_none_or(|wanted| wanted == method) && target.contains(&fault.path_contains))?;
    if fault.times != u32::MAX {
        fault.times -= 1;
    }
    Some(fault.kind.clone())
}

/// A request as a fake saw it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// `GET`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Without `?`.
    pub query: String,
    /// Of the body.
    pub content_type: String,
    /// sha256 of the body, in hexadecimal.
    pub digest: String,
    /// The body where it is JSON of at most 256 KiB.
    pub body: Option<Value>,
    /// The answer's code; 0 for a connection that was cut or left hanging.
    pub code: u16,
    /// True when the request changed what is stored.
    pub changed: bool,
}

impl Logged {
    /// A record of a request that is not answered yet.
    pub fn new(method: &str, path: &str, query: &str, content_type: &str, body: &[u8]) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            content_type: content_type.to_owned(),
            digest: sha256(body),
            body: (body.len() <= 256 << 10).then(|| serde_json::from_slice(body).ok()).flatten(),
            code: 0,
            changed: false,
        }
    }

    /// `PATCH /api/v1/namespaces/x?fieldManager=quickstart → 201`.
    pub fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{} → {}", self.method, self.path, self.query, self.code)
    }
}

/// In hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}
