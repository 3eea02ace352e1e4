//! What `docker login` left: `config.json`, or a helper program that it names.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fs_err::tokio as fs;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::config::Environment;
use crate::kind::{Command, CommandError};

/// A helper may ask for a password in a window of its own; nobody waits longer for it.
const HELPER: Duration = Duration::from_secs(30);
/// Docker Hub's own name in that file.
const HUB: &str = "https://index.docker.io/v1/";

/// Where credentials are looked for.
#[derive(Clone, Debug)]
pub struct Credentials {
    file: Option<PathBuf>,
    path: Option<std::ffi::OsString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    username: String,
    secret: String,
}

impl Credentials {
    /// `config.json` in `DOCKER_CONFIG`, else in `~/.docker`.
    pub fn new(environment: &Environment) -> Self {
        let folder = environment.docker_config.clone().or_else(|| Some(environment.home.as_ref()?.join(".docker")));
        Self { file: folder.map(|folder| environment.directory.join(folder).join("config.json")), path: environment.path.clone() }
    }

    /// The credentials for a registry, as `HOST[:PORT]`; without any the registry is asked as everybody. `Err` says what cannot be read.
    pub(super) async fn of(&self, registry: &str, cancel: &CancellationToken) -> Result<RegistryAuth, String> {
        let Some(file) = &self.file else { return Ok(RegistryAuth::Anonymous) };
        let text = match fs::read_to_string(file).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
            Err(error) => return Err(error.to_string()),
        };
        let unreadable = |error: serde_json::Error| format!("{}: {error}", file.display());
        let configuration: Value = serde_json::from_str(&text).map_err(unreadable)?;
        let keys = keys(registry);
        let helpers = &configuration["credHelpers"];
        let helper = keys.iter().find_map(|key| helpers[key.as_str()].as_str()).or_else(|| configuration["credsStore"].as_str());
        if let Some(helper) = helper.filter(|name| !name.is_empty())
            && let Some(told) = self.ask(helper, &keys[0], cancel).await?
        {
            return Ok(told);
        }
        let entry = keys.iter().map(|key| &configuration["auths"][key.as_str()]).find(|entry| entry.is_object());
        entry.map_or(Ok(RegistryAuth::Anonymous), |entry| {
            written(entry).ok_or_else(|| format!("{}: the entry of {registry} cannot be read", file.display()))
        })
    }

    async fn ask(&self, helper: &str, server: &str, cancel: &CancellationToken) -> Result<Option<RegistryAuth>, String> {
        let name = format!("docker-credential-{helper}");
        if helper.contains(['/', '\\']) {
            return Err(format!("`{helper}` is not the name of a credential helper"));
        }
        let (path, wanted) = (self.path.clone(), name.clone());
        let look = move || which::which_in_global(wanted, path).ok().and_then(|mut found| found.next());
        let program =
            tokio::task::spawn_blocking(look).await.ok().flatten().ok_or_else(|| format!("there is no program {name} in PATH"))?;
        let asked = Command::new(&program, HELPER).args(["get"]).stdin(server.as_bytes().to_vec()).run(cancel, &|_| {}).await;
        let finished = match asked {
            Ok(finished) => finished,
            // All helpers end so for a registry that they do not know, each with words of its own.
            Err(CommandError::Failed { .. }) => return Ok(None),
            Err(error) => return Err(format!("{name}: {error}")),
        };
        // The answer is a secret: what is wrong with it is not repeated.
        let told: Told = serde_json::from_slice(&finished.stdout).map_err(|_| format!("{name} did not answer with a user and a secret"))?;
        if told.username == "<token>" {
            return Err(format!("{name} keeps an identity token, which is not supported; log in with a user name and an access token"));
        }
        Ok(Some(RegistryAuth::Basic(told.username, told.secret)))
    }
}

/// An entry of `auths`: the two words apart, or together in base64. An empty one means that a helper has them.
fn written(entry: &Value) -> Option<RegistryAuth> {
    let word = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    if word("identitytoken").is_some() {
        return None;
    }
    if let (Some(user), Some(password)) = (word("username"), word("password")) {
        return Some(RegistryAuth::Basic(user.to_owned(), password.to_owned()));
    }
    let Some(auth) = word("auth") else { return Some(RegistryAuth::Anonymous) };
    let text = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(RegistryAuth::Basic(user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// The names that a registry may have in the file; the first is the one that helpers know.
fn keys(registry: &str) -> Vec<String> {
    let hub = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    if hub.contains(&registry) {
        return [HUB].iter().chain(&hub).map(|key| (*key).to_owned()).collect();
    }
    let full = |start: &str, end: &str| format!("{start}{registry}{end}");
    vec![full("", ""), full("https://", ""), full("https://", "/v1/"), full("https://", "/v2/"), full("http://", "")]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new(configuration: &str) -> Self {
            let home = Self(tempfile::tempdir().unwrap());
            fs_err::write(home.0.path().join("config.json"), configuration).unwrap();
            home
        }

        fn helper(self, name: &str, script: &str) -> Self {
            let path = self.0.path().join(format!("docker-credential-{name}"));
            fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            self
        }

        async fn of(&self, registry: &str) -> Result<RegistryAuth, String> {
            let vars = [("DOCKER_CONFIG", self.0.path()), ("PATH", self.0.path())];
            Credentials::new(&Environment::from_vars(vars, "/")).of(registry, &CancellationToken::new()).await
        }
    }

    fn basic(user: &str, password: &str) -> RegistryAuth {
        RegistryAuth::Basic(user.to_owned(), password.to_owned())
    }

    #[tokio::test]
    async fn what_docker_login_wrote_is_found() {
        let auth = STANDARD.encode("me:p:w");
        let home = Home::new(&format!(
            r#"{{"auths":{{"{HUB}":{{"auth":"{auth}"}},"https://quay.io":{{"username":"a","password":"b"}},"empty.io":{{}}}}}}"#
        ));
        assert_eq!(home.of("index.docker.io").await, Ok(basic("me", "p:w")));
        assert_eq!(home.of("quay.io").await, Ok(basic("a", "b")));
        assert_eq!(home.of("empty.io").await, Ok(RegistryAuth::Anonymous));
        assert_eq!(home.of("ghcr.io").await, Ok(RegistryAuth::Anonymous));
    }

    #[tokio::test]
    async fn a_helper_is_asked_and_one_that_knows_nothing_is_no_error() {
        let home = Home::new(r#"{"credHelpers":{"quay.io":"one"},"credsStore":"two"}"#)
            .helper("one", r#"read server; echo "{\"ServerURL\":\"$server\",\"Username\":\"$server\",\"Secret\":\"s\"}""#)
            .helper("two", "echo credentials not found in native keychain; exit 1");
        assert_eq!(home.of("quay.io").await, Ok(basic("quay.io", "s")));
        assert_eq!(home.of("ghcr.io").await, Ok(RegistryAuth::Anonymous));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said_without_the_secret() {
        let lost = Home::new(r#"{"credsStore":"gone"}"#).of("a.io").await.unwrap_err();
        assert!(lost.contains("docker-credential-gone"), "{lost}");
        let odd = Home::new(r#"{"credsStore":"odd"}"#).helper("odd", "echo topsecret").of("a.io").await.unwrap_err();
        assert!(!odd.contains("topsecret"), "{odd}");
        assert!(Home::new("{").of("a.io").await.unwrap_err().contains("config.json"));
        assert!(Home::new(r#"{"auths":{"a.io":{"auth":"!"}}}"#).of("a.io").await.is_err());
        assert!(Home::new(r#"{"credsStore":"../sh"}"#).of("a.io").await.is_err());
    }
}
