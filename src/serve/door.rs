//! Who gets in: whoever brings the code, as a Basic password or as the board's cookie.

use base64::Engine as _;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::fetch::Secret;

/// The cookie that a browser keeps for the board.
pub(super) const COOKIE_NAME: &str = "quickstart-code";

/// Compares what is brought with the room's secret, in a time that does not depend on how much of it is right.
#[derive(Debug)]
pub(super) struct Door {
    /// Sums have one length, whatever is brought.
    sum: [u8; 32],
}

/// What somebody brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// The code.
    Right,
    /// Another one.
    Wrong,
    /// None.
    Nothing,
}

impl Door {
    pub(super) fn new(secret: &Secret) -> Self {
        Self { sum: Sha256::digest(secret.as_str()).into() }
    }

    /// Whether a text is the secret, or the whole code, which begins with it.
    pub(super) fn opens(&self, text: &str) -> bool {
        let secret = text.split('.').next().unwrap_or_default();
        Sha256::digest(secret).as_slice().ct_eq(&self.sum).into()
    }

    /// A Basic password with any name (registry clients, `up --join`, a browser's own question), else the cookie.
    pub(super) fn brought(&self, headers: &HeaderMap) -> Brought {
        let text = match headers.get(AUTHORIZATION) {
            Some(value) => value.to_str().ok().and_then(password),
            None => headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(cookie),
        };
        match text {
            Some(text) if self.opens(&text) => Brought::Right,
            Some(_) => Brought::Wrong,
            None => Brought::Nothing,
        }
    }
}

fn password(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    Some(String::from_utf8(decoded).ok()?.split_once(':')?.1.to_owned())
}

fn cookie(header: &str) -> Option<String> {
    header.split(';').find_map(|one| one.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('=').map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought(headers: &[(http::HeaderName, &str)]) -> Brought {
        let door = Door::new(&"room-1234".parse().unwrap());
        door.brought(&headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect())
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    }

    #[test]
    fn the_code_opens_as_password_and_as_cookie() {
        assert_eq!(brought(&[(AUTHORIZATION, &basic("anyone:room-1234"))]), Brought::Right);
        assert_eq!(brought(&[(AUTHORIZATION, &basic(":room-1234.00ff"))]), Brought::Right, "the whole code begins with the secret");
        assert_eq!(brought(&[(COOKIE, "a=b; quickstart-code=room-1234; c=d")]), Brought::Right);
    }

    #[test]
    fn nothing_else_does() {
        for (name, value) in [
            (AUTHORIZATION, basic("anyone:room-123")),
            (AUTHORIZATION, basic("anyone:room-12345")),
            (AUTHORIZATION, basic("room-1234:")),
            (AUTHORIZATION, basic("a:.room-1234")),
            (COOKIE, "quickstart-code=".to_owned()),
        ] {
            assert_eq!(brought(&[(name, &value)]), Brought::Wrong, "{value}");
        }
        for value in ["Basic", "Basic !!!", "Bearer room-1234", &basic("room-1234")] {
            assert_eq!(brought(&[(AUTHORIZATION, value), (COOKIE, "quickstart-code=room-1234")]), Brought::Nothing, "{value}");
        }
        assert_eq!(brought(&[(COOKIE, "xquickstart-code=room-1234; other=1")]), Brought::Nothing);
        assert_eq!(brought(&[]), Brought::Nothing);
    }
}
