//! An answer as a value, before anybody thinks about sockets.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::{Method, StatusCode};

use super::range::{Wanted, wanted};
use super::share::Slice;

/// What is said.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
}

/// What follows the head.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// From memory.
    Bytes(Bytes),
    /// From the bundle.
    Slice(Slice),
}

impl Answer {
    /// An answer out of memory.
    pub(super) fn bytes(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { status, headers: HeaderMap::new(), content: Content::Bytes(Bytes::new()) }
            .with(CONTENT_TYPE, HeaderValue::from_static(kind))
            .with(CONTENT_LENGTH, body.len().into())
            .holding(Content::Bytes(body))
    }

    /// An answer of one line.
    pub(super) fn text(status: StatusCode, text: &'static str) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", text)
    }

    /// What everybody hears who does not bring the code, whatever was asked for.
    pub(super) fn closed() -> Self {
        Self::text(StatusCode::UNAUTHORIZED, "this needs the code of the room\n")
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"quickstart: any name, and the code as the password\""))
    }

    /// A piece of the bundle, or of that piece what `headers` want. `sum` names the content and is its entity tag.
    pub(super) fn slice(headers: &HeaderMap, slice: Slice, kind: &str, sum: &str) -> Self {
        let tag = format!("\"{sum}\"");
        let (status, part) = match wanted(headers, &tag, slice.size) {
            Wanted::Whole => (StatusCode::OK, slice),
            Wanted::Part { from, size } => (StatusCode::PARTIAL_CONTENT, Slice { offset: slice.offset + from, size }),
            Wanted::Unchanged => (StatusCode::NOT_MODIFIED, Slice { size: 0, ..slice }),
            Wanted::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, Slice { size: 0, ..slice }),
        };
        let content = if part.size == 0 { Content::Bytes(Bytes::new()) } else { Content::Slice(part) };
        let mut answer = Self { status, headers: HeaderMap::new(), content }
            .with(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
            .with_text(CONTENT_TYPE, kind)
            .with_text(ETAG, &tag);
        if status != StatusCode::NOT_MODIFIED {
            answer = answer.with(CONTENT_LENGTH, part.size.into());
        }
        match status {
            StatusCode::PARTIAL_CONTENT => {
                let from = part.offset - slice.offset;
                answer.with_text(CONTENT_RANGE, &format!("bytes {from}-{}/{}", from + part.size - 1, slice.size))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => answer.with_text(CONTENT_RANGE, &format!("bytes */{}", slice.size)),
            _ => answer,
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same; a text that cannot be a header is left out.
    #[must_use]
    pub(super) fn with_text(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::try_from(value) {
            Ok(value) => self.with(name, value),
            Err(_) => self,
        }
    }

    fn holding(self, content: Content) -> Self {
        Self { content, ..self }
    }

    /// As it goes out: `HEAD` gets no content, and nobody guesses a type.
    #[must_use]
    pub(super) fn to(self, method: &Method) -> Self {
        let answer = self.with(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        if *method == Method::HEAD { answer.holding(Content::Bytes(Bytes::new())) } else { answer }
    }
}
