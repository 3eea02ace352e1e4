//! Which names mean that their value is a secret.

/// Parts of a name, lower case and without separators, that make its value a secret.
const NEEDLES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "accesskey",
    "apikey",
    "privatekey",
    "credential",
    "clientkeydata",
    "clientcertificatedata",
];

/// Ends of a name that make it one of a thing that is only pointed at: `secretName`, `PASSWORD_FILE`, `tokenExpirationSeconds`.
const POINTERS: &[&str] = &["name", "namespace", "ref", "file", "path", "seconds", "type"];

/// Names of Kubernetes that hold no secret although they sound like it.
const HARMLESS: &[&str] = &["secrets", "imagepullsecrets", "automountserviceaccounttoken", "serviceaccounttoken", "tokenrequests"];

/// Headers whose whole value is a secret, blanks included.
const HEADERS: &[&str] = &["authorization", "proxyauthorization", "cookie", "setcookie"];

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing.
    Plain,
    /// It is a secret.
    Secret,
    /// It is a header's: a secret to the end of the line.
    Header,
    /// `auth` of docker's configuration: a secret where the name stands alone.
    Auth,
    /// `name` of an environment variable.
    Name,
    /// `value` of an environment variable.
    Value,
    /// `kind` of an object.
    Kind,
    /// `data` of an object, which is secret if that is a Secret.
    Data,
    /// `stringData`, which only a Secret has.
    StringData,
}

/// What this name says of its value.
pub(super) fn meaning(name: &[u8]) -> Meaning {
    match name {
        b"name" => return Meaning::Name,
        b"value" => return Meaning::Value,
        b"kind" => return Meaning::Kind,
        b"data" => return Meaning::Data,
        b"stringData" => return Meaning::StringData,
        b"auth" | b"_auth" => return Meaning::Auth,
        _ => {}
    }
    if name.len() < 5 {
        return Meaning::Plain;
    }
    let plain = simple(name);
    if HEADERS.contains(&plain.as_str()) {
        Meaning::Header
    } else if is_secret(&plain) {
        Meaning::Secret
    } else {
        Meaning::Plain
    }
}

/// Does an environment variable of this name hold a secret?
pub(super) fn names_a_secret(name: &[u8]) -> bool {
    is_secret(&simple(name))
}

fn is_secret(plain: &str) -> bool {
    NEEDLES.iter().any(|needle| plain.contains(needle))
        && !HARMLESS.contains(&plain)
        && !POINTERS.iter().any(|pointer| plain.ends_with(pointer))
}

/// Letters and digits, lower case.
fn simple(name: &[u8]) -> String {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_to_a_secret_is_none() {
        for secret in
            ["DB_PASSWORD", "token", "client-key-data", "AWS_SECRET_ACCESS_KEY", "aws.accessKeyId", "identitytoken", "clientSecret"]
        {
            assert_eq!(meaning(secret.as_bytes()), Meaning::Secret, "{secret}");
        }
        for plain in
            ["secretName", "secretRef", "imagePullSecrets", "tokenExpirationSeconds", "PASSWORD_FILE", "key", "authorization-mode", "app"]
        {
            assert_eq!(meaning(plain.as_bytes()), Meaning::Plain, "{plain}");
        }
        assert_eq!(meaning(b"Authorization"), Meaning::Header);
    }
}
