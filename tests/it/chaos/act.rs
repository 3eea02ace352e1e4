//! Faults into the machine, and out of it.

use std::{os::unix::fs::symlink, time::Duration};

use serde_json::json;

use super::{
    case::Case,
    verdict,
    wrong::{Spoil, Wrong},
};
use crate::support::{
    docker_engine::ExecAnswer,
    faults::{Fault, FaultKind},
    workloads::Trouble,
};

/// Puts everything of the script in place.
pub(super) async fn prepare(case: &mut Case<'_>) {
    for wrong in &case.script.wrongs {
        one(case, wrong).await;
    }
}

async fn one(case: &mut Case<'_>, wrong: &Wrong) {
    let machine = &mut case.machine;
    match wrong {
        Wrong::Api { spoil, on, method, times, after } => {
            let mut fault = Fault::on(on, *times, kind(*spoil));
            fault.method = *method;
            let (server, after) = (machine.server.clone(), usize::try_from(*after).unwrap());
            let start = server.world().log.len();
            case.tasks.spawn(async move {
                while server.world().log.len() < start + after {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                server.fault(fault);
            });
        }
        Wrong::EngineSlow { on, ms } => {
            machine.engine.fault(Fault::on(on, 20, FaultKind::SlowBody(Duration::from_millis(u64::from(*ms)))));
        }
        Wrong::Gateway { code, times } => {
            for _ in 0..*times {
                machine.gateway.answer_next(*code, json!({"error": "scripted"}));
            }
        }
        Wrong::Webhook { deployment, ms } => {
            machine.server.trouble(deployment, Trouble::NeverReady);
            let (server, ms, deployment) = (machine.server.clone(), u64::from(*ms), *deployment);
            case.tasks.spawn(async move {
                while server.world().log.len() < 10 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                tokio::time::sleep(Duration::from_millis(ms)).await;
                let mut world = server.world();
                world.troubles.remove(deployment);
                world.dirty = true;
            });
        }
        Wrong::LockFile => {
            let folder = machine.state_folder();
            fs_err::create_dir_all(&folder).unwrap();
            fs_err::write(folder.join("lock"), "`quickstart up`, process 4242\n").unwrap();
        }
        Wrong::Proxy => {
            for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
                machine.env(name, "http://127.0.0.1:1");
            }
        }
        Wrong::Kubeconfig(how) => kubeconfig(case, how),
        Wrong::NoKind => {
            case.bundle = machine.bundle().await.display().to_string();
            machine.remove_kind();
        }
        Wrong::Refused { code, on } => machine.server.fault(Fault::on(on, u32::MAX, FaultKind::Status(*code)).method("PATCH")),
        Wrong::ApiHangs { on, interrupt } => {
            machine.server.fault(Fault::on(on, 1000, FaultKind::Hang));
            if !interrupt {
                case.flags = vec!["--timeout".into(), "3s".into()];
            }
        }
        Wrong::Engine { spoil, on, times } => {
            let mut kind = kind(*spoil);
            if *spoil == Spoil::Code(500) {
                kind = FaultKind::Status(500);
            }
            machine.engine.fault(Fault::on(on, *times, kind));
        }
        Wrong::EngineHangs { on } => machine.engine.fault(Fault::on(on, 1000, FaultKind::Hang)),
        Wrong::KindFails { said, keeps_node, .. } => {
            machine.kind.fail_create(&format!("ERROR: failed to create cluster: {said}"), *keeps_node);
        }
        Wrong::KindHangs(_) | Wrong::WaitInterrupted => machine.kind.hang_create(),
        Wrong::OrphanedKind => machine.kind.hold_create(),
        Wrong::BundleCut(permille) => {
            let bytes = fs_err::read(&machine.bundle).unwrap();
            let keep = bytes.len() * usize::try_from(*permille).unwrap() / 1000;
            case.bundle = damaged(case, &bytes[..keep]);
        }
        Wrong::BundleFlipped(permille, count) => {
            let mut bytes = fs_err::read(&machine.bundle).unwrap();
            let at = bytes.len() * usize::try_from(*permille).unwrap() / 1000;
            for byte in bytes.iter_mut().skip(at).take(usize::try_from(*count).unwrap()) {
                *byte ^= 0x20;
            }
            case.bundle = damaged(case, &bytes);
        }
        Wrong::PortTaken => case.listener = Some(std::net::TcpListener::bind(("127.0.0.1", machine.port)).unwrap()),
        Wrong::Pods { deployment, said, .. } => machine.server.trouble(deployment, Trouble::image_pull(said)),
        Wrong::EngineIs(what) => {
            let (key, value) = match *what {
                "one CPU" => ("NCPU", json!(1)),
                "2 GiB" => ("MemTotal", json!(2_u64 << 30)),
                _ => ("Architecture", json!("aarch64")),
            };
            machine.engine.state().info.insert(key.into(), value);
        }
        Wrong::ImportFails => {
            machine.engine.on_exec("images import", ExecAnswer::failed(1, "ctr: write /var/lib/containerd: no space left on device"));
        }
        Wrong::ObjectGone(_) | Wrong::KindGone(_) => delete(case, wrong).await,
        Wrong::State(how) => state(case, how),
        Wrong::PrivateKubeconfig(how) => spoil_file(&machine.state_folder().join("kubeconfig"), how),
        Wrong::Node(state) => drop(machine.engine.state().states.insert("quickstart-control-plane".into(), (*state).into())),
        Wrong::ClusterGone => {
            machine.kind.state.forget("quickstart");
            case.port_is_free_or_ours().await;
        }
        Wrong::CacheFlipped(number) => {
            let mut files = crate::small::files(&machine.home().join(".cache"));
            files.sort();
            let file = &files[usize::try_from(*number).unwrap() % files.len()];
            let mut bytes = fs_err::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x20;
            fs_err::write(file, bytes).unwrap();
        }
        Wrong::DownKilled(after) => case.kill_down(*after).await,
        Wrong::Killed { .. } | Wrong::TwoAtOnce | Wrong::DownWhileUp(_) => {}
    }
}

fn kind(spoil: Spoil) -> FaultKind {
    match spoil {
        Spoil::Code(500) => FaultKind::Answer(
            500,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "InternalError", "code": 500,
                "message": "Internal error occurred: etcdserver: leader changed"}),
        ),
        Spoil::Code(code) => FaultKind::Status(code),
        Spoil::Reset => FaultKind::Close,
        Spoil::Half => FaultKind::CutBody,
        Spoil::Slow(ms) => FaultKind::SlowBody(Duration::from_millis(u64::from(ms))),
    }
}

fn damaged(case: &Case<'_>, bytes: &[u8]) -> String {
    let path = case.machine.home().join("damaged.tar");
    fs_err::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn spoil_file(path: &std::path::Path, how: &str) {
    match how {
        "gone" => fs_err::remove_file(path).unwrap(),
        "empty" => fs_err::write(path, "").unwrap(),
        "truncated" => {
            let bytes = fs_err::read(path).unwrap();
            fs_err::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }
        _ => fs_err::write(path, "\u{0}: [not {what we wrote").unwrap(),
    }
}

fn state(case: &mut Case<'_>, how: &str) {
    let path = case.machine.state_folder().join("state.json");
    if how == "newer" {
        case.state = Some(fs_err::read(&path).unwrap());
        case.machine.edit_state(|state| state["version"] = json!(2));
    } else {
        spoil_file(&path, how);
    }
}

fn kubeconfig(case: &mut Case<'_>, how: &str) {
    let file = case.machine.home().join(".kube/config");
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    drop(fs_err::remove_file(&file));
    match how {
        "folder" => fs_err::create_dir_all(&file).unwrap(),
        "garbage" => {
            let text = b"\t: not [ a kubeconfig".to_vec();
            fs_err::write(&file, &text).unwrap();
            case.untouched = Some((file, text));
        }
        "locked" => {
            let file = case.machine.users_kubeconfig();
            fs_err::write(file.with_extension("lock"), "").unwrap();
            case.untouched = Some((file.clone(), fs_err::read(file).unwrap()));
        }
        "empty" => fs_err::write(&file, "").unwrap(),
        _ => symlink("/nowhere/at/all", &file).unwrap(),
    }
}

/// As `kubectl delete` does it, whatever the webhooks of a half-dead cluster say.
async fn delete(case: &Case<'_>, wrong: &Wrong) {
    let all = &case.reference.0;
    let paths: Vec<&String> = match wrong {
        Wrong::ObjectGone(number) => vec![&all[usize::try_from(*number).unwrap() % all.len()]],
        Wrong::KindGone(kind) => all.iter().filter(|path| path.rsplit('/').nth(1) == Some(kind)).collect(),
        _ => Vec::new(),
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in paths {
        drop(client.delete(format!("{}{path}", case.machine.server.url())).send().await);
    }
}

/// Takes every fault away, as time or the user would; what a refusal's hint says is done.
pub(super) async fn heal(case: &mut Case<'_>) -> Result<(), String> {
    case.tasks.shutdown().await;
    let machine = &mut case.machine;
    machine.server.heal();
    {
        let mut engine = machine.engine.state();
        engine.faults.clear();
        engine.exec_script.clear();
        engine.info.clear();
    }
    if !case.script.wrongs.contains(&Wrong::OrphanedKind) {
        machine.kind.heal();
    }
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        machine.env_remove(name);
    }
    if case.untouched.is_some() || case.script.wrongs.iter().any(|wrong| matches!(wrong, Wrong::Kubeconfig(_))) {
        drop(fs_err::remove_dir_all(machine.home().join(".kube")));
    }
    case.listener = None;
    if case.script.wrongs.contains(&Wrong::NoKind) {
        case.machine.bundle.clone_from(&case.bundle);
    }
    let folder = case.machine.state_folder();
    if let Some(state) = case.state.take() {
        fs_err::write(folder.join("state.json"), state).unwrap();
    } else if case.script.wrongs.iter().any(|wrong| matches!(wrong, Wrong::State(how) if *how != "gone")) {
        let output = case.machine.quickstart(&["down"]).await;
        verdict::success(&output, "down, as the hint says,")?;
    }
    case.port_is_free_or_ours().await;
    Ok(())
}
