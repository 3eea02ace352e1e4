//! Tab: the four shells' scripts, and what the program answers when they ask.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::small::Machine;
use crate::support::sandbox::Output;

/// A machine that remembers clusters of these names.
async fn knows(names: &[&str]) -> Machine {
    let machine = Machine::new().await;
    for name in names {
        let folder = machine.home().join(".local/state/quickstart").join(name);
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join("state.json"), "{").unwrap();
    }
    machine
}

/// What a shell's script asks, and the candidates in the order of the answer.
async fn asked(machine: &Machine, shell: &str, words: &[&str]) -> Vec<String> {
    let mut arguments = vec!["--", "quickstart"];
    arguments.extend(words);
    let mut command = machine.command(&arguments);
    command.env("QUICKSTART_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CLAP_IFS", "\n");
    let output = said(machine, command).await.expect(0);
    assert_eq!(output.stderr, "", "a shell would print it into the line");
    output.stdout.lines().map(|line| line.split(['\t', ':']).next().unwrap().to_owned()).collect()
}

async fn said(machine: &Machine, mut command: Command) -> Output {
    machine.finish(command.spawn().unwrap(), &["(completion)"]).await
}

/// Every shell gets the clusters, whatever their state files say, and only those.
#[tokio::test]
async fn names_of_clusters_and_samples() {
    let machine = knows(&["lesson", "quickstart", "Not A Name"]).await;
    fs_err::write(machine.home().join(".local/state/quickstart/file"), "").unwrap();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert_eq!(asked(&machine, shell, &["down", "--name", ""]).await, ["lesson", "quickstart"], "{shell}");
        assert_eq!(asked(&machine, shell, &["status", "--name", "le"]).await, ["lesson"], "{shell}");
        assert_eq!(asked(&machine, shell, &["predict", "skl"]).await, ["sklearn-iris"], "{shell}");
        assert_eq!(asked(&machine, shell, &["doctor", "route", "s"]).await, ["sklearn-iris"], "{shell}");
        assert_eq!(asked(&machine, shell, &["predict", "-n", "k"]).await, ["kserve-test"], "{shell}");
        assert_eq!(asked(&machine, shell, &["up", "--profile", ""]).await, ["serverless", "raw"], "{shell}");
        assert_eq!(asked(&machine, shell, &["pre"]).await, ["predict"], "{shell}");
    }
    assert!(machine.server.requests().is_empty() && machine.engine.state().log.is_empty(), "nobody is asked");
}

/// A word too many, a shell that nobody knows, no home folder: nothing is answered, and nothing is said.
#[tokio::test]
async fn it_is_silent_whatever_is_wrong() {
    let mut machine = knows(&["lesson"]).await;
    assert_eq!(asked(&machine, "tcsh", &["down", "--name", ""]).await, Vec::<String>::new());
    asked(&machine, "bash", &["no-such-verb", "--name", "x", ""]).await;
    let mut command = machine.command(&["down"]);
    command.env("QUICKSTART_COMPLETE", "zsh");
    assert_eq!(said(&machine, command).await.expect(0).text(), "exit: 0\n----- stdout -----\n----- stderr -----\n");
    for variable in ["HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        machine.env_remove(variable);
    }
    assert_eq!(asked(&machine, "bash", &["down", "--name", ""]).await, Vec::<String>::new());
}

/// The script in a real bash: what `quickstart down --name <Tab>` puts into COMPREPLY.
#[tokio::test]
async fn a_real_bash_gets_them() {
    let Some(bash) = ["/bin/bash", "/usr/bin/bash"].map(Path::new).into_iter().find(|path| path.exists()) else { return };
    let machine = knows(&["lesson", "quickstart"]).await;
    let script = machine.quickstart(&["completions", "bash"]).await.expect(0).stdout;
    let program = Path::new(env!("CARGO_BIN_EXE_quickstart")).parent().unwrap();
    let line = "COMP_WORDS=(quickstart down --name '') COMP_CWORD=3 COMP_TYPE=9; _clap_complete_quickstart quickstart '' --name; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new(bash);
    command
        .args(["--norc", "-c", &format!("{script}\n{line}")])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.env("PATH", program).env("HOME", machine.home()).env("XDG_STATE_HOME", machine.home().join(".local/state"));
    let output = said(&machine, command).await.expect(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("lesson\nquickstart\n", ""));
}

/// Each script asks the program, under its name.
#[tokio::test]
async fn a_script_for_each_shell() {
    let machine = Machine::new().await;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = machine.quickstart(&["completions", shell]).await.expect(0).stdout;
        assert!(script.contains("QUICKSTART_COMPLETE") && script.contains("quickstart"), "{shell}: {script}");
    }
    machine.quickstart(&["completions", "tcsh"]).await.expect(2);
}
