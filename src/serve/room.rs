//! Every address of a room, and what is said there.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode, Uri};

use super::answer::Answer;
use super::board::Board;
use super::door::{Brought, COOKIE_NAME, Door};
use super::fair::Shares;
use super::page;
use super::share::{Share, Slice};
use crate::fetch::{Report, Secret};

/// Most bytes of a report.
pub(super) const MAX_REPORT: usize = 2048;

/// What is served, to whom, and what they told of themselves.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) share: Share,
    pub(super) door: Door,
    pub(super) board: Board,
    pub(super) counters: Counters,
    pub(super) shares: Arc<Shares>,
}

/// What the transports count.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Transfers of the bundle that are on their way.
    pub(super) running: AtomicU64,
    /// Transfers that reached the bundle's end.
    pub(super) finished: AtomicU64,
    /// Bytes of the bundle that were sent, pulls of nodes included.
    pub(super) sent: AtomicU64,
}

impl Room {
    pub(super) fn new(share: Share, secret: &Secret) -> Self {
        Self { share, door: Door::new(secret), board: Board::default(), counters: Counters::default(), shares: Arc::default() }
    }

    /// The answer to everything that has no body of its own; `None` where it is for [`Room::report`] to say.
    pub(super) fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Answer> {
        if self.door.brought(headers) != Brought::Right {
            return Some(self.outside(method, uri).to(method));
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let answer = match uri.path() {
            "/board/report" if *method == Method::POST => return None,
            path if path == "/v2" || path.starts_with("/v2/") => self.share.registry.answer(method, uri, headers),
            _ if !reads => {
                Answer::text(StatusCode::METHOD_NOT_ALLOWED, "this is for reading\n").with(ALLOW, HeaderValue::from_static("GET, HEAD"))
            }
            "/bundle" => self.bundle(headers),
            "/" => moved("board"),
            "/board" => private(page::document(&self.board, &self.counters, &self.share)),
            "/board.js" => private(Answer::bytes(StatusCode::OK, "text/javascript; charset=utf-8", page::SCRIPT)),
            "/board.css" => private(Answer::bytes(StatusCode::OK, "text/css; charset=utf-8", page::STYLE)),
            // Browsers ask for it by themselves.
            "/favicon.ico" => private(Answer::bytes(StatusCode::OK, "image/x-icon", "")),
            _ => Answer::text(StatusCode::NOT_FOUND, "there is no such page\n"),
        };
        Some(answer.to(method))
    }

    fn bundle(&self, headers: &HeaderMap) -> Answer {
        let whole = Slice { offset: 0, size: self.share.size };
        Answer::slice(headers, whole, "application/vnd.quickstart.bundle", &self.share.sha256)
    }

    /// Without the code there is one answer, except to the board's link, which brings it once and leaves with a cookie.
    fn outside(&self, method: &Method, uri: &Uri) -> Answer {
        let code = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("code=")));
        match code {
            Some(code) if *method == Method::GET && uri.path() == "/board" && self.door.opens(code) => {
                let secret = code.split('.').next().unwrap_or_default();
                moved("board").with_text(SET_COOKIE, &format!("{COOKIE_NAME}={secret}; HttpOnly; SameSite=Strict; Path=/"))
            }
            _ => Answer::closed(),
        }
    }

    /// Takes a report; `origin` is where it came from.
    pub(super) fn report(&self, origin: std::net::IpAddr, body: &Bytes) -> Answer {
        let Ok(report) = serde_json::from_slice::<Report>(body) else {
            return Answer::text(StatusCode::BAD_REQUEST, "this is no report\n");
        };
        if self.board.take(origin, &report) {
            Answer::text(StatusCode::OK, "heard\n")
        } else {
            Answer::text(StatusCode::UNPROCESSABLE_ENTITY, "a report needs a name and a stage\n")
        }
    }

    /// Whether a stranger tries codes.
    pub(super) fn is_guess(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        match self.door.brought(headers) {
            Brought::Right => false,
            Brought::Wrong => true,
            Brought::Nothing => uri.query().is_some(),
        }
    }
}

fn moved(to: &'static str) -> Answer {
    private(Answer::bytes(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "").with(LOCATION, HeaderValue::from_static(to)))
}

/// Nobody keeps a copy, no other page shows it in a frame, and it loads nothing but its own script and style.
fn private(answer: Answer) -> Answer {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    answer
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with(HeaderName::from_static("content-security-policy"), HeaderValue::from_static(POLICY))
        .with(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"))
}
