//! The process environment, read once; everything else takes what it needs from here.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

/// Every variable that the program looks at, and the folder it was started in. An empty variable counts as not set.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The current folder; relative paths start here.
    pub directory: PathBuf,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`, if absolute.
    pub xdg_cache_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`, if absolute.
    pub xdg_state_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, if absolute.
    pub xdg_config_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, if absolute: where rootless engines have their socket.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `KUBECONFIG`: a list, as in `PATH`.
    pub kubeconfig: Option<OsString>,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`: the folder of the docker client's configuration.
    pub docker_config: Option<PathBuf>,
    /// `DOCKER_TLS_VERIFY` is there: DOCKER_HOST is spoken to in TLS.
    pub docker_tls_verify: bool,
    /// `DOCKER_CERT_PATH`: the folder of `ca.pem`, `cert.pem` and `key.pem`.
    pub docker_cert_path: Option<PathBuf>,
    /// Proxies.
    pub proxies: Proxies,
    /// `NO_COLOR` is there.
    pub no_color: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// `QUICKSTART_*`, by full name; one that is not Unicode holds replacement characters.
    pub quickstart: BTreeMap<String, String>,
}

/// Proxy variables; the lowercase form wins, as in curl. An address can hold a password, so `Debug` shows none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// `http_proxy`, `HTTP_PROXY`.
    pub http: Option<String>,
    /// `https_proxy`, `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `all_proxy`, `ALL_PROXY`.
    pub all: Option<String>,
    /// `no_proxy`, `NO_PROXY`.
    pub none: Option<String>,
}

impl Environment {
    /// The environment of this process.
    pub fn read() -> Self {
        Self::from_vars(std::env::vars_os(), std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")))
    }

    /// An environment made of these variables only.
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>, directory: impl Into<PathBuf>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let all: BTreeMap<OsString, OsString> =
            vars.into_iter().map(|(key, value)| (key.into(), value.into())).filter(|(_, value)| !value.is_empty()).collect();
        let raw = |key: &str| all.get(OsStr::new(key)).cloned();
        let text = |key: &str| raw(key).map(|value| value.to_string_lossy().into_owned());
        let path = |key: &str| raw(key).map(PathBuf::from);
        // The XDG specification: a relative path is to be ignored.
        let absolute = |key: &str| path(key).filter(|path| path.is_absolute());
        let proxy = |lower: &str| text(lower).or_else(|| text(&lower.to_uppercase()));
        Self {
            directory: directory.into(),
            home: path("HOME"),
            xdg_cache_home: absolute("XDG_CACHE_HOME"),
            xdg_state_home: absolute("XDG_STATE_HOME"),
            xdg_config_home: absolute("XDG_CONFIG_HOME"),
            xdg_runtime_dir: absolute("XDG_RUNTIME_DIR"),
            path: raw("PATH"),
            kubeconfig: raw("KUBECONFIG"),
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            docker_config: path("DOCKER_CONFIG"),
            docker_tls_verify: raw("DOCKER_TLS_VERIFY").is_some(),
            docker_cert_path: path("DOCKER_CERT_PATH"),
            proxies: Proxies { http: proxy("http_proxy"), https: proxy("https_proxy"), all: proxy("all_proxy"), none: proxy("no_proxy") },
            no_color: raw("NO_COLOR").is_some(),
            term: text("TERM"),
            quickstart: all
                .iter()
                .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
                .filter(|(key, _)| key.starts_with("QUICKSTART_"))
                .collect(),
        }
    }

    /// A variable of ours, by full name.
    pub fn own(&self, variable: &str) -> Option<&str> {
        self.quickstart.get(variable).map(String::as_str)
    }
}

impl Proxies {
    /// Is any proxy asked for?
    pub fn any(&self) -> bool {
        self.http.is_some() || self.https.is_some() || self.all.is_some()
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |value: &Option<String>| if value.is_some() { "set" } else { "not set" };
        f.debug_struct("Proxies")
            .field("http", &set(&self.http))
            .field("https", &set(&self.https))
            .field("all", &set(&self.all))
            .field("none", &self.none)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_not_set_and_relative_xdg_is_ignored() {
        let read = Environment::from_vars(
            [
                ("HOME", "/h"),
                ("NO_COLOR", ""),
                ("XDG_CACHE_HOME", "rel"),
                ("XDG_STATE_HOME", "/s"),
                ("QUICKSTART_PORT", "1"),
                ("QUICKSTART_NAME", ""),
                ("OTHER", "x"),
            ],
            "/here",
        );
        assert_eq!(read.home.as_deref(), Some(std::path::Path::new("/h")));
        assert!(!read.no_color && read.xdg_cache_home.is_none() && read.xdg_state_home.is_some());
        assert_eq!(read.own("QUICKSTART_PORT"), Some("1"));
        assert_eq!(read.quickstart.len(), 1);
    }

    #[test]
    fn lowercase_proxies_win_and_are_not_printed() {
        let read =
            Environment::from_vars([("HTTPS_PROXY", "http://u:secret@a"), ("https_proxy", "http://u:secret@b"), ("NO_PROXY", "c")], "/");
        assert_eq!(read.proxies.https.as_deref(), Some("http://u:secret@b"));
        assert_eq!(read.proxies.none.as_deref(), Some("c"));
        assert!(read.proxies.any());
        assert!(!format!("{read:?}").contains("secret"));
    }
}
