use super::*;
use crate::error::Explain;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    fn context(&self, name: &str, host: &str) {
        let folder = hex::encode(Sha256::digest(name.as_bytes()));
        let meta = serde_json::json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": false}}});
        self.write(&format!(".docker/contexts/meta/{folder}/meta.json"), &meta.to_string());
    }
    fn environment(&self) -> EngineEnvironment {
        EngineEnvironment { home: Some(self.0.path().to_owned()), ..EngineEnvironment::default() }
    }
    async fn resolve(&self, environment: &EngineEnvironment) -> Result<Endpoint, DockerError> {
        Endpoint::resolve_with_default(environment, &self.0.path().join("default.sock")).await
    }
}

#[tokio::test]
async fn docker_host_wins_over_contexts_and_contexts_over_sockets() {
    let home = Home::new();
    home.context("colima", "unix:///colima.sock");
    home.context("other", "tcp://10.0.0.2:2375");
    home.write(".docker/config.json", r#"{"currentContext":"colima","auths":{}}"#);
    let mut environment = home.environment();
    let endpoint = home.resolve(&environment).await.unwrap();
    assert_eq!((endpoint.host.as_str(), endpoint.source.as_str()), ("unix:///colima.sock", "docker's current context `colima`"));
    environment.docker_context = Some("other".into());
    assert_eq!(home.resolve(&environment).await.unwrap().host, "tcp://10.0.0.2:2375");
    environment.docker_host = Some("unix:///mine.sock".into());
    let endpoint = home.resolve(&environment).await.unwrap();
    assert_eq!(endpoint, Endpoint { host: "unix:///mine.sock".into(), source: "DOCKER_HOST".into(), tls: None });
    environment.docker_host = Some(String::new());
    environment.docker_context = Some("default".into());
    assert!(home.resolve(&environment).await.unwrap().host.ends_with("/default.sock"));
}

#[tokio::test]
async fn a_dead_default_socket_does_not_hide_a_living_one() {
    let home = Home::new();
    let environment = home.environment();
    assert_eq!(home.resolve(&environment).await.unwrap().source, "the default socket");
    home.write("default.sock", "");
    let colima = home.0.path().join(".colima/default/docker.sock");
    fs_err::create_dir_all(colima.parent().unwrap()).unwrap();
    let _listener = tokio::net::UnixListener::bind(&colima).unwrap();
    let endpoint = home.resolve(&environment).await.unwrap();
    assert_eq!((endpoint.host, endpoint.source.as_str()), (format!("unix://{}", colima.display()), "Colima's socket"));
}

/// Where each product puts its socket when nothing else names it.
#[tokio::test]
async fn every_products_socket_is_found() {
    for (path, product) in [
        (".docker/run/docker.sock", "Docker Desktop's socket"),
        (".colima/default/docker.sock", "Colima's socket"),
        (".config/colima/default/docker.sock", "Colima's socket"),
        (".rd/docker.sock", "Rancher Desktop's socket"),
        (".orbstack/run/docker.sock", "OrbStack's socket"),
        (".local/share/containers/podman/machine/podman.sock", "Podman's socket"),
        ("run/docker.sock", "rootless Docker's socket"),
        ("run/podman/podman.sock", "Podman's socket"),
    ] {
        let home = Home::new();
        let socket = home.0.path().join(path);
        fs_err::create_dir_all(socket.parent().unwrap()).unwrap();
        let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let environment = EngineEnvironment { xdg_runtime_dir: Some(home.0.path().join("run")), ..home.environment() };
        let found = home.resolve(&environment).await.unwrap();
        assert_eq!((found.host, found.source.as_str()), (format!("unix://{}", socket.display()), product));
    }
}

#[tokio::test]
async fn certificates_go_with_their_address() {
    let home = Home::new();
    home.context("far", "tcp://10.0.0.2:2376");
    let mut environment = home.environment();
    environment.docker_context = Some("far".into());
    assert_eq!(home.resolve(&environment).await.unwrap().tls_variables(), []);
    let folder = format!(".docker/contexts/tls/{}/docker", hex::encode(Sha256::digest("far")));
    home.write(&format!("{folder}/ca.pem"), "");
    let far = home.resolve(&environment).await.unwrap();
    let folder = home.0.path().join(folder);
    assert_eq!(far.tls_variables()[1], ("DOCKER_CERT_PATH".into(), folder.display().to_string()));
    // DOCKER_HOST has its own.
    environment.docker_host = Some("https://10.0.0.3:2376".into());
    let error = home.resolve(&environment).await.unwrap_err();
    assert!(error.to_string().contains(".docker/ca.pem"), "{error}");
    environment.cert_path = Some(folder.clone());
    let host = home.resolve(&environment).await.unwrap();
    assert_eq!((host.docker_host().as_str(), host.tls.as_ref()), ("tcp://10.0.0.3:2376", Some(&folder)));
    environment.docker_host = Some("tcp://10.0.0.3:2375".into());
    assert_eq!(home.resolve(&environment).await.unwrap().tls, None);
    environment.tls_verify = true;
    assert!(home.resolve(&environment).await.unwrap().tls.is_some());
    environment.docker_host = Some("unix:///mine.sock".into());
    assert_eq!(home.resolve(&environment).await.unwrap().tls, None);
}

#[tokio::test]
async fn ssh_is_refused_with_a_way_around_and_a_lost_context_is_named() {
    let home = Home::new();
    let mut environment = home.environment();
    environment.docker_host = Some("ssh://me@far".into());
    let error = home.resolve(&environment).await.unwrap_err();
    assert_eq!(error.id(), "ENGINE_ADDRESS");
    assert!(error.hint().unwrap().contains("ssh -NL"));
    environment.docker_host = None;
    environment.docker_context = Some("gone".into());
    let error = home.resolve(&environment).await.unwrap_err();
    assert!(error.to_string().contains("context `gone`"), "{error}");
    home.write(".docker/config.json", "{");
    environment.docker_context = None;
    assert!(home.resolve(&environment).await.unwrap_err().to_string().contains("config.json"));
}
