//! Running one cargo command: closed input, a time limit, output passed on and looked at line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The workspace's root folder.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// A cargo command in the workspace's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace_root()).stdin(Stdio::null());
    command
}

/// Whether this runs unattended.
pub(crate) fn unattended() -> bool {
    std::env::var_os("CI").is_some()
}

/// Runs `command`, passing its standard output on and to `line`; false when it fails or takes longer than `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration, mut line: impl FnMut(&str)) -> bool {
    println!("\n$ {}", shown(command));
    let started = Instant::now();
    // A group of its own lets us end what cargo started, too. With a person at the keyboard we stay in theirs, so that
    // Ctrl-C reaches everything.
    #[cfg(unix)]
    if unattended() {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("cannot start {}: {error}", shown(command));
            return false;
        }
    };
    let (sender, lines) = mpsc::channel::<String>();
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        for text in output.into_iter().flat_map(|o| BufReader::new(o).split(b'\n')) {
            let Ok(text) = text else { break };
            if sender.send(String::from_utf8_lossy(&text).into_owned()).is_err() {
                break;
            }
        }
    });
    loop {
        match lines.recv_timeout(limit.saturating_sub(started.elapsed())) {
            Ok(text) => {
                let _ = writeln!(std::io::stdout(), "{text}");
                line(&text);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                eprintln!("no end after {} s: {}", limit.as_secs(), shown(command));
                end(&mut child);
                return false;
            }
        }
    }
    let _ = reader.join();
    // Output is closed; what is left of the limit is for a process that closed it early.
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                println!("[{:.1} s, {}]", started.elapsed().as_secs_f64(), status);
                return status.success();
            }
            Ok(None) if started.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                end(&mut child);
                return false;
            }
        }
    }
}

fn end(child: &mut Child) {
    #[cfg(unix)]
    if unattended() {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn shown(command: &Command) -> String {
    let mut text = String::from("cargo");
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_lines_on_and_reports_success() {
        let mut lines = Vec::new();
        assert!(run(&mut cargo(&["--version"]), Duration::from_secs(60), |l| lines.push(l.to_owned())));
        assert!(lines.iter().any(|l| l.starts_with("cargo ")), "{lines:?}");
    }

    #[test]
    fn reports_failure() {
        assert!(!run(&mut cargo(&["no-such-command"]), Duration::from_secs(60), |_| {}));
    }

    #[cfg(unix)]
    #[test]
    fn ends_what_takes_too_long() {
        let mut command = Command::new("sleep");
        assert!(!run(command.arg("600").stdin(Stdio::null()), Duration::from_millis(50), |_| {}));
    }
}
