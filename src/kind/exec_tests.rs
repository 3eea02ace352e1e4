use std::sync::Mutex;

use super::*;

fn sh(script: &str, deadline: Duration) -> Command {
    Command::new(Path::new("/bin/sh"), deadline).args(["-c", script])
}

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn output_lines_and_environment_reach_the_right_side() {
    let lines = Mutex::new(Vec::new());
    let finished = sh("cat; echo $GREETING; printf 'one\\ntwo\\rthree' >&2", LONG)
        .envs([("GREETING".to_owned(), "hello".to_owned())])
        .stdin(b"input\n".to_vec())
        .run(&CancellationToken::new(), &|line| lines.lock().unwrap().push(line.to_owned()))
        .await
        .unwrap();
    assert_eq!(String::from_utf8(finished.stdout).unwrap(), "input\nhello\n");
    assert_eq!(finished.stderr, "one\ntwo\nthree");
    assert_eq!(*lines.lock().unwrap(), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_failure_carries_the_exit_status_and_the_end_of_standard_error() {
    let script = "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 7";
    let error = sh(script, LONG).run(&CancellationToken::new(), &|_| {}).await.unwrap_err();
    let CommandError::Failed { status, stderr, command } = &error else { panic!("{error}") };
    assert_eq!((status.code(), command == "sh"), (Some(7), true));
    assert!(stderr.ends_with("line 1999") && stderr.len() <= 2 * TAIL, "{}", stderr.len());
    let error = Command::new(Path::new("/nowhere/kind"), LONG).run(&CancellationToken::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(error, CommandError::Start { .. }));
}

#[tokio::test]
async fn a_child_that_ignores_its_large_input_does_not_block() {
    let finished = sh("exec 0<&-; echo done", LONG).stdin(vec![b'x'; 4 << 20]).run(&CancellationToken::new(), &|_| {}).await.unwrap();
    assert_eq!(finished.stdout, b"done\n");
}

/// The whole group must go: kind's docker commands outlived a cancelled kind.
#[tokio::test]
async fn a_cancelled_childs_own_children_end_too() {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let pid = Mutex::new(None);
    let error = sh("sleep 600 & echo $! >&2; wait", LONG)
        .run(&cancel, &|line| {
            *pid.lock().unwrap() = line.parse::<i32>().ok();
            stop.cancel();
        })
        .await
        .unwrap_err();
    assert!(matches!(error, CommandError::Cancelled { .. }));
    let pid = Pid::from_raw(pid.lock().unwrap().unwrap()).unwrap();
    until_gone(pid).await;
}

#[tokio::test]
async fn the_deadline_ends_a_child_and_shows_what_it_said() {
    let error = sh("echo waiting >&2; sleep 600", Duration::from_millis(300)).run(&CancellationToken::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(&error, CommandError::Deadline { stderr, .. } if stderr == "waiting"), "{error:?}");
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing_behind() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let send = Mutex::new(Some(send));
    let task = tokio::spawn(async move {
        let _ = sh("sleep 600 & echo $! >&2; wait", LONG)
            .run(&CancellationToken::new(), &|line| {
                if let Some(send) = send.lock().unwrap().take() {
                    let _ = send.send(line.parse::<i32>().unwrap());
                }
            })
            .await;
    });
    let pid = Pid::from_raw(receive.await.unwrap()).unwrap();
    task.abort();
    until_gone(pid).await;
}

/// A grandchild that keeps standard error open must not keep us waiting for its end.
#[tokio::test]
async fn a_child_that_leaves_something_behind_is_done_when_it_is_done() {
    let finished =
        tokio::time::timeout(Duration::from_secs(30), sh("sleep 600 & echo $!", LONG).run(&CancellationToken::new(), &|_| {})).await;
    let finished = finished.unwrap().unwrap();
    let pid: i32 = String::from_utf8(finished.stdout).unwrap().trim().parse().unwrap();
    let _ = rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

async fn until_gone(pid: Pid) {
    let gone = async {
        // A zombie that nobody reaps (no init in a container) is as good as gone.
        loop {
            let state = fs_err::tokio::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).await.unwrap_or_default();
            if state.is_empty() || state.contains(") Z") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
}
