//! Secrets that show by their own shape, whatever stands before them.

/// Beginnings of tokens that services give out, and how many characters follow at least.
const ISSUED: &[(&[u8], usize)] = &[
    (b"ghp_", 20),
    (b"gho_", 20),
    (b"ghs_", 20),
    (b"github_pat_", 20),
    (b"glpat-", 20),
    (b"hf_", 20),
    (b"dckr_pat_", 20),
    (b"xoxb-", 20),
    (b"xoxp-", 20),
    (b"AKIA", 16),
    (b"ASIA", 16),
];

/// base64 of `-----BEGIN`; certificates and public keys, which are no secret, go on with these.
const ENCODED: (&[u8], &[&[u8]]) = (b"LS0tLS1CRUdJTi", &[b"BDRVJUSUZJQ0FUR", b"BQVUJMSUM"]);

/// The secret that begins at `at`, as a range of the line.
pub(super) fn token(line: &[u8], at: usize) -> Option<(usize, usize)> {
    if at > 0 && is_token(line[at - 1]) {
        return None;
    }
    let rest = &line[at..];
    match rest.first()? {
        b'e' if rest.starts_with(b"eyJ") => jwt(rest).map(|length| (at, at + length)),
        b'L' if rest.starts_with(ENCODED.0) => {
            let public = ENCODED.1.iter().any(|public| rest[ENCODED.0.len()..].starts_with(public));
            (!public).then(|| (at, at + run(rest, is_base64)))
        }
        b'b' | b'B' => scheme(rest).map(|(start, end)| (at + start, at + end)),
        _ => {
            let (prefix, more) = ISSUED.iter().find(|(prefix, _)| rest.starts_with(prefix))?;
            let length = run(rest, is_token);
            (length >= prefix.len() + more).then_some((at, at + length))
        }
    }
}

/// `header.payload.signature`, each in base64url.
fn jwt(rest: &[u8]) -> Option<usize> {
    let header = run(rest, is_token);
    if header < 8 || rest.get(header) != Some(&b'.') {
        return None;
    }
    let mut length = header;
    while rest.get(length) == Some(&b'.') {
        length += 1 + run(&rest[length + 1..], is_token);
    }
    (length > header + 4).then_some(length)
}

/// `Bearer TOKEN` and `Basic TOKEN`; a word of a sentence is no token.
fn scheme(rest: &[u8]) -> Option<(usize, usize)> {
    let name =
        [&b"bearer"[..], b"basic"].into_iter().find(|name| rest.len() > name.len() && rest[..name.len()].eq_ignore_ascii_case(name))?;
    let blanks = run(&rest[name.len()..], |byte| byte == b' ');
    let start = name.len() + blanks;
    let length = run(&rest[start..], is_base64);
    let word = &rest[start..start + length];
    let sentence = length < 20 && word.iter().all(u8::is_ascii_lowercase);
    // `WWW-Authenticate: Bearer realm="…"` says where a token is to be had.
    let parameter = word.ends_with(b"=") && rest.get(start + length) == Some(&b'"');
    (blanks > 0 && length >= 6 && !sentence && !parameter).then_some((start, start + length))
}

/// `scheme://user:password@host`: the password, for the `:` at `at` of `://`.
pub(super) fn password(line: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at + 3;
    let authority = run(line.get(start..)?, |byte| byte > b' ' && !b"/?#\"'`<>\\".contains(&byte));
    let host = line[start..start + authority].iter().rposition(|&byte| byte == b'@')?;
    let colon = line[start..start + host].iter().position(|&byte| byte == b':')?;
    (colon + 1 < host).then_some((start + colon + 1, start + host))
}

/// How many bytes from the beginning are of this kind.
pub(super) fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !is(byte)).unwrap_or(bytes.len())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// base64 in both alphabets, and what else a bearer token may hold (RFC 6750).
pub(super) fn is_base64(byte: u8) -> bool {
    is_token(byte) || b"+/=.~".contains(&byte)
}
