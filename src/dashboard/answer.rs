//! Every address of the page, and what is said there.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::page;
use super::server::Seen;
use crate::error::Failure;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TEXT: &str = "text/plain; charset=utf-8";

/// What can be said without looking at the cluster; `None` where that is needed.
pub(super) fn at_once<B>(request: &Request<B>, port: u16) -> Option<Response<Full<Bytes>>> {
    if !is_ours(request, port) {
        return Some(answer(StatusCode::MISDIRECTED_REQUEST, TEXT, "this page is at 127.0.0.1 and answers to no other name\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "this is for reading\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(refused);
    }
    match request.uri().path() {
        "/" | "/status.json" => None,
        "/page.js" => Some(answer(StatusCode::OK, "text/javascript; charset=utf-8", page::SCRIPT)),
        "/page.css" => Some(answer(StatusCode::OK, "text/css; charset=utf-8", page::STYLE)),
        // Browsers ask for it by themselves.
        "/favicon.ico" => Some(answer(StatusCode::OK, "image/x-icon", "")),
        _ => Some(answer(StatusCode::NOT_FOUND, TEXT, "there is no such page\n")),
    }
}

/// The page, or the same as JSON.
pub(super) fn looked<B>(request: &Request<B>, seen: &Result<Seen, Failure>) -> Response<Full<Bytes>> {
    if request.uri().path() == "/" {
        return answer(StatusCode::OK, "text/html; charset=utf-8", page::html(seen.as_ref()));
    }
    match seen {
        Ok(seen) => {
            answer(StatusCode::OK, "application/json", json!({"version": 1, "status": seen.report, "serving": seen.models}).to_string())
        }
        Err(failure) => {
            let text = json!({"version": 1, "error": {"id": failure.id, "what": failure.what}}).to_string();
            answer(StatusCode::SERVICE_UNAVAILABLE, "application/json", text)
        }
    }
}

/// Every name of this machine's own that leads here, and no other.
fn is_ours<B>(request: &Request<B>, port: u16) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let authority = request.uri().authority();
    let is_own = |host: &str| [format!("127.0.0.1:{port}"), format!("localhost:{port}")].iter().any(|own| own == host);
    host.to_str().is_ok_and(is_own) && authority.is_none_or(|authority| is_own(authority.as_str()))
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str, hosts: &[&str]) -> Option<StatusCode> {
        let mut request = Request::builder().method(method).uri(path);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        at_once(&request.body(()).unwrap(), 7480).map(|response| response.status())
    }

    #[test]
    fn only_this_machines_own_names_are_answered() {
        for host in ["127.0.0.1:7480", "localhost:7480"] {
            assert_eq!(asked("GET", "/", &[host]), None);
        }
        for hosts in [
            &["evil.example:7480"][..],
            &["127.0.0.1"],
            &["127.0.0.1:80"],
            &[],
            &["127.0.0.1:7480", "evil.example"],
            &["127.0.0.1:7480.evil.example"],
        ] {
            assert_eq!(asked("GET", "/", hosts), Some(StatusCode::MISDIRECTED_REQUEST), "{hosts:?}");
        }
        assert_eq!(asked("GET", "http://evil.example/", &["127.0.0.1:7480"]), Some(StatusCode::MISDIRECTED_REQUEST));
    }

    #[test]
    fn it_is_for_reading() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(asked(method, "/", &["localhost:7480"]), Some(StatusCode::METHOD_NOT_ALLOWED));
        }
        assert_eq!(asked("GET", "/secrets", &["localhost:7480"]), Some(StatusCode::NOT_FOUND));
    }
}
