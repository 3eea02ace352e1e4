//! Where the engine is: contexts as the products make them, engines behind TLS; kind is always told the same address.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    small::{Machine, refused},
    support::tls_engine::{before, certificates},
};

/// A docker context as `docker context create` and the products write it, made the current one.
fn context(machine: &mut Machine, name: &str, host: &str) -> std::path::PathBuf {
    machine.env_remove("DOCKER_HOST");
    let (docker, folder) = (machine.home().join(".docker"), hex::encode(Sha256::digest(name)));
    let meta = docker.join("contexts/meta").join(&folder);
    fs_err::create_dir_all(&meta).unwrap();
    let value = json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": false}}});
    fs_err::write(meta.join("meta.json"), value.to_string()).unwrap();
    fs_err::write(docker.join("config.json"), json!({"currentContext": name}).to_string()).unwrap();
    docker.join("contexts/tls").join(folder).join("docker")
}

/// A socket in the folder that the product has for it, and the context that it makes.
#[tokio::test]
async fn a_products_context_is_taken_and_passed_on_to_kind() {
    let mut machine = Machine::new().await;
    let socket = machine.home().join(".colima/default/docker.sock");
    fs_err::create_dir_all(socket.parent().unwrap()).unwrap();
    fs_err::os::unix::fs::symlink(machine.engine.host().trim_start_matches("unix://"), &socket).unwrap();
    let host = format!("unix://{}", socket.display());
    context(&mut machine, "colima", &host);
    machine.up(&[]).await.expect(0);
    let told = machine.kind.environment();
    assert!(told.contains(&format!("DOCKER_HOST={host}")) && !told.iter().any(|one| one.starts_with("DOCKER_TLS")), "{told:?}");
    assert_eq!(machine.state()["engine"], host);
    let checks = machine.quickstart(&["doctor", "-o", "json"]).await.json();
    assert!(checks.to_string().contains("docker's current context `colima`"), "{checks:#}");
    machine.quickstart(&["down"]).await.expect(0);
}

/// The certificates of a context lie beside it; kind's docker commands do not look there once they have a DOCKER_HOST.
#[tokio::test]
async fn a_context_with_certificates() {
    let mut machine = Machine::new().await;
    let address = before(machine.engine.host().trim_start_matches("unix://").into()).await;
    let folder = context(&mut machine, "far", &format!("tcp://{address}"));
    certificates(&folder, true);
    machine.up(&[]).await.expect(0);
    let told = machine.kind.environment();
    for wanted in [format!("DOCKER_HOST=tcp://{address}"), "DOCKER_TLS_VERIFY=1".into(), format!("DOCKER_CERT_PATH={}", folder.display())] {
        assert!(told.contains(&wanted), "{wanted}: {told:?}");
    }
    machine.quickstart(&["down"]).await.expect(0);
}

/// DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, as docker-machine and cloud engines set them; a client without a certificate, and one that
/// does not know the authority, are told so.
#[tokio::test]
async fn variables_with_certificates() {
    let mut machine = Machine::new().await;
    let address = before(machine.engine.host().trim_start_matches("unix://").into()).await;
    let folder = machine.path().join("certificates");
    machine.env("DOCKER_HOST", &format!("tcp://{address}"));
    machine.env("DOCKER_TLS_VERIFY", "1");
    machine.env("DOCKER_CERT_PATH", &folder.display().to_string());
    let output = refused(machine.up(&[]).await, 3, "ENGINE_ADDRESS");
    assert!(output.stderr.contains("certificates/ca.pem"), "{}", output.text());
    certificates(&folder, false);
    refused(machine.up(&[]).await, 3, "ENGINE_UNREACHABLE");
    certificates(&folder, true);
    machine.up(&[]).await.expect(0);
    machine.quickstart(&["down"]).await.expect(0);
    fs_err::copy(crate::support::tls_proxy::TlsProxy::authority(), folder.join("ca.pem")).unwrap();
    let output = refused(machine.up(&[]).await, 3, "ENGINE_UNREACHABLE");
    assert!(output.stderr.to_lowercase().contains("certificate"), "{}", output.text());
}
